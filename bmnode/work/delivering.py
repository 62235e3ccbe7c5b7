"""The deliver flow: one attempt to hand a job's objects to one destination."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
import structlog

from bmnode.clock import Clock
from bmnode.delivery.policy import RetryPolicy
from bmnode.delivery.sender import Sender, SendOutcome, SendResult
from bmnode.domain.commitment import CommitmentObject, Reference
from bmnode.domain.objects import encoding_of
from bmnode.domain.peers import Peer
from bmnode.domain.records import DeliveryRecord, JobRecord
from bmnode.domain.states import DeliveryEvent, DeliveryState
from bmnode.errors import DeliveryError, NotFoundError
from bmnode.storage import AuditTrail, Database, Deliveries, Jobs, Results
from bmnode.work.commitments import new_commitment
from bmnode.work.encodings import Owed, Sent, send_encoded
from bmnode.work.engine import Engine
from bmnode.work.lanes import LaneThreads
from bmnode.work.requests import CommitStep, When, commit_request, delivery_request

_ACTOR = "worker"
_AUDITED = {
    DeliveryEvent.ACCEPTED: "object_delivered",
    DeliveryEvent.STORED: "object_delivered",
    DeliveryEvent.DEFERRED: "delivery_deferred",
    DeliveryEvent.GIVEN_UP: "delivery_given_up",
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Debt:
    """What a job owes to a destination."""

    job: JobRecord
    pending: tuple[DeliveryRecord, ...]
    paths: tuple[Path, ...]
    """The objects' files, in the order of `pending`."""
    owed: Owed
    references: Mapping[Path, Reference]
    """What every object of the job is called, in whatever encoding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliverFlow:
    """A `FlowHandler`. Subject: job, destination, when (`due` or `now`)."""

    database: Database
    engine: Engine
    sender: Sender
    peers: Callable[[str], Peer]
    """A destination by name. Raises NotFoundError."""
    clock: Clock
    results_dir: Path
    policy: RetryPolicy
    threads: LaneThreads
    """Where a destination is waited for."""
    delivered: Callable[[JobRecord, str], None] | None = None
    """Told after the last object of a job was taken by a destination. DeliveryError is logged, and that is all."""

    async def handle(self, subject: tuple[str, ...]) -> None:
        """Send what is owed; what was not taken is asked for again in the transaction that records it.

        An attempt that is not due by the rows leaves the work to the one that was planned for then.
        """
        job_id, destination, when = subject
        debt = await asyncio.to_thread(self._owed, job_id, destination, When(when))
        if debt is None:
            return
        asked_ae, sent = await self.threads.run(destination, self._send, destination, debt)
        over = await asyncio.to_thread(self._record, destination, debt, sent, asked_ae)
        if over and self.delivered is not None:
            await self.threads.run(destination, self._tell, debt.job, destination)

    async def give_up(self, subject: tuple[str, ...], *, error: str) -> None:
        """Never called: deliveries are tried without limit, their end is the policy's."""

    def _owed(self, job_id: str, destination: str, when: When) -> _Debt | None:
        with self.database.read() as connection:
            job = Jobs(connection).find(job_id)
            known = Deliveries(connection).of_job(job_id, destination=destination)
            results = Results(connection).of_job(job_id)
        pending = tuple(item for item in known if item.state is DeliveryState.PENDING)
        paths = {item.sop_instance_uid: self.results_dir / item.path for item in results}
        names = {self.results_dir / item.path: Reference(item.sop_class_uid, item.sop_instance_uid) for item in results}
        if job is None or not pending:
            return None
        now = self.clock.now()
        if when is When.DUE and all(item.next_attempt_at and item.next_attempt_at > now for item in pending):
            return None
        owed = Owed.from_rows(results, deliveries=known, results_dir=self.results_dir)
        return _Debt(
            job=job,
            pending=pending,
            paths=tuple(paths[item.sop_instance_uid] for item in pending),
            owed=owed,
            references=names,
        )

    def _send(self, destination: str, debt: _Debt) -> tuple[str | None, tuple[Sent, ...]]:
        """Who is asked to commit itself, if anybody, and what became of each object."""
        try:
            peer = self.peers(destination)
            sent = send_encoded(self.sender, peer, debt.paths, owed=debt.owed)
        except (DeliveryError, NotFoundError) as error:
            results = [
                SendResult(path=path, outcome=SendOutcome.NOT_ANSWERED, detail=str(error)) for path in debt.paths
            ]
            return None, tuple(Sent(result=result, files=(result.path,)) for result in results)
        return peer.ae_title if peer.commitment else None, sent

    def _record(self, destination: str, debt: _Debt, sent: Sequence[Sent], asked_ae: str | None) -> bool:
        """Write down each object's fate. True where the destination has everything now, and need not commit itself."""
        now, job = self.clock.now(), debt.job
        failures = max(item.attempts for item in debt.pending) + 1
        wait_s = self.policy.wait_s(failures, seed=f"{job.job_id}/{destination}")
        next_at = now + timedelta(seconds=wait_s)
        results = [item.result for item in sent]
        told: dict[DeliveryEvent, int] = {}
        stored: list[CommitmentObject] = []
        with self.database.write() as connection:
            deliveries = Deliveries(connection)
            for before, what in zip(debt.pending, sent, strict=True):
                result = what.result
                current = deliveries.find(before.sop_instance_uid, destination)
                if current is None and result.accepted:  # the study was rejected meanwhile; the destination has it
                    self._audit(connection, DeliveryEvent.ACCEPTED, before, result, study_uid=job.study_uid)
                if current is None or current.state is not DeliveryState.PENDING:
                    continue  # another attempt was faster
                event = self.policy.event(result, failures=current.attempts)
                if event is DeliveryEvent.ACCEPTED and asked_ae is not None:
                    event = DeliveryEvent.STORED
                    names = [debt.references[path] for path in what.files]
                    stored += [CommitmentObject(owed_uid=current.sop_instance_uid, reference=name) for name in names]
                told[event] = told.get(event, 0) + 1
                deliveries.apply(
                    current,
                    event,
                    at=now,
                    status=result.status,
                    error=None if result.accepted else result.detail,
                    next_attempt_at={DeliveryEvent.DEFERRED: next_at, DeliveryEvent.STORED: now}.get(event),
                )
                self._audit(connection, event, current, result, study_uid=job.study_uid)
            if asked_ae is not None and stored:
                first = new_commitment(connection, job.job_id, destination, asked_ae=asked_ae, objects=stored, at=now)
                self.engine.enqueue(commit_request(first, CommitStep.ASK, at=now), connection=connection)
            if DeliveryEvent.DEFERRED in told:
                request = delivery_request(job.job_id, destination, at=next_at, delay_s=wait_s, priority=job.priority)
                self.engine.enqueue(request, connection=connection)
            left = deliveries.of_job(job.job_id, destination=destination)
        self._log(job, destination, told, results)
        return all(item.state is DeliveryState.DELIVERED for item in left) and DeliveryEvent.ACCEPTED in told

    def _audit(
        self,
        connection: sa.Connection,
        event: DeliveryEvent,
        delivery: DeliveryRecord,
        result: SendResult,
        *,
        study_uid: str,
    ) -> None:
        AuditTrail(connection).record(
            _AUDITED[event],
            at=self.clock.now(),
            actor=_ACTOR,
            subject=delivery.sop_instance_uid,
            outcome="success" if result.accepted else "failure",
            detail={
                "study_uid": study_uid,
                "sop_class_uid": result.sop_class_uid,
                "destination": delivery.destination,
                "job": delivery.job_id,
                "attempt": delivery.attempts + 1,
                "outcome": result.outcome.value,
                "status": result.status,
                "encoding": encoding_of(str(result.path)).value,
            },
        )

    def _log(
        self, job: JobRecord, destination: str, told: Mapping[DeliveryEvent, int], results: Sequence[SendResult]
    ) -> None:
        counts = {event.value: number for event, number in told.items()}
        detail = next((result.detail for result in results if not result.accepted), None)
        level = _log.info if set(told) <= {DeliveryEvent.ACCEPTED, DeliveryEvent.STORED} else _log.warning
        level("delivery_attempted", job=job.job_id, destination=destination, detail=detail, **counts)

    def _tell(self, job: JobRecord, destination: str) -> None:
        assert self.delivered is not None
        try:
            self.delivered(job, destination)
        except DeliveryError as error:
            _log.warning("delivery_note_failed", job=job.job_id, destination=destination, error=str(error))
