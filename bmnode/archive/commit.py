"""Storage Commitment Push Model as the SCU (PS3.4 annex J): the request, and the report whichever way it comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass

from pydicom.dataset import Dataset
from pynetdicom import build_context, evt
from pynetdicom.association import Association
from pynetdicom.pdu import P_DATA_TF

from bmnode.archive.association import Caller
from bmnode.domain.commitment import CommitmentReport, Reference
from bmnode.domain.peers import Peer
from bmnode.errors import PeerRefusedError, PeerUnreachableError

PUSH_MODEL = "1.2.840.10008.1.20.1"  # PS3.4 J.3.1
PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"  # the well-known instance, PS3.4 J.3.5
REQUEST_ACTION = 1  # Action Type ID, PS3.4 Table J.3-1
ALL_COMMITTED, FAILURES_EXIST = 1, 2  # Event Type ID, PS3.4 Table J.3-2
SUCCESS, PROCESSING_FAILURE = 0x0000, 0x0110
NO_SUCH_EVENT, NO_SUCH_ARGUMENT, INVALID_ARGUMENT = 0x0113, 0x0114, 0x0115  # PS3.7 10.1.1.1.8

TakeReport = Callable[[CommitmentReport], bool]
"""Keeps a report for good; False where nobody asked for it. Called in the association's thread."""


def read_report(event: evt.Event) -> CommitmentReport | int:
    """What an N-EVENT-REPORT says, or the status by which to refuse it.

    The sequences are read, whatever the Event Type ID promises of them. Raises what pydicom raises for a data set that
    is none.
    """
    if event.event_type not in (ALL_COMMITTED, FAILURES_EXIST):
        return NO_SUCH_EVENT
    information: Dataset = event.event_information
    if "TransactionUID" not in information:
        return NO_SUCH_ARGUMENT
    failed = {
        _reference(item): int(item.get("FailureReason", PROCESSING_FAILURE) or PROCESSING_FAILURE)
        for item in _items(information, "FailedSOPSequence")
    }
    committed = frozenset(_reference(item) for item in _items(information, "ReferencedSOPSequence"))
    try:
        return CommitmentReport(
            transaction_uid=str(information.TransactionUID), committed=committed - set(failed), failed=failed
        )
    except ValueError:
        return INVALID_ARGUMENT


@dataclass(frozen=True, slots=True)
class CommitmentScu:
    """Asks peers to commit themselves.

    Args:
        caller: who asks, and for how long.
        stay_s: how long to stay, in seconds, for a report on the same association; one that comes later comes on
            another, which is the peer's to open.
    """

    caller: Caller
    _: KW_ONLY
    stay_s: float = 5.0

    def request(self, peer: Peer, references: Sequence[Reference], *, transaction_uid: str, take: TakeReport) -> bool:
        """N-ACTION; whether the report came on the same association and was taken.

        Raises PeerUnreachableError without an association or answer, PeerRefusedError where the peer does not offer
        the service or refuses the request.
        """
        taker = _SameAssociation(take)
        with self.caller.associate(peer, [build_context(PUSH_MODEL)], handlers=taker.handlers) as association:
            self._ask(association, _information(references, transaction_uid), peer=peer)
            taker.wait(self.stay_s)
        return taker.is_taken

    def _ask(self, association: Association, information: Dataset, *, peer: Peer) -> None:
        self.caller.allow(association, deadline_s=self.caller.deadline_s())
        try:
            answer, _ = association.send_n_action(information, REQUEST_ACTION, PUSH_MODEL, PUSH_MODEL_INSTANCE)
        except RuntimeError as error:  # what pynetdicom raises where the association is gone
            raise PeerUnreachableError(f"peer {peer.name} ended the association before the request") from error
        status = answer.get("Status")
        if status is None:
            raise PeerUnreachableError(f"peer {peer.name} did not answer the request for storage commitment")
        if status != SUCCESS:
            raise PeerRefusedError(
                f"peer {peer.name} answered the request for storage commitment with status 0x{status:04X}",
                status=int(status),
            )


class _SameAssociation:
    """Takes a report on the association of its request.

    The association must not be released before the response to the report has left: its peer would see it end in
    the middle of its own request, and might take back what it said.
    """

    def __init__(self, take: TakeReport) -> None:
        self._take = take
        self._handled = threading.Event()
        self._over = threading.Event()
        self.is_taken = False

    @property
    def handlers(self) -> list[evt.EventHandlerType]:
        """For the association."""
        return [
            (evt.EVT_N_EVENT_REPORT, self._on_report),
            (evt.EVT_PDU_SENT, self._on_sent),
            (evt.EVT_CONN_CLOSE, self._on_closed),
        ]

    def wait(self, timeout_s: float) -> None:
        """Until a report was answered, the peer has gone, or for so long."""
        self._over.wait(timeout_s)

    def _on_report(self, event: evt.Event) -> tuple[int, None]:
        report = read_report(event)
        if isinstance(report, int):
            return report, None
        if not self._take(report):
            return INVALID_ARGUMENT, None
        self.is_taken = True
        self._handled.set()
        return SUCCESS, None

    def _on_sent(self, event: evt.Event) -> None:
        if self._handled.is_set() and isinstance(event.pdu, P_DATA_TF):
            self._over.set()

    def _on_closed(self, _event: evt.Event) -> None:
        self._over.set()


def _information(references: Sequence[Reference], transaction_uid: str) -> Dataset:
    """Action Information (PS3.4 Table J.3-1)."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = list(_encoded(references))
    return information


def _encoded(references: Iterable[Reference]) -> Iterator[Dataset]:
    for reference in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference
        yield item


def _items(information: Dataset, keyword: str) -> Sequence[Dataset]:
    items: Sequence[Dataset] = information.get(keyword) or ()
    return items


def _reference(item: Dataset) -> Reference:
    return Reference(str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", "")))
