"""`bmnode study`: what was received and what became of it. Patients are never named."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmnode.cli import prior_commands
from bmnode.cli.delivery_commands import emit_deliveries
from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, emit_record, emit_table, say
from bmnode.cli.session import JsonOption, session_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bmnode.domain.records import RevisionRecord, StoredInstance, StudyRecord

app = typer.Typer(help="Received studies.", no_args_is_help=True, rich_markup_mode=None)

app.command("priors", epilog=prior_commands.PRIORS_EXAMPLE)(prior_commands.priors)
app.command("compare", epilog=prior_commands.COMPARE_EXAMPLE)(prior_commands.compare)

StudyUid = Annotated[str, typer.Argument(help="Study Instance UID.", metavar="STUDY_UID")]


@app.command("list", epilog="Example: bmnode study list --limit 20 --json")
def list_studies(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the latest first.")] = 100,
    json: JsonOption = False,
) -> None:
    """List received studies, the latest first.

    JSON: `studies`, a list of study.
    """
    from bmnode.storage import Studies

    with session_of(context).read() as connection:
        studies = Studies(connection)
        found = [(study, studies.find_revision(study.study_uid, study.revision)) for study in studies.list(limit=limit)]
    documents = [_study(study, revision) for study, revision in found]
    if json:
        emit_json({"studies": documents})
        return
    rows = [
        (
            study.study_uid,
            study.state,
            study.instance_count,
            study.source_ae,
            study.last_received_at,
            revision.branch if revision else None,
            revision.decision if revision else None,
        )
        for study, revision in found
    ]
    columns = ("study", "state", "images", "from", "last image", "branch", "decision")
    emit_table(columns, rows, empty="no study was received yet")


@app.command("show", epilog="Example: bmnode study show 1.2.840.113619.2.55.3.1 --json")
def show(context: typer.Context, study_uid: StudyUid, json: JsonOption = False) -> None:
    """Show one study: its series, its revisions and what was decided, its jobs, its results on their way.

    JSON: the keys of study, and `series`, a list of series; `revisions`, a list of revision; `jobs`, a list of job;
    `deliveries`, a list of delivery.
    """
    from bmnode.storage import Deliveries, Instances, Jobs, Studies

    with session_of(context).read() as connection:
        study = Studies(connection).get(study_uid)
        revisions = Studies(connection).revisions(study_uid)
        series = _series(Instances(connection).of_study(study_uid))
        jobs = Jobs(connection).of_study(study_uid)
        deliveries = [item for job in jobs for item in Deliveries(connection).of_job(job.job_id)]
    head = _study(study, revisions[-1] if revisions else None)
    if json:
        parts = {
            "series": series,
            "revisions": [document("revision", revision) for revision in revisions],
            "jobs": [document("job", job) for job in jobs],
            "deliveries": [document("delivery", item) for item in deliveries],
        }
        emit_json(head | parts)
        return
    emit_record({key: getattr(study, key, value) for key, value in head.items()})
    columns = ("series_uid", "sop_class_uid", "instance_count", "size_bytes", "deleted_count")
    emit_table(columns, [[item[column] for column in columns] for item in series], empty="no series")
    rows = [(item.revision, item.created_at, item.branch, item.decision, item.explanation) for item in revisions]
    emit_table(("revision", "frozen", "branch", "decision", "explanation"), rows, empty="no revision yet")
    jobs_rows = [(job.job_id, job.revision, job.pipeline, job.state, job.outcome, job.reason) for job in jobs]
    emit_table(("job", "revision", "pipeline", "state", "outcome", "reason"), jobs_rows, empty="no job")
    emit_deliveries(deliveries)


@app.command("rerun", epilog="Example: bmnode study rerun 1.2.840.113619.2.55.3.1")
def rerun(context: typer.Context, study_uid: StudyUid, json: JsonOption = False) -> None:
    """Process a study again: its last revision's jobs, or, if it has none, selection by the routes of today.

    JSON: `study_uid`; `jobs`, the identifiers that were queued; `selected_again`, whether selection was asked for.
    """
    from bmnode.domain.states import JobEvent
    from bmnode.storage import AuditTrail, Jobs, Studies

    session = session_of(context)
    with session.engine() as (database, client), database.write() as connection:
        study = Studies(connection).get(study_uid)
        jobs = [job for job in Jobs(connection).of_study(study_uid) if job.revision == study.revision]
        for job in jobs:
            queued = Jobs(connection).apply(job.job_id, JobEvent.RETRIED, at=session.now(), detail="study rerun")
            client.enqueue_job(queued, connection=connection)
        if not jobs:
            client.select_study(study_uid, connection=connection)
        AuditTrail(connection).record(
            "study_rerun",
            at=session.now(),
            actor=session.actor,
            subject=study_uid,
            detail={"jobs": [job.job_id for job in jobs]},
        )
    if json:
        emit_json({"study_uid": study_uid, "jobs": [job.job_id for job in jobs], "selected_again": not jobs})
    else:
        say(f"queued {', '.join(job.job_id for job in jobs)}" if jobs else "selection was asked for")


@app.command("reject", epilog="Example: bmnode study reject 1.2.840.113619.2.55.3.1")
def reject(context: typer.Context, study_uid: StudyUid, json: JsonOption = False) -> None:
    """Take a study out of work and delete its images and results, on the disk and in the database. There is no undo.

    Kept are the study's row, its jobs and their history, and the audit trail. Unfinished jobs are cancelled. What a
    destination has taken already it keeps. An image that comes afterwards opens the study anew, without those that were
    deleted: while a sender is still sending, wait until it has ended. Run it where the node runs, as its user.
    JSON: `study_uid`; `state`; `cancelled`, the identifiers of the jobs that were cancelled; `images` and `results`,
    how many were deleted.
    """
    from bmnode.deleting import study_rejection

    session = session_of(context)
    with session.engine() as (database, client):
        rejection = study_rejection(session.settings, database=database, clock=session.services.clock)
        rejected = rejection.reject(study_uid, actor=session.actor)
        for job_id in rejected.cancelled:
            client.cancel_job(job_id)
    state, cancelled, deleted = rejected.study.state.value, list(rejected.cancelled), rejected.deleted
    if json:
        counts = {"images": deleted.images, "results": deleted.results}
        emit_json({"study_uid": study_uid, "state": state, "cancelled": cancelled, **counts})
    else:
        say(
            f"rejected; {deleted.images} image(s) and {deleted.results} result(s) deleted, "
            f"{len(cancelled)} job(s) cancelled"
        )


@app.command("pull", epilog="Example: bmnode study pull pacs 1.2.840.113619.2.55.3.1")
def pull(
    context: typer.Context,
    peer: Annotated[str, typer.Argument(help="Name of the peer that has the study.", metavar="PEER")],
    study_uid: StudyUid,
    json: JsonOption = False,
) -> None:
    """Have a peer send a study to this node, which must be running and known to the peer by its AE title.

    Through Orthanc's REST interface where the peer has `rest_url`, by C-MOVE otherwise.
    JSON: `peer`; `study_uid`; `method`, `rest` or `c-move`; `instances`, how many were sent.
    """
    session = session_of(context)
    target = session.settings.peer(peer)
    if target.rest_url is not None:
        method = "rest"
        sent = session.services.rest(target).send_study(study_uid, to_ae_title=session.settings.node.ae_title)
    else:
        method = "c-move"
        sent = session.services.mover(session.settings).move(target, study_uid)
    if json:
        emit_json({"peer": peer, "study_uid": study_uid, "method": method, "instances": sent})
    else:
        say(f"{peer} sent {sent} instance(s); see `bmnode study show {study_uid}`")


def _study(study: StudyRecord, revision: RevisionRecord | None) -> dict[str, Any]:
    return document(
        "study",
        study,
        branch=revision.branch if revision else None,
        decision=revision.decision if revision else None,
        explanation=revision.explanation if revision else "",
    )


def _series(instances: Iterable[StoredInstance]) -> Sequence[dict[str, Any]]:
    grouped: dict[tuple[str, str], list[StoredInstance]] = defaultdict(list)
    for instance in instances:
        grouped[instance.series_uid, instance.sop_class_uid].append(instance)
    return [
        document(
            "series",
            None,
            series_uid=series_uid,
            sop_class_uid=sop_class_uid,
            instance_count=len(items),
            size_bytes=sum(item.size_bytes for item in items),
            deleted_count=sum(item.deleted_at is not None for item in items),
        )
        for (series_uid, sop_class_uid), items in grouped.items()
    ]
