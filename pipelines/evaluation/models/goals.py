"""What a planar model has to reach on the ordinary cohort, and what the survey prints of other systems.

Targets are the project's own [P]. Published figures are those of the survey (Afnouch et al. 2024) by its reference
number; they are of real patients, other definitions and other truths, and no two of them can be compared strictly.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Quantity(StrEnum):
    """What is measured of a way of finding."""

    SKELETON_DICE = "skeleton Dice, mean of parts"
    PART_DICE = "skeleton Dice"
    SENSITIVITY_HALF = "lesion sensitivity at 0.5 false a view"
    SENSITIVITY_ONE = "lesion sensitivity at 1 false a view"
    SENSITIVITY_TWO = "lesion sensitivity at 2 false a view"
    FALSE_CANDIDATES = "false candidates a view, all candidates"
    LESION_DICE = "lesion Dice"
    PATIENT_AUC = "patient AUC"
    INDEX_R = "BSI, Pearson r"
    INDEX_BIAS = "BSI, bias"


MOST_FALSE: Mapping[Quantity, float] = MappingProxyType(
    {Quantity.SENSITIVITY_HALF: 0.5, Quantity.SENSITIVITY_ONE: 1.0, Quantity.SENSITIVITY_TWO: 2.0}
)
CONSPICUOUS, SHOWN = "lesions that stand out", "lesions with a shadow"
LEAST: Mapping[tuple[Quantity, str], float] = MappingProxyType(
    {
        (Quantity.SKELETON_DICE, "all"): 0.90,
        (Quantity.SENSITIVITY_ONE, CONSPICUOUS): 0.90,
        (Quantity.PATIENT_AUC, "all"): 0.97,
        (Quantity.INDEX_R, "all"): 0.98,
    }
)
"""By quantity and group; both views where there are two. Besides, the thresholds' figure has to be exceeded."""
PUBLISHED: Mapping[Quantity, str] = MappingProxyType(
    {
        Quantity.SKELETON_DICE: "[41] BtrflyNet: Dice .8756 of skeleton and hot spots",
        Quantity.SENSITIVITY_ONE: "[120]: sensitivity .9067, false a view not given; [109]: 2.13 (ANT) and 2.62 (POST) "
        "false, sensitivity not given",
        Quantity.LESION_DICE: "[120]: Dice .8920, by another source .7408 of hot spots",
        Quantity.PATIENT_AUC: "[72]: AUC .955",
        Quantity.INDEX_R: "[41] BtrflyNet: r .9337, by another source than the survey",
    }
)
