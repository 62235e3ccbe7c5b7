"""pynetdicom's events, turned into calls, log events and audit lines. The boundary of receiving."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import cast
from weakref import WeakKeyDictionary

import structlog
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext
from sqlalchemy.exc import SQLAlchemyError

from bmnode.clock import Clock
from bmnode.domain.ids import is_safe_uid
from bmnode.errors import IngestError
from bmnode.observe.references import instance_ref
from bmnode.scp.command import StoreCommand
from bmnode.scp.commitment_reports import CommitmentReports
from bmnode.scp.contexts import asks_for_query, keep_senders_order
from bmnode.scp.late_audit import LateAudit
from bmnode.scp.peer_socket import PeerSocket
from bmnode.scp.policy import REJECTION_CODES, Caller, Policy, Rejection
from bmnode.scp.receiver import InstanceReceiver, StoreRequest
from bmnode.scp.refusals import UNKNOWN_ACTOR, Refusal, RefusalLog
from bmnode.scp.status import SUCCESS, status_of
from bmnode.scp.store_path import Answer, transfer_syntax_of
from bmnode.scp.transport import end_negotiation
from bmnode.spool import IncomingDataSet
from bmnode.storage import AuditLine, Database

_LOG = structlog.get_logger(__name__)


class Handlers:
    """What the acceptor does at each event.

    Args:
        policy: who is let in; may be replaced while associations run.
        receiver: keeps instances.
        database: holds the audit trail.
        clock: dates it.
    """

    def __init__(self, policy: Policy, *, receiver: InstanceReceiver, database: Database, clock: Clock) -> None:
        self.policy = policy
        self.refusals = RefusalLog(self._tell_refusal, clock=clock)
        self._receiver = receiver
        self._reports = CommitmentReports(database=database, clock=clock)
        self.late_audit = LateAudit(database)
        self._clock = clock
        self._lock = threading.Lock()
        self._admitted: WeakKeyDictionary[Association, Caller] = WeakKeyDictionary()
        self._received: WeakKeyDictionary[Association, Counter[str]] = WeakKeyDictionary()

    def table(self) -> list[EventHandlerType]:
        """Events and who handles them."""
        return [
            (evt.EVT_REQUESTED, self.on_requested),
            (evt.EVT_ESTABLISHED, self.on_established),
            (evt.EVT_RELEASED, self.on_released),
            (evt.EVT_ABORTED, self.on_aborted),
            (evt.EVT_CONN_CLOSE, self.on_closed),
            (evt.EVT_C_ECHO, self.on_echo),
            (evt.EVT_N_EVENT_REPORT, self.on_report),
        ]

    def judge(self, caller: Caller) -> Rejection | None:
        """Why a caller would be rejected now; None: it would be let in."""
        with self._lock:
            return self.policy.judge(caller, others=self._others())

    def _others(self) -> list[Caller]:
        return [known for other, known in self._admitted.items() if other.is_alive()]

    def on_requested(self, event: Event) -> None:
        """Reject the association, or let pynetdicom negotiate it in the sender's order (PS3.8 7.1)."""
        association = event.assoc
        request = cast("A_ASSOCIATE", association.requestor.primitive)
        association.requestor.ae_title = request.calling_ae_title
        caller = _caller(association, request)
        with self._lock:
            rejection = self.policy.judge(caller, others=self._others())
            if rejection is None:
                self._admitted[association] = caller
        if rejection is None:
            proposed = request.presentation_context_definition_list
            if asks_for_query(proposed):
                self.refusals.add(Refusal(event="query_refused", address=caller.address, actor=caller.calling_ae))
            keep_senders_order(proposed)
            return
        refusal = Refusal(
            event="association_rejected", address=caller.address, actor=caller.calling_ae, reason=rejection.value
        )
        self.refusals.add(refusal)
        association.acse.send_reject(*REJECTION_CODES[rejection])
        association.kill()  # returns when the rejection has left; the connection must not be closed before

    def on_established(self, event: Event) -> None:
        """Say who came, and what was refused to them."""
        association = event.assoc
        self._tell(
            "association_accepted",
            association,
            contexts=len(association.accepted_contexts),
            refused_contexts=sorted({str(context.abstract_syntax) for context in association.rejected_contexts}),
        )

    def on_released(self, event: Event) -> None:
        """Say what came over it."""
        self._tell("association_released", event.assoc, received=self._counts(event.assoc))

    def on_aborted(self, event: Event) -> None:
        """Say what came over it before it broke."""
        self._tell("association_aborted", event.assoc, outcome="failure", received=self._counts(event.assoc))

    def on_closed(self, event: Event) -> None:
        """Say that somebody connected and never spoke DICOM."""
        if event.assoc.requestor.primitive is None:
            self.refusals.add(
                Refusal(
                    event="connection_without_association",
                    address=event.assoc.requestor.address,
                    reason="closed_before_request",
                )
            )
            end_negotiation(event.assoc)

    def end(self, association: Association, event: str) -> None:
        """Tell of a request after which the association is aborted."""
        self._tell(event, association, outcome="failure")

    def on_echo(self, event: Event) -> int:
        """C-ECHO (PS3.7 9.1.5)."""
        _LOG.info("echo_answered", peer_ae=event.assoc.requestor.ae_title)
        return SUCCESS

    def on_report(self, event: Event) -> tuple[int, None]:
        """N-EVENT-REPORT of storage commitment (PS3.7 10.1.1)."""
        association = event.assoc
        actor = association.requestor.ae_title
        with self._lock:
            caller = self._admitted.get(association)
        is_peer = caller is not None and self.policy.is_peer(caller)
        answer = self._reports.take(event, from_ae=actor, is_peer=is_peer)
        fields: dict[str, object] = {"committed": answer.committed, "failed": answer.failed}
        name, outcome = "commitment_reported", "success"
        if answer.refusal is not None:
            name, outcome = "commitment_report_refused", "failure"
            fields |= {"reason": answer.refusal.value, "status": f"0x{answer.status:04X}"}
        level = _LOG.info if answer.refusal is None else _LOG.warning
        level(name, peer_ae=actor, transaction_uid=answer.transaction_uid, **fields)
        subject = answer.transaction_uid or _subject(association)
        self._audit(name, actor=actor, subject=subject, outcome=outcome, detail=fields)
        return answer.status, None

    def data_set(self) -> IncomingDataSet:
        """Where an association's data sets go, one after the other."""
        return self._receiver.incoming()

    def take_back(self, data_set: IncomingDataSet) -> None:
        """The association needs it no more."""
        self._receiver.take_back(data_set)

    def store(
        self, association: Association, command: StoreCommand, context: PresentationContext, data_set: IncomingDataSet
    ) -> Answer:
        """C-STORE: keep the instance, then give the status (PS3.7 9.1.1).

        This is one of the project's three boundaries: whatever goes wrong becomes a status for
        the sender, an audit line and a log event, and the association goes on.
        """
        try:
            receipt = self._receiver.receive(
                StoreRequest(
                    sop_class_uid=command.sop_class_uid,
                    sop_instance_uid=command.sop_instance_uid,
                    transfer_syntax_uid=transfer_syntax_of(context),
                    source_ae=association.requestor.ae_title,
                    data_set=data_set.view(),
                    file=data_set.file,
                )
            )
        except Exception as error:  # noqa: BLE001 - the boundary: nothing may escape to the network layer
            return Answer(status=self._refuse(association, command.sop_instance_uid, error))
        return Answer(status=SUCCESS, receipt=receipt.value, size_bytes=data_set.size_bytes)

    def answered(self, association: Association, command: StoreCommand, answer: Answer) -> None:
        """Count and log what was kept, once its sender need not wait for that."""
        if answer.receipt is None:
            return
        self._count(association, answer.receipt)
        _LOG.info(
            "instance_received",
            outcome=answer.receipt,
            peer_ae=association.requestor.ae_title,
            instance_ref=instance_ref(command.sop_instance_uid),
            size_bytes=answer.size_bytes,
        )

    def _refuse(self, association: Association, sop_instance_uid: str, error: Exception) -> int:
        status, code = status_of(error)
        self._count(association, "refused")
        reason = str(error) if isinstance(error, IngestError) else type(error).__name__
        fields: dict[str, object] = {"status": f"0x{status:04X}", "code": code, "reason": reason}
        actor = association.requestor.ae_title
        _LOG.warning(
            "instance_refused",
            peer_ae=actor,
            instance_ref=instance_ref(sop_instance_uid),
            exc_info=None if isinstance(error, IngestError) else error,
            **fields,
        )
        subject = sop_instance_uid if is_safe_uid(sop_instance_uid) else _subject(association)
        self._audit("instance_refused", actor=actor, subject=subject, outcome="failure", detail=fields)
        return status

    def _tell(self, event: str, association: Association, *, outcome: str = "success", **fields: object) -> None:
        """Log and audit what happened to an association. AE titles and addresses are no patient data."""
        actor = association.requestor.ae_title or UNKNOWN_ACTOR
        _LOG.info(event, peer_ae=actor, peer_address=association.requestor.address, **fields)
        self._audit(event, actor=actor, subject=_subject(association), outcome=outcome, detail=fields)

    def _tell_refusal(self, refusal: Refusal, repeated: int) -> None:
        told = {"reason": refusal.reason, "explanation": refusal.explanation, "repeated": repeated or None}
        fields: dict[str, object] = {key: value for key, value in told.items() if value is not None}
        _LOG.warning(refusal.event, peer_ae=refusal.actor, peer_address=refusal.address, **fields)
        subject = f"{refusal.actor}@{refusal.address}"
        self._audit(refusal.event, actor=refusal.actor, subject=subject, outcome="failure", detail=fields)

    def _audit(self, event: str, *, actor: str, subject: str, outcome: str, detail: Mapping[str, object]) -> None:
        """Have a line written, without waiting: while the database is locked, peers are answered all the same."""
        line = AuditLine(
            event=event, at=self._clock.now(), actor=actor, subject=subject, outcome=outcome, detail=detail
        )
        try:
            self.late_audit.add(line)
        except SQLAlchemyError as error:
            # What is told here changed nothing that is kept, so the sender still gets its answer;
            # that the trail has a gap stays in the log.
            _LOG.error("audit_failed", audit_event=event, error=type(error).__name__)

    def _count(self, association: Association, what: str) -> None:
        with self._lock:
            counts = self._received.get(association)
            if counts is None:
                counts = self._received[association] = Counter()
            counts[what] += 1

    def _counts(self, association: Association) -> dict[str, int]:
        with self._lock:
            return dict(self._received.get(association, Counter()))


def _caller(association: Association, request: A_ASSOCIATE) -> Caller:
    transport = association.dul.socket
    return Caller(
        calling_ae=request.calling_ae_title,
        called_ae=request.called_ae_title,
        address=association.requestor.address,
        certificate_names=transport.certificate_names if isinstance(transport, PeerSocket) else None,
    )


def _subject(association: Association) -> str:
    return f"{association.requestor.ae_title or UNKNOWN_ACTOR}@{association.requestor.address}"
