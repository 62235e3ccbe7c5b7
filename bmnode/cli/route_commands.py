"""`bmnode route`: where studies go, and why one does or does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, emit_table, say
from bmnode.cli.session import JsonOption, Session, session_of
from bmnode.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bmnode.domain.study import Classification, StudyHeaders

app = typer.Typer(help="Routes: which studies are assessed.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list", epilog="Example: bmnode route list --json")
def list_routes(context: typer.Context, json: JsonOption = False) -> None:
    """List the routes of the configuration.

    JSON: `routes`, a list of route.
    """
    routes = session_of(context).settings.routes
    if json:
        emit_json({"routes": [document("route", route) for route in routes]})
        return
    rows = [
        (route.name, route.enabled, route.modalities, route.branches, route.pipeline, route.destinations)
        for route in routes
    ]
    columns = ("route", "enabled", "modalities", "branches", "pipeline", "destinations")
    emit_table(columns, rows, empty="no route is configured: studies are kept and nothing is assessed")


@app.command("test", epilog="Example: bmnode route test study-folder --source-ae GAMMA1")
def try_study(
    context: typer.Context,
    study: Annotated[
        str, typer.Argument(help="Folder with DICOM files, or the UID of a received study.", metavar="FOLDER|STUDY_UID")
    ],
    source_ae: Annotated[
        str | None, typer.Option("--source-ae", help="AE title of the sender; of a received study, its own.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say which branch a study takes and which routes match, and of the others why not. Reads headers only.

    JSON: `study_uid`; `branch`, or null; `refusal`, the reason that no branch takes it, or null;
    `explanation`; `source_ae`; `routes`, a list of route_match.
    """
    from bmnode.selection.classify import classify
    from bmnode.selection.headers import read_study_headers

    session = session_of(context)
    files, study_uid, sender = _files(session, study)
    headers = read_study_headers(files, study_uid=study_uid)
    classification = classify(headers)
    sender = source_ae or sender
    matches = _matches(session, headers, classification, sender)
    refusal = classification.refusal
    found = {
        "study_uid": headers.study_uid,
        "branch": classification.branch.value if classification.branch else None,
        "refusal": refusal.reason.value if refusal else None,
        "explanation": refusal.explanation if refusal else "",
        "source_ae": sender,
        "routes": matches,
    }
    if json:
        emit_json(found)
        return
    say(f"study {headers.study_uid}")
    say(f"branch: {found['branch']}" if refusal is None else f"no branch: {refusal.reason}. {refusal.explanation}")
    columns = ("route", "matches", "reason")
    rows = [[item[column] for column in columns] for item in matches]
    emit_table(columns, rows, empty="no route is configured")


def _files(session: Session, study: str) -> tuple[Sequence[Path], str | None, str]:
    """The study's files, its UID where it is known, and who sent it."""
    folder = Path(study)
    if folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            raise NotFoundError(f"{folder} has no files")
        return files, None, ""
    from bmnode.domain.ids import is_safe_uid

    if not is_safe_uid(study):
        raise NotFoundError(f"{study} is neither a folder nor a Study Instance UID")
    from bmnode.spool.writer import Spool
    from bmnode.storage import Instances, Studies

    spool = Spool(session.settings.spool_directory, min_free_bytes=0)
    with session.read() as connection:
        record = Studies(connection).get(study)
        instances = Instances(connection).of_study(study)
    if not instances or any(item.deleted_at is not None for item in instances):
        raise NotFoundError(f"images of study {study} were deleted; have it sent again")
    return [spool.path(study, item.sop_instance_uid) for item in instances], study, record.source_ae


def _matches(
    session: Session, headers: StudyHeaders, classification: Classification, source_ae: str
) -> list[dict[str, Any]]:
    from bmnode.selection.rules import RouteRule, explain_no_match, match

    found = []
    for route in session.settings.routes:
        rule = RouteRule.from_settings(route)
        matches = bool(match([rule], headers=headers, classification=classification, source_ae=source_ae))
        objection = explain_no_match([rule], headers=headers, classification=classification, source_ae=source_ae)
        reason = None if matches else objection.removeprefix(f"{rule.name}: ")
        found.append(document("route_match", None, route=rule.name, matches=matches, reason=reason))
    return found
