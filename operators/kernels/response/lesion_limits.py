"""Per-lesion response by the limits of agreement of repeated scans: a change within them is no change."""

from __future__ import annotations

from collections.abc import Mapping
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
)


class UptakeMetric(StrEnum):
    """What is compared."""

    SUV_MAX = "SUVmax"
    SUV_MEAN = "SUVmean"
    SUV_TOTAL = "SUVtotal"


class LesionResponse(StrEnum):
    """Response of one lesion; a new lesion is iPD."""

    ICR = "iCR"
    IPR = "iPR"
    ISD = "iSD"
    IPD = "iPD"
    NOT_EVALUABLE = NOT_EVALUABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """95 % limits of agreement of the ratio of two scans without treatment between them."""

    lower: float
    upper: float

    def __post_init__(self) -> None:
        if not 0.0 < self.lower < 1.0 < self.upper:
            raise ValueError("limits of agreement of a ratio lie on both sides of 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitsTable:
    """A published test-retest study. Lesions of `minimum_volume_ml` or less were not in it."""

    rule: Rule
    tracer: str
    lesion: Mapping[UptakeMetric, Limits]
    patient: Mapping[UptakeMetric, Limits]
    minimum_volume_ml: float | None = None


NAF_LIN2016 = LimitsTable(
    rule=Rule(name="LESION_LOA_NAF_LIN2016", version="V1", source="Lin 2016, J Nucl Med 57:1872"),
    tracer="NaF",
    lesion={
        UptakeMetric.SUV_MAX: Limits(lower=0.76, upper=1.32),
        UptakeMetric.SUV_MEAN: Limits(lower=0.88, upper=1.14),
        UptakeMetric.SUV_TOTAL: Limits(lower=0.63, upper=1.71),
    },
    patient={
        UptakeMetric.SUV_MAX: Limits(lower=0.79, upper=1.26),
        UptakeMetric.SUV_MEAN: Limits(lower=0.89, upper=1.10),
        UptakeMetric.SUV_TOTAL: Limits(lower=0.70, upper=1.44),
    },
    minimum_volume_ml=1.5,
)
"""35 patients with castration-resistant prostate cancer, 411 lesions over 1.5 cm3 segmented at SUV 15."""

FDG_QIBA2016 = LimitsTable(
    rule=Rule(name="LESION_LOA_FDG_QIBA", version="1.13", source="QIBA profile FDG-PET/CT 1.13 (2016)"),
    tracer="FDG",
    lesion={UptakeMetric.SUV_MAX: Limits(lower=0.72, upper=1.39)},
    patient={},
)
"""SUVmax, -28 % and +39 %: a fall or rise beyond them is a change where both scans keep to the profile. The figures are
those of the project's clinical reference; the profile's own text was not at hand when they were written here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionInputs:
    """One lesion at two scans. A value of None means that the lesion was absent at an evaluable site."""

    tracer: str | None
    metric: UptakeMetric
    baseline_value: float | None
    follow_up_value: float | None
    baseline_site_evaluable: bool = True
    follow_up_site_evaluable: bool = True
    baseline_volume_ml: float | None = None

    def __post_init__(self) -> None:
        check_amount("baseline_volume_ml", self.baseline_volume_ml)
        for name in ("baseline_value", "follow_up_value"):
            value = getattr(self, name)
            check_amount(name, value)
            if value == 0.0:
                raise ValueError(f"{name} is positive; a lesion that is absent is None")


def assess_lesion(inputs: LesionInputs, *, table: LimitsTable) -> Assessment[LesionResponse, LesionInputs]:
    """iPR below the lower limit, iPD above the upper one or new, iSD between with both limits, iCR if absent."""
    limits = table.lesion.get(inputs.metric)
    before, after = inputs.baseline_value, inputs.follow_up_value
    obstacle = _obstacle(inputs, table)
    if obstacle is not None or limits is None:
        reason = obstacle or f"The table has no limits for {inputs.metric}."
        return conclude(
            Verdict(category=LesionResponse.NOT_EVALUABLE, reasons=(reason,)), rule=table.rule, inputs=inputs
        )
    if before is None:
        return conclude(
            Verdict(category=LesionResponse.IPD, reasons=("The lesion is new.",)), rule=table.rule, inputs=inputs
        )
    if after is None:
        return conclude(
            Verdict(category=LesionResponse.ICR, reasons=("The lesion is no longer seen.",)),
            rule=table.rule,
            inputs=inputs,
        )
    ratio = after / before
    unknown = ("The lesion's volume at baseline is not known; small lesions repeat less well.",)
    return conclude(
        _by_ratio(ratio, limits),
        rule=table.rule,
        inputs=inputs,
        unknown=unknown if inputs.baseline_volume_ml is None and table.minimum_volume_ml is not None else (),
        figures=(Figure(name="ratio", value=ratio, unit="1"),),
    )


def within_limits(ratio: float, *, limits: Limits) -> bool:
    """Whether a ratio of follow-up to baseline is within the limits of agreement, both limits included."""
    return not exceeds(ratio, limits.upper) and not exceeds(limits.lower, ratio)


def _by_ratio(ratio: float, limits: Limits) -> Verdict[LesionResponse]:
    between = f"{limits.lower} to {limits.upper}"
    if within_limits(ratio, limits=limits):
        return Verdict(category=LesionResponse.ISD, reasons=(f"The ratio is within the limits {between}.",))
    if ratio > 1.0:
        return Verdict(category=LesionResponse.IPD, reasons=(f"The ratio is above the limits {between}.",))
    return Verdict(category=LesionResponse.IPR, reasons=(f"The ratio is below the limits {between}.",))


def _obstacle(inputs: LesionInputs, table: LimitsTable) -> str | None:
    if inputs.tracer != table.tracer:
        return f"The limits hold for {table.tracer} and the tracer is another or not known."
    if not (inputs.baseline_site_evaluable and inputs.follow_up_site_evaluable):
        return "The lesion's site was not evaluable on both scans."
    if inputs.baseline_value is None and inputs.follow_up_value is None:
        return "The lesion was seen on neither scan."
    small = (
        inputs.baseline_volume_ml is not None
        and table.minimum_volume_ml is not None
        and not exceeds(inputs.baseline_volume_ml, table.minimum_volume_ml)
    )
    if small and inputs.baseline_value is not None and inputs.follow_up_value is not None:
        return f"The limits hold for lesions over {table.minimum_volume_ml} mL."
    return None
