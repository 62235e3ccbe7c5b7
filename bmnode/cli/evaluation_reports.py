"""What `bmnode evaluate` prints of a report."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, emit_table, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bmnode.domain.evaluations import AccuracyRow, Agreement, DetectionRow, Interval, MeasurementReport
    from bmnode.domain.matching_evaluations import MatchingReport, MatchingRow
    from bmnode.domain.model_evaluations import ModelFigure, ModelReport, ModelRow
    from bmnode.domain.registration_evaluations import RegistrationReport, RegistrationRow

_COLUMNS = ("modality", "quantity", "masks", "of", "n", "bias (95 % CI)", "limits of agreement", "median")
_COLUMNS_JUDGED = ("bias %", "limits %", "not evaluable", "verdict")
_DETECTION = ("modality", "size", "lesions", "found", "sensitivity", "95 % CI", "false/study", "parts", "refused")
_REGISTRATION = ("modality", "method", "pairs", "refused", "error mm", "worst", "95 %", "Dice", "Hausdorff mm")
_REGISTRATION_COST = ("folded", "s", "MB", "worse than rigid", "not evaluable", "verdict")


def tell_registration(found: RegistrationReport, *, as_json: bool) -> None:
    """Print a report for people, or as JSON. Everything in it is SIMULATED."""
    if as_json:
        _emit(found, rows="registration_row")
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


def _emit(found: RegistrationReport | MatchingReport, *, rows: str) -> None:
    head = {name: getattr(found, name) for name in ("cohort", "seed", "pairs", "version")}
    documents = [document(rows, row) for row in found.rows]
    emit_json({**head, "simulated": True, "rows": documents, "summary": found.summary})


_MODELS = ("cohort", "quantity", "view", "of", "n", "thresholds (95 % CI)", "model (95 % CI)", "published", "verdict")


def tell_models(found: ModelReport, *, as_json: bool) -> None:
    """Print a report for people, or as JSON. Everything in it but the published figures is SIMULATED."""
    if as_json:
        emit_json(
            {
                "model": found.model,
                "pipeline": found.pipeline,
                "simulated": True,
                "cohorts": [document("model_cohort", item) for item in found.cohorts],
                "rows": [_model_document(row) for row in found.rows],
                "summary": found.summary,
            }
        )
        return
    say("SIMULATED patients: nothing here was measured on people. Published figures are of other, real patients.")
    emit_table(_MODELS, [_model_cells(row) for row in found.rows], empty="nothing was assessed")
    for row in found.rows:
        if row.verdict == "missed":
            say(f"missed: {row.quantity}, {row.view}: the target is {row.target}")
    for item in found.cohorts:
        say(
            f"{item.name}: {item.patients} patients, seed {item.seed}; refused {item.refused}; measured without the "
            f"model {item.not_used}"
        )
    say(found.summary)


def _model_document(row: ModelRow) -> Mapping[str, object]:
    figures = {
        "thresholds": dataclasses.asdict(row.thresholds),
        "model": None if row.model is None else dataclasses.asdict(row.model),
    }
    return document("model_row", row, **figures)


def _model_cells(row: ModelRow) -> tuple[object, ...]:
    return (
        row.cohort,
        row.quantity,
        row.view,
        row.group,
        row.thresholds.n if row.model is None else row.model.n,
        _figure(row.thresholds, row.unit),
        "" if row.model is None else _figure(row.model, row.unit),
        row.published,
        row.verdict,
    )


def _figure(figure: ModelFigure, unit: str) -> str:
    if figure.value is None:
        return "not evaluable"
    return f"{figure.value:.3f}{'' if unit == '1' else f' {unit}'}{_interval(figure.interval)}"


_MATCHING = ("modality", "masks", "rule", "pairs", "refused", "true", "made", "right", "precision", "recall", "F1")
_MATCHING_JUDGED = ("events right", "not evaluable", "verdict")


def tell_matching(found: MatchingReport, *, as_json: bool) -> None:
    """Print a report for people, or as JSON. Everything in it is SIMULATED."""
    if as_json:
        _emit(found, rows="matching_row")
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


def tell_measurements(found: MeasurementReport, *, as_json: bool) -> None:
    """Print a report for people, or as JSON. Everything in it is SIMULATED."""
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
