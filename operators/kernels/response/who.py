"""WHO criteria of bone response: product of perpendicular diameters, with the waiting times of bone."""

from __future__ import annotations

from operators.kernels.response.bone_change import (
    BoneInputs,
    BoneResponse,
    any_grew,
    obstacle_or_flare,
    product_mm2,
    shrank,
    size_figures,
    total_change,
)
from operators.kernels.response.contract import Assessment, Rule, Verdict, conclude, reaches

RULE = Rule(
    name="WHO_PRODUCT", version="1979", source="WHO handbook 1979; Hayashi 2013, Clin Breast Cancer 13:24, table 1"
)

NO_CHANGE_WEEKS = 8.0
"""WHO: "no change" is not said before this time from the start of treatment; exactly 8 weeks suffice."""
CONFIRMATION_WEEKS = 4.0
"""WHO: a response is held for this long; until then it is stated as not yet confirmed."""


def assess_who(inputs: BoneInputs) -> Assessment[BoneResponse, BoneInputs]:
    """WHO by the product of two perpendicular diameters: progression by each lesion, response by their total.

    New sclerosis alone inside the flare window is neither PD nor, in this rule, a response: it abstains.
    """
    change = total_change(inputs.lesions, size=product_mm2)
    verdict = _verdict(inputs, change)
    held = inputs.weeks_response_held
    responding = verdict.category in {BoneResponse.CR, BoneResponse.PR}
    waiting = responding and (held is None or not reaches(held, CONFIRMATION_WEEKS))
    unknown = ("The response is not yet confirmed: the rule asks that it be held for 4 weeks.",) if waiting else ()
    return conclude(
        verdict,
        rule=RULE,
        inputs=inputs,
        unknown=unknown,
        figures=size_figures(change, name="product_of_diameters_change"),
    )


def _verdict(inputs: BoneInputs, change: float | None) -> Verdict[BoneResponse]:
    progression = ("A lesion is new.",) if inputs.new_lesion else ()
    if any_grew(inputs.lesions, size=product_mm2):
        progression = ("A lesion's product of diameters rose by 25 % or more.", *progression)
    if progression:
        return Verdict(category=BoneResponse.PD, reasons=progression)
    if (abstained := obstacle_or_flare(inputs)) is not None:
        return abstained
    if all(item.after is not None and item.after.gone for item in inputs.lesions):
        return Verdict(category=BoneResponse.CR, reasons=("Every lesion is gone.",))
    if shrank(change):
        return Verdict(category=BoneResponse.PR, reasons=("The product of diameters fell by 50 % or more.",))
    weeks = inputs.weeks_since_treatment_change
    if weeks is None or not reaches(weeks, NO_CHANGE_WEEKS):
        return Verdict(
            category=BoneResponse.NOT_EVALUABLE,
            reasons=("No change is not stated before 8 weeks of treatment have passed.",),
        )
    return Verdict(category=BoneResponse.SD, reasons=("No lesion is new and sizes changed too little for PR or PD.",))
