"""The listening socket and each peer's: fast acknowledgement, bounded waiting, bounded memory.

Extends pynetdicom 3.0 where its transport layer waits for ever or for 40 ms.
"""

from __future__ import annotations

import queue
import socket
import socketserver
from collections.abc import Callable
from typing import Any, cast

import structlog
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from bmnode.clock import Clock

SPARE_CONNECTIONS = 16
"""Connections beyond the associations: those being negotiated, rejected or closed."""
LARGEST_REQUEST_BYTES = 1 << 20
"""Longest PDU that is read whatever was announced: 128 contexts with all their transfer syntaxes are below 100 KiB."""
_WRITTEN_OUT = (evt.EVT_DIMSE_RECV, evt.EVT_DIMSE_SENT, evt.EVT_PDU_RECV, evt.EVT_PDU_SENT)
"""Events for which pynetdicom writes each message out, for a log that is not read. Ours is `handlers`."""
_LOG = structlog.get_logger(__name__)
_BEFORE_REQUEST, _CLOSING = ("Sta1", "Sta2"), "Sta13"  # states of PS3.8 9.2
_DEFAULT_TIMEOUT_S = 60.0
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux


class SharedContexts(list[PresentationContext]):
    """Presentation contexts that every association uses and none changes.

    pynetdicom copies the server's contexts deeply for each association: 44 of the 48 ms that it
    takes to set one up.
    """

    def __deepcopy__(self, _memo: dict[int, Any]) -> SharedContexts:
        return self


class PeerSocket(AssociationSocket):
    """An accepted connection.

    Args:
        accepted: what pynetdicom made of it.
        longest_pdu: a PDU that says it is longer ends the connection before memory is taken for it.
        clock: measures how long a PDU takes: the association's network time-out at most, the
            A-ASSOCIATE request its ACSE time-out, however slowly the bytes drip.
    """

    def __init__(self, accepted: AssociationSocket, *, longest_pdu: int, clock: Clock) -> None:
        super().__init__(accepted.assoc, client_socket=accepted.socket)
        self._longest_pdu = longest_pdu
        self._clock = clock
        if self.socket is not None:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def ready(self) -> bool:
        """Whether there is something to read now.

        Not before the last PDU was acted on, and never once the association is over: what a peer
        sends after an illegal PDU or an abort is not read, so that pynetdicom closes the
        connection at once instead of waiting for the rest of the rubbish.
        """
        dul = self.assoc.dul
        return dul.event_queue.empty() and dul.state_machine.current_state != _CLOSING and super().ready

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, fewer where the peer closes.

        Acknowledges at once: a sender that leaves Nagle's algorithm on, as DCMTK's storescu and
        Orthanc do, waits for the acknowledgement of each piece, and Linux delays it by 40 ms.
        The option does not stay set, so it is set again after every read.

        Raises OSError where the peer announces too much, or takes too long.
        """
        peer = self.socket
        if peer is None:
            return bytearray()
        if nr_bytes > self._longest_pdu:
            raise ConnectionAbortedError(f"the peer announced a PDU of {nr_bytes} bytes")
        is_request = self.assoc.dul.state_machine.current_state in _BEFORE_REQUEST
        timeout_s = (self.assoc.acse_timeout if is_request else self.assoc.network_timeout) or _DEFAULT_TIMEOUT_S
        peer.settimeout(timeout_s)
        received = bytearray(nr_bytes)
        view = memoryview(received)
        deadline = self._clock.monotonic_s() + timeout_s
        at = 0
        while at < nr_bytes:
            count = peer.recv_into(view[at:])
            if not count:
                return received[:at]
            at += count
            if _QUICKACK is not None:
                peer.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            if at < nr_bytes and self._clock.monotonic_s() > deadline:
                raise TimeoutError("the peer did not complete a PDU in time")
        return received


def end_negotiation(association: Association) -> None:
    """Let an association's thread end when its connection closed before it asked for anything.

    The thread waits for a request until the ACSE time-out; None is what it then gets.
    """
    association.dul.to_user_queue.put(cast("A_ASSOCIATE", None))


class PeerHandler(RequestHandler):
    """Starts an association on a `PeerSocket`."""

    server: AcceptorServer

    def _create_association(self) -> Association:
        association = super()._create_association()
        accepted = association.dul.socket
        if accepted is not None:
            # Making a socket tells the state machine of the connection (Evt5). It was told already.
            association.dul.event_queue = queue.Queue()
            association.dul.socket = self.server.peer_socket(accepted)
        for event in _WRITTEN_OUT:
            bound = cast("list[tuple[Callable[..., None], object]]", association.get_handlers(event))
            for handler, _ in list(bound):
                if handler.__module__.startswith("pynetdicom."):
                    association.unbind(event, handler)
        return association


class AcceptorServer(ThreadedAssociationServer):
    """The listening socket."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, *arguments: Any, clock: Clock, connection_limit: int, **options: Any) -> None:
        self._clock = clock
        self._connection_limit = connection_limit
        super().__init__(*arguments, **{**options, "request_handler": PeerHandler})
        self.contexts = SharedContexts(self.contexts)

    def peer_socket(self, accepted: AssociationSocket) -> PeerSocket:
        """A connection with this server's limits."""
        return PeerSocket(
            accepted,
            longest_pdu=max(self.ae.maximum_pdu_size, LARGEST_REQUEST_BYTES),
            clock=self._clock,
        )

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - socketserver's signature
        """Hang up at once, before a thread is spent, where there are too many connections."""
        if len(self.active_associations) < self._connection_limit:
            return True
        _LOG.warning("connection_refused", peer_address=str(client_address[0]), reason="too_many_connections")
        return False

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as above
        """Log what kept a connection from becoming an association; socketserver would print it."""
        _LOG.error("connection_failed", peer_address=str(client_address[0]), exc_info=True)

    def shutdown(self) -> None:
        """Stop listening. Unlike pynetdicom's, works for a server that `AE.start_server` did not make."""
        socketserver.BaseServer.shutdown(self)
        self.server_close()
