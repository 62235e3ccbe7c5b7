"""Where connections wait until they have asked for something: a descriptor each and no thread.

A connection costs a thread only when the whole of its A-ASSOCIATE request, or the whole of its TLS ClientHello,
has arrived. Whoever is silent, drips, or speaks something else is dismissed here, and disturbs nobody. Where
there are too many of them, those that have waited longest go first: one who speaks at once is always heard.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from bmnode.clock import Clock
from bmnode.scp.policy import REJECTION_CODES, Caller, Rejection
from bmnode.scp.refusals import UNKNOWN_ACTOR, Refusal
from bmnode.scp.security import TlsListening

LARGEST_REQUEST_BYTES = 1 << 20
"""Longest A-ASSOCIATE request: 128 contexts with all their transfer syntaxes are below 100 KiB."""
_SHORTEST_REQUEST_BYTES = 68  # the fixed fields of PS3.8 Table 9-11
_BUFFERED_BYTES = 48 * 1024
"""As much of a long request is waited for here; Linux may hold no more back in a new connection's buffer."""
_HEAD_BYTES = 6
_ASSOCIATE_RQ = 0x01  # PS3.8 9.3.1
_TLS_HANDSHAKE = 0x16  # RFC 8446 5.1
_TLS_HEAD_BYTES = 5
_LARGEST_RECORD_BYTES = 16384 + 256
_A_ABORT = bytes([0x07, 0, 0, 0, 0, 4, 0, 0, 0, 0])  # PS3.8 9.3.8; action AA-1 of Table 9-7
_ESTABLISHED = 1  # of Linux's tcp_states.h, the first byte of TCP_INFO
_LINGER_S = 1.0
"""How long one that was dismissed may take to read the answer and close."""
_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class PorchLimits:
    """How many may wait, and how long. Raises ValueError where a limit cannot be used."""

    total: int = 512
    per_address: int = 256
    request_timeout_s: float = 5.0
    """From the connection to the whole of the request."""

    def __post_init__(self) -> None:
        if not 1 <= self.per_address <= self.total:
            raise ValueError("as many connections may wait in total as of one address, and at least one")
        if self.request_timeout_s <= 0:
            raise ValueError("time-outs are positive")


class Inside(Protocol):
    """What lies behind the porch."""

    def objection(self, request: bytes | None, address: str) -> Rejection | None:
        """Why a connection may have no thread; `request` is the A-ASSOCIATE-RQ, None where it is encrypted."""
        ...

    def admit(self, connection: socket.socket, address: tuple[str, int], *, secured: bool) -> None:
        """Take a connection over: its request, or its ClientHello, is there to be read."""
        ...


class _Phase(Enum):
    HEAD = auto()
    REQUEST = auto()
    LEAVING = auto()


@dataclass(kw_only=True, slots=True, eq=False)
class _Guest:
    connection: socket.socket
    address: tuple[str, int]
    deadline_s: float
    phase: _Phase = _Phase.HEAD
    needed: int = 1
    secured: bool = False


