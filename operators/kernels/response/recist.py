"""RECIST 1.1 for bone metastases: the soft-tissue components of lytic and mixed lesions over time points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from operators.kernels.response.contract import (
    NOT_EVALUABLE,
    Assessment,
    Figure,
    Rule,
    Verdict,
    check_amount,
    check_distinct,
    conclude,
    percent_change,
    reaches,
)

RULE = Rule(name="RECIST", version="1.1", source="Eisenhauer 2009, Eur J Cancer 45:228")

MEASURABLE_MM = 10.0
"""RECIST 1.1: longest diameter on CT; exactly 10 mm is measurable."""
THICK_SLICE_MM = 5.0
"""RECIST 1.1: over this slice thickness, a lesion is measurable from twice the thickness on."""
MAXIMUM_TARGETS = 5
MAXIMUM_TARGETS_PER_ORGAN = 2
PARTIAL_DECREASE_PERCENT = 30.0
"""Against baseline; exactly 30 % is PR."""
PROGRESSION_INCREASE_PERCENT = 20.0
"""Against the smallest sum so far, the baseline included; exactly 20 % counts."""
PROGRESSION_INCREASE_MM = 5.0
"""And at least this much; exactly 5 mm counts."""


class RecistCategory(StrEnum):
    """RECIST's terms; `NON_CR_NON_PD` is for disease without measurable lesions."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    PD = "PD"
    NON_CR_NON_PD = "non-CR/non-PD"
    NOT_EVALUABLE = NOT_EVALUABLE


class BoneAppearance(StrEnum):
    """Type of a bone lesion on CT."""

    LYTIC = "lytic"
    MIXED = "mixed"
    BLASTIC = "blastic"
    UNKNOWN = "unknown"


class NonTarget(StrEnum):
    """All that is not a target, as the reader judges it."""

    NONE = "none at baseline"
    GONE = "gone"
    PRESENT = "present"
    PROGRESSION = "unequivocal progression"
    NOT_EVALUATED = "not evaluated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A lesion at baseline; `soft_tissue_mm` is the longest diameter of its soft part, None without one."""

    lesion_id: str
    appearance: BoneAppearance
    soft_tissue_mm: float | None
    organ: str = "bone"
    slice_thickness_mm: float | None = None

    def __post_init__(self) -> None:
        check_amount("soft_tissue_mm", self.soft_tissue_mm)
        check_amount("slice_thickness_mm", self.slice_thickness_mm)

    @property
    def measurable(self) -> bool:
        """Lytic or mixed with a soft part of 10 mm, or twice the slice thickness where that is over 5 mm."""
        if self.appearance not in {BoneAppearance.LYTIC, BoneAppearance.MIXED} or self.soft_tissue_mm is None:
            return False
        slice_mm = self.slice_thickness_mm or 0.0
        return reaches(self.soft_tissue_mm, 2.0 * slice_mm if slice_mm > THICK_SLICE_MM else MEASURABLE_MM)


