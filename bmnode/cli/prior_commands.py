"""`bmnode study priors` and `bmnode study compare`: with what a study is compared, and why with no other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, emit_record, emit_table, say
from bmnode.cli.session import JsonOption, session_of
from bmnode.errors import InputError, NotFoundError, RefusedError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bmnode.domain.records import JobRecord, PriorSearchRecord
    from bmnode.priors.handover import PriorInput

PRIORS_EXAMPLE = "Example: bmnode study priors 1.2.840.113619.2.55.3.1 --json"
COMPARE_EXAMPLE = "Example: bmnode study compare 1.2.840.113619.2.55.3.1 1.2.840.113619.2.55.2.7"

StudyUid = Annotated[str, typer.Argument(help="Study Instance UID.", metavar="STUDY_UID")]


def priors(context: typer.Context, study_uid: StudyUid, json: JsonOption = False) -> None:
    """Show which earlier examinations were considered for a study's last job, and what was said of each.

    JSON: the keys of prior_search, and `considered`, a list of prior_candidate.
    """
    from bmnode.app import results_dir
    from bmnode.storage import PriorSearches

    session = session_of(context)
    with session.read() as connection:
        job = _last_job(connection, study_uid)
        search = PriorSearches(connection).get(job.job_id)
    told = _told(search, results_dir(session.settings))
    head = document(
        "prior_search",
        search,
        study_uid=study_uid,
        job_state=job.state.value,
        explanation="" if told is None else told.explanation,
        is_used=search.outcome is not None and search.compared == search.used,
    )
    rows = _candidates(told)
    if json:
        emit_json(head | {"considered": rows})
        return
    emit_record(head)
    columns = ("study_uid", "performed_on", "place", "roles", "objection")
    shown = [[_text(item[column]) for column in columns] for item in rows]
    emit_table(columns, shown, empty="no earlier examination was considered")


def compare(
    context: typer.Context,
    current: Annotated[str, typer.Argument(help="Study Instance UID of the present study.", metavar="CURRENT")],
    prior: Annotated[str, typer.Argument(help="Study Instance UID of the earlier study.", metavar="PRIOR")],
    json: JsonOption = False,
) -> None:
    """Have a study's last job compare it with a certain earlier study, wherever that is, if the two can be compared.

    The node looks for it, judges it by the same rules, and makes the report again; `bmnode study priors` shows what
    came of it.
    JSON: `study_uid`; `prior_study_uid`; `job_id`, of the job that will be run again.
    """
    from bmnode.storage import AuditTrail, Jobs, PriorSearches

    if current == prior:
        raise RefusedError("a study is not compared with itself")
    session = session_of(context)
    with session.engine() as (database, client), database.write() as connection:
        job = _last_job(connection, current)
        _refuse_unfinished(job)
        Jobs(connection).need_images(job)
        until = session.now() + timedelta(hours=session.settings.priors.search_h)
        PriorSearches(connection).begin(job.job_id, run_by=session.now(), search_until=until, wanted_study_uid=prior)
        client.seek_prior(job, connection=connection)
        AuditTrail(connection).record(
            "prior_asked_for",
            at=session.now(),
            actor=session.actor,
            subject=current,
            detail={"prior": prior, "job": job.job_id},
        )
    if json:
        emit_json({"study_uid": current, "prior_study_uid": prior, "job_id": job.job_id})
    else:
        say(f"the comparison was asked for; see `bmnode study priors {current}`")


def _last_job(connection: sa.Connection, study_uid: str) -> JobRecord:
    from bmnode.storage import Jobs, Studies

    Studies(connection).get(study_uid)
    jobs = Jobs(connection).of_study(study_uid)
    if not jobs:
        raise NotFoundError(f"study {study_uid} has no job; `bmnode study show` says what was decided about it")
    return jobs[-1]


def _refuse_unfinished(job: JobRecord) -> None:
    from bmnode.domain.states import JobState

    if job.state is not JobState.SUCCEEDED:
        raise RefusedError(f"job {job.job_id} is {job.state}: a comparison is asked for once it has succeeded")


def _told(search: PriorSearchRecord, results_dir: Path) -> PriorInput | None:
    """What was found; None before the first search has ended, or where its folder is gone."""
    from bmnode.priors.handover import read_prior_input

    if search.folder is None:
        return None
    try:
        return read_prior_input(results_dir / search.folder)
    except InputError:
        return None


def _candidates(told: PriorInput | None) -> list[dict[str, Any]]:
    if told is None:
        return []
    roles = {item.study_uid: [role.value for role in item.roles] for item in told.priors}
    return [
        document(
            "prior_candidate",
            item,
            performed_on=None if item.performed_on is None else item.performed_on.isoformat(),
            roles=roles.get(item.study_uid, []),
            caveats=list(item.caveats),
        )
        for item in told.considered
    ]


def _text(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value
