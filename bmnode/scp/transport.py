"""The listening socket, and how a connection becomes an association.

Extends pynetdicom 3.0 where it takes 50 ms and a thread for whoever connects.
"""

from __future__ import annotations

import socket
import socketserver
from collections.abc import Callable
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
from bmnode.scp.store_path import StoreService

SPARE_CONNECTIONS = 16
"""Connections beyond the associations: those being negotiated, rejected or closed."""
LARGEST_REQUEST_BYTES = 1 << 20
"""Longest PDU that is read whatever was announced: 128 contexts with all their transfer syntaxes are below 100 KiB."""
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


class AcceptorServer(ThreadedAssociationServer):
    """The listening socket."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(
        self, *arguments: Any, clock: Clock, connection_limit: int, store: StoreService, **options: Any
    ) -> None:
        self._clock = clock
        self.store = store
        self._connection_limit = connection_limit
        super().__init__(*arguments, **{**options, "request_handler": PeerHandler})
        self.contexts = SharedContexts(self.contexts)

    def peer_socket(self, accepted: socket.socket, association: Association) -> PeerSocket:
        """A connection with this server's limits."""
        return PeerSocket(
            accepted,
            association,
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
