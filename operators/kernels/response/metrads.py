"""MET-RADS-P: response assessment category (RAC) of a bone region from diffusion and reader's findings."""

from __future__ import annotations

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

RULE = Rule(name="MET-RADS-P_BONE", version="1.0", source="Padhani 2017, Eur Urol 71:81, quantitative bone items")

TREATED_ADC_UM2_S = 1400.0
"""Padhani 2017: tissue above it is treated; exactly 1400 is not above."""
STRONG_RISE_PERCENT = 40.0
"""Padhani 2017: RAC 1 at this rise or more with falling high-b signal."""
MODERATE_RISE_PERCENT = 25.0
"""Padhani 2017: RAC 2 at this rise or more."""


class Rac(StrEnum):
    """1 highly likely responding, 2 likely responding, 3 stable, 4 likely, 5 highly likely progressing."""

    RAC_1 = "RAC 1"
    RAC_2 = "RAC 2"
    RAC_3 = "RAC 3"
    RAC_4 = "RAC 4"
    RAC_5 = "RAC 5"
    NOT_EVALUABLE = NOT_EVALUABLE


class Certainty(StrEnum):
    """How sure a finding is."""

    ABSENT = "absent"
    EQUIVOCAL = "equivocal"
    UNEQUIVOCAL = "unequivocal"


class SignalChange(StrEnum):
    """Normalised signal of the high b-value against baseline."""

    FALLING = "falling"
    UNCHANGED = "unchanged"
    RISING = "rising"


@dataclass(frozen=True, kw_only=True, slots=True)
class MetRadsInputs:
    """One region at two time points (ADC in um2/s). None is not known.

    `complication` is a new cord compression or pathological fracture; `became_diffuse` a focal pattern that
    is diffuse now.
    """

    baseline_adc_um2_s: float | None
    follow_up_adc_um2_s: float | None
    new_or_enlarging: Certainty | None
    high_b_signal: SignalChange | None = None
    became_diffuse: bool | None = None
    complication: bool | None = None

    def __post_init__(self) -> None:
        check_amount("baseline_adc_um2_s", self.baseline_adc_um2_s)
        check_amount("follow_up_adc_um2_s", self.follow_up_adc_um2_s)


def assess_metrads(inputs: MetRadsInputs) -> Assessment[Rac, MetRadsInputs]:
    """Quantitative bone items of MET-RADS-P; signs of progression come before a rise of ADC.

    Abstains where ADC or new lesions are not known, and where ADC falls by 25 % or more: no item covers it.
    """
    before, after = inputs.baseline_adc_um2_s, inputs.follow_up_adc_um2_s
    change = percent_change(before, after) if before is not None and after is not None else None
    figures = [] if change is None else [Figure(name="adc_change", value=change, unit="%")]
    verdict = _progression(inputs)
    if verdict is None:
        verdict = (
            Verdict(category=Rac.NOT_EVALUABLE, reasons=("The ADC of a time point is not known or is 0.",))
            if before is None or after is None or change is None
            else _by_diffusion(change, before=before, after=after, high_b=inputs.high_b_signal)
        )
    return conclude(verdict, rule=RULE, inputs=inputs, unknown=_unknown(inputs), figures=figures)


def _progression(inputs: MetRadsInputs) -> Verdict[Rac] | None:
    certain = (
        (inputs.new_or_enlarging is Certainty.UNEQUIVOCAL, "A lesion is unequivocally new or enlarging."),
        (bool(inputs.became_diffuse), "A focal pattern became diffuse."),
        (bool(inputs.complication), "There is a new cord compression or pathological fracture."),
    )
    reasons = tuple(reason for holds, reason in certain if holds)
    if reasons:
        return Verdict(category=Rac.RAC_5, reasons=reasons)
    if inputs.new_or_enlarging is Certainty.EQUIVOCAL:
        return Verdict(category=Rac.RAC_4, reasons=("A lesion is equivocally new or enlarging.",))
    if inputs.new_or_enlarging is None:
        return Verdict(category=Rac.NOT_EVALUABLE, reasons=("Whether a lesion is new or enlarging is not known.",))
    return None


def _by_diffusion(change: float, *, before: float, after: float, high_b: SignalChange | None) -> Verdict[Rac]:
    crossed = not exceeds(before, TREATED_ADC_UM2_S) and exceeds(after, TREATED_ADC_UM2_S)
    if crossed:
        return Verdict(category=Rac.RAC_1, reasons=("ADC rose from 1400 um2/s or less to more than that.",))
    if reaches(change, STRONG_RISE_PERCENT) and high_b is SignalChange.FALLING:
        return Verdict(category=Rac.RAC_1, reasons=("ADC rose by 40 % or more while the high-b signal fell.",))
    if reaches(change, MODERATE_RISE_PERCENT) and not exceeds(after, TREATED_ADC_UM2_S):
        return Verdict(category=Rac.RAC_2, reasons=("ADC rose by 25 % or more and stays at 1400 um2/s or less.",))
    if reaches(-change, MODERATE_RISE_PERCENT):
        return Verdict(
            category=Rac.NOT_EVALUABLE, reasons=("ADC fell by 25 % or more, which no quantitative item covers.",)
        )
    if reaches(change, MODERATE_RISE_PERCENT):
        return Verdict(
            category=Rac.RAC_3,
            reasons=("ADC was above 1400 um2/s before and rose without a strong rise and falling high-b signal.",),
        )
    return Verdict(category=Rac.RAC_3, reasons=("ADC changed by less than 25 %.",))


def _unknown(inputs: MetRadsInputs) -> tuple[str, ...]:
    found = ["Marrow-stimulating treatment, radiotherapy and symptoms are not known from the images."]
    if inputs.high_b_signal is None:
        found.append("The change of the high-b signal is not known; RAC 1 by a rise of 40 % needs it.")
    if inputs.became_diffuse is None:
        found.append("Whether a focal pattern became diffuse is not known.")
    if inputs.complication is None:
        found.append("Whether there is a new cord compression or pathological fracture is not known.")
    return tuple(found)
