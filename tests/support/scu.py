"""Query/retrieve and storage commitment as the SCU, as plainly as a test needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from bmnode.archive.commit import PUSH_MODEL, PUSH_MODEL_INSTANCE, REQUEST_ACTION
from bmnode.delivery.presentation import Outgoing
from bmnode.domain.peers import Peer
from tests.support.receiver import EventHandler, Received

PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2"


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrieveOutcome:
    """The final response of a C-MOVE or C-GET."""

    status: int
    completed: int
    failed: int
    received: tuple[Received, ...] = ()
    """What a C-GET brought on its own association."""


def identifier(level: str, **keys: Any) -> Dataset:
    """An identifier for C-FIND, C-MOVE and C-GET."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


class QueryRetrieveScu:
    """Asks one peer as one AE title."""

    def __init__(self, ae_title: str, peer: Peer) -> None:
        self._ae = AE(ae_title=ae_title)
        self._ae.dimse_timeout = 30
        self._peer = peer

    def find(self, query: Dataset, *, root: str = STUDY_ROOT) -> list[Dataset]:
        """C-FIND: the matches; asserts that it ends with success."""
        model = f"{root}.1"
        with self._association([build_context(model)]) as association:
            answers = [(status.Status, match) for status, match in association.send_c_find(query, model)]
        assert answers[-1][0] == 0x0000, f"C-FIND ended with 0x{answers[-1][0]:04X}"
        return [match for _, match in answers[:-1] if match is not None]

    def move(self, query: Dataset, destination: str, *, root: str = STUDY_ROOT) -> RetrieveOutcome:
        """C-MOVE to an AE title."""
        model = f"{root}.2"
        with self._association([build_context(model)]) as association:
            *_, (last, _) = association.send_c_move(query, destination, model)
        return _outcome(last)

    def get(self, query: Dataset, expected: Sequence[Outgoing], *, root: str = STUDY_ROOT) -> RetrieveOutcome:
        """C-GET, offering the SCP role for the classes and transfer syntaxes of the instances expected."""
        model = f"{root}.3"
        pairs = dict.fromkeys(pair for item in expected for pair in item.pairs)
        roles = [build_role(uid, scp_role=True) for uid in dict.fromkeys(sop_class for sop_class, _ in pairs)]
        received: list[Received] = []

        def store(event: evt.Event) -> int:
            received.append(Received.from_event(event))
            return 0x0000

        with self._association(
            [build_context(model), *(build_context(*pair) for pair in pairs)],
            ext_neg=roles,
            evt_handlers=[(evt.EVT_C_STORE, store)],
        ) as association:
            *_, (last, _) = association.send_c_get(query, model)
        return _outcome(last, tuple(received))

    def request_commitment(
        self,
        references: Sequence[tuple[str, str]],
        *,
        transaction_uid: str,
        report_handlers: list[EventHandler],
        until_released: Callable[[], Any],
    ) -> Any:
        """N-ACTION for (SOP class, SOP instance) pairs; asserts success.

        Args:
            references: what to commit.
            transaction_uid: names the request.
            report_handlers: take a report on the same association.
            until_released: called before the association ends; its value is returned.
        """
        request = Dataset()
        request.TransactionUID = transaction_uid
        request.ReferencedSOPSequence = []
        for sop_class, sop_instance in references:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
            request.ReferencedSOPSequence.append(item)
        with self._association([build_context(PUSH_MODEL)], evt_handlers=report_handlers) as association:
            status, _ = association.send_n_action(request, REQUEST_ACTION, PUSH_MODEL, PUSH_MODEL_INSTANCE)
            assert status.Status == 0x0000
            return until_released()

    @contextmanager
    def _association(self, contexts: list[PresentationContext], **options: Any) -> Iterator[Association]:
        association = self._ae.associate(
            self._peer.host, self._peer.port, contexts=contexts, ae_title=self._peer.ae_title, **options
        )
        assert association.is_established, "no association"
        try:
            yield association
        finally:
            association.release()


def _outcome(last: Dataset, received: tuple[Received, ...] = ()) -> RetrieveOutcome:
    return RetrieveOutcome(
        status=int(last.Status),
        completed=int(last.get("NumberOfCompletedSuboperations", 0) or 0),
        failed=int(last.get("NumberOfFailedSuboperations", 0) or 0),
        received=received,
    )
