"""`bmnode evaluate`: how well this installation measures, on simulated patients whose truth is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bmnode.cli.documents import document
from bmnode.cli.exit_codes import FAILED
from bmnode.cli.output import emit_json, emit_table, progress_bar, say
from bmnode.cli.session import JsonOption
from bmnode.cli.simulate_command import user_cache
from bmnode.cli.tools import load_tool
from bmnode.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bmnode.domain.evaluations import (
        AccuracyRow,
        Agreement,
        DetectionRow,
        EvaluationRequest,
        Interval,
        MeasurementEvaluation,
        MeasurementReport,
    )
    from bmnode.domain.matching_evaluations import MatchingEvaluation, MatchingReport, MatchingRow
    from bmnode.domain.registration_evaluations import RegistrationEvaluation, RegistrationReport, RegistrationRow

app = typer.Typer(
    help="Accuracy on simulated patients. Nothing is read from the node.", no_args_is_help=True, rich_markup_mode=None
)

EXAMPLE = "Example: bmnode evaluate measurements --quick --workers 2"
_COLUMNS = ("modality", "quantity", "masks", "of", "n", "bias (95 % CI)", "limits of agreement", "median")
_COLUMNS_JUDGED = ("bias %", "limits %", "not evaluable", "verdict")
_DETECTION = ("modality", "size", "lesions", "found", "sensitivity", "95 % CI", "false/study", "parts", "refused")


@app.command("measurements", epilog=EXAMPLE)
def measurements(
    *,
    cohort: Annotated[
        str | None,
        typer.Option("--cohort", help="Cohort file (TOML) or name; without it 40 patients in every modality."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for studies and records, kept; without it one in the user's cache folder."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small fixed cohort, in a minute on two cores.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that work side by side.")] = 2,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder for anatomies; without it the user's cache folder.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure SIMULATED patients and compare volume, SUV, TLG, HU, ADC and BSI with the truth that was put in.

    Each quantity is measured twice: by the kernels on the true masks, read from DICOM as the branch reads
    it, and by the branch on what it finds itself. Printed are bias and 95 % limits of agreement (Bland and
    Altman), and the sensitivity by size. It does what is missing in its folder, and exits 1 where a target is
    missed or none could be judged. The last line gives the figures. JSON: `cohort`, `seed`, `patients`, `pipeline`,
    `simulated` (true), `rows`, a list of accuracy_row, `detection`, a list of detection_row, and `summary`.
    """
    folder = out or _cache_of_evaluations() / ("quick" if quick else Path(cohort or "measurements").stem)
    request = _request(cohort=cohort, quick=quick, out=folder, cache=cache, workers=workers)
    evaluate: MeasurementEvaluation = load_tool("evaluate-measurements", extra="inference,simulation")
    with progress_bar("Evaluating") as report:
        found = evaluate(request, report)
    _tell(found, as_json=json)
    if not found.is_met:
        raise typer.Exit(FAILED)


