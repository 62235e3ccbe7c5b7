"""Records of studies to rows of the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bmnode.domain.evaluations import AccuracyRow, DetectionRow, Masks
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.agreement import agreement, differences, percent_differences, wilson
from pipelines.evaluation.quantities import DEFINITIONS, OF_MODALITY, OF_STUDIES, ON_TRUE_MASKS, Quantity
from pipelines.evaluation.records import LesionRecord, StudyRecord
from pipelines.evaluation.targets import LARGE_RESOLUTIONS, Group, target_of

Pair = tuple[float, float]
"""Measured and true."""

NOT_FOUND = "not found"
REFUSED = "study refused"
NO_VALUE = "no value given"
SIZES: tuple[tuple[str, float, float], ...] = (
    ("under 10 mm", 0.0, 10.0),
    ("10 to 20 mm", 10.0, 20.0),
    ("20 mm and more", 20.0, float("inf")),
)
"""Classes of the diameter of the ball of a lesion's volume [P]."""
ALL_SIZES = "all"


def accuracy_rows(records: Sequence[StudyRecord]) -> tuple[AccuracyRow, ...]:
    """Every quantity of every modality that was studied, on true masks and on those found, judged."""
    rows = []
    for modality in Modality:
        own = [record for record in records if record.modality is modality]
        for quantity in OF_MODALITY[modality] if own else ():
            groups = (Group.PATIENTS,) if quantity in OF_STUDIES else (Group.ALL, Group.LARGE)
            both = (Masks.TRUE,) if quantity in ON_TRUE_MASKS else tuple(Masks)
            rows += [_row(own, quantity, group=group, masks=masks) for group in groups for masks in both]
    return tuple(rows)


def _row(records: Sequence[StudyRecord], quantity: Quantity, *, group: Group, masks: Masks) -> AccuracyRow:
    outcomes = list(
        _of_studies(records, quantity, masks=masks)
        if group is Group.PATIENTS
        else _of_lesions(records, quantity, group=group, masks=masks)
    )
    pairs = [item for item in outcomes if not isinstance(item, str)]
    definition, modality = DEFINITIONS[quantity], records[0].modality
    above_zero = [pair for pair in pairs if pair[1] > 0.0]
    row = AccuracyRow(
        modality=modality.value,
        quantity=definition.label,
        unit=definition.unit,
        masks=masks,
        group=group.value,
        absolute=agreement(differences(pairs)),
        percent=agreement(percent_differences(above_zero)) if definition.is_ratio else None,
        not_evaluable=dict(sorted(Counter(item for item in outcomes if isinstance(item, str)).items())),
    )
    target = target_of(modality, quantity, group) if masks is Masks.TRUE else None
    return row if target is None else replace(row, target=target.words, verdict=target.verdict(row))


def _of_lesions(
    records: Iterable[StudyRecord], quantity: Quantity, *, group: Group, masks: Masks
) -> Iterator[Pair | str]:
    """Of each lesion in the field a pair, or why there is none."""
    for record in records:
        for lesion in record.lesions:
            if group is Group.LARGE and (lesion.resolutions or 0.0) < LARGE_RESOLUTIONS:
                continue
            yield _of_lesion(lesion, quantity, masks=masks, refused=bool(record.refusal))


def _of_lesion(lesion: LesionRecord, quantity: Quantity, *, masks: Masks, refused: bool) -> Pair | str:
    if lesion.why_not:
        return lesion.why_not
    values = lesion.given if masks is Masks.TRUE else lesion.found
    if values is None:
        return REFUSED if refused else NOT_FOUND
    if quantity not in values or quantity not in lesion.true:
        return NO_VALUE
    return values[quantity], lesion.true[quantity]


def _of_studies(records: Iterable[StudyRecord], quantity: Quantity, *, masks: Masks) -> Iterator[Pair | str]:
    for record in records:
        values = record.given if masks is Masks.TRUE else record.found
        if quantity in values and quantity in record.true:
            yield values[quantity], record.true[quantity]
        else:
            yield REFUSED if record.refusal and masks is Masks.FOUND else NO_VALUE


def detection_rows(records: Sequence[StudyRecord]) -> tuple[DetectionRow, ...]:
    """Sensitivity by size, and false candidates, of every modality that was studied."""
    rows = []
    for modality in Modality:
        own = [record for record in records if record.modality is modality]
        if not own:
            continue
        shown = [lesion for record in own for lesion in record.lesions if lesion.is_shown]
        for size, low, high in (*SIZES, (ALL_SIZES, 0.0, float("inf"))):
            lesions = [lesion for lesion in shown if low <= lesion.diameter_mm < high]
            hits = sum(lesion.found is not None for lesion in lesions)
            is_all = size == ALL_SIZES
            rows.append(
                DetectionRow(
                    modality=modality.value,
                    size=size,
                    lesions=len(lesions),
                    found=hits,
                    interval=wilson(hits, len(lesions)),
                    studies=len(own),
                    refused=sum(bool(record.refusal) for record in own),
                    false=sum(record.false for record in own) if is_all else None,
                    parts=sum(record.parts for record in own) if is_all else None,
                )
            )
    return tuple(rows)
