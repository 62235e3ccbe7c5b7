"""PERCIST 1.0: metabolic response on FDG PET from SULpeak, with its conditions of comparability."""

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
    conclude,
    exceeds,
    percent_change,
    reaches,
)

RULE = Rule(
    name="PERCIST", version="1.0", source="Wahl 2009, J Nucl Med 50:122S; O, Lodge and Wahl 2016, Radiology 280:576"
)

LIVER_FACTOR, BLOOD_FACTOR, SD_FACTOR = 1.5, 2.0, 2.0
"""Wahl 2009: measurable from 1.5 liver means plus 2 SD on, or 2 blood pool means plus 2 SD if the liver is diseased."""
REFERENCE_CHANGE_PERCENT = 20.0
"""Wahl 2009: the reference may differ by 20 %, exactly 20 % included."""
REFERENCE_CHANGE_SUL = 0.3
"""Wahl 2009: and by less than this; exactly 0.3 does not compare."""
UPTAKE_MINUTES = (50.0, 70.0)
"""Wahl 2009: uptake time, both ends included."""
UPTAKE_DIFFERENCE_MINUTES = 15.0
"""Wahl 2009: largest difference of uptake times, included."""
CHANGE_PERCENT = 30.0
"""Wahl 2009: change of the hottest lesion; exactly 30 % counts."""
CHANGE_SUL = 0.8
"""Wahl 2009: and at least this; exactly 0.8 counts."""
TLG_INCREASE_PERCENT = 75.0
"""Wahl 2009: rise of total lesion glycolysis that is progression; exactly 75 % counts."""
SUM_LESIONS, SUM_LESIONS_PER_ORGAN = 5, 2


class PercistCategory(StrEnum):
    """PERCIST's terms."""

    CMR = "CMR"
    PMR = "PMR"
    SMD = "SMD"
    PMD = "PMD"
    NOT_EVALUABLE = NOT_EVALUABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionPeak:
    """A lesion's SULpeak and the organ it lies in."""

    sul_peak: float
    organ: str = "bone"

    def __post_init__(self) -> None:
        check_amount("sul_peak", self.sul_peak)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceUptake:
    """Mean and SD of SUL in the reference: 3 cm sphere in the right liver lobe, or 1 by 2 cm in the aorta."""

    mean_sul: float
    sd_sul: float

    def __post_init__(self) -> None:
        check_amount("mean_sul", self.mean_sul)
        check_amount("sd_sul", self.sd_sul)


@dataclass(frozen=True, kw_only=True, slots=True)
class PercistScan:
    """One scan: lesions (or, after treatment, their sites), references, uptake time, total lesion glycolysis."""

    lesions: tuple[LesionPeak, ...]
    liver: ReferenceUptake | None
    uptake_minutes: float | None
    blood_pool: ReferenceUptake | None = None
    tlg_ml: float | None = None

    def __post_init__(self) -> None:
        check_amount("uptake_minutes", self.uptake_minutes)
        check_amount("tlg_ml", self.tlg_ml)

    @property
    def hottest(self) -> float | None:
        """The highest SULpeak, None without a lesion."""
        return max((item.sul_peak for item in self.lesions), default=None)

    @property
    def secondary_sum(self) -> float:
        """Sum of SULpeak over the hottest five lesions, at most two an organ."""
        return sum(item.sul_peak for item in _hottest(self.lesions))


@dataclass(frozen=True, kw_only=True, slots=True)
class PercistInputs:
    """Two scans. None is not known.

    `residual_above_background` says whether a lesion still stands out of its surroundings on the follow-up,
    `new_lesion` whether one is new and typical of cancer.
    """

    baseline: PercistScan
    follow_up: PercistScan
    new_lesion: bool | None
    residual_above_background: bool | None = None
    same_scanner_and_reconstruction: bool | None = None
    liver_diseased: bool = False


def measurability_threshold(reference: ReferenceUptake, *, liver_diseased: bool) -> float:
    """SULpeak from which on a lesion is measurable (Wahl 2009)."""
    factor = BLOOD_FACTOR if liver_diseased else LIVER_FACTOR
    return factor * reference.mean_sul + SD_FACTOR * reference.sd_sul


def assess_percist(inputs: PercistInputs) -> Assessment[PercistCategory, PercistInputs]:
    """PERCIST 1.0 by the hottest lesion of each scan, which need not be the same one.

    A new lesion is PMD whatever else holds. All that rests on a number needs a measurable baseline and scans
    that compare; a category other than PMD also needs to know that no lesion is new.
    """
    return conclude(_verdict(inputs), rule=RULE, inputs=inputs, unknown=_unknown(inputs), figures=_figures(inputs))


def incomparable(inputs: PercistInputs) -> tuple[str, ...]:
    """Why the two scans do not compare, empty where they do."""
    first, second = _reference(inputs, inputs.baseline), _reference(inputs, inputs.follow_up)
    found = []
    if first is None or second is None:
        found.append("The reference uptake is not known on both scans.")
    elif not _reference_stable(first, second):
        found.append("The reference uptake differs by more than 20 % or by 0.3 SUL or more.")
    times = [scan.uptake_minutes for scan in (inputs.baseline, inputs.follow_up) if scan.uptake_minutes is not None]
    low, high = UPTAKE_MINUTES
    if len(times) < 2:
        found.append("The uptake time is not known on both scans.")
    elif not all(reaches(time, low) and reaches(high, time) for time in times):
        found.append("An uptake time lies outside 50 to 70 minutes.")
    elif exceeds(abs(times[1] - times[0]), UPTAKE_DIFFERENCE_MINUTES):
        found.append("The uptake times differ by more than 15 minutes.")
    if not inputs.same_scanner_and_reconstruction:
        found.append("The scans are not known to come from the same scanner and reconstruction.")
    return tuple(found)


