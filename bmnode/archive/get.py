"""C-GET as the SCU: a study comes on the association on which it was asked for (PS3.4 C.4.3).

For archives that cannot call the node: behind a firewall, or where nobody adds its AE title.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made by the module's __getattr__
    StudyRootQueryRetrieveInformationModelGet,
)

from bmnode.archive.association import Caller
from bmnode.domain.peers import Peer
from bmnode.errors import NotFoundError, PeerRefusedError, PeerUnreachableError

MOST_CLASSES = 63
"""Two presentation contexts a storage class beside that of C-GET: 128 at most (PS3.8 9.3.2.2)."""
_SUCCESS, _OUT_OF_RESOURCES = 0x0000, 0xA700
_PENDING = frozenset({0xFF00, 0xFF01})


@dataclass(frozen=True, kw_only=True, slots=True)
class SentInstance:
    """One instance that came, its data set as it is on the wire."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source_ae: str
    data_set: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyGetter:
    """Gets studies; has `move`, so that it stands where a `bmnode.archive.StudyMover` does.

    Args:
        caller: who asks, and for how long.
        sop_classes: what is taken; raises ValueError above `MOST_CLASSES`.
        transfer_syntaxes: in how each class is taken, one group a presentation context.
        keep: keeps an instance; its C-STORE status, success only when it is durable. Called in another thread.
    """

    caller: Caller
    sop_classes: Sequence[str]
    transfer_syntaxes: tuple[Sequence[str], Sequence[str]]
    keep: Callable[[SentInstance], int]

    def __post_init__(self) -> None:
        if not 0 < len(self.sop_classes) <= MOST_CLASSES:
            raise ValueError(f"C-GET offers 1 to {MOST_CLASSES} storage classes")

    def move(self, peer: Peer, study_uid: str, *, series_uid: str | None = None) -> int:
        """The number of instances that came and were kept, of the study or of one series of it.

        Raises PeerUnreachableError without an association or answer within the limits, PeerRefusedError where the peer
        refuses or an instance was not kept, NotFoundError where it has no such study.
        """
        contexts = [build_context(StudyRootQueryRetrieveInformationModelGet)]
        contexts += [build_context(uid, list(group)) for uid in self.sop_classes for group in self.transfer_syntaxes]
        roles = [build_role(uid, scp_role=True) for uid in self.sop_classes]
        deadline_s = self.caller.deadline_s()
        with self.caller.associate(
            peer,
            contexts,
            roles=roles,
            handlers=[(evt.EVT_C_STORE, lambda event: self._store(event, peer=peer, deadline_s=deadline_s))],
        ) as association:
            last = self._ask(association, _identifier(study_uid, series_uid), deadline_s=deadline_s)
        return _judge(last, peer=peer, study_uid=study_uid)

    def _store(self, event: evt.Event, *, peer: Peer, deadline_s: float) -> int:
        if self.caller.clock.monotonic_s() > deadline_s:
            event.assoc.abort()
            return _OUT_OF_RESOURCES
        request: Any = event.request  # a C-STORE; pynetdicom types it as any service's
        return self.keep(
            SentInstance(
                sop_class_uid=str(request.AffectedSOPClassUID),
                sop_instance_uid=str(request.AffectedSOPInstanceUID),
                transfer_syntax_uid=str(event.context.transfer_syntax),
                source_ae=peer.ae_title,
                data_set=request.DataSet.getvalue(),
            )
        )

    def _ask(self, association: Association, identifier: Dataset, *, deadline_s: float) -> Dataset:
        """The last response; empty where it did not come in time."""
        last = Dataset()
        self.caller.allow(association, deadline_s=deadline_s)
        for status, _ in association.send_c_get(identifier, StudyRootQueryRetrieveInformationModelGet):
            last = status
            if status.get("Status") in _PENDING and self.caller.clock.monotonic_s() > deadline_s:
                association.abort()
                break
            self.caller.allow(association, deadline_s=deadline_s)
        return last


def _identifier(study_uid: str, series_uid: str | None) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY" if series_uid is None else "SERIES"
    identifier.StudyInstanceUID = study_uid
    if series_uid is not None:
        identifier.SeriesInstanceUID = series_uid
    return identifier


def _judge(last: Dataset, *, peer: Peer, study_uid: str) -> int:
    status = last.get("Status")
    if status is None or status in _PENDING:
        raise PeerUnreachableError(f"peer {peer.name} did not finish the C-GET")
    if status != _SUCCESS:
        failed = last.get("NumberOfFailedSuboperations", "?")
        raise PeerRefusedError(
            f"peer {peer.name} answered C-GET with status 0x{status:04X}, {failed} instance(s) failed", status=status
        )
    completed = int(last.get("NumberOfCompletedSuboperations", 0) or 0)
    if completed == 0:
        raise NotFoundError(f"peer {peer.name} has no study {study_uid}")
    return completed
