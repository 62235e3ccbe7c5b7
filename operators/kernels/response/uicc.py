"""UICC criteria of bone response: lesion by lesion, with mixed response counted as progression."""

from __future__ import annotations

from operators.kernels.response.bone_change import (
    LYTIC_SHARE,
    BoneInputs,
    BoneResponse,
    LesionPair,
    any_grew,
    obstacle_or_flare,
    product_mm2,
    shrank,
    size_figures,
    total_change,
)
from operators.kernels.response.contract import Assessment, Rule, Verdict, conclude, percent_change, reaches

RULE = Rule(
    name="UICC_PRODUCT", version="1977", source="Hayward 1977, Cancer 39:1289; Hayashi 2013, Clin Breast Cancer 13:24"
)


def assess_uicc(inputs: BoneInputs) -> Assessment[BoneResponse, BoneInputs]:
    """UICC by the product of two perpendicular diameters: progression by each lesion, response by their total.

    A lytic lesion is complete only where it calcified. New sclerosis alone inside the flare window abstains.
    """
    change = total_change(inputs.lesions, size=product_mm2)
    figures = size_figures(change, name="product_of_diameters_change")
    unknown = ("Lesions that cannot be measured are no inputs of this engine.",)
    return conclude(_verdict(inputs, change), rule=RULE, inputs=inputs, unknown=unknown, figures=figures)


def _change(item: LesionPair) -> float | None:
    return None if item.after is None else percent_change(product_mm2(item.before), product_mm2(item.after))


def _verdict(inputs: BoneInputs, change: float | None) -> Verdict[BoneResponse]:
    grown = any_grew(inputs.lesions, size=product_mm2)
    if grown or inputs.new_lesion:
        kind = "mixed: some lesions regressed" if any(shrank(_change(item)) for item in inputs.lesions) else "failure"
        what = "A lesion grew by 25 % or more" if grown else "A lesion is new"
        return Verdict(category=BoneResponse.PD, reasons=(f"{what} ({kind}).",))
    if (abstained := obstacle_or_flare(inputs)) is not None:
        return abstained
    if all(_complete(item) for item in inputs.lesions):
        return Verdict(category=BoneResponse.CR, reasons=("Every lesion is gone; lytic ones calcified.",))
    if shrank(change):
        return Verdict(category=BoneResponse.PR, reasons=("The product of diameters fell by 50 % or more.",))
    return Verdict(category=BoneResponse.SD, reasons=("No lesion is new and sizes changed too little for PR or PD.",))


def _complete(item: LesionPair) -> bool:
    lytic = reaches(item.before.lytic_fraction or 0.0, LYTIC_SHARE)
    return item.filled_in if lytic else item.cleared