def select_targets(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The largest measurable lesions: two an organ, five in all. The skeleton is one organ. Order does not matter."""
    measurable = (item for item in candidates if item.measurable)
    chosen: list[Candidate] = []
    for item in sorted(measurable, key=lambda item: (-(item.soft_tissue_mm or 0.0), item.lesion_id)):
        in_organ = sum(other.organ == item.organ for other in chosen)
        if in_organ < MAXIMUM_TARGETS_PER_ORGAN and len(chosen) < MAXIMUM_TARGETS:
            chosen.append(item)
    return tuple(chosen)


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetDiameter:
    """A target's longest diameter, 0 where it is gone, None where it could not be measured."""

    lesion_id: str
    diameter_mm: float | None

    def __post_init__(self) -> None:
        check_amount("diameter_mm", self.diameter_mm)


@dataclass(frozen=True, kw_only=True, slots=True)
class RecistTimePoint:
    """One scan after baseline; `new_lesion` is None where it was not assessed."""

    diameters: tuple[TargetDiameter, ...]
    new_lesion: bool | None
    non_target: NonTarget

    def __post_init__(self) -> None:
        check_distinct("target identifiers", (item.lesion_id for item in self.diameters))


@dataclass(frozen=True, kw_only=True, slots=True)
class RecistInputs:
    """Baseline lesions and the scans after it in order of time. The category is that of the last scan."""

    candidates: tuple[Candidate, ...]
    time_points: tuple[RecistTimePoint, ...]

    def __post_init__(self) -> None:
        check_distinct("lesion identifiers", (item.lesion_id for item in self.candidates))
        if not self.time_points:
            raise ValueError("response needs a scan after baseline")
        known = {item.lesion_id for item in self.candidates}
        if any(item.lesion_id not in known for point in self.time_points for item in point.diameters):
            raise ValueError("a target that is measured later is among the baseline lesions")


def assess_recist(inputs: RecistInputs) -> Assessment[RecistCategory, RecistInputs]:
    """RECIST 1.1 at the last scan: PR against baseline, PD against the smallest sum so far.

    PD by what is seen stands even if something else is missing; every other category needs all targets and
    the word that no lesion is new.
    """
    targets = select_targets(inputs.candidates)
    now = inputs.time_points[-1]
    if not targets:
        return conclude(_without_targets(now), rule=RULE, inputs=inputs)
    baseline = sum(item.soft_tissue_mm or 0.0 for item in targets)
    identifiers = [item.lesion_id for item in targets]
    earlier = [_diameters(point, identifiers) for point in inputs.time_points[:-1]]
    complete = [sum(value for value in found if value is not None) for found in earlier if None not in found]
    nadir, current = min([baseline, *complete]), _diameters(now, identifiers)
    verdict = _verdict(current, baseline=baseline, nadir=nadir, point=now)
    measured = sum(value for value in current if value is not None)
    changes = (
        ("change_from_baseline", percent_change(baseline, measured)),
        ("change_from_nadir", percent_change(nadir, measured)),
    )
    figures = [Figure(name="sum_of_diameters", value=measured, unit="mm")] if None not in current else []
    figures += [Figure(name=name, value=value, unit="%") for name, value in changes if value is not None and figures]
    unknown = ("A scan before the last one is incomplete and does not count towards the smallest sum.",)
    return conclude(
        verdict, rule=RULE, inputs=inputs, figures=figures, unknown=unknown if len(complete) < len(earlier) else ()
    )


def volume_equivalent_percent(diameter_percent: float) -> float:
    """The change of a sphere's volume, in percent, for a change of its diameter in percent."""
    return 100.0 * ((1.0 + diameter_percent / 100.0) ** 3 - 1.0)


def _diameters(point: RecistTimePoint, identifiers: Sequence[str]) -> list[float | None]:
    found = {item.lesion_id: item.diameter_mm for item in point.diameters}
    return [found.get(identifier) for identifier in identifiers]


def _progression(point: RecistTimePoint) -> tuple[str, ...]:
    reasons = ("A lesion is new.",) if point.new_lesion else ()
    if point.non_target is NonTarget.PROGRESSION:
        reasons = (*reasons, "Non-target disease progressed unequivocally.")
    return reasons


def _verdict(
    current: Sequence[float | None], *, baseline: float, nadir: float, point: RecistTimePoint
) -> Verdict[RecistCategory]:
    measured = sum(value for value in current if value is not None)
    growth = measured - nadir
    reasons = _progression(point)
    if reaches(100.0 * growth, PROGRESSION_INCREASE_PERCENT * nadir) and reaches(growth, PROGRESSION_INCREASE_MM):
        reasons = ("The sum rose by 20 % and 5 mm or more over its smallest value.", *reasons)
    if nadir == 0.0 and measured > 0.0:
        reasons = ("A target reappeared after all were gone.", *reasons)
    if reasons:
        return Verdict(category=RecistCategory.PD, reasons=reasons)
    if None in current:
        return _abstain("A target was not measured on the last scan.")
    if point.new_lesion is None:
        return _abstain("Whether a lesion is new was not assessed.")
    if measured == 0.0 and point.non_target in {NonTarget.NONE, NonTarget.GONE}:
        return Verdict(category=RecistCategory.CR, reasons=("All targets and all other lesions are gone.",))
    unknown = ("Non-target lesions were not evaluated.",) if point.non_target is NonTarget.NOT_EVALUATED else ()
    if reaches(100.0 * (baseline - measured), PARTIAL_DECREASE_PERCENT * baseline):
        return Verdict(
            category=RecistCategory.PR, reasons=("The sum fell by 30 % or more from baseline.",), unknown=unknown
        )
    return Verdict(category=RecistCategory.SD, reasons=("The sum changed too little for PR or PD.",), unknown=unknown)


def _without_targets(point: RecistTimePoint) -> Verdict[RecistCategory]:
    if reasons := _progression(point):
        return Verdict(category=RecistCategory.PD, reasons=reasons)
    if point.new_lesion is not None and point.non_target is NonTarget.PRESENT:
        return Verdict(
            category=RecistCategory.NON_CR_NON_PD, reasons=("No lesion is measurable; non-target lesions persist.",)
        )
    if point.new_lesion is not None and point.non_target is NonTarget.GONE:
        return Verdict(category=RecistCategory.CR, reasons=("No lesion was measurable; all lesions are gone.",))
    return _abstain("No bone lesion is measurable: none has a soft-tissue component of sufficient size.")


def _abstain(reason: str) -> Verdict[RecistCategory]:
    return Verdict(category=RecistCategory.NOT_EVALUABLE, reasons=(reason,))
