"""`bmnode job`: what is being computed, what was, and doing it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmnode.cli.delivery_commands import emit_deliveries
from bmnode.cli.documents import KINDS, document
from bmnode.cli.exit_codes import FAILED, NOT_ASSESSABLE
from bmnode.cli.output import emit_json, emit_record, emit_table, progress_bar, say, shown
from bmnode.cli.session import JsonOption, Session, session_of
from bmnode.domain.states import DeliveryState, JobEvent, JobState
from bmnode.errors import TransitionError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bmnode.domain.records import DeliveryRecord, JobEventRecord, JobRecord, ResultRecord

app = typer.Typer(help="Jobs: one pipeline on one study.", no_args_is_help=True, rich_markup_mode=None)

JobId = Annotated[str, typer.Argument(help="Identifier of the job, from `bmnode job list`.", metavar="JOB_ID")]
UNFINISHED = (JobState.AWAITING_PRIOR, JobState.QUEUED, JobState.RUNNING)
FOLLOW_EVERY_S = 0.5
NO_LIMIT = 1_000_000


@app.command("list", epilog="Example: bmnode job list --state failed --json")
def list_jobs(
    context: typer.Context,
    state: Annotated[JobState | None, typer.Option("--state", help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the latest first.")] = 100,
    json: JsonOption = False,
) -> None:
    """List jobs, the latest first.

    JSON: `jobs`, a list of job.
    """
    from bmnode.storage import Jobs

    with session_of(context).read() as connection:
        jobs = Jobs(connection).list(state=state, limit=limit)
    if json:
        emit_json({"jobs": [document("job", job) for job in jobs]})
        return
    rows = [
        (job.job_id, job.study_uid, job.pipeline, job.state, f"{job.progress:.0%}", job.outcome, job.created_at)
        for job in jobs
    ]
    columns = ("job", "study", "pipeline", "state", "progress", "outcome", "created")
    emit_table(columns, rows, empty="no job" if state is None else f"no {state} job")


@app.command("show", epilog="Example: bmnode job show 3f9a2c1b --follow")
def show(
    context: typer.Context,
    job_id: JobId,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Show its progress until it ends; exits 1 if it failed, 10 if not assessable."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show one job: its history, progress, results and deliveries.

    JSON: the keys of job, and `history`, a list of job_event; `results`, a list of result;
    `deliveries`, a list of delivery.
    """
    session = session_of(context)
    if follow:
        _follow(session, job_id)
    details = _details(session, job_id)
    if json:
        emit_json(details.as_json())
    else:
        details.print()
    if follow and details.job.state is not JobState.SUCCEEDED:
        raise typer.Exit(FAILED)
    if follow and details.job.outcome == "not_assessable":
        raise typer.Exit(NOT_ASSESSABLE)


@app.command("retry", epilog="Example: bmnode job retry 3f9a2c1b")
def retry(context: typer.Context, job_id: JobId, json: JsonOption = False) -> None:
    """Run a job again that failed, was cancelled, or succeeded.

    JSON: the keys of job.
    """
    session = session_of(context)
    with session.engine() as (database, client), database.write() as connection:
        job = _apply(session, connection, job_id, JobEvent.RETRIED)
        client.enqueue_job(job, connection=connection)
    _report(job, json=json)


@app.command("cancel", epilog="Example: bmnode job cancel 3f9a2c1b")
def cancel(context: typer.Context, job_id: JobId, json: JsonOption = False) -> None:
    """Stop a job that is queued or running; what a running one computed is thrown away.

    JSON: the keys of job.
    """
    session = session_of(context)
    with session.engine() as (database, client):
        with database.write() as connection:
            job = _apply(session, connection, job_id, JobEvent.CANCELLED)
        client.cancel_job(job_id)
    _report(job, json=json)


