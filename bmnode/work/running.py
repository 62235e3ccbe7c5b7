"""The run flow: one attempt of one job. Whatever happens, the job ends with a result that says what is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlalchemy as sa
import structlog

from bmnode.clock import Clock
from bmnode.domain.ids import digest
from bmnode.domain.ledger import LedgerEntry
from bmnode.domain.objects import (
    DEFAULT_ENCODINGS,
    DEFAULT_KINDS,
    OutputOptions,
    PredecessorDocument,
    ResultKind,
    SegEncoding,
    encoding_of,
)
from bmnode.domain.peers import Peer
from bmnode.domain.pipelines import Progress
from bmnode.domain.records import JobRecord, ResultRecord, StoredInstance
from bmnode.domain.results import Outcome
from bmnode.domain.states import JobEvent
from bmnode.domain.study import Reason, Refusal
from bmnode.errors import InputError, NotFoundError, ResultError, RunError
from bmnode.run.attempts import keep_only
from bmnode.run.runner import Runner, RunObject, RunOutcome, RunRequest
from bmnode.storage import AuditTrail, Database, Deliveries, Instances, Jobs, Ledger, PriorSearches, Results
from bmnode.storage.jobs import STARTABLE, UNFINISHED
from bmnode.work.engine import Engine
from bmnode.work.prior_folder import DELETED, FAILED, is_whole, set_aside
from bmnode.work.requests import delivery_request, job_digest, run_key, run_request

_ACTOR = "worker"
_PROGRESS_EVERY_S = 0.5

ReadEntry = Callable[[Path], LedgerEntry]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOptions:
    """How jobs are run."""

    results_dir: Path
    """A folder a job is made in it."""
    max_attempts: int = 3
    """How often a job is started, kills of the whole node included, before it fails for good."""
    retry_wait_s: float = 2.0
    output: OutputOptions = field(default_factory=OutputOptions)
    """How objects are written; pictures and document follow from the destinations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    """A job that is about to be computed."""

    job: JobRecord
    number: int
    """Counts every start there ever was: names the folder."""
    instances: tuple[StoredInstance, ...]
    refusal: Refusal | None = None
    """Set where no attempt is left."""
    predecessors: tuple[PredecessorDocument, ...] = ()
    """What earlier jobs of the pipeline reported on the study, and this one where it failed before."""
    priors: str | None = None
    """The folder of what is known of earlier examinations, relative to the results directory."""
    compares: bool = False
    """Whether there is an earlier examination to compare with, without which another attempt can be made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFlow:
    """A `FlowHandler`. Subject: the job."""

    database: Database
    engine: Engine
    runner: Runner
    locate: Callable[[StoredInstance], Path]
    """Where an instance's file lies."""
    peers: Callable[[str], Peer]
    """A destination by name. Raises NotFoundError."""
    clock: Clock
    options: RunOptions
    read_entry: ReadEntry | None = None
    """What a root report says, for the lesion ledger; None: no ledger is kept. Raises ResultError."""

    async def handle(self, subject: tuple[str, ...]) -> None:
        """Compute the job, unless it has ended. A lost attempt asks for the next in the transaction that records it."""
        attempt = await asyncio.to_thread(self._begin, subject[0])
        if attempt is None:
            return
        if attempt.refusal is not None:
            await self._refuse(attempt, attempt.refusal)
            return
        try:
            outcome = await self.runner.run(self._request(attempt), self._report(attempt.job.job_id))
        except RunError as error:
            if error.retryable or attempt.compares:
                await asyncio.to_thread(self._lose, attempt, error)
            else:
                await self._refuse(attempt, _refusal_of(error))
        else:
            detail = "" if outcome.refusal is None else outcome.refusal.explanation
            await asyncio.to_thread(self._finish, attempt.job, outcome, event=JobEvent.SUCCEEDED, detail=detail)

    async def give_up(self, subject: tuple[str, ...], *, error: str) -> None:
        """Fail the job without a result: not even the refusal could be written."""
        await asyncio.to_thread(self._fail, subject[0], f"an internal error, see the log: {error}")

    def _begin(self, job_id: str) -> _Attempt | None:
        with self.database.write() as connection:
            jobs = Jobs(connection)
            job = jobs.find(job_id)
            if job is None or job.state not in STARTABLE:
                return None
            started = sum(event.event == JobEvent.STARTED for event in jobs.events(job_id))
            instances = tuple(Instances(connection).of_revision(job.study_uid, job.revision))
            predecessors = _predecessors(connection, job)
            if job.attempt >= self.options.max_attempts:
                refusal = self._exhausted(jobs, job)
                return _Attempt(
                    job=job, number=started + 1, instances=instances, refusal=refusal, predecessors=predecessors
                )
            job = jobs.apply(job_id, JobEvent.STARTED, at=self.clock.now())
            search = PriorSearches(connection).use(job_id)
            self._audit(connection, job, "job_started", detail={"attempt": job.attempt})
        _log.info("job_started", job=job_id, attempt=job.attempt)
        priors = None if search is None else search.folder
        compares = priors is not None and search is not None and search.compared != ""
        why = self._why_alone(job, priors) if priors is not None and compares else None
        if priors is not None and why is not None:
            priors, compares = set_aside(priors, results_dir=self.options.results_dir, explanation=why), False
        return _Attempt(
            job=job,
            number=started + 1,
            instances=instances,
            predecessors=predecessors,
            priors=priors,
            compares=compares and self.options.max_attempts > 1,
        )

    def _why_alone(self, job: JobRecord, priors: str) -> str | None:
        """Why an attempt is made without what is to be compared: only that must not keep the result back."""
        if not is_whole(priors, results_dir=self.options.results_dir):
            return DELETED
        return FAILED if 1 < self.options.max_attempts <= job.attempt else None

    def _exhausted(self, jobs: Jobs, job: JobRecord) -> Refusal:
        lost = [event.detail for event in jobs.events(job.job_id) if event.event == JobEvent.ATTEMPT_LOST]
        last = lost[-1] if lost else "the worker was ended"
        return Refusal(
            reason=Reason.PROCESSING_FAILED,
            explanation=f"Processing failed in {job.attempt} attempts; the last one: {last}.",
        )

    def _request(self, attempt: _Attempt, *, refusal: Refusal | None = None) -> RunRequest:
        job = attempt.job
        output = self._output(job)
        whole = job_digest(
            study_uid=job.study_uid,
            pipeline=job.pipeline,
            pipeline_version=job.pipeline_version,
            input_digest=job.input_digest,
        )
        whole = output.distinguish(whole)
        if attempt.priors is not None:
            whole = digest((whole, Path(attempt.priors).name))  # other priors are another input
        return RunRequest(
            job_id=job.job_id,
            # A failure's result is another document than the one that a retry by hand may bring.
            job_digest=whole if refusal is None else digest((whole, refusal.reason, refusal.explanation)),
            attempt=attempt.number,
            study_uid=job.study_uid,
            pipeline=job.pipeline,
            files=tuple(self.locate(instance) for instance in attempt.instances),
            output_dir=self.options.results_dir / job.job_id,
            created_at=job.created_at,
            series_uids=tuple(sorted({instance.series_uid for instance in attempt.instances})),
            refusal=refusal,
            output=output,
            predecessors=attempt.predecessors,
            priors_dir=None if attempt.priors is None else self.options.results_dir / attempt.priors,
        )

    def _output(self, job: JobRecord) -> OutputOptions:
        """Pictures, document and further encodings are written where a destination of the job takes them."""
        peers = [peer for peer in map(self._peer, job.destinations) if peer is not None]
        wanted = {kind for destination in job.destinations for kind in self._objects_for(destination)}
        encodings = dict.fromkeys((*DEFAULT_ENCODINGS, *(item for peer in peers for item in peer.seg_encodings)))
        return replace(
            self.options.output,
            pictures=ResultKind.SC in wanted,
            document=ResultKind.PDF in wanted,
            seg_encodings=tuple(encodings),
        )

    def _objects_for(self, destination: str) -> tuple[ResultKind, ...]:
        """What a destination takes; the usual, where the configuration does not know it any more (its delivery will
        say so)."""
        peer = self._peer(destination)
        return DEFAULT_KINDS if peer is None else peer.objects

    def _peer(self, destination: str) -> Peer | None:
        try:
            return self.peers(destination)
        except NotFoundError:
            return None

    def _report(self, job_id: str) -> _ProgressWriter:
        return _ProgressWriter(database=self.database, clock=self.clock, job_id=job_id)

    async def _refuse(self, attempt: _Attempt, refusal: Refusal) -> None:
        """Fail the job with a "not assessable" result. Raises what may go better later."""
        _log.error("job_failed", job=attempt.job.job_id, reason=refusal.explanation)
        request = self._request(attempt, refusal=refusal)
        try:
            outcome = await self.runner.run(request, self._report(attempt.job.job_id))
        except RunError as error:
            if error.retryable:
                raise
            detail = f"{refusal.explanation} No report could be written: {error}"
            await asyncio.to_thread(self._fail, attempt.job.job_id, detail)
        else:
            await asyncio.to_thread(
                self._finish, attempt.job, outcome, event=JobEvent.FAILED, detail=refusal.explanation
            )

    def _finish(self, job: JobRecord, outcome: RunOutcome, *, event: JobEvent, detail: str) -> None:
        now = self.clock.now()
        entries = self._ledger_entries(job, outcome)
        with self.database.write() as connection:
            jobs = Jobs(connection)
            if jobs.get(job.job_id).state not in UNFINISHED:
                return  # cancelled while it ran
            Results(connection).replace(job.job_id, [_result_record(job, item) for item in outcome.objects])
            for report, entry in entries.items():
                if entry is None:
                    self._audit(connection, job, "ledger_not_written", detail={"report": report})
                else:
                    Ledger(connection).put(entry)
            jobs.set_outcome(job.job_id, outcome.outcome.value)
            jobs.apply(job.job_id, event, at=now, detail=detail)
            for destination in job.destinations:
                # The other encodings are no debts of their own: delivery sends them in the place of these.
                binary = [item for item in outcome.objects if encoding_of(item.path) is SegEncoding.BINARY]
                taken = [item for item in binary if item.kind in self._objects_for(destination)]
                for item in taken:
                    Deliveries(connection).add(
                        item.sop_instance_uid, destination=destination, job_id=job.job_id, at=now
                    )
                if taken:
                    request = delivery_request(job.job_id, destination, at=now, priority=job.priority)
                    self.engine.enqueue(request, connection=connection)
            uids = [item.sop_instance_uid for item in outcome.objects]
            self._audit(connection, job, f"job_{event}", detail={"outcome": outcome.outcome.value, "objects": uids})
            kept = {Path(item.path).parts[1] for item in Results(connection).of_job(job.job_id)}
        _log.info(f"job_{event}", job=job.job_id, outcome=outcome.outcome.value, objects=len(outcome.objects))
        keep_only(self.options.results_dir / job.job_id, kept)

    def _ledger_entries(self, job: JobRecord, outcome: RunOutcome) -> dict[str, LedgerEntry | None]:
        """What the root report says, by its UID; None where it cannot be read, which keeps no result back."""
        entries: dict[str, LedgerEntry | None] = {}
        for item in outcome.objects:
            is_root = item.kind == ResultKind.SR and encoding_of(item.path) is SegEncoding.BINARY
            if self.read_entry is None or not is_root:
                continue
            try:
                entries[item.sop_instance_uid] = self.read_entry(self.options.results_dir / job.job_id / item.path)
            except ResultError as error:
                _log.error("ledger_not_written", job=job.job_id, error=str(error))
                entries[item.sop_instance_uid] = None
        return entries

    def _lose(self, attempt: _Attempt, error: RunError) -> None:
        job = attempt.job
        with self.database.write() as connection:
            jobs = Jobs(connection)
            if jobs.get(job.job_id).state not in UNFINISHED:
                return  # cancelled while it ran
            jobs.apply(job.job_id, JobEvent.ATTEMPT_LOST, at=self.clock.now(), detail=str(error))
            self._audit(connection, job, "job_attempt_lost", detail={"attempt": job.attempt, "code": error.code})
            request = run_request(
                job, key=run_key(connection, job.job_id), delay_s=self.options.retry_wait_s * job.attempt
            )
            self.engine.enqueue(request, connection=connection)
        _log.warning("job_attempt_lost", job=job.job_id, attempt=job.attempt, code=error.code, error=str(error))

    def _fail(self, job_id: str, detail: str) -> None:
        with self.database.write() as connection:
            jobs = Jobs(connection)
            job = jobs.find(job_id)
            if job is None or job.state not in UNFINISHED:
                return
            jobs.set_outcome(job_id, Outcome.NOT_ASSESSABLE.value)
            jobs.apply(job_id, JobEvent.FAILED, at=self.clock.now(), detail=detail)
            self._audit(connection, job, "job_failed", detail={"outcome": Outcome.NOT_ASSESSABLE.value, "objects": []})
        _log.error("job_failed_without_result", job=job_id, reason=detail)

    def _audit(self, connection: sa.Connection, job: JobRecord, event: str, *, detail: dict[str, object]) -> None:
        failed = event in {"job_failed", "job_attempt_lost", "ledger_not_written"}
        AuditTrail(connection).record(
            event,
            at=self.clock.now(),
            actor=_ACTOR,
            subject=job.job_id,
            outcome="failure" if failed else "success",
            detail={"study_uid": job.study_uid, **detail},
        )


