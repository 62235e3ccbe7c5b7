"""Records of scans to rows: thresholds and model side by side, held against the targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bmnode.domain.evaluations import Verdict
from bmnode.domain.model_evaluations import ModelFigure, ModelRow
from operators.kernels.planar_regions.parts import PlanarPart
from pipelines.evaluation.models.curves import Detection, area_under_curve, correlation, mean, sensitivity_at
from pipelines.evaluation.models.goals import CONSPICUOUS, LEAST, MOST_FALSE, PUBLISHED, SHOWN, Quantity
from pipelines.evaluation.models.records import ScanRecord, WayRecord

VIEWS = ("ANT", "POST")
BOTH = "both"
_ALL = "all"
Scans = Sequence[tuple[ScanRecord, WayRecord]]
"""Scans that were assessed, with one way of finding."""


def rows_of(records: Sequence[ScanRecord], *, cohort: str, judged: bool) -> tuple[ModelRow, ...]:
    """Every figure of a cohort, by thresholds and, where the records have one, by the model.

    A scan that was refused is in no figure; the caller counts it. Where the branch measured without the model,
    the thresholds' findings are the model's: that is what a site would get.
    """
    by_rules = [(record, record.thresholds) for record in records if record.thresholds is not None]
    by_model = [(record, record.model) for record in records if record.model is not None]
    has_model = any(record.has_model for record in records)
    others = list(_figures(by_model)) if has_model else []
    rows = []
    for number, (quantity, view, group, unit, figure) in enumerate(_figures(by_rules)):
        row = ModelRow(
            cohort=cohort,
            quantity=quantity.value,
            view=view,
            group=group,
            unit=unit,
            thresholds=figure,
            model=others[number][-1] if has_model else None,
            published=PUBLISHED.get(quantity, ""),
        )
        least = LEAST.get((quantity, group)) if judged else None
        rows.append(row if least is None else _judged(row, least))
    return tuple(rows)


def _judged(row: ModelRow, least: float) -> ModelRow:
    target = f"{least:g} or more, and above the thresholds'"
    found, rules = (None if item is None else item.value for item in (row.model, row.thresholds))
    if found is None:
        return replace(row, target=target, verdict=Verdict.NOT_EVALUABLE)
    met = found >= least and (rules is None or found > rules)
    return replace(row, target=target, verdict=Verdict.MET if met else Verdict.MISSED)


def _figures(scans: Scans) -> Iterator[tuple[Quantity, str, str, str, ModelFigure]]:
    """Always the same rows in the same order, whatever there is to fill them."""
    for number, view in enumerate(VIEWS):
        yield Quantity.SKELETON_DICE, view, _ALL, "1", mean(_means_of_parts(scans, number))
    for number, view in enumerate(VIEWS):
        for part in PlanarPart:
            values = [way.parts[number][part.value] for _, way in scans if part.value in way.parts[number]]
            yield Quantity.PART_DICE, view, part.value, "1", mean(values)
    for number, view in enumerate(VIEWS):
        for group in (CONSPICUOUS, SHOWN):
            detection = _detection(scans, number, group)
            for quantity, most in MOST_FALSE.items():
                yield quantity, view, group, "1", sensitivity_at(detection, most_false=most)
        yield Quantity.FALSE_CANDIDATES, view, _ALL, "1", mean(_false(scans, number))
        yield Quantity.LESION_DICE, view, _ALL, "1", mean(_overlaps(scans, number))
    yield Quantity.PATIENT_AUC, BOTH, _ALL, "1", _patients(scans)
    pairs = [(way.index, record.index) for record, way in scans if way.index is not None]
    yield Quantity.INDEX_R, BOTH, _ALL, "1", correlation(pairs)
    yield Quantity.INDEX_BIAS, BOTH, _ALL, "%", mean([found - true for found, true in pairs])


def _means_of_parts(scans: Scans, view: int) -> list[float]:
    found = [list(way.parts[view].values()) for _, way in scans]
    return [sum(values) / len(values) for values in found if values]


def _detection(scans: Scans, view: int, group: str) -> Detection:
    """Lesions of a projection lie upon each other: one is found by whatever touches it, at the highest score."""
    hits: list[float | None] = []
    for record, way in scans:
        found = [item for item in way.candidates if item.view == view]
        sought = record.conspicuous[view] if group == CONSPICUOUS else record.shown[view]
        hits += [max((item.score for item in found if lesion in item.lesions), default=None) for lesion in sought]
    return Detection(hits=tuple(hits), false=tuple(_false_scores(scans, view)), views=len(scans))


def _false_scores(scans: Scans, view: int) -> list[float]:
    return [item.score for _, way in scans for item in way.candidates if item.view == view and not item.lesions]


def _false(scans: Scans, view: int) -> list[float]:
    return [float(sum(item.view == view and not item.lesions for item in way.candidates)) for _, way in scans]


def _overlaps(scans: Scans, view: int) -> list[float]:
    """Of the views with a shadow: a view without one has no Dice, found rightly empty or not."""
    return [overlap for record, way in scans if record.shown[view] and (overlap := way.lesions[view]) is not None]


def _patients(scans: Scans) -> ModelFigure:
    """A patient scores what the highest candidate scores, 0 without one."""
    scores: dict[bool, list[float]] = {True: [], False: []}
    for record, way in scans:
        scores[record.is_diseased].append(max((item.score for item in way.candidates), default=0.0))
    return area_under_curve(scores[True], scores[False])
