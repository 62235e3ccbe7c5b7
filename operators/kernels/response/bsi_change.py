"""Change of the Bone Scan Index between two planar scans, with doubling time where it means something."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from operators.kernels.response.contract import (
    NOT_EVALUABLE,
    Assessment,
    Figure,
    Rule,
    Verdict,
    check_amount,
    check_fraction,
    conclude,
    exceeds,
    percent_change,
)

RULE = Rule(name="BSI_CHANGE", version="V1", source="Repeatability: Anand 2016, J Nucl Med 57:41; project convention")

REPEATABILITY_LIMIT = 0.30
"""Anand 2016: upper confidence limit of two repeat scans; exactly 0.30 is within repeatability."""
COVERAGE_TOLERANCE = 0.02
"""Project convention: two indices over shares of the skeleton that differ by more do not compare."""


class BsiChange(StrEnum):
    """What the difference of two indices says."""

    INCREASED = "INCREASED"
    DECREASED = "DECREASED"
    WITHIN_REPEATABILITY = "WITHIN_REPEATABILITY"
    NOT_EVALUABLE = NOT_EVALUABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class BsiScan:
    """One Bone Scan Index (percent of skeletal mass); None where not evaluable, which is not 0.

    `coverage` is the share of the coefficient table's mass that was in the field, 0 to 1.
    """

    bsi_percent: float | None
    coverage: float | None = None
    coefficient_table: str | None = None
    uptake_minutes: float | None = None

    def __post_init__(self) -> None:
        check_amount("bsi_percent", self.bsi_percent)
        check_fraction("coverage", self.coverage)
        check_amount("uptake_minutes", self.uptake_minutes)


@dataclass(frozen=True, kw_only=True, slots=True)
class BsiChangeInputs:
    """Two scans and the days between them."""

    baseline: BsiScan
    follow_up: BsiScan
    interval_days: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.interval_days) and self.interval_days > 0.0):
            raise ValueError("interval_days is positive: the follow-up is the later scan")


def assess_bsi_change(inputs: BsiChangeInputs) -> Assessment[BsiChange, BsiChangeInputs]:
    """Difference, percent change and doubling time in days (halving time as a negative number).

    BSI-DT = interval * ln 2 / ln(BSI2 / BSI1). It is left out where an index is 0 and where the difference
    is within repeatability; percent change is left out where the baseline is 0.
    """
    before, after = inputs.baseline.bsi_percent, inputs.follow_up.bsi_percent
    obstacle = _obstacle(inputs)
    if obstacle is not None or before is None or after is None:
        reason = obstacle or "The Bone Scan Index of a time point is not known."
        return conclude(
            Verdict(category=BsiChange.NOT_EVALUABLE, reasons=(reason,)),
            rule=RULE,
            inputs=inputs,
            unknown=_unknown(inputs),
        )
    difference = after - before
    verdict = _verdict(difference)
    beyond = verdict.category is not BsiChange.WITHIN_REPEATABILITY
    doubling = (
        inputs.interval_days * math.log(2.0) / math.log(after / before) if beyond and before * after > 0 else None
    )
    percent = percent_change(before, after)
    values = (("bsi_difference", difference, "%"), ("bsi_change", percent, "%"), ("bsi_doubling_time", doubling, "d"))
    figures = [Figure(name=name, value=value, unit=unit) for name, value, unit in values if value is not None]
    undefined = ("A doubling time is not defined where an index is 0.",) if before * after == 0 else ()
    return conclude(verdict, rule=RULE, inputs=inputs, unknown=(*_unknown(inputs), *undefined), figures=figures)


def _verdict(difference: float) -> Verdict[BsiChange]:
    if not exceeds(abs(difference), REPEATABILITY_LIMIT):
        return Verdict(
            category=BsiChange.WITHIN_REPEATABILITY,
            reasons=("The difference is within the repeatability of 0.30; no doubling time is stated.",),
        )
    category = BsiChange.INCREASED if difference > 0.0 else BsiChange.DECREASED
    return Verdict(category=category, reasons=("The difference is beyond the repeatability of 0.30.",))


def _obstacle(inputs: BsiChangeInputs) -> str | None:
    first, second = inputs.baseline, inputs.follow_up
    if (
        first.coefficient_table is not None
        and second.coefficient_table is not None
        and first.coefficient_table != second.coefficient_table
    ):
        return "The two indices rest on different coefficient tables."
    if first.coverage is not None and second.coverage is not None:
        if exceeds(abs(first.coverage - second.coverage), COVERAGE_TOLERANCE):
            return "The two scans cover different shares of the skeleton."
        if min(first.coverage, second.coverage) == 0.0:
            return "The skeleton was not in the field."
    return None


def _unknown(inputs: BsiChangeInputs) -> tuple[str, ...]:
    scans = (inputs.baseline, inputs.follow_up)
    found = []
    if any(scan.coverage is None for scan in scans):
        found.append("The share of the skeleton that was in the field is not known for both scans.")
    if any(scan.coefficient_table is None for scan in scans):
        found.append("The coefficient table is not known for both scans.")
    if any(scan.uptake_minutes is None for scan in scans):
        found.append("The uptake time is not known for both scans; the index rises with it.")
    return tuple(found)