@dataclass(kw_only=True, slots=True)
class _ProgressWriter:
    """Writes a run's progress into the job's row, seldom enough not to be felt."""

    database: Database
    clock: Clock
    job_id: str
    _step: str = ""
    _at_s: float = field(default=float("-inf"))

    def __call__(self, progress: Progress) -> None:
        now_s = self.clock.monotonic_s()
        if progress.step == self._step and now_s - self._at_s < _PROGRESS_EVERY_S:
            return
        self._step, self._at_s = progress.step, now_s
        with self.database.write() as connection:
            Jobs(connection).report_progress(self.job_id, progress=progress.fraction, step=progress.step[:64])


def _predecessors(connection: sa.Connection, job: JobRecord) -> tuple[PredecessorDocument, ...]:
    """The reports of the last job before this one that left any, on the same study by the same pipeline; then those
    that this job left itself when it failed. An attempt that is repeated finds its own among the latter, which the
    writer leaves out."""
    before = [item for item in Jobs(connection).of_study(job.study_uid) if item.pipeline == job.pipeline]
    earlier = [item for item in before if (item.revision, item.created_at) < (job.revision, job.created_at)]
    reports = [_reports(connection, item.job_id) for item in earlier]
    last: tuple[PredecessorDocument, ...] = next((found for found in reversed(reports) if found), ())
    return (*last, *_reports(connection, job.job_id))


def _reports(connection: sa.Connection, job_id: str) -> tuple[PredecessorDocument, ...]:
    return tuple(
        PredecessorDocument(
            kind=ResultKind(item.kind),
            sop_class_uid=item.sop_class_uid,
            sop_instance_uid=item.sop_instance_uid,
            series_uid=item.series_uid,
            encoding=encoding_of(item.path),
        )
        for item in Results(connection).of_job(job_id)
        if item.kind in (ResultKind.SR, ResultKind.ROI_SR)
    )


def _result_record(job: JobRecord, item: RunObject) -> ResultRecord:
    return ResultRecord(
        sop_instance_uid=item.sop_instance_uid,
        sop_class_uid=item.sop_class_uid,
        series_uid=item.series_uid,
        job_id=job.job_id,
        kind=item.kind,
        path=f"{job.job_id}/{item.path}",
        sha256=item.sha256,
        created_at=job.created_at,
    )


def _refusal_of(error: RunError) -> Refusal:
    reason = Reason.UNREADABLE_INPUT if isinstance(error, InputError) else Reason.PROCESSING_FAILED
    return Refusal(reason=reason, explanation=f"Processing failed: {error}.")
