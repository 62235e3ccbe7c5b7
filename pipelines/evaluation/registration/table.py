"""The table of all ways from the pairs' records, and the targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from bmnode.domain.evaluations import Verdict
from bmnode.domain.registration_evaluations import RegistrationRow
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.registration.records import PairRecord, WayRecord
from pipelines.evaluation.registration.ways import Way

MOST_ERROR_MM: Mapping[Modality, float] = MappingProxyType({Modality.CT: 1.5, Modality.PET: 2.0})
"""Mean error in bone that is asked: a voxel of a CT of 1.5 mm, half a voxel of a PET of 4 mm."""
MOST_SECONDS = 60.0
NO_MOTION = "bones without a rigid motion"


def rows_of(records: Sequence[PairRecord]) -> tuple[RegistrationRow, ...]:
    """Every modality's ways, side by side."""
    modalities = sorted({record.modality for record in records})
    return tuple(
        _row([record for record in records if record.modality is modality], modality, way)
        for modality in modalities
        for way in Way
    )


def _row(records: Sequence[PairRecord], modality: Modality, way: Way) -> RegistrationRow:
    found = [(record, record.ways[way]) for record in records if way in record.ways]
    scored = [(record, item) for record, item in found if item.scores is not None]
    reasons = Counter(record.why_not for record in records if record.why_not)
    reasons.update(item.refusal for _, item in found if item.refusal)
    left_out = sum(record.bones_without_motion for record, _ in scored)
    worse = sum(_is_worse(record, item) for record, item in scored)
    error = _mean(scored, lambda item: None if item.scores is None else item.scores.error_mm)
    row = RegistrationRow(
        modality=modality.value,
        method=way.value,
        pairs=len(records),
        refused=sum(item.scores is None for _, item in found),
        not_evaluable=dict(reasons) | ({NO_MOTION: left_out} if left_out else {}),
        error_mm=error,
        worst_error_mm=max((item.scores.error_mm for _, item in scored if item.scores), default=None),
        error_p95_mm=_mean(scored, lambda item: None if item.scores is None else item.scores.error_p95_mm),
        dice=_mean(scored, lambda item: None if item.scores is None else item.scores.dice),
        hausdorff_mm=_mean(scored, lambda item: None if item.scores is None else item.scores.hausdorff_mm),
        folded=max((item.folded for _, item in scored if item.folded is not None), default=None),
        seconds=_mean(scored, lambda item: item.seconds),
        memory_mb=max((item.memory_mb for _, item in scored if item.memory_mb is not None), default=None),
        worse_than_rigid=None if way is Way.RIGID or not scored else worse,
        target=_target(modality) if way is Way.OURS and modality in MOST_ERROR_MM else "",
        verdict=Verdict.NOT_EVALUABLE if way is Way.OURS and modality in MOST_ERROR_MM else Verdict.REPORTED,
    )
    return row if not row.target else _judged(row, modality)


def _judged(row: RegistrationRow, modality: Modality) -> RegistrationRow:
    if row.error_mm is None or row.seconds is None:
        return row
    met = (
        row.error_mm < MOST_ERROR_MM[modality]
        and row.worse_than_rigid == 0
        and row.folded == 0.0
        and row.seconds < MOST_SECONDS
        and row.refused == 0
    )
    return replace(row, verdict=Verdict.MET if met else Verdict.MISSED)


def _target(modality: Modality) -> str:
    return (
        f"mean error below {MOST_ERROR_MM[modality]:g} mm, smaller than of one rigid motion in every pair, no folding, "
        f"below {MOST_SECONDS:g} s of processor time, no pair refused"
    )


def _is_worse(record: PairRecord, item: WayRecord) -> bool:
    rigid = record.ways.get(Way.RIGID)
    if rigid is None or rigid.scores is None or item.scores is None:
        return False
    return item.scores.error_mm >= rigid.scores.error_mm


def _mean(scored: Sequence[tuple[PairRecord, WayRecord]], value: Callable[[WayRecord], float | None]) -> float | None:
    values = [found for _, item in scored if (found := value(item)) is not None and np.isfinite(found)]
    return float(np.mean(values)) if values else None
