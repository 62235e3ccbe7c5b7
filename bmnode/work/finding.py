"""The priors flow: looks for what a job is compared with, and lets the job run no later than its limit.

queued -> awaiting_prior    when the job is made, in the same transaction as this flow
awaiting_prior -> queued    every place has answered, or the limit is over (`settle_overdue`, which waits for nobody)
succeeded -> queued         something else is compared than the job was run with: the report is made again
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
import structlog

from bmnode.clock import Clock
from bmnode.domain.records import JobRecord, PriorSearchRecord, StoredInstance
from bmnode.domain.states import JobEvent, JobState
from bmnode.domain.study import Branch
from bmnode.priors.comparable import PriorRule
from bmnode.priors.examination import Examination
from bmnode.priors.reading import Site, read_examination
from bmnode.priors.search import ArchivePlace, Found, PriorSearch
from bmnode.storage import AuditTrail, Database, Instances, Jobs, PriorSearches, Studies
from bmnode.storage.jobs import UNFINISHED
from bmnode.work.engine import Engine
from bmnode.work.prior_folder import PriorFolder, PriorFolders
from bmnode.work.prior_places import NodeStore
from bmnode.work.requests import priors_request, run_key, run_request

_ACTOR = "worker"
_LONGEST_RETRY_S = 3600.0
_NO_LIMIT = 1_000_000
LIMIT_OVER = "the limit is over; it goes on without"
"""Detail of the event that ends a wait before the search has ended."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorOptions:
    """How earlier examinations are looked for.

    Args:
        site: what holds where a study does not say.
        archives: the archives of the moment, in the order in which they are asked.
        rule: how far apart two examinations may be.
        wait_s: a job waits no longer.
        search_s: an archive that does not answer is asked again for so long, every `retry_s` and then less often.
        most_fetched: in one search.
    """

    site: Site
    archives: Callable[[], Sequence[ArchivePlace]] = tuple
    rule: PriorRule = field(default_factory=PriorRule)
    wait_s: float = 300.0
    search_s: float = 24 * 3600.0
    retry_s: float = 60.0
    most_fetched: int = 3

    def begin(self, connection: sa.Connection, job: JobRecord, *, engine: Engine, at: datetime) -> None:
        """Have a job that was just made wait for its prior, in the transaction that makes it."""
        PriorSearches(connection).begin(
            job.job_id,
            run_by=at + timedelta(seconds=self.wait_s),
            search_until=at + timedelta(seconds=self.search_s),
        )
        waiting = Jobs(connection).apply(job.job_id, JobEvent.PRIOR_SOUGHT, at=at)
        _audit(connection, waiting, JobEvent.PRIOR_SOUGHT, at=at)
        engine.enqueue(priors_request(job.job_id, at=at, priority=job.priority), connection=connection)


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorsFlow:
    """A `FlowHandler`. Subject: the job."""

    database: Database
    engine: Engine
    locate: Callable[[StoredInstance], Path]
    """Where an instance's file lies."""
    clock: Clock
    results_dir: Path
    options: PriorOptions

    async def handle(self, subject: tuple[str, ...]) -> None:
        """Look once; what could not be asked is asked again in the transaction that records the rest."""
        await asyncio.to_thread(self._look, subject[0])

    async def give_up(self, subject: tuple[str, ...], *, error: str) -> None:
        """Let the job run without: a defect here must not cost its own result."""
        await asyncio.to_thread(self._let_run, subject[0], f"the search failed: {error}")

    def _look(self, job_id: str) -> None:
        with self.database.read() as connection:
            job, search = Jobs(connection).find(job_id), PriorSearches(connection).find(job_id)
        if job is None or search is None or job.state not in (*UNFINISHED, JobState.SUCCEEDED):
            return
        current = self._current(job)
        if current is None:
            self._let_run(job_id, "the study names no patient: no prior can be looked for")
            return
        store = NodeStore(database=self.database, locate=self.locate, site=self.options.site)
        found = PriorSearch(
            store=store,
            archives=self.options.archives(),
            rule=self.options.rule,
            most_fetched=self.options.most_fetched,
        ).run(current, wanted=search.wanted_study_uid)
        folders = PriorFolders(database=self.database, locate=self.locate, results_dir=self.results_dir)
        self._record(job_id, found, folders.fill(job_id, current=current, found=found))

    def _current(self, job: JobRecord) -> Examination | None:
        with self.database.read() as connection:
            instances = Instances(connection).of_revision(job.study_uid, job.revision)
            branch = Studies(connection).get_revision(job.study_uid, job.revision).branch
        files = [self.locate(item) for item in {item.series_uid: item for item in instances}.values()]
        known = None if branch is None else Branch(branch)
        return read_examination(files, study_uid=job.study_uid, site=self.options.site, branch=known)

    def _record(self, job_id: str, found: Found, folder: PriorFolder) -> None:
        now = self.clock.now()
        with self.database.write() as connection:
            searches, job = PriorSearches(connection), Jobs(connection).get(job_id)
            searches.settle(
                job_id,
                outcome=found.outcome.value,
                folder=str(folder.path.relative_to(self.results_dir)),
                compared=folder.compared,
            )
            searches.tried(job_id)
            search = searches.get(job_id)
            if job.state is JobState.AWAITING_PRIOR and not found.unanswered:
                self._queue(connection, job, JobEvent.PRIOR_SETTLED, detail=found.explanation)
            elif job.state is JobState.SUCCEEDED and search.compared not in ("", search.used):
                self._queue(connection, job, JobEvent.PRIOR_ARRIVED, detail=found.explanation)
            is_behind = job.state is JobState.RUNNING and search.compared != search.used
            if found.unanswered or is_behind:
                self._ask_again(connection, job, search)
            AuditTrail(connection).record(
                "prior_sought",
                at=now,
                actor=_ACTOR,
                subject=job.study_uid,
                detail={
                    "job": job_id,
                    "outcome": found.outcome.value,
                    "considered": len(found.considered),
                    "unanswered": list(found.unanswered),
                },
            )
        _log.info("prior_sought", job=job_id, outcome=found.outcome.value, unanswered=list(found.unanswered))

    def _ask_again(self, connection: sa.Connection, job: JobRecord, search: PriorSearchRecord) -> None:
        now = self.clock.now()
        wait_s = min(self.options.retry_s * 2.0 ** (search.attempts - 1), max(_LONGEST_RETRY_S, self.options.retry_s))
        next_at = now + timedelta(seconds=wait_s)
        if next_at < search.search_until:
            request = priors_request(job.job_id, at=next_at, delay_s=wait_s, priority=job.priority)
            self.engine.enqueue(request, connection=connection)

    def _let_run(self, job_id: str, detail: str) -> None:
        with self.database.write() as connection:
            job = Jobs(connection).find(job_id)
            if job is not None and job.state is JobState.AWAITING_PRIOR:
                self._queue(connection, job, JobEvent.PRIOR_SETTLED, detail=detail)

    def _queue(self, connection: sa.Connection, job: JobRecord, event: JobEvent, *, detail: str) -> None:
        queue_for_run(connection, job, event, engine=self.engine, at=self.clock.now(), detail=detail)


