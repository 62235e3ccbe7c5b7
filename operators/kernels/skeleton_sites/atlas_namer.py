"""Names bones by the atlas: a patient's slices are aligned with it, and every voxel is looked up.

A convention of this project (SKELETON_ATLAS_V1). It trusts no number of a vertebra or rib without an end of the spine
in the field: the pelvis, from which lumbar vertebrae are counted, or the upper opening of the chest. Cervical vertebrae
are not told apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.bones import VERTEBRAE, Bone
from bmnode.domain.geometry import BoolArray, VolumeGeometry
from operators.kernels.bone import WorkingBone
from operators.kernels.resample import block_matrix
from operators.kernels.skeleton_sites.alignment import Alignment, AlignmentLimits, align
from operators.kernels.skeleton_sites.atlas import ATLAS_ID, PATH_LIMITS, SkeletonAtlas, shipped_atlas
from operators.kernels.skeleton_sites.frame import Coarse, spine_path
from operators.kernels.skeleton_sites.sites import SkeletonMap

METHOD = "SKELETON_ATLAS_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class AtlasLimits:
    """When the atlas' names are used.

    What exceeds `body_hu` outlines the patient. Nothing is named in a field narrower than `least_field_mm`, which shows
    one side only, or where the alignment's gain is below `least_gain`: a limb, or a piece of the body, fits a spine
    too. Sides are withheld within `midline_mm` of the midline. An end of the spine counts as seen where `anchor_mm`
    beyond it are in the field.
    """

    body_hu: float
    least_field_mm: float
    least_gain: float
    midline_mm: float
    anchor_mm: float
    alignment: AlignmentLimits


@dataclass(frozen=True, kw_only=True, slots=True)
class AtlasNamer:
    """A `SiteNamer` without a learned model."""

    limits: AtlasLimits

    def __call__(self, work: WorkingBone, geometry: VolumeGeometry) -> SkeletonMap:
        """The map of a CT's bone. Where the bone is not like the atlas, nothing is named and `basis` says so."""
        atlas = shipped_atlas()
        bones, sides = np.zeros(work.bone.shape, dtype=np.uint8), np.zeros(work.bone.shape, dtype=np.int8)
        certain: frozenset[Bone] = frozenset()
        found = self._align(work, atlas=atlas)
        if isinstance(found, str):
            basis: tuple[str, ...] = (found,)
        else:
            looked = _look_up(work.bone, found, atlas=atlas, spacing_mm=work.spacing_mm)
            bones[work.bone] = looked.bones
            sides[work.bone] = np.where(np.abs(looked.u_mm) >= self.limits.midline_mm, np.sign(looked.u_mm), 0)
            certain, sentence = certain_bones(found, atlas=atlas, anchor_mm=self.limits.anchor_mm)
            basis = (f"Bones are named by the atlas {ATLAS_ID} (SHA-256 {atlas.sha256[:16]}).", sentence)
        return SkeletonMap(
            bones=bones,
            sides=sides,
            matrix=block_matrix(work, geometry, work.factors),
            certain=certain,
            method=METHOD,
            basis=basis,
        )

    def _align(self, work: WorkingBone, *, atlas: SkeletonAtlas) -> Alignment | str:
        """How the patient lies in the atlas, or the sentence that says why nothing is named."""
        _, rows, columns = (size * step for size, step in zip(work.bone.shape, work.spacing_mm, strict=True))
        least = self.limits.least_field_mm
        if min(rows, columns) < least:
            return f"No bone is named: the field is {min(rows, columns):.0f} mm wide, and {least:g} mm are needed."
        coarse = Coarse.of(
            work.bone, work.hu > self.limits.body_hu, spacing_mm=work.spacing_mm, grid_mm=PATH_LIMITS.grid_mm
        )
        found = align(coarse, spine_path(coarse, limits=PATH_LIMITS), atlas=atlas, limits=self.limits.alignment)
        if found.gain < self.limits.least_gain:
            return f"No bone is named: likeness to a trunk is {found.gain:.0f}, needed is {self.limits.least_gain:g}."
        return found


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _LookedUp:
    """Of every voxel of bone in the mask's order: the likeliest bone, and the distance to the left of the midline."""

    bones: npt.NDArray[np.uint8]
    u_mm: npt.NDArray[np.float64]