@app.command("registration", epilog="Example: bmnode evaluate registration --quick --workers 2")
def registration(
    *,
    cohort: Annotated[
        str | None,
        typer.Option("--cohort", help="Cohort file (TOML) or name; without it 100 follow-up pairs of CT and PET/CT."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for studies and records, kept; without it one in the user's cache folder."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small fixed cohort of one pair.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that work side by side.")] = 2,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder for anatomies; without it the user's cache folder.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Register SIMULATED follow-up pairs and compare with the true motion of every bone.

    Side by side: one rigid motion, bone by bone without the tree, ours (with the names that the node gives, and with
    true ones), and the B-spline of SimpleITK. Printed are the error at points in bone, overlap and distance of bones,
    folding, processor time and memory. It does what is missing in its folder, and exits 1 where a target is missed or
    none could be judged. The last line gives the figures. JSON: `cohort`, `seed`, `pairs`, `version`, `simulated`
    (true), `rows`, a list of registration_row, and `summary`.
    """
    name = "registration-quick" if quick else Path(cohort or "registration").stem
    folder = out or _cache_of_evaluations() / f"of-registration-{name}"
    request = _request(cohort=cohort, quick=quick, out=folder, cache=cache, workers=workers)
    evaluate: RegistrationEvaluation = load_tool("evaluate-registration", extra="evaluation")
    with progress_bar("Evaluating") as report:
        found = evaluate(request, report)
    _tell_registration(found, as_json=json)
    if not found.is_met:
        raise typer.Exit(FAILED)


@app.command("matching", epilog="Example: bmnode evaluate matching --quick --workers 2")
def matching(
    *,
    cohort: Annotated[
        str | None,
        typer.Option("--cohort", help="Cohort file (TOML) or name; without it 100 follow-up pairs of CT."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for studies and records, kept; without it one in the user's cache folder."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small fixed cohort of one pair.")] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that work side by side.")] = 2,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder for anatomies; without it the user's cache folder.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Match the lesions of SIMULATED follow-up pairs and compare with the fates that were put in.

    Each pair is registered as the node does it. On true masks what is left is the error of registration and
    matching; on masks found the branch's own outlines come on top, and lesions that it did not find are no error of
    matching. Printed are precision, recall and F1 of the links between both scans, by the rule in force and by that of
    dilation, and what became of each lesion against what was said. It does what is missing in its folder, and exits 1
    where a target is missed or none could be judged. The last line gives the figures. JSON: `cohort`, `seed`, `pairs`,
    `version`, `simulated` (true), `rows`, a list of matching_row, and `summary`.
    """
    name = "matching-quick" if quick else Path(cohort or "matching").stem
    folder = out or _cache_of_evaluations() / f"of-{name}"
    request = _request(cohort=cohort, quick=quick, out=folder, cache=cache, workers=workers)
    evaluate: MatchingEvaluation = load_tool("evaluate-matching", extra="inference,simulation")
    with progress_bar("Evaluating") as report:
        found = evaluate(request, report)
    _tell_matching(found, as_json=json)
    if not found.is_met:
        raise typer.Exit(FAILED)


def _request(*, cohort: str | None, quick: bool, out: Path, cache: Path | None, workers: int) -> EvaluationRequest:
    """What is asked of an evaluation. Raises ConfigError where two cohorts are."""
    if quick and cohort is not None:
        raise ConfigError("--quick has a cohort of its own: leave --cohort out, or --quick")
    from bmnode.domain.evaluations import EvaluationRequest

    return EvaluationRequest(
        cohort=cohort,
        quick=quick,
        out=out.absolute(),
        cache_dir=(cache or user_cache()).absolute(),
        workers=workers,
    )


def _cache_of_evaluations() -> Path:
    """Where studies and records are kept without `--out`."""
    return user_cache().parent / "evaluation"


_REGISTRATION = ("modality", "method", "pairs", "refused", "error mm", "worst", "95 %", "Dice", "Hausdorff mm")
_REGISTRATION_COST = ("folded", "s", "MB", "worse than rigid", "not evaluable", "verdict")


def _tell_registration(found: RegistrationReport, *, as_json: bool) -> None:
    if as_json:
        rows = [document("registration_row", row) for row in found.rows]
        head = {name: getattr(found, name) for name in ("cohort", "seed", "pairs", "version")}
        emit_json({**head, "simulated": True, "rows": rows, "summary": found.summary})
        return
    say("SIMULATED patients: errors are distances from the true place; nothing here was measured on people.")
    cells = [_registration_cells(row) for row in found.rows]
    emit_table((*_REGISTRATION, *_REGISTRATION_COST), cells, empty="nothing was registered")
    for row in found.rows:
        if row.verdict == "missed":
            say(f"missed: {row.modality} {row.method}: the target is {row.target}")
    say(found.summary)


def _registration_cells(row: RegistrationRow) -> tuple[object, ...]:
    def shown(value: float | None, digits: int = 2) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    return (
        row.modality,
        row.method,
        row.pairs,
        row.refused,
        *(shown(value) for value in (row.error_mm, row.worst_error_mm, row.error_p95_mm, row.dice, row.hausdorff_mm)),
        shown(row.folded, 5),
        shown(row.seconds, 1),
        shown(row.memory_mb, 0),
        "" if row.worse_than_rigid is None else row.worse_than_rigid,
        ", ".join(f"{count} {reason}" for reason, count in row.not_evaluable.items()),
        row.verdict,
    )


_MATCHING = ("modality", "masks", "rule", "pairs", "refused", "true", "made", "right", "precision", "recall", "F1")
_MATCHING_JUDGED = ("events right", "not evaluable", "verdict")


def _tell_matching(found: MatchingReport, *, as_json: bool) -> None:
    if as_json:
        rows = [document("matching_row", row) for row in found.rows]
        head = {name: getattr(found, name) for name in ("cohort", "seed", "pairs", "version")}
        emit_json({**head, "simulated": True, "rows": rows, "summary": found.summary})
        return
    say("SIMULATED patients: links and events are held against what was put in; nothing here was seen on people.")
    cells = [_matching_cells(row) for row in found.rows]
    emit_table((*_MATCHING, *_MATCHING_JUDGED), cells, empty="nothing was matched")
    for row in found.rows:
        if row.target and row.events:
            say(f"{row.modality}, {row.masks} masks: lesions by what became of them (row) and what was said (column)")
            said = sorted({event for counts in row.events.values() for event in counts})
            lines = [(event, *(counts.get(name, 0) for name in said)) for event, counts in sorted(row.events.items())]
            emit_table(("was", *said), lines, empty="")
        if row.verdict == "missed":
            say(f"missed: {row.modality} {row.masks} masks: the target is {row.target}")
    say(found.summary)


def _matching_cells(row: MatchingRow) -> tuple[object, ...]:
    def shown(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    return (
        row.modality,
        row.masks,
        row.method,
        row.scans,
        row.refused,
        row.true,
        row.proposed,
        row.right,
        *(shown(value) for value in (row.precision, row.recall, row.f1, row.right_events)),
        ", ".join(f"{count} {reason}" for reason, count in row.not_evaluable.items()),
        row.verdict,
    )


def _tell(found: MeasurementReport, *, as_json: bool) -> None:
    if as_json:
        emit_json(
            {
                "cohort": found.cohort,
                "seed": found.seed,
                "patients": found.patients,
                "pipeline": found.pipeline,
                "simulated": True,
                "rows": [_row_document(row) for row in found.rows],
                "detection": [document("detection_row", row) for row in found.detection],
                "summary": found.summary,
            }
        )
        return
    say("SIMULATED patients: differences are measured minus true; nothing here was measured on people.")
    emit_table((*_COLUMNS, *_COLUMNS_JUDGED), [_cells(row) for row in found.rows], empty="nothing was measured")
    for row in found.rows:
        if row.verdict == "missed":
            say(f"missed: {row.modality} {row.quantity} on {row.masks} masks, {row.group}: the target is {row.target}")
    emit_table(_DETECTION, [_detection_cells(row) for row in found.detection], empty="nothing was searched")
    say(found.summary)


def _row_document(row: AccuracyRow) -> Mapping[str, object]:
    parts = {name: _agreement(getattr(row, name)) for name in ("absolute", "percent")}
    return document("accuracy_row", row, **parts)


def _agreement(found: Agreement | None) -> Mapping[str, object] | None:
    return None if found is None else dataclasses.asdict(found)


def _cells(row: AccuracyRow) -> tuple[object, ...]:
    found, percent = row.absolute, row.percent
    return (
        row.modality,
        f"{row.quantity} [{row.unit}]",
        row.masks,
        row.group,
        row.n,
        "" if found is None else f"{found.bias:.3g}{_interval(found.bias_interval)}",
        "" if found is None else _range(found.limits),
        "" if found is None else f"{found.median:.3g}",
        "" if percent is None else f"{percent.bias:.1f}",
        "" if percent is None else _range(percent.limits),
        ", ".join(f"{count} {reason}" for reason, count in row.not_evaluable.items()),
        row.verdict,
    )


def _detection_cells(row: DetectionRow) -> tuple[object, ...]:
    share, false = row.sensitivity, row.false_per_study
    return (
        row.modality,
        row.size,
        row.lesions,
        row.found,
        "" if share is None else f"{share:.2f}",
        "" if row.interval is None else f"{row.interval[0]:.2f} to {row.interval[1]:.2f}",
        "" if false is None else f"{false:.2f}",
        row.parts,
        f"{row.refused} of {row.studies}",
    )


def _interval(ends: Interval | None) -> str:
    return "" if ends is None else f" ({_range(ends)})"


def _range(ends: Interval | None) -> str:
    return "" if ends is None else f"{ends[0]:.3g} to {ends[1]:.3g}"
