"""miPSMA score, first version: a lesion's uptake against blood pool, liver (or spleen) and parotid."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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

    Abstains where an uptake or the ligand's excretion is not known and where the references are not in the
    order that the score assumes.
    """
    lesion, blood, parotid = inputs.lesion_suv_mean, inputs.blood_suv_mean, inputs.parotid_suv_mean
    middle = inputs.spleen_suv_mean if inputs.liver_excreted else inputs.liver_suv_mean
    if lesion is None or blood is None or middle is None or parotid is None or inputs.liver_excreted is None:
        return _abstain(inputs, "The lesion, a reference organ or the ligand's excretion is not known.")
    if exceeds(blood, middle) or exceeds(middle, parotid):
        return _abstain(inputs, "The references are not in the order blood pool, liver or spleen, parotid.")
    reached = sum(reaches(lesion, reference) for reference in (blood, middle, parotid))
    organ = "spleen" if inputs.liver_excreted else "liver"
    reason = f"The lesion reaches {reached} of blood pool, {organ} and parotid."
    verdict = Verdict(category=MiPsmaScore(str(reached)), reasons=(reason,))
    return conclude(verdict, rule=RULE, inputs=inputs)


def _abstain(inputs: MiPsmaInputs, reason: str) -> Assessment[MiPsmaScore, MiPsmaInputs]:
    return conclude(Verdict(category=MiPsmaScore.NOT_EVALUABLE, reasons=(reason,)), rule=RULE, inputs=inputs)
