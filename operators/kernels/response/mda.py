"""MD Anderson criteria of bone response (CT): sum of perpendicular diameters, fill-in, healing flare."""

from __future__ import annotations

from operators.kernels.response.bone_change import (
    FLARE,
    LYTIC_SHARE,
    BoneInputs,
    BoneResponse,
    LesionPair,
    any_grew,
    obstacle,
    shrank,
    size_figures,
    sum_mm,
    total_change,
)
from operators.kernels.response.contract import Assessment, Rule, Verdict, conclude, percent_change, reaches

RULE = Rule(name="MDA_SUM", version="2004", source="Hamaoka 2004, J Clin Oncol 22:2942; Costelloe 2010, J Cancer 1:80")

PARTIAL_FILL_IN_PERCENT = 50.0
"""Project convention: a lytic share that falls by this much of itself or more is partial fill-in."""

_UNKNOWN = (
    "Activity on skeletal scintigraphy and signal on MRI are no inputs of this engine.",
    "A sclerotic rim is not told from sclerosis inside the lesion.",
)


def assess_mda(inputs: BoneInputs) -> Assessment[BoneResponse, BoneInputs]:
    """MDA by the sum of two perpendicular diameters: progression by each lesion, response by their total.

    New sclerosis alone is PR with a possible flare inside the flare window, a new lesion after it; where the
    time of the treatment change is not known the engine abstains.
    """
    change = total_change(inputs.lesions, size=sum_mm)
    return conclude(
        _verdict(inputs, change),
        rule=RULE,
        inputs=inputs,
        unknown=_UNKNOWN,
        figures=size_figures(change, name="sum_of_diameters_change"),
    )


def _verdict(inputs: BoneInputs, change: float | None) -> Verdict[BoneResponse]:
    progression = ("A lesion is new.",) if inputs.new_lesion else ()
    if any_grew(inputs.lesions, size=sum_mm):
        progression = ("A lesion's sum of diameters rose by 25 % or more.", *progression)
    if progression:
        return Verdict(category=BoneResponse.PD, reasons=progression)
    if reason := _obstacle(inputs):
        return Verdict(
            category=BoneResponse.NOT_EVALUABLE, reasons=(reason,), flare_possible=inputs.only_sclerosis_is_new
        )
    if inputs.only_sclerosis_is_new:
        return Verdict(category=BoneResponse.PR, reasons=(FLARE,), flare_possible=True)
    if all(item.cleared for item in inputs.lesions):
        return Verdict(category=BoneResponse.CR, reasons=("Every lesion is gone or has filled in completely.",))
    reasons = ("The sum of diameters fell by 50 % or more.",) if shrank(change) else ()
    if any(_healing(item) for item in inputs.lesions):
        reasons = (*reasons, "A lytic lesion filled in partly or wholly, or a blastic one became less dense.")
    if reasons:
        return Verdict(category=BoneResponse.PR, reasons=reasons)
    return Verdict(category=BoneResponse.SD, reasons=("No lesion is new and sizes changed too little for PR or PD.",))


def _obstacle(inputs: BoneInputs) -> str | None:
    if reason := obstacle(inputs):
        return reason
    if inputs.only_sclerosis_is_new and inputs.past_flare is None:
        return FLARE.removesuffix(".") + ", and the time since the treatment change is not known."
    if any(item.lysis_spread for item in inputs.lesions):
        return "Lysis spread inside a lesion of little changed size, which the rule does not measure."
    return None


def _healing(item: LesionPair) -> bool:
    if item.after is None or item.filled_in:
        return item.filled_in
    before, after = item.before, item.after
    if before.lytic_fraction is None or after.lytic_fraction is None:
        return False
    filled = percent_change(before.lytic_fraction, after.lytic_fraction)
    if reaches(before.lytic_fraction, LYTIC_SHARE):
        return filled is not None and reaches(-filled, PARTIAL_FILL_IN_PERCENT)
    thinned = percent_change(before.sclerotic_fraction or 0.0, after.sclerotic_fraction or 0.0)
    measured = before.sclerotic_fraction is not None and after.sclerotic_fraction is not None
    return measured and thinned is not None and reaches(-thinned, PARTIAL_FILL_IN_PERCENT)
