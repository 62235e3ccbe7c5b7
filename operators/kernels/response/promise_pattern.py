"""PROMISE miTNM: pattern of bone metastases (miM1b) on PSMA PET."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from operators.kernels.response.contract import NOT_EVALUABLE, Assessment, Figure, Rule, Verdict, conclude

RULE = Rule(name="PROMISE_MIM1B_PATTERN", version="V1", source="Eiber 2018, J Nucl Med 59:469 (PROMISE)")

OLIGOMETASTATIC_COUNT = 3
"""PROMISE: two and up to this many lesions are oligometastatic."""


class BonePattern(StrEnum):
    """Patterns of miM1b, and that there is none."""

    NO_BONE_METASTASIS = "no miM1b"
    UNIFOCAL = "unifocal"
    OLIGOMETASTATIC = "oligometastatic"
    DISSEMINATED = "disseminated"
    DIFFUSE_MARROW_INVOLVEMENT = "dmi"
    NOT_EVALUABLE = NOT_EVALUABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class PatternInputs:
    """The bone of each lesion, one entry a lesion; None where the skeleton was not assessed.

    `diffuse_marrow` is a finding of its own: counting lesions cannot show it.
    """

    lesion_bones: tuple[str, ...] | None
    diffuse_marrow: bool | None

    def __post_init__(self) -> None:
        if any(not bone for bone in self.lesion_bones or ()):
            raise ValueError("every lesion names its bone")


def assess_pattern(inputs: PatternInputs) -> Assessment[BonePattern, PatternInputs]:
    """Pattern from the number of lesions; diffuse marrow involvement comes first. Bones are named up to three."""
    bones = inputs.lesion_bones
    unknown = () if inputs.diffuse_marrow is not None else ("Whether the marrow is diffusely involved is not known.",)
    figures = () if bones is None else (Figure(name="bone_lesion_count", value=float(len(bones)), unit="1"),)
    return conclude(_verdict(inputs), rule=RULE, inputs=inputs, unknown=unknown, figures=figures)


def _verdict(inputs: PatternInputs) -> Verdict[BonePattern]:
    bones = inputs.lesion_bones
    if inputs.diffuse_marrow:
        return Verdict(category=BonePattern.DIFFUSE_MARROW_INVOLVEMENT, reasons=("The marrow is diffusely involved.",))
    if bones is None:
        return Verdict(category=BonePattern.NOT_EVALUABLE, reasons=("The skeleton was not assessed.",))
    if not bones:
        return Verdict(category=BonePattern.NO_BONE_METASTASIS, reasons=("No bone lesion was found.",))
    if len(bones) > OLIGOMETASTATIC_COUNT:
        return Verdict(category=BonePattern.DISSEMINATED, reasons=("There are more than three bone lesions.",))
    named = ", ".join(sorted(set(bones)))
    category = BonePattern.UNIFOCAL if len(bones) == 1 else BonePattern.OLIGOMETASTATIC
    return Verdict(category=category, reasons=(f"Involved: {named}.",))
