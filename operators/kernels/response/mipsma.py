"""miPSMA score, first version: a lesion's uptake against blood pool, liver (or spleen) and parotid."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from operators.kernels.response.contract import (
    NOT_EVALUABLE,
    Assessment,
    Rule,
    Verdict,
    check_amount,
    conclude,
    exceeds,
    reaches,
)

RULE = Rule(name="MIPSMA_SCORE", version="V1", source="Eiber 2018, J Nucl Med 59:469 (PROMISE)")


class MiPsmaScore(StrEnum):
    """0 below blood pool, 1 below liver, 2 below parotid, 3 at parotid or above."""

    SCORE_0 = "0"
    SCORE_1 = "1"
    SCORE_2 = "2"
    SCORE_3 = "3"
    NOT_EVALUABLE = NOT_EVALUABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class MiPsmaInputs:
    """Mean SUVs; None is not measured.

    `liver_excreted` is true of ligands such as PSMA-1007: the spleen stands for the liver.
    """

    lesion_suv_mean: float | None
    blood_suv_mean: float | None
    parotid_suv_mean: float | None
    liver_excreted: bool | None
    liver_suv_mean: float | None = None
    spleen_suv_mean: float | None = None

    def __post_init__(self) -> None:
        for name in ("lesion", "blood", "parotid", "liver", "spleen"):
            check_amount(f"{name}_suv_mean", getattr(self, f"{name}_suv_mean"))


def assess_mipsma(inputs: MiPsmaInputs) -> Assessment[MiPsmaScore, MiPsmaInputs]:
    """PROMISE V1: uptake equal to a reference counts as reaching it.

    A reference above the one that the lesion does not reach need not be known. Abstains where an uptake that the
    score turns on, or the ligand's excretion, is not known, and where the references are not in the order that the
    score assumes.
    """
    middle = inputs.spleen_suv_mean if inputs.liver_excreted else inputs.liver_suv_mean
    organ = "spleen" if inputs.liver_excreted else "liver"
    if inputs.liver_excreted is None:
        middle, organ = None, "liver or spleen"
    lesion, steps = inputs.lesion_suv_mean, (inputs.blood_suv_mean, middle, inputs.parotid_suv_mean)
    known = [step for step in steps if step is not None]
    if lesion is None:
        return _abstain(inputs, "The lesion's uptake is not known.")
    if any(exceeds(lower, higher) for lower, higher in pairwise(known)):
        return _abstain(inputs, "The references are not in the order blood pool, liver or spleen, parotid.")
    for reached, (name, step) in enumerate(zip(("blood pool", organ, "parotid"), steps, strict=True)):
        if step is None:
            return _abstain(inputs, f"The uptake of {name} is not known, and the lesion reaches what lies below it.")
        if not reaches(lesion, step):
            reason = f"The lesion reaches {reached} of blood pool, {organ} and parotid."
            return conclude(Verdict(category=MiPsmaScore(str(reached)), reasons=(reason,)), rule=RULE, inputs=inputs)
    reason = f"The lesion reaches blood pool, {organ} and parotid."
    return conclude(Verdict(category=MiPsmaScore.SCORE_3, reasons=(reason,)), rule=RULE, inputs=inputs)


def _abstain(inputs: MiPsmaInputs, reason: str) -> Assessment[MiPsmaScore, MiPsmaInputs]:
    return conclude(Verdict(category=MiPsmaScore.NOT_EVALUABLE, reasons=(reason,)), rule=RULE, inputs=inputs)