@app.command("requeue", epilog="Example: bmnode job requeue --all-unfinished")
def requeue(
    context: typer.Context,
    job_id: Annotated[str | None, typer.Argument(help="Identifier of one unfinished job.", metavar="JOB_ID")] = None,
    all_unfinished: Annotated[bool, typer.Option("--all-unfinished", help="Every job that is not finished.")] = False,
    json: JsonOption = False,
) -> None:
    """Hand unfinished work to the engine once more: rebuilds its queue from the database. Nothing is run twice.

    With --all-unfinished also every delivery that is owed. JSON: `jobs`, the identifiers that were handed over;
    `deliveries`, how many pairs of job and destination were.
    """
    from bmnode.storage import AuditTrail, Deliveries, Jobs

    if (job_id is None) != all_unfinished:
        raise typer.BadParameter("give a JOB_ID or --all-unfinished")
    session = session_of(context)
    with session.engine() as (database, client), database.write() as connection:
        jobs = [Jobs(connection).get(job_id)] if job_id is not None else list(Jobs(connection).unfinished())
        for job in jobs:
            if job.state not in UNFINISHED:
                raise TransitionError(f"job {job.job_id} is {job.state}; `bmnode job retry {job.job_id}` runs it again")
            client.enqueue_job(job, connection=connection)
        owed = Deliveries(connection).list(state=DeliveryState.PENDING, limit=NO_LIMIT) if all_unfinished else []
        pairs = list(dict.fromkeys((item.job_id, item.destination) for item in owed))
        for owing, destination in pairs:
            client.enqueue_delivery(owing, destination, connection=connection)
        AuditTrail(connection).record(
            "work_requeued",
            at=session.now(),
            actor=session.actor,
            subject="node" if job_id is None else job_id,
            detail={"jobs": [job.job_id for job in jobs], "deliveries": len(pairs)},
        )
    if json:
        emit_json({"jobs": [job.job_id for job in jobs], "deliveries": len(pairs)})
    else:
        say(f"{len(jobs)} job(s) and {len(pairs)} delivery(ies) handed over")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Details:
    """Everything that the database says of a job."""

    job: JobRecord
    history: Sequence[JobEventRecord]
    results: Sequence[ResultRecord]
    deliveries: Sequence[DeliveryRecord]

    def as_json(self) -> dict[str, Any]:
        return document("job", self.job) | {
            "history": [document("job_event", event) for event in self.history],
            "results": [document("result", result) for result in self.results],
            "deliveries": [document("delivery", delivery) for delivery in self.deliveries],
        }

    def print(self) -> None:
        emit_record({key: getattr(self.job, key) for key in KINDS["job"]})
        rows = [(event.at, event.event, event.state, event.detail) for event in self.history]
        emit_table(("at", "event", "state", "detail"), rows, empty="no history")
        results = [(result.kind, result.sop_instance_uid, result.path) for result in self.results]
        emit_table(("kind", "SOP Instance UID", "file"), results, empty="no result yet")
        emit_deliveries(self.deliveries)


def _details(session: Session, job_id: str) -> _Details:
    from bmnode.storage import Deliveries, Jobs, Results

    with session.read() as connection:
        return _Details(
            job=Jobs(connection).get(job_id),
            history=Jobs(connection).events(job_id),
            results=Results(connection).of_job(job_id),
            deliveries=Deliveries(connection).of_job(job_id),
        )


def _follow(session: Session, job_id: str) -> None:
    from bmnode.domain.pipelines import Progress
    from bmnode.storage import Jobs

    with session.database() as database, progress_bar(job_id) as report:
        while True:
            with database.read() as connection:
                job = Jobs(connection).get(job_id)
            ended = job.state not in UNFINISHED
            report(Progress(fraction=1.0 if ended else job.progress, step=job.step or job.state.value))
            if ended:
                return
            session.services.clock.sleep_s(FOLLOW_EVERY_S)


def _apply(session: Session, connection: sa.Connection, job_id: str, event: JobEvent) -> JobRecord:
    from bmnode.storage import AuditTrail, Jobs

    before = Jobs(connection).get(job_id)
    try:
        job = Jobs(connection).apply(job_id, event, at=session.now(), detail="by the administrator")
    except TransitionError as error:
        raise TransitionError(f"job {job_id} is {before.state} and cannot be {event}") from error
    AuditTrail(connection).record(f"job_{event}", at=session.now(), actor=session.actor, subject=job_id)
    return job


def _report(job: JobRecord, *, json: bool) -> None:
    if json:
        emit_json(document("job", job))
    else:
        say(f"job {job.job_id} is {shown(job.state)}")
