"""The listening socket, and how a connection becomes an association.

Extends pynetdicom 3.0 where it takes 50 ms and a thread for whoever connects.
"""

from __future__ import annotations

import gc
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import structlog
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from bmnode.clock import Clock
from bmnode.scp.dul import PeerDul, wake_on_work
from bmnode.scp.peer_socket import PeerSocket
from bmnode.scp.policy import Caller, Rejection
from bmnode.scp.porch import LARGEST_REQUEST_BYTES, Porch, PorchLimits
from bmnode.scp.refusals import Refusal
from bmnode.scp.security import HandshakeError, Security, shake_hands
from bmnode.scp.store_path import StoreService
from bmnode.tls import TlsKeeper, server_context

SPARE_CONNECTIONS = 16
"""Connections beyond the associations: those being negotiated, rejected or closed."""
HANDSHAKES_PER_ADDRESS = 8
"""TLS handshakes at one time with one address; each has a thread."""
_WRITTEN_OUT = (evt.EVT_DIMSE_RECV, evt.EVT_DIMSE_SENT, evt.EVT_PDU_RECV, evt.EVT_PDU_SENT)
"""Events for which pynetdicom writes each message out, for a log that is not read. Ours is `handlers`."""
_LOG = structlog.get_logger(__name__)


class SharedContexts(list[PresentationContext]):
    """Presentation contexts that every association uses and none changes.

    pynetdicom copies the server's contexts deeply for each association: 44 of the 48 ms that it
    takes to set one up.
    """

    def __deepcopy__(self, _memo: dict[int, Any]) -> SharedContexts:
        return self


def end_negotiation(association: Association) -> None:
    """Let an association's thread end when its connection closed before it asked for anything.

    The thread waits for a request until the ACSE time-out; None is what it then gets.
    """
    association.dul.to_user_queue.put(cast("A_ASSOCIATE", None))


class PeerHandler(RequestHandler):
    """Starts an association whose upper layer is a `PeerDul` on a `PeerSocket`."""

    server: AcceptorServer

    def _create_association(self) -> Association:
        association = super()._create_association()
        wake_on_work(association)
        association.dul = PeerDul(association, store=self.server.store)
        association.acse_timeout = association.acse_timeout  # which sets the timers of the new upper layer
        association.network_timeout = association.network_timeout
        association.dul.socket = self.server.peer_socket(self.request, association)
        for event in _WRITTEN_OUT:
            bound = cast("list[tuple[Callable[..., None], object]]", association.get_handlers(event))
            for handler, _ in list(bound):
                if handler.__module__.startswith("pynetdicom."):
                    association.unbind(event, handler)
        return association


@dataclass(frozen=True, kw_only=True, slots=True)
class Doors:
    """How connections come in: how many, how encrypted, and who is told of those that do not."""

    max_associations: Callable[[], int]
    judge: Callable[[Caller], Rejection | None]
    """Asked before a thread is spent; the association is judged again when it is negotiated."""
    limits: PorchLimits
    security: Security
    refused: Callable[[Refusal], None]
    """Must not wait."""


class AcceptorServer(ThreadedAssociationServer):
    """The listening socket, and the threads that it spends on connections."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, *arguments: Any, clock: Clock, doors: Doors, store: StoreService, **options: Any) -> None:
        self._clock = clock
        self.store = store
        self._doors = doors
        self._lock = threading.Lock()
        self._coming: Counter[str] = Counter()
        """Connections by address that left the porch and are no association yet."""
        files, listening = doors.security.files, doors.security.listening
        self._keeper = None if files is None else TlsKeeper(files, server_context)
        self._porch = Porch(self, tell=doors.refused, limits=doors.limits, listening=listening, clock=clock)
        super().__init__(*arguments, **{**options, "request_handler": PeerHandler})
        self.contexts = SharedContexts(self.contexts)
        self._porch.start()

    def peer_socket(self, accepted: socket.socket, association: Association) -> PeerSocket:
        """A connection with this server's limits."""
        return PeerSocket(
            accepted,
            association,
            longest_pdu=max(self.ae.maximum_pdu_size, LARGEST_REQUEST_BYTES),
            clock=self._clock,
        )

    def process_request(self, request: Any, client_address: Any) -> None:
        """Let a new connection wait until it has asked for something; spends no thread."""
        self._porch.enter(request, client_address)

    def objection(self, request: bytes | None, address: str) -> Rejection | None:
        """See `bmnode.scp.porch.Inside`."""
        with self._lock:
            coming, of_address = self._coming.total(), self._coming[address]
        if request is None and of_address >= HANDSHAKES_PER_ADDRESS:
            return Rejection.TOO_MANY_OF_PEER
        if coming + len(self.active_associations) >= self._doors.max_associations() + SPARE_CONNECTIONS:
            return Rejection.TOO_MANY_ASSOCIATIONS
        return None if request is None else self._doors.judge(Caller.from_request(request, address=address))

    def admit(self, connection: socket.socket, address: tuple[str, int], *, secured: bool) -> None:
        """See `bmnode.scp.porch.Inside`."""
        with self._lock:
            self._coming[address[0]] += 1
        if not secured:  # nothing is waited for, and a thread would take as long as the work
            self._begin(connection, address, secured)
            return
        threading.Thread(
            target=self._begin, args=(connection, address, secured), name="bmnode-connection", daemon=True
        ).start()

    def _begin(self, connection: socket.socket, address: tuple[str, int], secured: bool) -> None:
        """Make a connection an association, in a thread of its own: a handshake may take its time."""
        try:
            if secured and self._keeper is not None:
                connection = shake_hands(
                    connection,
                    self._keeper.context,
                    timeout_s=self._doors.limits.request_timeout_s,
                    clock=self._clock,
                )
            self.process_request_thread(connection, address)
        except HandshakeError as error:
            refusal = Refusal(
                event="connection_refused", address=address[0], reason="tls_failed", explanation=str(error)
            )
            self._doors.refused(refusal)
            connection.close()
        finally:
            with self._lock:
                self._coming[address[0]] -= 1
                if not self._coming[address[0]]:
                    del self._coming[address[0]]

    def service_actions(self) -> None:
        """Let go of associations that ended a moment ago; pynetdicom walks through all there is in memory for it."""
        gc.collect(1)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's signature
        """Log what kept a connection from becoming an association; socketserver would print it."""
        _LOG.error("connection_failed", peer_address=str(client_address[0]), exc_info=True)

    def shutdown(self) -> None:
        """Stop listening. Unlike pynetdicom's, works for a server that `AE.start_server` did not make."""
        socketserver.BaseServer.shutdown(self)
        self._porch.stop()
        self.server_close()
