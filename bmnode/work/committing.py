"""The commit flow: one request for storage commitment, its answer, or the next request where none came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
import structlog

from bmnode.clock import Clock
from bmnode.delivery.policy import RetryPolicy
from bmnode.domain.commitment import (
    PASSING_REASONS,
    CommitmentObject,
    CommitmentReport,
    CommitmentRequest,
    Reference,
    describe_failure,
)
from bmnode.domain.peers import Peer
from bmnode.domain.records import DeliveryRecord, JobRecord
from bmnode.domain.states import DeliveryEvent, DeliveryState
from bmnode.errors import DeliveryError, NotFoundError, PeerRefusedError
from bmnode.storage import AuditTrail, Commitments, Database, Deliveries, Jobs
from bmnode.work.commitments import following_commitment
from bmnode.work.engine import Engine
from bmnode.work.lanes import LaneThreads
from bmnode.work.requests import CommitStep, commit_request, delivery_request

_ACTOR = "worker"
_PASSING_STATUSES = frozenset({0x0110, 0x0213})
"""Statuses of an N-ACTION that time mends: processing failure, resource limitation (PS3.7 10.1.4.1.10)."""
_log = structlog.get_logger(__name__)


class Asks(Protocol):
    """How a peer is asked to commit itself; `bmnode.archive.commit.CommitmentScu`."""

    def request(
        self,
        peer: Peer,
        references: Sequence[Reference],
        *,
        transaction_uid: str,
        take: Callable[[CommitmentReport], bool],
    ) -> bool:
        """Whether the report came at once. Raises PeerUnreachableError, PeerRefusedError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitFlow:
    """A `FlowHandler`. Subject: Transaction UID, step."""

    database: Database
    engine: Engine
    asks: Asks
    peers: Callable[[str], Peer]
    """A destination by name. Raises NotFoundError."""
    clock: Clock
    policy: RetryPolicy
    threads: LaneThreads
    """Where a destination is waited for."""
    answer_wait_s: float
    """How long an answer may take before the peer is asked anew."""
    delivered: Callable[[JobRecord, str], None] | None = None
    """See `DeliverFlow`."""

    async def handle(self, subject: tuple[str, ...]) -> None:
        """Take one step; nothing happens where it was taken before or an answer was faster."""
        transaction_uid, step = subject
        destination = await asyncio.to_thread(self._destination, transaction_uid)
        if destination is None:
            return
        if step == CommitStep.ASK:
            await self.threads.run(destination, self._ask, transaction_uid)
        elif step == CommitStep.OVERDUE:
            await asyncio.to_thread(self._ask_anew, transaction_uid)
        over = await asyncio.to_thread(self._settle, transaction_uid)
        if over is not None and self.delivered is not None:
            await self.threads.run(destination, self._tell, *over)

    async def give_up(self, subject: tuple[str, ...], *, error: str) -> None:
        """Never called: requests are made without limit, their end is the policy's."""

    def _destination(self, transaction_uid: str) -> str | None:
        with self.database.read() as connection:
            request = Commitments(connection).find(transaction_uid)
        return None if request is None else request.destination

    def _ask(self, transaction_uid: str) -> None:
        with self.database.read() as connection:
            request = Commitments(connection).find(transaction_uid)
            if request is None or request.settled_at is not None or request.answered_at is not None:
                return
            waiting = _waiting(connection, request)
        try:
            peer = self.peers(request.destination)
            if waiting and not peer.commitment:
                self._waive(request)
                return
            references = tuple(dict.fromkeys(item.reference for item in waiting))
            if references:
                self.asks.request(peer, references, transaction_uid=transaction_uid, take=self._taker(request))
        except (DeliveryError, NotFoundError) as error:
            self._not_asked(request, error)
            return
        self._was_asked(request)

    def _taker(self, request: CommitmentRequest) -> Callable[[CommitmentReport], bool]:
        def take(report: CommitmentReport) -> bool:
            with self.database.write() as connection:
                return Commitments(connection).answer(report, from_ae=request.asked_ae, at=self.clock.now())

        return take

    def _was_asked(self, request: CommitmentRequest) -> None:
        """The answer may take its time, here or on an association that the peer opens."""
        now = self.clock.now()
        wait_s = max(self.answer_wait_s, self.policy.wait_s(request.ask, seed=request.transaction_uid))
        next_at = now + timedelta(seconds=wait_s)
        with self.database.write() as connection:
            Commitments(connection).asked(request.transaction_uid, at=now)
            self._note(connection, request, error=None, next_at=next_at)
            step = commit_request(request, CommitStep.OVERDUE, at=next_at, delay_s=wait_s)
            self.engine.enqueue(step, connection=connection)
            self._audit(connection, "commitment_requested", request, ask=request.ask)

    def _not_asked(self, request: CommitmentRequest, error: Exception) -> None:
        now = self.clock.now()
        passes = not isinstance(error, PeerRefusedError) or error.status in _PASSING_STATUSES
        with self.database.write() as connection:
            self._audit(connection, "commitment_requested", request, failed=True, ask=request.ask, error=str(error))
            if self.policy.is_over(request.ask, passes=passes):
                self._end(connection, request, error=f"stored, but commitment could not be asked for: {error}")
                return
            wait_s = self.policy.wait_s(request.ask, seed=request.transaction_uid)
            next_at = now + timedelta(seconds=wait_s)
            self._note(connection, request, error=str(error), next_at=next_at)
            step = commit_request(request, CommitStep.OVERDUE, at=next_at, delay_s=wait_s)
            self.engine.enqueue(step, connection=connection)
        _log.warning("commitment_not_asked", job=request.job_id, destination=request.destination, error=str(error))

    def _ask_anew(self, transaction_uid: str) -> None:
        """Put another request in the place of one that has no answer; its late answer still counts."""
        now = self.clock.now()
        patient = self.policy.not_below(self.answer_wait_s)
        with self.database.write() as connection:
            commitments = Commitments(connection)
            request = commitments.find(transaction_uid)
            if request is None or request.settled_at is not None or request.answered_at is not None:
                return
            if patient.is_over(request.ask, passes=True):
                self._end(connection, request, error="stored, but nobody answered the requests for commitment")
                return
            self._ask_for(connection, request, _waiting(connection, request), delay_s=0.0)
            commitments.settle(transaction_uid, at=now)
            self._audit(connection, "commitment_not_answered", request, failed=True, ask=request.ask)

    def _ask_for(
        self, connection: sa.Connection, before: CommitmentRequest, objects: Sequence[CommitmentObject], delay_s: float
    ) -> None:
        if not objects:
            return
        now = self.clock.now()
        following = following_commitment(connection, before, objects=objects, at=now)
        at = now + timedelta(seconds=delay_s)
        self.engine.enqueue(commit_request(following, CommitStep.ASK, at=at, delay_s=delay_s), connection=connection)

    def _settle(self, transaction_uid: str) -> tuple[JobRecord, str] | None:
        """Act on an answer; job and destination where that has everything committed now."""
        with self.database.write() as connection:
            commitments = Commitments(connection)
            request = commitments.find(transaction_uid)
            if request is None or request.answered_at is None or request.settled_at is not None:
                return None
            objects = commitments.objects(transaction_uid)
            unsaid: list[CommitmentObject] = []
            for delivery in _stored(connection, request):
                own = [item for item in objects if item.owed_uid == delivery.sop_instance_uid]
                if own and self._judge(connection, request, delivery, own) is None:
                    unsaid += own
            wait_s = self.policy.wait_s(request.ask, seed=transaction_uid)
            if unsaid and self.policy.is_over(request.ask, passes=True):
                self._end(connection, request, error="stored, but the reports on commitment leave it out")
            else:
                self._ask_for(connection, request, unsaid, delay_s=wait_s)
            commitments.settle(transaction_uid, at=self.clock.now())
            left = Deliveries(connection).of_job(request.job_id, destination=request.destination)
            job = Jobs(connection).find(request.job_id)
        is_over = any(item.committed for item in objects) and all(x.state is DeliveryState.DELIVERED for x in left)
        return (job, request.destination) if job is not None and is_over else None

    def _judge(
        self,
        connection: sa.Connection,
        request: CommitmentRequest,
        delivery: DeliveryRecord,
        own: Sequence[CommitmentObject],
    ) -> DeliveryEvent | None:
        """Move a delivery by what was said of all that was sent for it; None where that is not enough.

        A request that a later one follows can be answered by a success only: what it missed may have come since.
        """
        now = self.clock.now()
        if all(item.committed for item in own):
            Deliveries(connection).apply(delivery, DeliveryEvent.COMMITTED, at=now)
            self._audit(connection, "object_committed", request, delivery)
            return DeliveryEvent.COMMITTED
        if not Commitments(connection).is_last(request.transaction_uid, owed_uid=delivery.sop_instance_uid):
            return DeliveryEvent.DEFERRED
        failed = [item for item in own if item.committed is False]
        if not failed:
            return None
        passes = all(item.failure_reason in PASSING_REASONS for item in failed)
        over = self.policy.is_over(delivery.attempts, passes=passes)
        event = DeliveryEvent.GIVEN_UP if over else DeliveryEvent.NOT_COMMITTED
        error = describe_failure(failed[0].failure_reason)
        wait_s = self.policy.wait_s(delivery.attempts, seed=f"{delivery.job_id}/{delivery.destination}")
        next_at = now + timedelta(seconds=wait_s)
        Deliveries(connection).apply(delivery, event, at=now, error=error, next_attempt_at=None if over else next_at)
        self._audit(connection, "commitment_failed", request, delivery, failed=True, error=error, given_up=over)
        if not over:
            following = delivery_request(delivery.job_id, delivery.destination, at=next_at, delay_s=wait_s)
            self.engine.enqueue(following, connection=connection)
        return event

    def _waive(self, request: CommitmentRequest) -> None:
        """Commitment is not asked for any more: what was taken is delivered."""
        now = self.clock.now()
        with self.database.write() as connection:
            about = {item.owed_uid for item in _waiting(connection, request)}
            for delivery in _stored(connection, request):
                if delivery.sop_instance_uid in about:
                    Deliveries(connection).apply(delivery, DeliveryEvent.ACCEPTED, at=now)
            Commitments(connection).settle(request.transaction_uid, at=now)
            self._audit(connection, "commitment_waived", request)

    def _end(self, connection: sa.Connection, request: CommitmentRequest, *, error: str) -> None:
        """Stop asking: a person must look."""
        now = self.clock.now()
        about = {item.owed_uid for item in _waiting(connection, request)}
        for delivery in _stored(connection, request):
            if delivery.sop_instance_uid in about:
                Deliveries(connection).apply(delivery, DeliveryEvent.GIVEN_UP, at=now, error=error)
                self._audit(connection, "delivery_given_up", request, delivery, failed=True, error=error)
        Commitments(connection).settle(request.transaction_uid, at=now)

    def _note(
        self, connection: sa.Connection, request: CommitmentRequest, *, error: str | None, next_at: datetime
    ) -> None:
        """Let people see what is waited for."""
        about = {item.owed_uid for item in _waiting(connection, request)}
        Deliveries(connection).note(request.destination, about, error=error, next_attempt_at=next_at)

    def _audit(
        self,
        connection: sa.Connection,
        event: str,
        request: CommitmentRequest,
        delivery: DeliveryRecord | None = None,
        *,
        failed: bool = False,
        **detail: object,
    ) -> None:
        job = Jobs(connection).get(request.job_id)
        named = {
            "study_uid": job.study_uid,
            "destination": request.destination,
            "job": request.job_id,
            "transaction_uid": request.transaction_uid,
        }
        AuditTrail(connection).record(
            event,
            at=self.clock.now(),
            actor=_ACTOR,
            subject=request.job_id if delivery is None else delivery.sop_instance_uid,
            outcome="failure" if failed else "success",
            detail=named | detail,
        )

    def _tell(self, job: JobRecord, destination: str) -> None:
        assert self.delivered is not None
        try:
            self.delivered(job, destination)
        except DeliveryError as error:
            _log.warning("delivery_note_failed", job=job.job_id, destination=destination, error=str(error))


def _stored(connection: sa.Connection, request: CommitmentRequest) -> list[DeliveryRecord]:
    """What the destination has of the job and is not committed to."""
    found = Deliveries(connection).of_job(request.job_id, destination=request.destination)
    return [item for item in found if item.state is DeliveryState.STORED]


def _waiting(connection: sa.Connection, request: CommitmentRequest) -> list[CommitmentObject]:
    """What of a request still waits for commitment."""
    stored = {item.sop_instance_uid for item in _stored(connection, request)}
    return [item for item in Commitments(connection).objects(request.transaction_uid) if item.owed_uid in stored]