def queue_for_run(
    connection: sa.Connection, job: JobRecord, event: JobEvent, *, engine: Engine, at: datetime, detail: str
) -> None:
    """Move a job to `queued` and ask for its run, in the caller's transaction."""
    queued = Jobs(connection).apply(job.job_id, event, at=at, detail=detail)
    _audit(connection, queued, event, at=at, detail=detail)
    engine.enqueue(run_request(queued, key=run_key(connection, job.job_id)), connection=connection)
    _log.info(f"job_{event}", job=job.job_id)


def _audit(connection: sa.Connection, job: JobRecord, event: JobEvent, *, at: datetime, detail: str = "") -> None:
    told = {"study_uid": job.study_uid, "detail": detail}
    AuditTrail(connection).record(f"job_{event}", at=at, actor=_ACTOR, subject=job.job_id, detail=told)


def settle_overdue(database: Database, *, engine: Engine, at: datetime) -> tuple[str, ...]:
    """Let every job run whose wait is over, whatever its search is doing; the jobs. A search goes on by itself."""
    with database.read() as connection:
        waiting = {job.job_id for job in Jobs(connection).list(state=JobState.AWAITING_PRIOR, limit=_NO_LIMIT)}
        overdue = waiting & set(PriorSearches(connection).overdue(at)) if waiting else set()
    if not overdue:
        return ()
    settled: list[str] = []
    with database.write() as connection:
        for job_id in sorted(overdue):
            job = Jobs(connection).get(job_id)
            if job.state is JobState.AWAITING_PRIOR:
                queue_for_run(connection, job, JobEvent.PRIOR_SETTLED, engine=engine, at=at, detail=LIMIT_OVER)
                settled.append(job_id)
    return tuple(settled)
