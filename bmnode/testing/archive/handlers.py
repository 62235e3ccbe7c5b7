"""The archive's answers to DIMSE requests, one function a service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from bmnode.archive.commit import REQUEST_ACTION
from bmnode.clock import Clock
from bmnode.delivery.presentation import MAX_CONTEXTS, Outgoing
from bmnode.domain.ids import is_safe_uid
from bmnode.domain.peers import Peer
from bmnode.testing.archive import commitment, query
from bmnode.testing.archive.faults import FaultSwitch
from bmnode.testing.archive.index import ArchiveIndex, IndexedInstance, Level
from bmnode.testing.archive.keep import Shelf

_SUCCESS, _PENDING, _CANCELLED = 0x0000, 0xFF00, 0xFE00
_IDENTIFIER_MISMATCH = 0xA900  # PS3.4 Tables C.4-1 to C.4-3
_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0xA700, 0xC000  # PS3.4 Table B.2-1
_NO_SUCH_ACTION, _NO_SUCH_ARGUMENT = 0x0123, 0x0114  # PS3.7 annex C
_VERIFICATION_CLASS = "1.2.840.10008.1.1"
_PATIENT_ROOT_PREFIX = "1.2.840.10008.5.1.4.1.2.1."


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """What the handlers share."""

    directory: Path
    ae: AE
    index: ArchiveIndex
    peers: dict[str, Peer]
    """By AE title."""
    faults: FaultSwitch
    clock: Clock
    commitment_route: commitment.CommitmentRoute
    reporters: list[threading.Thread] = field(default_factory=list)
    """Threads that send commitment reports, so that the archive can end them with itself."""

    def handlers(self) -> list[evt.EventHandlerType]:
        """The table of events for pynetdicom."""
        return [
            (evt.EVT_C_ECHO, lambda _event: _SUCCESS),
            (evt.EVT_C_STORE, self.store),
            (evt.EVT_C_FIND, self.find),
            (evt.EVT_C_MOVE, self.move),
            (evt.EVT_C_GET, self.get),
            (evt.EVT_N_ACTION, self.commit),
        ]

    def store(self, event: evt.Event) -> int:
        """Keep the data set byte for byte as it came; a SOP Instance UID that is there stays as it is."""
        faults = self.faults.take_store()
        if faults.store_delay_s:
            self.clock.sleep_s(faults.store_delay_s)
        if faults.abort_store:
            event.assoc.abort()
            return _OUT_OF_RESOURCES
        if faults.store_status is not None and faults.store_status & 0xF000 != 0xB000:
            return faults.store_status
        status = self._keep(event)
        return faults.store_status if status == _SUCCESS and faults.store_status is not None else status

    def _keep(self, event: evt.Event) -> int:
        uid = str(getattr(event.request, "AffectedSOPInstanceUID", ""))
        if not is_safe_uid(uid):
            return _CANNOT_UNDERSTAND
        if self.index.get(uid) is not None:
            return _SUCCESS
        try:
            Shelf(directory=self.directory, index=self.index).keep(event.encoded_dataset())
        except OSError:
            return _OUT_OF_RESOURCES
        except ValueError:
            return _CANNOT_UNDERSTAND
        return _SUCCESS

    def find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        """C-FIND: one pending response a match."""
        try:
            for response in query.find(
                self.index.all(), event.identifier, root=_root(event), ae_title=self.ae.ae_title
            ):
                self.clock.sleep_s(self.faults.current.query_delay_s)
                if event.is_cancelled:
                    yield _CANCELLED, None
                    return
                yield _PENDING, response
        except ValueError:
            yield _IDENTIFIER_MISMATCH, None

    def move(self, event: evt.Event) -> Iterator[Any]:
        """C-MOVE to a known peer; pynetdicom answers an unknown destination with A801."""
        peer = self.peers.get(str(event.move_destination).strip())
        if peer is None:
            yield None, None
            return
        selected = self._selected(event)
        outgoing = [Outgoing.from_file(item.path) for item in selected or ()]
        pairs = list(dict.fromkeys(pair for item in outgoing for pair in item.pairs))[:MAX_CONTEXTS]
        contexts = [build_context(*pair) for pair in pairs] or [build_context(_VERIFICATION_CLASS)]
        yield peer.host, peer.port, {"contexts": contexts, "ae_title": peer.ae_title}
        yield from self._retrieve(event, selected)

    def get(self, event: evt.Event) -> Iterator[Any]:
        """C-GET on the requester's own association, where it took the SCP role for storage."""
        yield from self._retrieve(event, self._selected(event))

    def _selected(self, event: evt.Event) -> tuple[IndexedInstance, ...] | None:
        try:
            return query.select(self.index.all(), event.identifier, root=_root(event))
        except ValueError:
            return None

    def _retrieve(self, event: evt.Event, selected: tuple[IndexedInstance, ...] | None) -> Iterator[Any]:
        """What pynetdicom wants of both retrieves: the count, then a data set a sub-operation."""
        if selected is None:
            yield 1
            yield _IDENTIFIER_MISMATCH, None
            return
        yield len(selected)
        for item in selected:
            self.clock.sleep_s(self.faults.current.retrieve_delay_s)
            if event.is_cancelled:
                yield _CANCELLED, None
                return
            yield _PENDING, dcmread(item.path)

    def commit(self, event: evt.Event) -> tuple[int, Dataset | None]:
        """N-ACTION for storage commitment: take the request, report from another thread."""
        request: Dataset = event.action_information
        if event.action_type != REQUEST_ACTION:
            return _NO_SUCH_ACTION, None
        if "TransactionUID" not in request:
            return _NO_SUCH_ARGUMENT, None
        faults = self.faults.current
        if not faults.withhold_commitment:
            event_type, information = commitment.report(
                self.index, request, denied_with=faults.commitment_failure_reason
            )
            self._start(lambda: self._report(event.assoc, event_type, information))
        return _SUCCESS, None

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="archive-commitment", daemon=True)
        self.reporters.append(thread)
        thread.start()

    def _report(self, association: Association, event_type: int, information: Dataset) -> None:
        if self.commitment_route is commitment.CommitmentRoute.SAME_ASSOCIATION:
            if association.is_established:
                commitment.send_report(association, event_type, information)
            return
        requester = self.peers.get(str(association.requestor.ae_title).strip())
        if requester is None:
            return
        own = commitment.associate_for_report(self.ae, requester)
        if own.is_established:
            commitment.send_report(own, event_type, information)
            own.release()


def _root(event: evt.Event) -> Level:
    """Patient Root begins at PATIENT, Study Root at STUDY (PS3.4 C.3.1, C.3.2)."""
    is_patient_root = str(event.context.abstract_syntax).startswith(_PATIENT_ROOT_PREFIX)
    return Level.PATIENT if is_patient_root else Level.STUDY
