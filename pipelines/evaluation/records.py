"""What one study gave: every lesion with its true values, those measured on its true mask, and those found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.kept import KeptRecord
from pipelines.evaluation.quantities import Quantity

Values = Mapping[Quantity, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionRecord:
    """One metastasis in the field of one study.

    Args:
        diameter_mm: of the ball of its true volume.
        resolutions: the diameter in units of what blurs the study most; None on a planar scan.
        is_shown: whether it has a voxel or a pixel of its own.
        why_not: why its values cannot be compared; empty where they can.
        true, given: true values, and those of the kernels on the true mask; what is not evaluable is left out.
        found: the branch's values of its partner; None where it has none.
    """

    name: str
    diameter_mm: float
    resolutions: float | None
    is_shown: bool
    why_not: str
    true: Values
    given: Values
    found: Values | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyRecord(KeptRecord):
    """One study.

    Args:
        patient: number in the cohort.
        refusal: the reason's code where the branch could not assess the study; else empty.
        lesions: those in the field.
        true, given, found: values of the whole study.
        candidates, parts, false: of the branch, as `matching` has them.
    """

    patient: int
    modality: Modality
    refusal: str
    lesions: tuple[LesionRecord, ...]
    true: Values = field(default_factory=dict)
    given: Values = field(default_factory=dict)
    found: Values = field(default_factory=dict)
    candidates: int = 0
    parts: int = 0
    false: int = 0