def _look_up(
    bone: BoolArray, found: Alignment, *, atlas: SkeletonAtlas, spacing_mm: tuple[float, float, float]
) -> _LookedUp:
    places = [
        (index - (factor - 1) / 2.0) * step
        for index, step, factor in zip(np.nonzero(bone), spacing_mm, found.factors, strict=True)
    ]
    slices = places[0] / (spacing_mm[0] * found.factors[0])
    index = np.arange(len(found.heights_mm))
    height = np.interp(slices, index, found.heights_mm)
    dy = places[1] - np.interp(slices, index, found.middle_mm[:, 0])
    dx = places[2] - np.interp(slices, index, found.middle_mm[:, 1])
    turn = np.deg2rad(found.turn_deg)
    v, u = dy * np.cos(turn) - dx * np.sin(turn), dy * np.sin(turn) + dx * np.cos(turn)
    at = (
        _nearest(height, atlas.fine_heights_mm),
        _nearest(v / found.width, atlas.fine_v_mm),
        _nearest(np.abs(u) / found.width, atlas.fine_u_mm),
    )
    bones = atlas.bones[(found.posture, *at)]
    for sheet in atlas.bones:
        # What one posture of the arms leaves without a name, the other may name: an arm can lie its own way.
        bones = np.where(bones == 0, sheet[at], bones)
    behind = (bones == Bone.HIP) & (np.abs(u) < _SACRUM_MM * found.width) & (v > 0.0) & (height < 0.0)
    bones = np.where(behind, np.uint8(Bone.SACRUM), bones)
    return _LookedUp(bones=bones, u_mm=u)


_SACRUM_MM = 28.0
"""Behind the spine's course and this near the midline lies no hip bone: a sacrum that curves more than the atlas'."""


def _nearest(values: npt.NDArray[np.float64], axis: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    index = np.rint((values - axis[0]) / (axis[1] - axis[0])).astype(np.int64)
    return np.asarray(np.clip(index, 0, len(axis) - 1))


_SINGLE = frozenset(
    (
        Bone.SKULL,
        Bone.SACRUM,
        Bone.COCCYX,
        Bone.STERNUM,
        Bone.CLAVICLE,
        Bone.SCAPULA,
        Bone.HUMERUS,
        Bone.HIP,
        Bone.FEMUR,
    )
)
"""Bones that need no counting. Of the smaller ones of skull and limbs the atlas tells the group, not the bone."""
_ABOVE_T1_MM = 12.0
"""First ribs, collar bones and lung apices are in the field then."""


def certain_bones(found: Alignment, *, atlas: SkeletonAtlas, anchor_mm: float) -> tuple[frozenset[Bone], str]:
    """The bones whose name is trusted, with the sentence that says from where vertebrae and ribs were counted.

    From the pelvis L5 to L1, from the upper opening of the chest T1 to T6 and their ribs, and all that lie between
    where both are in the field: the further from an end, the likelier is the next level.
    """
    low, high = float(found.heights_mm.min()), float(found.heights_mm.max())
    height = dict(zip(VERTEBRAE, atlas.centre_mm.tolist(), strict=True))
    pelvis = low <= -anchor_mm and high >= height[Bone.L5]
    inlet = low <= height[Bone.T1] - anchor_mm and high >= height[Bone.T1] + _ABOVE_T1_MM
    levels: set[Bone] = set()
    for seen, first, last in (
        (pelvis, Bone.L1, Bone.L5),
        (inlet, Bone.T1, Bone.T6),
        (pelvis and inlet, Bone.T7, Bone.T12),
    ):
        if seen:
            levels |= {bone for bone in VERTEBRAE if first <= bone <= last}
    ends = [name for seen, name in ((pelvis, "the sacrum"), (inlet, "the upper opening of the chest")) if seen]
    ribs = {Bone(Bone.RIB_1 + number) for number in range(12) if VERTEBRAE[7 + number] in levels}
    if not ends:
        return _SINGLE, "No end of the spine is in the field: vertebrae and ribs have no number."
    return _SINGLE | levels | ribs, (
        f"Vertebrae are counted from {' and '.join(ends)}, taking 12 thoracic and 5 lumbar."
    )
