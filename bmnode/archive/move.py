"""C-MOVE as the SCU: have a PACS send a study to this node (PS3.4 C.4.2)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made by the module's __getattr__
    StudyRootQueryRetrieveInformationModelMove,
)

from bmnode.archive.association import Caller
from bmnode.domain.peers import Peer
from bmnode.errors import NotFoundError, PeerRefusedError, PeerUnreachableError

_SUCCESS = 0x0000
_PENDING = frozenset({0xFF00, 0xFF01})
_DESTINATION_UNKNOWN = 0xA801  # PS3.4 Table C.4-2


class StudyMover:
    """Asks a peer to send a study to the node that asks, which the peer must know by its AE title.

    Args:
        caller: who asks, and for how long; a PACS may say nothing while it fetches a study from its archive.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def move(self, peer: Peer, study_uid: str) -> int:
        """The number of instances that the peer sent.

        Raises PeerUnreachableError without an association or answer within the limits, PeerRefusedError where the
        peer refuses or sent only a part, NotFoundError where it has no such study.
        """
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "STUDY"
        identifier.StudyInstanceUID = study_uid
        with self._caller.associate(peer, [build_context(StudyRootQueryRetrieveInformationModelMove)]) as association:
            last = self._ask(association, identifier)
        return self._judge(last, peer=peer, study_uid=study_uid)

    def _ask(self, association: Association, identifier: Dataset) -> Dataset:
        """The last response; empty where it did not come in time."""
        last, deadline_s = Dataset(), self._caller.deadline_s()
        self._caller.allow(association, deadline_s=deadline_s)
        for status, _ in association.send_c_move(
            identifier, self._caller.ae_title, StudyRootQueryRetrieveInformationModelMove
        ):
            last = status
            if status.get("Status") in _PENDING and self._caller.clock.monotonic_s() > deadline_s:
                association.abort()
                break
            self._caller.allow(association, deadline_s=deadline_s)
        return last

    def _judge(self, last: Dataset, *, peer: Peer, study_uid: str) -> int:
        status = last.get("Status")
        if status is None or status in _PENDING:
            raise PeerUnreachableError(f"peer {peer.name} did not finish the C-MOVE")
        if status == _DESTINATION_UNKNOWN:
            raise PeerRefusedError(
                f"peer {peer.name} does not know the AE title {self._caller.ae_title}; add this node there",
                status=status,
            )
        if status != _SUCCESS:
            failed = last.get("NumberOfFailedSuboperations", "?")
            raise PeerRefusedError(
                f"peer {peer.name} answered C-MOVE with status 0x{status:04X}, {failed} instance(s) failed",
                status=status,
            )
        completed = int(last.get("NumberOfCompletedSuboperations", 0))
        if completed == 0:
            raise NotFoundError(f"peer {peer.name} has no study {study_uid}")
        return completed