class Porch:
    """Keeps connections until they have asked.

    Args:
        inside: takes those that asked.
        tell: told of those that were dismissed; must not wait.
        limits: how many, how long.
        listening: which first bytes are right.
        clock: measures their time.
    """

    def __init__(
        self,
        inside: Inside,
        *,
        tell: Callable[[Refusal], None],
        limits: PorchLimits,
        listening: TlsListening,
        clock: Clock,
    ) -> None:
        self._inside = inside
        self._tell = tell
        self._limits = limits
        self._listening = listening
        self._clock = clock
        self._arrivals: deque[_Guest] = deque()
        self._guests: OrderedDict[_Guest, None] = OrderedDict()
        self._selector = selectors.DefaultSelector()
        self._bell, self._button = socket.socketpair()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="bmnode-porch", daemon=True)

    def start(self) -> None:
        """Look after connections from a thread of its own."""
        for end in (self._bell, self._button):
            end.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        """Close what still waits."""
        self._stopping = True
        self._ring()
        self._thread.join()
        for guest in [*self._guests, *self._arrivals]:
            guest.connection.close()
        self._selector.close()
        self._bell.close()
        self._button.close()

    def enter(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Take a new connection; returns at once."""
        connection.setblocking(False)
        deadline_s = self._clock.monotonic_s() + self._limits.request_timeout_s
        self._arrivals.append(_Guest(connection=connection, address=address, deadline_s=deadline_s))
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it rings already
            self._button.send(b"\0")

    def _work(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select(_POLL_S):
                if key.data is None:
                    self._bell.recv(4096)
                elif key.data in self._guests:
                    self._attend(key.data)
            while self._arrivals:
                self._seat(self._arrivals.popleft())
            self._send_home_who_is_late()

    def _seat(self, guest: _Guest) -> None:
        of_address = [other for other in self._guests if other.address[0] == guest.address[0]]
        if len(of_address) >= self._limits.per_address:
            self._evict_one_of(of_address)
        elif len(self._guests) >= self._limits.total:
            self._evict_one_of(list(self._guests))
        self._guests[guest] = None
        self._selector.register(guest.connection, selectors.EVENT_READ, guest)
        self._attend(guest)  # what it has said already makes room for the next

    def _evict_one_of(self, guests: list[_Guest]) -> None:
        """One that has its answer, else the one that has waited longest."""
        guest = next((guest for guest in guests if guest.phase is _Phase.LEAVING), guests[0])
        if guest.phase is not _Phase.LEAVING:
            self._refuse(guest, "too_many_connections")
        self._close(guest)

    def _send_home_who_is_late(self) -> None:
        now = self._clock.monotonic_s()
        for guest in [guest for guest in self._guests if guest.deadline_s <= now]:
            if guest.phase is not _Phase.LEAVING:
                self._refuse(guest, "no_request_in_time")
            self._close(guest)

    def _attend(self, guest: _Guest) -> None:
        """Act on what a guest has sent so far."""
        if guest.phase is _Phase.LEAVING:
            if not _drain(guest.connection):
                self._close(guest)
            return
        try:
            sent = guest.connection.recv(max(guest.needed, _HEAD_BYTES), socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            sent = b""
        if len(sent) < guest.needed:
            if not _is_open(guest.connection):
                self._refuse(guest, "closed_before_request")
                self._close(guest)
        elif guest.phase is _Phase.HEAD:
            self._read_head(guest, sent)
        else:
            self._let_in(guest)

    def _read_head(self, guest: _Guest, sent: bytes) -> None:
        """Judge the first byte, then the length, then wait for the whole."""
        guest.secured = sent[0] == _TLS_HANDSHAKE
        reason = self._wrong_first_byte(sent[0])
        head_bytes = _TLS_HEAD_BYTES if guest.secured else _HEAD_BYTES
        if reason is None and len(sent) < head_bytes:
            _wait_for(guest, head_bytes)
            return
        if reason is None:
            length = struct.unpack(">3xH" if guest.secured else ">2xL", sent[:head_bytes])[0]
            if length > (_LARGEST_RECORD_BYTES if guest.secured else LARGEST_REQUEST_BYTES):
                reason = "request_too_long"
            elif not guest.secured and length < _SHORTEST_REQUEST_BYTES:
                reason = "request_too_short"
        if reason is not None:
            self._refuse(guest, reason)
            self._dismiss(guest, b"" if guest.secured else _A_ABORT)
            return
        guest.phase = _Phase.REQUEST
        _wait_for(guest, min(head_bytes + length, _BUFFERED_BYTES))
        self._attend(guest)

    def _wrong_first_byte(self, first: int) -> str | None:
        if first == _TLS_HANDSHAKE:
            return "tls_not_offered" if self._listening is TlsListening.OFF else None
        if first == _ASSOCIATE_RQ:
            return "clear_text_on_tls_port" if self._listening is TlsListening.REQUIRED else None
        return "not_dicom"

    def _let_in(self, guest: _Guest) -> None:
        """Hand a guest over, or reject it here: a rejection costs no thread either."""
        request = None if guest.secured else guest.connection.recv(guest.needed, socket.MSG_PEEK)
        rejection = self._inside.objection(request, guest.address[0])
        if rejection is None:
            self._forget(guest)
            _set_low_water(guest.connection, 1)
            guest.connection.setblocking(True)
            self._inside.admit(guest.connection, guest.address, secured=guest.secured)
        elif request is None:  # nothing can be said before the handshake
            self._refuse(guest, rejection.value)
            self._close(guest)
        else:
            actor = Caller.from_request(request, address=guest.address[0]).calling_ae or UNKNOWN_ACTOR
            self._refuse(guest, rejection.value, event="association_rejected", actor=actor)
            self._dismiss(guest, struct.pack(">BxLx3B", 0x03, 4, *REJECTION_CODES[rejection]))  # PS3.8 9.3.4

    def _refuse(
        self, guest: _Guest, reason: str, *, event: str = "connection_refused", actor: str = UNKNOWN_ACTOR
    ) -> None:
        if reason == "closed_before_request":
            event = "connection_without_association"
        self._tell(Refusal(event=event, address=guest.address[0], reason=reason, actor=actor))

    def _dismiss(self, guest: _Guest, farewell: bytes) -> None:
        """Answer, and wait a little until the peer has read it: closing at once would take the answer back."""
        guest.phase = _Phase.LEAVING
        guest.deadline_s = self._clock.monotonic_s() + _LINGER_S
        _set_low_water(guest.connection, 1)
        try:
            if not _drain(guest.connection):
                self._close(guest)
                return
            guest.connection.send(farewell)
            guest.connection.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(guest)

    def _close(self, guest: _Guest) -> None:
        self._forget(guest)
        guest.connection.close()

    def _forget(self, guest: _Guest) -> None:
        self._guests.pop(guest, None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(guest.connection)


def _wait_for(guest: _Guest, needed: int) -> None:
    """Be woken when so many bytes are there, or the peer has closed."""
    guest.needed = needed
    _set_low_water(guest.connection, needed)


def _set_low_water(connection: socket.socket, needed: int) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, needed)


def _is_open(connection: socket.socket) -> bool:
    """Whether more can come. What is there but unread hides the end of a connection from a read that only looks."""
    try:
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED
    except OSError:
        return False


def _drain(connection: socket.socket) -> bool:
    """Read and forget what is there; False where the peer has closed."""
    try:
        for _ in range(16):
            if not connection.recv(64 * 1024):
                return False
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True
