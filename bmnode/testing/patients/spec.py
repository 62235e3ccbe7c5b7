"""What a synthetic patient is, and the truth that goes with one: frozen data, no image yet."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from bmnode.domain.ids import derive_uid
from bmnode.domain.study import Branch, Reason

Vector = tuple[float, float, float]
"""(x, y, z) in LPS millimetres: +x to the patient's left, +y posterior, +z to the head."""

_NAMESPACE = "bmnode.testing.patients"


class Side(StrEnum):
    """The patient's side, never the image's."""

    LEFT = "left"
    RIGHT = "right"
    MIDLINE = "midline"


class LesionKind(StrEnum):
    """How a lesion shows itself."""

    LYTIC = "lytic"
    SCLEROTIC = "sclerotic"
    HOT = "hot"
    RESTRICTED = "restricted"


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionSpec:
    """One ellipsoidal lesion to put into one bone; it never leaves the bone.

    Args:
        bone: name of the bone, e.g. `L3`, `ilium`, `rib 7` (`bmnode.testing.patients.skeleton`).
        side: LEFT or RIGHT for a paired bone, MIDLINE for a single one.
        kind: how it shows itself.
        radii_mm: semi-axes along x, y and z.
        value: HU for LYTIC and SCLEROTIC; ADC in µm²/s for RESTRICTED; for HOT the SUV (PET,
            SPECT) or the uptake relative to normal bone (bone scan).
        offset_mm: from the bone's anchor to the lesion's centre.
        ct_hu: how a HOT lesion looks on the CT of a hybrid study; None leaves the bone as it is.
    """

    bone: str
    kind: LesionKind
    value: float
    side: Side = Side.MIDLINE
    radii_mm: Vector = (11.0, 11.0, 11.0)
    offset_mm: Vector = (0.0, 0.0, 0.0)
    ct_hu: float | None = None

    def __post_init__(self) -> None:
        if min(self.radii_mm) <= 0:
            raise ValueError(f"lesion of {self.bone}: every radius is above zero")
        if not all(math.isfinite(number) for number in (self.value, *self.radii_mm, *self.offset_mm)):
            raise ValueError(f"lesion of {self.bone}: every number is finite")


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientSpec:
    """A synthetic patient and the moment of the study. Equal specifications give equal bytes.

    Args:
        seed: of everything that is drawn at random: body size, texture, noise.
        patient_id: Patient ID (0010,0020).
        lesions: what to put in; None takes the modality's own set, an empty tuple a healthy skeleton.
    """

    seed: int
    patient_id: str
    sex: str = "M"
    age_years: int = 68
    weight_kg: float = 78.0
    height_m: float = 1.75
    study_start: datetime = datetime(2025, 3, 10, 9, 0, tzinfo=UTC)
    lesions: tuple[LesionSpec, ...] | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError("a seed is zero or above")
        if not 0 < len(self.patient_id) <= 64:
            raise ValueError("a Patient ID has 1 to 64 characters")
        if self.sex not in {"M", "F", "O"}:
            raise ValueError("Patient's Sex is M, F or O")
        if not (20 <= self.weight_kg <= 300 and 1.2 <= self.height_m <= 2.2):
            raise ValueError("the synthetic anatomy is an adult's: 20 to 300 kg, 1.2 to 2.2 m")
        if self.study_start.utcoffset() != timedelta(0):
            raise ValueError("study_start is an aware UTC time")

    def uid(self, *parts: str) -> str:
        """A UID that depends on the whole specification and the parts."""
        return derive_uid(_NAMESPACE, repr(self), *parts)

    def lesions_or(self, default: tuple[LesionSpec, ...]) -> tuple[LesionSpec, ...]:
        """The lesions asked for, or the modality's own."""
        return default if self.lesions is None else self.lesions


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePoint:
    """Where a lesion falls on one frame: pixel centres are whole numbers, (0, 0) is the first pixel."""

    frame_number: int
    column: float
    row: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionTruth:
    """One lesion as it was put in.

    Args:
        center_lps: centroid of the part inside bone, in millimetres.
        volume_ml: of that part, integrated at 1 mm, whatever the image's grid.
        voxel_count: voxels of the primary series whose centre lies in it.
        value: mean of the tissue before blur and noise, in `unit` (UCUM).
        image_points: on planar images, one per frame.
    """

    bone: str
    side: Side
    kind: LesionKind
    center_lps: Vector
    volume_ml: float
    voxel_count: int
    value: float
    unit: str
    image_points: tuple[ImagePoint, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyTruth:
    """What is in a study. `normal_value` is that of healthy marrow or bone, in the lesions' unit."""

    lesions: tuple[LesionTruth, ...] = ()
    normal_value: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticStudy:
    """A study that was written, with its truth.

    Args:
        branch: the branch that assesses it; None where it must be refused.
        refusal: the reason expected where `branch` is None; None where the sender's own error
            keeps it from becoming a study at all.
        files: the DICOM files, in the order in which a scanner would send them.
        truth_file: the truth as JSON, outside the folder of the files.
    """

    name: str
    study_uid: str
    branch: Branch | None
    description: str
    files: tuple[Path, ...]
    truth_file: Path
    truth: StudyTruth = field(default_factory=StudyTruth)
    refusal: Reason | None = None

    @property
    def dicom_folder(self) -> Path:
        """The folder that holds the DICOM files and nothing else."""
        return self.files[0].parent

    def write_truth(self) -> SyntheticStudy:
        """Write `truth_file` and return the study."""
        content = {
            "study_uid": self.study_uid,
            "branch": self.branch,
            "refusal": self.refusal,
            "description": self.description,
            "synthetic": True,
            **asdict(self.truth),
        }
        self.truth_file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        return self
