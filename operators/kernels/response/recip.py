"""RECIP 1.0: response on PSMA PET from the PSMA-positive tumour volume and new lesions."""

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
    percent_change,
    reaches,
)

RULE = Rule(name="RECIP", version="1.0", source="Gafita 2022, J Nucl Med 63:1651")

PARTIAL_DECREASE_PERCENT = 30.0
"""Gafita 2022: PR at a decrease of 30 % or more; exactly 30 % is PR."""
PROGRESSION_INCREASE_PERCENT = 20.0
"""Gafita 2022: PD at an increase of 20 % or more with a new lesion; exactly 20 % counts."""


class RecipCategory(StrEnum):
    """RECIP's terms."""

    CR = "RECIP-CR"
    PR = "RECIP-PR"
    SD = "RECIP-SD"
    PD = "RECIP-PD"
    NOT_EVALUABLE = NOT_EVALUABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipInputs:
    """PSMA-positive tumour volumes of the whole body, and whether a lesion is new; None where not known."""

    baseline_volume_ml: float | None
    follow_up_volume_ml: float | None
    new_lesion: bool | None

    def __post_init__(self) -> None:
        check_amount("baseline_volume_ml", self.baseline_volume_ml)
        check_amount("follow_up_volume_ml", self.follow_up_volume_ml)


def assess_recip(inputs: RecipInputs) -> Assessment[RecipCategory, RecipInputs]:
    """RECIP 1.0 (Gafita 2022).

    New lesions decide only where the volume falls by 30 % or rises by 20 %: between, the category is SD
    even if they are not known.
    """
    before, after = inputs.baseline_volume_ml, inputs.follow_up_volume_ml
    change = percent_change(before, after) if before is not None and after is not None else None
    if before is None or after is None or change is None:
        verdict = Verdict(
            category=RecipCategory.NOT_EVALUABLE,
            reasons=("The PSMA-positive tumour volume of a time point is not known or is 0 mL at baseline.",),
        )
        return conclude(verdict, rule=RULE, inputs=inputs)
    figures = (Figure(name="psma_volume_change", value=change, unit="%"),)
    return conclude(_verdict(change, after, inputs.new_lesion), rule=RULE, inputs=inputs, figures=figures)


def _verdict(change: float, after: float, new_lesion: bool | None) -> Verdict[RecipCategory]:
    fell, rose = reaches(-change, PARTIAL_DECREASE_PERCENT), reaches(change, PROGRESSION_INCREASE_PERCENT)
    if not fell and not rose:
        unknown = ("Whether a lesion is new is not known; it would not change the category.",)
        return Verdict(
            category=RecipCategory.SD,
            reasons=("The volume fell by less than 30 % and rose by less than 20 %.",),
            unknown=unknown if new_lesion is None else (),
        )
    if new_lesion is None:
        return Verdict(
            category=RecipCategory.NOT_EVALUABLE,
            reasons=("Whether a lesion is new is not known, and the category depends on it.",),
        )
    if not rose and not new_lesion and after == 0.0:
        return Verdict(category=RecipCategory.CR, reasons=("No PSMA-positive volume is left and no lesion is new.",))
    category, reason = _DECIDED[rose, new_lesion]
    return Verdict(category=category, reasons=(reason,))


_DECIDED = {
    (True, True): (RecipCategory.PD, "The volume rose by 20 % or more and a lesion is new."),
    (True, False): (RecipCategory.SD, "The volume rose by 20 % or more, but no lesion is new."),
    (False, True): (RecipCategory.SD, "The volume fell by 30 % or more, but a lesion is new."),
    (False, False): (RecipCategory.PR, "The volume fell by 30 % or more and no lesion is new."),
}
"""By (volume rose by 20 % or more, a lesion is new); otherwise it fell by 30 % or more."""
