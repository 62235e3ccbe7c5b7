"""`bmnode ledger`: patients' lesions over the years. Patients are named by who asks, and never in an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmnode.cli.documents import document
from bmnode.cli.exit_codes import FAILED
from bmnode.cli.output import emit_json, emit_table, progress_bar, say
from bmnode.cli.session import JsonOption, Session, session_of
from bmnode.errors import ConfigError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bmnode.domain.codes import Code
    from bmnode.domain.ledger import LedgerEntry, LesionHistory, Observation
    from bmnode.domain.results import Evaluation, Measurement
    from bmnode.work.ledger_rebuild import Rebuilt
    from bmnode.work.ledger_sources import ReportSource

app = typer.Typer(
    help="Patients' lesions over the years, as the reports have them.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("show", epilog="Example: bmnode ledger show 1.2.840.113619.2.55.3.1 --json")
def show(
    context: typer.Context,
    patient_or_study: Annotated[
        str, typer.Argument(help="Patient ID, or Study Instance UID of one of the studies.", metavar="PATIENT_OR_STUDY")
    ],
    issuer: Annotated[
        str | None, typer.Option("--issuer", help="Issuer of the Patient ID, where several issue the same.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show a patient's lesions: at every examination where each is, what became of it and what was measured.

    What counts is the last report of each study. A lesion without a row at an examination is not in its report.
    JSON: `time_points`, a list of ledger_time_point; `lesions`, a list of ledger_lesion.
    """
    from bmnode.domain.ledger import histories

    entries = _entries(session_of(context), patient_or_study, issuer)
    lesions = histories(entries)
    if json:
        emit_json(
            {
                "time_points": [_time_point(item) for item in entries],
                "lesions": [_lesion(item, entries) for item in lesions],
            }
        )
        return
    _show(entries, lesions)


