"""Which bone hangs on which, and the points by which each bone of a map is registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.bones import VERTEBRAE, Bone
from operators.kernels.skeleton_sites.sites import LEFT, RIGHT, SkeletonMap

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class SidedBone:
    """A bone and its side: 1 left, -1 right, 0 of a bone of the midline."""

    bone: Bone
    side: int = 0

    def __post_init__(self) -> None:
        if (self.side != 0) != self.bone.is_paired or self.side not in (LEFT, 0, RIGHT):
            raise ValueError(f"{self.bone.name}: a paired bone has a side, another has none")

    @property
    def name(self) -> str:
        """In words that a report may print."""
        side = {LEFT: "left ", RIGHT: "right "}.get(self.side, "")
        return f"{side}{self.bone.name.replace('_', ' ').lower() if not self.bone.is_vertebra else self.bone.name}"


_LIMBS: tuple[tuple[Bone, Bone], ...] = (
    (Bone.SACRUM, Bone.HIP),
    (Bone.HIP, Bone.FEMUR),
    (Bone.FEMUR, Bone.PATELLA),
    (Bone.FEMUR, Bone.TIBIA),
    (Bone.TIBIA, Bone.FIBULA),
    (Bone.TIBIA, Bone.FOOT),
    (Bone.RIB_3, Bone.SCAPULA),
    (Bone.RIB_1, Bone.CLAVICLE),
    (Bone.SCAPULA, Bone.HUMERUS),
    (Bone.HUMERUS, Bone.ULNA),
    (Bone.ULNA, Bone.RADIUS),
    (Bone.ULNA, Bone.HAND),
)
"""Of paired bones, from the trunk outwards. Scapula and clavicle have no joint with a rib: they lie on it."""


def _joints() -> dict[SidedBone, tuple[SidedBone, ...]]:
    pairs = [(SidedBone(bone=a), SidedBone(bone=b)) for a, b in pairwise(VERTEBRAE)]
    pairs += [
        (SidedBone(bone=Bone.L5), SidedBone(bone=Bone.SACRUM)),
        (SidedBone(bone=Bone.SACRUM), SidedBone(bone=Bone.COCCYX)),
        (SidedBone(bone=Bone.C1), SidedBone(bone=Bone.SKULL)),
        (SidedBone(bone=Bone.SKULL), SidedBone(bone=Bone.MANDIBLE)),
        (SidedBone(bone=Bone.T4), SidedBone(bone=Bone.STERNUM)),
    ]
    for side in (LEFT, RIGHT):
        for inner, outer in _LIMBS:
            pairs.append((SidedBone(bone=inner, side=side if inner.is_paired else 0), SidedBone(bone=outer, side=side)))
        for number in range(12):
            rib = SidedBone(bone=Bone(Bone.RIB_1 + number), side=side)
            pairs.append((SidedBone(bone=Bone(Bone.T1 + number)), rib))
    joints: dict[SidedBone, list[SidedBone]] = {}
    for one, other in pairs:
        joints.setdefault(one, []).append(other)
        joints.setdefault(other, []).append(one)
    return {bone: tuple(found) for bone, found in joints.items()}


JOINTS: Mapping[SidedBone, tuple[SidedBone, ...]] = MappingProxyType(_joints())
"""The bones beside each bone, a tree. The sternum hangs on T4, at whose height its upper joints with the ribs lie."""


def next_in_row(bone: SidedBone) -> SidedBone | None:
    """The vertebra below, or the rib below on the same side; None where no such row goes on."""
    if bone.bone.is_vertebra and bone.bone is not VERTEBRAE[-1]:
        return SidedBone(bone=VERTEBRAE[VERTEBRAE.index(bone.bone) + 1])
    if bone.bone.is_rib and bone.bone is not Bone.RIB_12:
        return SidedBone(bone=Bone(bone.bone + 1), side=bone.side)
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class PieceLimits:
    """A piece has at least `least_ml` of named bone; up to `points` of its voxels are taken, of the shell of soft
    tissue about it as well."""

    least_ml: float
    points: int
    shell_mm: float

    def __post_init__(self) -> None:
        if self.least_ml <= 0.0 or self.points < 100 or self.shell_mm < 0.0:
            raise ValueError("a piece has a volume, and a hundred points or more")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Piece:
    """What one map calls one bone.

    Args:
        points_mm: (n, 3) LPS, of the bone and the tissue about it.
        centre_mm: (3,) mean of the bone's own voxels.
        box: of its voxels on the map.
        volume_ml: of the bone.
    """

    name: SidedBone
    points_mm: FloatArray
    centre_mm: FloatArray
    box: tuple[slice, slice, slice]
    volume_ml: float


def pieces_of(skeleton: SkeletonMap, *, limits: PieceLimits) -> tuple[Piece, ...]:
    """Every bone of a map with enough volume, by name. Of a paired bone, voxels without a side belong to none."""
    voxel_ml = abs(float(np.linalg.det(skeleton.matrix[:3, :3]))) / 1000.0
    reach = tuple(max(1, round(limits.shell_mm / step)) for step in np.linalg.norm(skeleton.matrix[:3, :3], axis=0))
    found = []
    for value, box in enumerate(ndimage.find_objects(skeleton.bones), start=1):
        if box is None:
            continue
        bone = Bone(value)
        wide = tuple(
            slice(max(0, part.start - margin), min(size, part.stop + margin))
            for part, margin, size in zip(box, reach, skeleton.bones.shape, strict=True)
        )
        z, y, x = wide
        for side in (LEFT, RIGHT) if bone.is_paired else (0,):
            mask = (skeleton.bones[z, y, x] == bone) & ((skeleton.sides[z, y, x] == side) | (side == 0))
            volume = float(np.count_nonzero(mask)) * voxel_ml
            if volume >= limits.least_ml:
                name = SidedBone(bone=bone, side=side)
                found.append(_piece(name, mask, (z, y, x), skeleton=skeleton, limits=limits))
    return tuple(sorted(found, key=lambda piece: piece.name))


def _piece(
    name: SidedBone,
    mask: npt.NDArray[np.bool_],
    box: tuple[slice, slice, slice],
    *,
    skeleton: SkeletonMap,
    limits: PieceLimits,
) -> Piece:
    steps = np.linalg.norm(skeleton.matrix[:3, :3], axis=0)
    about = ndimage.distance_transform_edt(~mask, sampling=steps) <= limits.shell_mm
    start = np.array([part.start for part in box])
    voxels = np.argwhere(about)
    if len(voxels) > limits.points:
        chosen = np.random.default_rng(int(name.bone)).choice(len(voxels), size=limits.points, replace=False)
        voxels = voxels[np.sort(chosen)]
    own = np.argwhere(mask)
    to_lps = skeleton.matrix
    return Piece(
        name=name,
        points_mm=np.asarray((voxels + start) @ to_lps[:3, :3].T + to_lps[:3, 3]),
        centre_mm=np.asarray((own.mean(axis=0) + start) @ to_lps[:3, :3].T + to_lps[:3, 3]),
        box=box,
        volume_ml=float(len(own)) * abs(float(np.linalg.det(to_lps[:3, :3]))) / 1000.0,
    )