def _reference_stable(first: ReferenceUptake, second: ReferenceUptake) -> bool:
    difference = abs(second.mean_sul - first.mean_sul)
    within = reaches(REFERENCE_CHANGE_PERCENT * first.mean_sul, 100.0 * difference)
    return within and exceeds(REFERENCE_CHANGE_SUL, difference)


def _reference(inputs: PercistInputs, scan: PercistScan) -> ReferenceUptake | None:
    return scan.blood_pool if inputs.liver_diseased else scan.liver


def _hottest(lesions: Sequence[LesionPeak]) -> list[LesionPeak]:
    chosen: list[LesionPeak] = []
    for item in sorted(lesions, key=lambda item: (-item.sul_peak, item.organ)):
        if sum(other.organ == item.organ for other in chosen) < SUM_LESIONS_PER_ORGAN and len(chosen) < SUM_LESIONS:
            chosen.append(item)
    return chosen


def _verdict(inputs: PercistInputs) -> Verdict[PercistCategory]:
    if inputs.new_lesion:
        return Verdict(category=PercistCategory.PMD, reasons=("A lesion typical of cancer is new.",))
    before, reference = inputs.baseline.hottest, _reference(inputs, inputs.baseline)
    obstacles = incomparable(inputs)
    if before is None:
        obstacles = (*obstacles, "No lesion was measured at baseline.")
    elif reference is not None and not reaches(
        before, measurability_threshold(reference, liver_diseased=inputs.liver_diseased)
    ):
        obstacles = (*obstacles, "The hottest lesion at baseline is below the threshold of measurability.")
    if before is None or obstacles:
        return Verdict(category=PercistCategory.NOT_EVALUABLE, reasons=obstacles)
    after = inputs.follow_up.hottest
    if after is not None and _changed(before, after):
        return Verdict(category=PercistCategory.PMD, reasons=("SULpeak rose by 30 % and 0.8 or more.",))
    tlg = _tlg_change(inputs)
    if tlg is not None and reaches(tlg, TLG_INCREASE_PERCENT):
        return Verdict(category=PercistCategory.PMD, reasons=("Total lesion glycolysis rose by 75 % or more.",))
    if inputs.new_lesion is None:
        return Verdict(category=PercistCategory.NOT_EVALUABLE, reasons=("Whether a lesion is new is not known.",))
    return _without_progression(inputs, before=before, after=after)


def _without_progression(inputs: PercistInputs, *, before: float, after: float | None) -> Verdict[PercistCategory]:
    reference = _reference(inputs, inputs.follow_up)
    cool = after is None or (reference is not None and exceeds(reference.mean_sul, after))
    if cool and inputs.residual_above_background is False:
        return Verdict(
            category=PercistCategory.CMR,
            reasons=("All lesions are below the reference uptake and indistinguishable from their surroundings.",),
        )
    if after is None:
        return Verdict(category=PercistCategory.NOT_EVALUABLE, reasons=("No site was measured on the follow-up.",))
    unknown = ("Whether the residual uptake is that of the surroundings is not known: it would be CMR.",)
    if _changed(after, before, base=before):
        return Verdict(
            category=PercistCategory.PMR,
            reasons=("SULpeak of the hottest lesion fell by 30 % and 0.8 or more.",),
            unknown=unknown if cool and inputs.residual_above_background is None else (),
        )
    return Verdict(category=PercistCategory.SMD, reasons=("SULpeak changed by less than 30 % or less than 0.8.",))


def _changed(low: float, high: float, *, base: float | None = None) -> bool:
    """Whether `high` lies 30 % of the base (`low` unless given) and 0.8 SUL or more over `low`."""
    rise = high - low
    return reaches(100.0 * rise, CHANGE_PERCENT * (low if base is None else base)) and reaches(rise, CHANGE_SUL)


def _tlg_change(inputs: PercistInputs) -> float | None:
    before, after = inputs.baseline.tlg_ml, inputs.follow_up.tlg_ml
    return percent_change(before, after) if before is not None and after is not None else None


def _figures(inputs: PercistInputs) -> list[Figure]:
    before, after = inputs.baseline.hottest, inputs.follow_up.hottest
    reference = _reference(inputs, inputs.baseline)
    found: list[tuple[str, float | None, str]] = [("tlg_change", _tlg_change(inputs), "%")]
    if reference is not None:
        threshold = measurability_threshold(reference, liver_diseased=inputs.liver_diseased)
        found.append(("measurability_threshold", threshold, "g/ml{SUVlbm}"))
    if before is not None and after is not None:
        sums = (inputs.baseline.secondary_sum, inputs.follow_up.secondary_sum)
        found.append(("sul_peak_change", percent_change(before, after), "%"))
        found.append(("sul_peak_difference", after - before, "g/ml{SUVlbm}"))
        found.append(("secondary_sum_change", percent_change(*sums), "%"))
    return [Figure(name=name, value=value, unit=unit) for name, value, unit in found if value is not None]


def _unknown(inputs: PercistInputs) -> tuple[str, ...]:
    found = ("The size of lesions on CT and marrow or inflammation after treatment are no inputs of this engine.",)
    return found if _tlg_change(inputs) is not None else (*found, "The change of total lesion glycolysis is not known.")
