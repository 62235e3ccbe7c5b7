"""A peer's connection: fast acknowledgement, bounded waiting, bounded memory.

Extends pynetdicom 3.0 where its transport layer waits for ever, for 40 ms, or a thousand times a second.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from bmnode.clock import Clock
from bmnode.tls import certificate_names

_BEFORE_REQUEST, _CLOSING = ("Sta1", "Sta2"), "Sta13"  # states of PS3.8 9.2
_CONNECTION_CLOSED = "Evt17"
_DEFAULT_TIMEOUT_S = 60.0
_LONGEST_WAIT_S = 0.1
"""How soon a clock that ran on is noticed while nothing comes."""
_CLOSED_WAIT_S = 0.005
_AHEAD_BYTES = 1 << 17
"""[P] Read at once: a sender's PDUs are 16 to 128 KiB, and each would take three reads."""
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class PeerSocket(AssociationSocket):
    """An accepted connection, non-blocking: it waits where it knows for how long, and can be woken.

    Args:
        accepted: what pynetdicom made of it.
        association: whose new state machine hears of the connection (Evt5).
        longest_pdu: a PDU that says it is longer ends the connection before memory is taken for it.
        clock: measures how long a PDU takes: the association's network time-out at most, the
            A-ASSOCIATE request its ACSE time-out, however slowly the bytes drip.
    """

    def __init__(self, accepted: socket.socket, association: Association, *, longest_pdu: int, clock: Clock) -> None:
        super().__init__(association, client_socket=accepted)
        self._longest_pdu = longest_pdu
        self._clock = clock
        self._returned = bytearray()
        self._ahead = memoryview(bytearray(_AHEAD_BYTES))
        self._ahead_from = self._ahead_to = 0
        """What was read and nobody has asked for yet."""
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.setblocking(False)
        self._waker, self._alarm = socket.socketpair()
        self._alarm.setblocking(False)
        self._waker.setblocking(False)
        self._poll = select.poll()
        self._poll.register(accepted, select.POLLIN)
        self._poll.register(self._alarm, select.POLLIN)

    @property
    def certificate_names(self) -> frozenset[str] | None:
        """Names in the peer's certificate, in lower case; None where the connection is not encrypted."""
        if not isinstance(self.socket, ssl.SSLSocket):
            return None
        return certificate_names(self.socket.getpeercert() or {})

    @property
    def ready(self) -> bool:
        """Whether there is something to read now.

        Not before the last PDU was acted on, and never once the association is over: what a peer
        sends after an illegal PDU or an abort is not read, so that pynetdicom closes the
        connection at once instead of waiting for the rest of the rubbish.
        """
        dul = self.assoc.dul
        if not dul.event_queue.empty() or dul.state_machine.current_state == _CLOSING:
            return False
        return self._has_more() or self._is_readable(0.0)

    def wait(self, timeout_s: float) -> None:
        """Return when there is something to read, somebody called `wake`, or the time is over."""
        if self.socket is None:
            select.select([], [], [], min(timeout_s, _CLOSED_WAIT_S))
        elif not self._has_more():
            self._is_readable(timeout_s)

    def wake(self) -> None:
        """End another thread's waiting. Harmless once the connection is closed."""
        with suppress(OSError):  # full: it is awake; closed: nobody waits
            self._waker.send(b"\0")

    def give_back(self, data: bytes | bytearray) -> None:
        """Let what was read be read again, before anything else."""
        self._returned[:0] = data

    @property
    def has_returned(self) -> bool:
        """Whether something was given back and not read again."""
        return bool(self._returned)

    def take(self, count: int) -> bytes:
        """So many bytes if they are here already; nothing where they have to be waited for."""
        start = self._ahead_from
        if self._returned or self._ahead_to - start < count:
            return b""
        self._ahead_from += count
        return bytes(self._ahead[start : self._ahead_from])

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, fewer where the peer closes.

        Raises OSError where the peer announces too much, or takes too long.
        """
        if self.socket is None:
            return bytearray()
        if nr_bytes > self._longest_pdu:
            raise ConnectionAbortedError(f"the peer announced a PDU of {nr_bytes} bytes")
        received = bytearray(nr_bytes)
        view = memoryview(received)
        deadline = self.deadline()
        at = 0
        while at < nr_bytes:
            count = self.read_into(view[at:], deadline=deadline)
            if not count:
                return received[:at]
            at += count
        return received

    def deadline(self) -> float:
        """By when, on the clock, a PDU that begins now has to be complete."""
        is_request = self.assoc.dul.state_machine.current_state in _BEFORE_REQUEST
        timeout_s = (self.assoc.acse_timeout if is_request else self.assoc.network_timeout) or _DEFAULT_TIMEOUT_S
        return self._clock.monotonic_s() + timeout_s

    def read_into(self, view: memoryview, *, deadline: float, is_interrupted: Callable[[], bool] | None = None) -> int:
        """Read what there is, up to the view's length, waiting for the first byte of it; 0 where the peer closed.

        Acknowledges before it waits: a sender that leaves Nagle's algorithm on, as DCMTK's storescu
        and Orthanc do, waits for the acknowledgement of each piece, and Linux delays it by 40 ms.
        The option does not stay set, so it is set again at every wait.

        Raises:
            TimeoutError: nothing came in time.
            InterruptedError: `is_interrupted` said so while waiting.
            OSError: the connection broke.
        """
        if self._returned:
            count = min(len(view), len(self._returned))
            view[:count] = self._returned[:count]
            del self._returned[:count]
            return count
        if self._ahead_from == self._ahead_to and len(view) >= _AHEAD_BYTES:
            return self._receive(view, deadline=deadline, is_interrupted=is_interrupted)
        if self._ahead_from == self._ahead_to:
            self._ahead_from = self._ahead_to = 0
            self._ahead_to = self._receive(self._ahead, deadline=deadline, is_interrupted=is_interrupted)
        count = min(len(view), self._ahead_to - self._ahead_from)
        view[:count] = self._ahead[self._ahead_from : self._ahead_from + count]
        self._ahead_from += count
        return count

    def _receive(self, view: memoryview, *, deadline: float, is_interrupted: Callable[[], bool] | None) -> int:
        """What comes over the connection; see `read_into`."""
        peer = self.socket
        while peer is not None:
            if self._clock.monotonic_s() > deadline:
                raise TimeoutError("the peer did not complete a PDU in time")
            try:
                return peer.recv_into(view)
            except _NOT_NOW:
                if _QUICKACK is not None:
                    peer.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
                self._is_readable(_LONGEST_WAIT_S)
                if is_interrupted is not None and is_interrupted():
                    raise InterruptedError from None
        return 0

    def send(self, bytestream: bytes) -> None:
        """Send all of it, or tell the state machine that the connection is gone (Evt17)."""
        view = memoryview(bytestream)
        deadline = self.deadline()
        try:
            while view and self.socket is not None:
                try:
                    view = view[self.socket.send(view) :]
                except _NOT_NOW:
                    if self._clock.monotonic_s() > deadline:
                        raise TimeoutError("the peer does not read") from None
                    _wait_until_writable(self.socket)
        except OSError:
            self.event_queue.put(_CONNECTION_CLOSED)

    def close(self) -> None:
        """Close the connection and what wakes its thread."""
        super().close()
        self._ahead = memoryview(bytearray())  # the association itself stays in memory for a while
        self._ahead_from = self._ahead_to = 0
        self._waker.close()
        self._alarm.close()

    def _has_more(self) -> bool:
        """Whether there is something to read that the connection does not show."""
        return bool(self._returned) or self._ahead_from < self._ahead_to or self._is_pending()

    def _is_pending(self) -> bool:
        """Whether TLS has decrypted bytes that the socket no longer shows."""
        return isinstance(self.socket, ssl.SSLSocket) and bool(self.socket.pending())

    def _is_readable(self, timeout_s: float) -> bool:
        if self.socket is None:
            return False
        found = {handle for handle, _ in self._poll.poll(timeout_s * 1000)}
        alarm = self._alarm.fileno()
        if alarm in found:
            with suppress(OSError):
                self._alarm.recv(4096)
        return bool(found - {alarm})


def _wait_until_writable(peer: socket.socket) -> None:
    waiting = select.poll()
    waiting.register(peer, select.POLLOUT)
    waiting.poll(_LONGEST_WAIT_S * 1000)
