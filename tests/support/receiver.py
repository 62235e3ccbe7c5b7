"""A receiving application entity on loopback: keeps what it is sent and the commitment reports it gets."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Any, Self

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.association import Association
from pynetdicom.dsutils import decode
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.transport import ThreadedAssociationServer

from bmnode.archive.commit import PUSH_MODEL
from bmnode.domain.peers import Peer

LOOPBACK = "127.0.0.1"
EventHandler = tuple[evt.EventType, Callable[[evt.Event], Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One instance as it arrived."""

    sop_instance_uid: str
    transfer_syntax_uid: str
    encoded: bytes
    """The data set's bytes."""

    @classmethod
    def from_event(cls, event: evt.Event) -> Received:
        """What a C-STORE event carries."""
        return cls(
            sop_instance_uid=str(event.dataset.SOPInstanceUID),
            transfer_syntax_uid=str(event.context.transfer_syntax),
            encoded=event.encoded_dataset(include_meta=False),
        )

    def dataset(self) -> Dataset:
        """The data set, decoded."""
        syntax = UID(self.transfer_syntax_uid)
        return decode(BytesIO(self.encoded), syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentReport:
    """One N-EVENT-REPORT of storage commitment."""

    event_type: int
    information: Dataset


class Receiver:
    """Accepts every storage class in the given transfer syntaxes; a context manager."""

    def __init__(self, ae_title: str, *, transfer_syntaxes: tuple[str, ...] = tuple(ALL_TRANSFER_SYNTAXES)) -> None:
        self._ae = AE(ae_title=ae_title)
        for context in AllStoragePresentationContexts:
            self._ae.add_supported_context(str(context.abstract_syntax), list(transfer_syntaxes))
        self._ae.add_supported_context(PUSH_MODEL, scu_role=True, scp_role=True)
        self._lock = threading.Lock()
        self._received: list[Received] = []
        self._unanswered: dict[Association, CommitmentReport] = {}
        self._reports: queue.Queue[CommitmentReport] = queue.Queue()
        self._server: ThreadedAssociationServer | None = None

    def __enter__(self) -> Self:
        self._server = self._ae.start_server(
            (LOOPBACK, 0),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._store), *self.report_handlers],
        )
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()

    @property
    def peer(self) -> Peer:
        """How others reach it."""
        if self._server is None or self._server.socket is None:
            raise RuntimeError("the receiver is not started")
        port = int(self._server.socket.getsockname()[1])
        return Peer(name=self._ae.ae_title.lower(), ae_title=self._ae.ae_title, host=LOOPBACK, port=port)

    def received(self, *sop_instance_uids: str) -> tuple[Received, ...]:
        """What arrived of these instances, in the order of arrival."""
        with self._lock:
            return tuple(item for item in self._received if item.sop_instance_uid in sop_instance_uids)

    def next_report(self, *, timeout_s: float) -> CommitmentReport:
        """The next commitment report. Raises queue.Empty after `timeout_s` seconds without one."""
        return self._reports.get(timeout=timeout_s)

    def _store(self, event: evt.Event) -> int:
        with self._lock:
            self._received.append(Received.from_event(event))
        return 0x0000

    @property
    def report_handlers(self) -> list[EventHandler]:
        """What takes commitment reports; for the association of a requester too, where they may come instead."""
        return [(evt.EVT_N_EVENT_REPORT, self._take_report), (evt.EVT_PDU_SENT, self._tell_report)]

    def _take_report(self, event: evt.Event) -> tuple[int, None]:
        report = CommitmentReport(event_type=int(event.event_type or 0), information=event.event_information)
        self._unanswered[event.assoc] = report
        return 0x0000, None

    def _tell_report(self, event: evt.Event) -> None:
        """A report counts once its response has left: an association released before that ends in an abort."""
        if isinstance(event.pdu, P_DATA_TF) and (report := self._unanswered.pop(event.assoc, None)) is not None:
            self._reports.put(report)
