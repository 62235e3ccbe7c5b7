"""The upper layer of an association: pynetdicom's, woken instead of polling, with the way of C-STORE taken over.

Negotiation, C-ECHO, release, abort and every other service stay pynetdicom's. Where a C-STORE request begins in
state Sta6 (PS3.8 Table 9-5), `StorePath` reads it, has it kept and answers it; what it reads and does not want is
given back.
"""

from __future__ import annotations

import queue
import threading
from typing import Any, cast

import structlog
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import A_ABORT, A_P_ABORT

from bmnode.scp.peer_socket import PeerSocket
from bmnode.scp.store_path import StorePath, StoreService

_TRANSFER, _CLOSING = "Sta6", "Sta13"
_LONGEST_WAIT_S = 0.1
"""How soon a timer that ran out is noticed: pynetdicom's own are looked at once a round."""
_ASSOCIATION_WAIT_S = 0.5
_BY_PROVIDER, _INVALID_PARAMETER = 0x02, 0x06
"""Source and reason of an A-ABORT (PS3.8 Table 9-26)."""
_LOG = structlog.get_logger(__name__)


class PeerDul(DULServiceProvider):
    """pynetdicom's upper layer, waiting on the socket instead of sleeping a millisecond a round.

    Args:
        association: whose layer this is.
        store: keeps what comes by C-STORE.
    """

    def __init__(self, association: Association, *, store: StoreService) -> None:
        super().__init__(association)
        self._run_loop_delay = 0.0
        self._store_path = StorePath(association, store=store, is_interrupted=self._is_ending)
        self.to_user_queue = cast("Any", NotifyingQueue(association))

    def run_reactor(self) -> None:
        """Serve until the association is over."""
        try:
            super().run_reactor()
        except Exception as error:  # noqa: BLE001 - the boundary to pynetdicom: a peer's bytes make its state machine raise anything
            _LOG.warning("association_broken", peer_address=self.assoc.requestor.address, error=type(error).__name__)
            self._break_off()
        finally:
            self._store_path.close()

    def _break_off(self) -> None:
        """Abort past a state machine that raised: it would leave the peer without an answer, and its place taken."""
        peer = cast("PeerSocket", self.socket)
        abort = A_ABORT_RQ()
        abort.source, abort.reason_diagnostic = _BY_PROVIDER, _INVALID_PARAMETER
        peer.send(abort.encode())
        if self.assoc.is_established:
            self.assoc.is_established, self.assoc.is_aborted = False, True
            evt.trigger(self.assoc, evt.EVT_ABORTED, {})
        self.assoc._kill = True
        peer.close()

    def send_pdu(self, primitive: Any) -> None:
        """Queue a primitive for the peer, and wake whoever sends it."""
        super().send_pdu(primitive)
        self._wake()

    def kill_dul(self) -> None:
        """End the thread."""
        super().kill_dul()
        self._wake()

    def stop_dul(self) -> bool:
        """End the thread and wait for it where no association is left; whether it was so."""
        if self.state_machine.current_state != "Sta1":
            return False
        self.kill_dul()
        if threading.current_thread() is not self:
            self.join()
        return True

    def _is_transport_event(self) -> bool:
        """Wait a moment for the peer or for ourselves, and read what came."""
        peer = cast("PeerSocket", self.socket)
        if self.state_machine.current_state != _CLOSING and self.event_queue.empty():
            peer.wait(_LONGEST_WAIT_S)
        if self._may_take_over(peer) and peer.ready:
            self._store_path.serve(peer)
            return True
        return super()._is_transport_event()

    def _may_take_over(self, peer: PeerSocket) -> bool:
        """Whether the next bytes begin a message, and none that was given back to pynetdicom."""
        return (
            self.state_machine.current_state == _TRANSFER
            and not peer.has_returned
            and self.assoc.dimse.message is None
            and self.event_queue.empty()
        )

    def _is_ending(self) -> bool:
        """Whether our own side wants to end the association now."""
        waiting = self.to_provider_queue.queue
        return self._kill_thread or any(isinstance(primitive, (A_ABORT, A_P_ABORT)) for primitive in tuple(waiting))

    def _wake(self) -> None:
        if isinstance(self.socket, PeerSocket):
            self.socket.wake()


class WorkSignal(threading.Event):
    """pynetdicom's checkpoint of the association's thread, which polls: here it waits until there is work.

    As an event it pauses that thread, as before. Once it is not paused, the thread waits for
    `notify` or half a second, in which its time-outs are looked at.
    """

    def __init__(self) -> None:
        super().__init__()
        self._work = threading.Event()

    def notify(self) -> None:
        """There is something to do."""
        self._work.set()

    def set(self) -> None:
        """Let the thread run."""
        super().set()
        if hasattr(self, "_work"):
            self._work.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait while paused, then for work."""
        is_set = super().wait(timeout)
        self._work.wait(_ASSOCIATION_WAIT_S)
        self._work.clear()
        return is_set


class NotifyingQueue(queue.Queue[Any]):
    """A queue towards the association's thread, which it wakes."""

    def __init__(self, association: Association) -> None:
        super().__init__()
        self._association = association

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add an item and wake the thread."""
        super().put(item, block, timeout)
        checkpoint = self._association._reactor_checkpoint
        if isinstance(checkpoint, WorkSignal):
            checkpoint.notify()


def wake_on_work(association: Association) -> None:
    """Let an association's thread wait for messages instead of looking for them a thousand times a second."""
    signal = WorkSignal()
    signal.set()
    association._reactor_checkpoint = signal
    association.dimse.msg_queue = NotifyingQueue(association)
