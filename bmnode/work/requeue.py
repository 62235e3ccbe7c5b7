"""The engine's state, rebuilt from our tables: they are the truth, and the engine can be replaced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bmnode.domain.commitment import CommitmentRequest
from bmnode.domain.records import JobRecord
from bmnode.domain.states import DeliveryState
from bmnode.priors.handover import SearchOutcome
from bmnode.storage import AuditTrail, Commitments, Database, Deliveries, Jobs, PriorSearches
from bmnode.storage.jobs import STARTABLE
from bmnode.work.engine import Engine
from bmnode.work.requests import (
    CommitStep,
    When,
    commit_prefix,
    commit_request,
    delivery_prefix,
    delivery_request,
    priors_prefix,
    priors_request,
    run_key,
    run_request,
)

_NO_LIMIT = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Requeued:
    """What was asked for again."""

    jobs: tuple[str, ...]
    deliveries: tuple[tuple[str, str], ...]
    """(job, destination)."""


def requeue_unfinished(database: Database, *, engine: Engine, at: datetime) -> Requeued:
    """Ask for a flow for every unfinished job and delivery that has none. Harmless when repeated."""
    with database.write() as connection:
        unfinished = Jobs(connection).unfinished()
        pending = Deliveries(connection).list(state=DeliveryState.PENDING, limit=_NO_LIMIT)
        live = engine.unfinished()  # after the rows: each was committed together with its flow
        runs = [job for job in unfinished if job.state in STARTABLE]
        jobs = tuple(
            job.job_id for job in runs if requeue_job(job, engine=engine, connection=connection, live=live, at=at)
        )
        searches = PriorSearches(connection).unfinished(at=at, outcomes=(SearchOutcome.NOT_KNOWN,))
        lost = [item.job_id for item in searches if not _lives(live, priors_prefix(item.job_id))]
        for job_id in lost:
            engine.enqueue(priors_request(job_id, at=at), connection=connection)
        due: dict[tuple[str, str], datetime] = {}
        for item in pending:
            owed = (item.job_id, item.destination)
            due[owed] = min(due.get(owed, item.next_attempt_at or at), item.next_attempt_at or at)
        deliveries = tuple(owed for owed in due if not _lives(live, delivery_prefix(*owed)))
        for job_id, destination in deliveries:
            delay_s = max((due[job_id, destination] - at).total_seconds(), 0.0)
            request = delivery_request(job_id, destination, at=at, delay_s=delay_s, when=When.DUE)
            engine.enqueue(request, connection=connection)
        for waiting in Commitments(connection).open():
            if not _lives(live, commit_prefix(waiting.transaction_uid)):
                engine.enqueue(commit_request(waiting, _step(waiting), at=at), connection=connection)
        if jobs or deliveries:
            AuditTrail(connection).record(
                "work_requeued",
                at=at,
                actor="worker",
                subject="node",
                detail={"jobs": list(jobs), "deliveries": len(deliveries)},
            )
    return Requeued(jobs=jobs, deliveries=deliveries)


def requeue_job(
    job: JobRecord, *, engine: Engine, connection: sa.Connection, live: Iterable[str], at: datetime
) -> bool:
    """Ask for a job's run, unless the one that it waits for lives. Returns whether it was asked for.

    The key carries the time: that of a flow which ended without finishing its job is used up.
    """
    key = run_key(connection, job.job_id)
    if any(known == key or known.startswith(f"{key}@") for known in live):
        return False
    engine.enqueue(run_request(job, key=f"{key}@{at.isoformat()}"), connection=connection)
    return True


def _step(request: CommitmentRequest) -> CommitStep:
    """What comes next for a request whose flow is lost."""
    if request.answered_at is not None:
        return CommitStep.SETTLE
    return CommitStep.ASK if request.asked_at is None else CommitStep.OVERDUE


def _lives(live: Iterable[str], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in live)
