"""What one study gave: every lesion with its true values, those measured on its true mask, and those found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from operators.simulation.cohort.protocol_keys import Modality
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
class StudyRecord:
    """One study.

    Args:
        key: digest of everything that the record depends on.
        patient: number in the cohort.
        refusal: the reason's code where the branch could not assess the study; else empty.
        lesions: those in the field.
        true, given, found: values of the whole study.
        candidates, parts, false: of the branch, as `matching` has them.
    """

    key: str
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

    def save(self, path: Path) -> None:
        """Write it; the file is whole or absent."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(_ADAPTER.dump_json(self, indent=1) + b"\n")
        temporary.replace(path)


_ADAPTER = TypeAdapter(StudyRecord)


def load_record(path: Path, *, key: str) -> StudyRecord | None:
    """The record in a file; None where there is none, or one of another key or form."""
    try:
        record = _ADAPTER.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None  # unreadable is not done: the study is evaluated again
    return record if record.key == key else None
