"""Storage commitment as the SCP (PS3.4 annex J): who has the object vouches for it."""

from __future__ import annotations

from enum import StrEnum

from pydicom import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association

from bmnode.archive.commit import ALL_COMMITTED, FAILURES_EXIST, PUSH_MODEL, PUSH_MODEL_INSTANCE
from bmnode.delivery.sender import send_without_delay
from bmnode.domain.peers import Peer
from bmnode.testing.archive.index import ArchiveIndex

_NO_SUCH_INSTANCE = 0x0112  # Failure Reason, PS3.3 C.14.1.1
_CLASS_INSTANCE_CONFLICT = 0x0119


class CommitmentRoute(StrEnum):
    """Which association carries the report; both are in use among archives."""

    SAME_ASSOCIATION = "same_association"
    NEW_ASSOCIATION = "new_association"


def report(index: ArchiveIndex, request: Dataset, *, denied_with: int | None) -> tuple[int, Dataset]:
    """The event type and information that answer an N-ACTION (PS3.4 Table J.3.3-1).

    Args:
        index: what the archive holds.
        request: the action information, with Transaction UID and Referenced SOP Sequence.
        denied_with: a Failure Reason for every instance, or None to judge them.
    """
    committed, failed = [], []
    for item in request.get("ReferencedSOPSequence", []):
        reference = Dataset()
        reference.ReferencedSOPClassUID = item.ReferencedSOPClassUID
        reference.ReferencedSOPInstanceUID = item.ReferencedSOPInstanceUID
        reason = denied_with if denied_with is not None else _failure(index, item)
        if reason is None:
            committed.append(reference)
        else:
            reference.FailureReason = reason
            failed.append(reference)
    information = Dataset()
    information.TransactionUID = request.TransactionUID
    if committed:
        information.ReferencedSOPSequence = committed
    if failed:
        information.FailedSOPSequence = failed
    return (FAILURES_EXIST if failed else ALL_COMMITTED), information


def _failure(index: ArchiveIndex, item: Dataset) -> int | None:
    instance = index.get(str(item.ReferencedSOPInstanceUID))
    if instance is None or not instance.path.exists():
        return _NO_SUCH_INSTANCE
    return None if instance.sop_class_uid == item.ReferencedSOPClassUID else _CLASS_INSTANCE_CONFLICT


def send_report(association: Association, event_type: int, information: Dataset) -> None:
    """N-EVENT-REPORT on an association where this side has the SCP role."""
    association.send_n_event_report(information, event_type, PUSH_MODEL, PUSH_MODEL_INSTANCE)


def associate_for_report(ae: AE, requester: Peer) -> Association:
    """An association to the requester that asks for the SCP role (PS3.4 J.3.3, PS3.7 D.3.3.4)."""
    return ae.associate(
        requester.host,
        requester.port,
        contexts=[build_context(PUSH_MODEL)],
        ae_title=requester.ae_title,
        ext_neg=[build_role(PUSH_MODEL, scp_role=True)],
        evt_handlers=[(evt.EVT_CONN_OPEN, send_without_delay)],
    )