@app.command("rebuild", epilog="Example: bmnode ledger rebuild --archive pacs")
def rebuild(
    context: typer.Context,
    archive: Annotated[
        list[str] | None,
        typer.Option("--archive", help="Peer to ask; may be given again. Without it, the archives of [priors]."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Take into the ledger what it lacks: the reports in the node's own store, then those in archives.

    An archive is asked by C-FIND and sends reports by C-GET, or by DICOMweb where `[priors] retrieve` is `wado-rs` and
    it has a `dicomweb_url`; no image is fetched. What is known already is not read
    again, so that it can be stopped and run again. Exits 1 if a report could not be taken in.
    JSON: `places`, a list of ledger_place.
    """
    from bmnode.work.ledger_rebuild import LedgerRebuild

    session = session_of(context)
    settings = session.settings
    peers = [settings.peer(name) for name in (archive or settings.priors.archives)]
    with session.database() as database, progress_bar("ledger") as report:
        sources: list[ReportSource] = [
            session.services.own_reports(settings, database),
            *(session.services.archive_reports(settings, peer) for peer in peers),
        ]
        work = LedgerRebuild(database=database, clock=session.services.clock, actor=session.actor)
        done = [work.run(source, report) for source in sources]
    _tell(done, json=json)
    if any(item.failures or not item.is_complete for item in done):
        raise typer.Exit(FAILED)


def _tell(done: Sequence[Rebuilt], *, json: bool) -> None:
    rows = [
        document("ledger_place", item, failures=[document("ledger_failure", failure) for failure in item.failures])
        for item in done
    ]
    if json:
        emit_json({"places": rows})
        return
    columns = ("place", "studies", "added", "known", "others", "failed", "is_complete")
    shown = [[len(row["failures"]) if name == "failed" else row[name] for name in columns] for row in rows]
    emit_table(columns, shown, empty="")
    for item in (failure for place in done for failure in place.failures):
        say(f"{item.sop_instance_uid}: {item.reason}")


# --- whose -----------------------------------------------------------------------------


def _entries(session: Session, asked: str, issuer: str | None) -> Sequence[LedgerEntry]:
    """The patient's time points, by day. Raises NotFoundError, ConfigError; no message names the patient."""
    from bmnode.priors.identity import patient_digest
    from bmnode.storage import Ledger

    default = session.settings.priors.issuer or ""

    def issuer_of(entry: LedgerEntry) -> str:
        return entry.patient.issuer or default

    with session.read() as connection:
        ledger = Ledger(connection)
        of_study = ledger.of_study(asked)
        if of_study and not of_study[0].patient.digest:
            return of_study
        digest = of_study[0].patient.digest if of_study else patient_digest(asked)
        found = ledger.of_patient(digest)
    if of_study and issuer is None:
        issuer = issuer_of(of_study[0])
    issuers = sorted({issuer_of(entry) for entry in found})
    if issuer is None and len(issuers) > 1:
        named = ", ".join(item or "none stated" for item in issuers)
        raise ConfigError(f"the Patient ID is that of {len(issuers)} patients: name the --issuer ({named})")
    kept = [entry for entry in found if issuer is None or issuer_of(entry) == issuer]
    if not kept:
        raise NotFoundError("the ledger has no report of this patient or study; see `bmnode ledger rebuild`")
    return kept


# --- for scripts -----------------------------------------------------------------------


def _time_point(entry: LedgerEntry) -> dict[str, Any]:
    return document(
        "ledger_time_point",
        entry,
        studied_on=_day(entry),
        branch=entry.branch or None,
        predecessor_uids=list(entry.predecessor_uids),
        measurements=_measurements(entry.measurements),
        evaluations=_evaluations(entry.evaluations),
    )


def _lesion(lesion: LesionHistory, entries: Iterable[LedgerEntry]) -> dict[str, Any]:
    from bmnode.domain.ledger import became

    return document(
        "ledger_lesion",
        lesion,
        tracking_id=lesion.last.tracking_id,
        became=list(became(lesion, entries)),
        course=[_observation(entry, seen) for entry, seen in lesion.course],
    )


def _observation(entry: LedgerEntry, seen: Observation) -> dict[str, Any]:
    place = seen.segment
    return document(
        "ledger_observation",
        seen,
        study_uid=entry.study_uid,
        report_uid=entry.report_uid,
        studied_on=_day(entry),
        finding=_code(seen.finding_type),
        site=_code(seen.site),
        laterality=_code(seen.laterality),
        event=_code(seen.event),
        came_from=list(seen.came_from),
        segmentation_uid=None if place is None else place.sop_instance_uid,
        segment_number=None if place is None else place.number,
        measurements=_measurements(seen.measurements),
        evaluations=_evaluations(seen.evaluations),
    )


def _day(entry: LedgerEntry) -> str | None:
    return None if entry.studied_on is None else entry.studied_on.isoformat()


def _code(code: Code | None) -> dict[str, str] | None:
    return None if code is None else {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}


def _measurements(items: Iterable[Measurement]) -> list[dict[str, Any]]:
    return [
        {
            "concept": _code(item.concept),
            "derivation": _code(item.derivation),
            "value": item.value,
            "unit": item.unit.value,
            "method": item.method,
        }
        for item in items
    ]


def _evaluations(items: Iterable[Evaluation]) -> list[dict[str, Any]]:
    return [{"concept": _code(item.concept), "value": _code(item.value)} for item in items]


# --- for people ------------------------------------------------------------------------


def _show(entries: Sequence[LedgerEntry], lesions: Sequence[LesionHistory]) -> None:
    from bmnode.results.words import evaluation_lines

    emit_table(
        ("day", "study", "examination", "outcome", "whole study"),
        [
            (_day(item), item.study_uid, item.branch, item.outcome, "\n".join(evaluation_lines(item.evaluations)))
            for item in entries
        ],
        empty="",
    )
    emit_table(
        ("lesion", "where", "day", "became", "measured"),
        [row for lesion in lesions for row in _rows(lesion, entries)],
        empty="no lesion was reported",
    )


def _rows(lesion: LesionHistory, entries: Sequence[LedgerEntry]) -> list[Sequence[object]]:
    from bmnode.domain.ledger import became
    from bmnode.results.words import measurement_text

    names = {seen.tracking_uid: seen.tracking_id for entry in entries for seen in entry.observations}
    rows: list[Sequence[object]] = []
    for entry, seen in lesion.course:
        where = " ".join(code.meaning for code in (seen.laterality, seen.site) if code is not None)
        event = "" if seen.event is None else seen.event.meaning
        origin = ", ".join(names.get(uid, uid) for uid in seen.came_from)
        measured = "\n".join(measurement_text(item) for item in seen.measurements)
        rows.append((seen.tracking_id, where, _day(entry), f"{event}, from {origin}" if origin else event, measured))
    after = ", ".join(names[uid] for uid in became(lesion, entries))
    return [*rows, (lesion.last.tracking_id, "", None, f"goes on in {after}", "")] if after else rows
