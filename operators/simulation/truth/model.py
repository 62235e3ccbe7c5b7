"""What the truth of a study holds, as `truth.json` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer

from operators.simulation.anatomy.bones import Bone
from operators.simulation.patient import DecoyKind, LesionType, Vector

FORMAT = 1
FILE_NAME = "truth.json"
Matrix = tuple[tuple[float, ...], ...]


def _bone(value: object) -> object:
    return Bone[value] if isinstance(value, str) else value


BoneName = Annotated[Bone, BeforeValidator(_bone), PlainSerializer(lambda bone: bone.name)]
"""A bone, in the file by its name."""


class LabelKind(StrEnum):
    """The label maps of a series with slices."""

    LESIONS = "lesions"
    BONES = "bones"
    ORGANS = "organs"
    DECOYS = "decoys"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePoint:
    """Where a lesion's centre falls on a planar view: frame from 1, pixel centres are whole numbers."""

    frame: int
    view: str
    row: float
    column: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenLesion:
    """A lesion in one series.

    Args:
        voxels: of its label; pixels of its shadow, over all views, on a planar scan.
        volume_ml: of those voxels; None on a planar scan.
        points: where its centre falls; planar scans alone.
    """

    name: str
    voxels: int
    volume_ml: float | None = None
    points: tuple[ImagePoint, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesTruth:
    """One series.

    Args:
        contents: what its volumes are; empty for planar views.
        shape, affine_lps: of its label maps: (slice, row, column) to LPS millimetres; empty on a planar scan.
        files: label maps by kind, beside `truth.json`; series on one grid share them.
        views: of a planar scan in the order of its frames; `planar` is its file.
        lesions: in the order of their labels; a lesion outside the field has no voxels.
    """

    series_uid: str
    number: int
    modality: str
    description: str
    contents: tuple[str, ...] = ()
    frame_of_reference_uid: str = ""
    shape: tuple[int, ...] = ()
    affine_lps: Matrix = ()
    files: Mapping[LabelKind, str] = field(default_factory=dict)
    planar: str = ""
    views: tuple[str, ...] = ()
    to_pixel: tuple[Matrix, ...] = ()
    lesions: tuple[SeenLesion, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FocusTruth:
    """What was put in, before any blur or noise.

    Args:
        suv: SUVbw by tracer.
        lytic_suv: SUVbw of the lytic parts, of tracers whose uptake follows the sclerosis; `suv` is then that of the
            sclerotic ones.
        lytic_hu, sclerotic_hu: Hounsfield units at 120 kVp of its lytic and its sclerotic parts.
        adc_um2_s: apparent diffusion coefficient.
    """

    suv: Mapping[str, float]
    lytic_hu: float
    sclerotic_hu: float
    adc_um2_s: float
    t1_ms: float
    t2_ms: float
    fat_fraction: float
    metal: bool
    lytic_suv: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionTruth:
    """One metastasis.

    Args:
        label: its value in the label maps; its place, from 1, in the stack of a planar scan.
        centre_lps: centre of mass, millimetres, as the patient lies in this study; None where nothing of it is in bone.
        volume_ml: free of any grid.
        diameters_mm: of an ellipsoid with the same second moments, longest first.
        sclerotic_share, flesh_share: parts of the volume; the latter beyond the bone's surface.
        mean_sclerosis: over the whole volume, 0 where it is flesh; the lesion's mean of a quantity with a lytic and a
            sclerotic value lies so far between them. None in files of before it was kept, as is the next.
        sclerosis_range: the lowest and the highest in it.
        fate: since the prior; empty where there is none.
        partners: the lesions of the prior that it is, or that it came from.
    """

    name: str
    label: int
    bone: BoneName
    lesion_type: LesionType
    centre_lps: Vector | None
    volume_ml: float
    diameters_mm: Vector
    sclerotic_share: float
    flesh_share: float
    focus: FocusTruth
    fate: str = ""
    partners: tuple[str, ...] = ()
    mean_sclerosis: float | None = None
    sclerosis_range: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DecoyTruth:
    """Something that is not a metastasis."""

    name: str
    label: int
    kind: DecoyKind
    bone: BoneName
    inside_bone: bool
    focus: FocusTruth


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """What became of a lesion, or where it came from: `partners` are names at the other time."""

    kind: str
    partners: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BonePose:
    """Where a bone lies: an affine from the source's rest frame to LPS millimetres, one a part.

    `volume_ml` is the bone's, to the resolution of its depth field (about a millimetre); None in files of before it
    was kept. Two studies of one person have the same parts in the same order: the later affine times the inverse of
    the earlier one moves the bone from the earlier scan to the later.
    """

    bone: BoneName
    parts: tuple[Matrix, ...]
    volume_ml: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganValue:
    """The value of a tissue or bone before blur and noise: SUVbw for a tracer, HU for CT."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyTruth:
    """Everything that is true of one study.

    Args:
        person, posture, physiology, protocol, habits: what it was simulated from, field by field.
        gone: fates of the prior's lesions that are no more.
        values: by quantity (`suv:fdg`, `hu`) the values of organs and bones.
        label_values: what the values of the label maps mean, by kind; lesions and decoys are told by their `label`.
    """

    synthetic: Literal[True]
    format: int
    versions: Mapping[str, str]
    seed: int
    study_uid: str
    patient_id: str
    modality: str
    primary: str | None
    person: Mapping[str, Any]
    posture: Mapping[str, Any]
    physiology: Mapping[str, Any]
    protocol: Mapping[str, Any]
    habits: Mapping[str, Any]
    patient_digest: str
    lesions: tuple[LesionTruth, ...]
    gone: Mapping[str, Fate]
    decoys: tuple[DecoyTruth, ...]
    bones: tuple[BonePose, ...]
    values: Mapping[str, tuple[OrganValue, ...]]
    label_values: Mapping[LabelKind, Mapping[int, str]]
    series: tuple[SeriesTruth, ...]

    def lesion(self, name: str) -> LesionTruth:
        """A lesion by name. Raises KeyError where there is none."""
        for lesion in self.lesions:
            if lesion.name == name:
                return lesion
        raise KeyError(name)
