"""One smooth field of many rigid bones: between bones, the logarithms of their motions are blended by distance.

Arsigny, Commowick, Ayache, Pennec, J Math Imaging Vis 2009;33:222 (log-Euclidean polyaffine transformations). The
weights, and the smoothing where the blend would fold, are conventions of this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray
from operators.kernels.registration import se3
from operators.kernels.registration.bones import Piece
from operators.kernels.registration.field import DeformationField, Displacement
from operators.kernels.registration.skeletal_chain import BoneMotion
from operators.kernels.registration.transform import RigidTransform
from operators.kernels.skeleton_sites.sites import SkeletonMap

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendLimits:
    """How bones are blended.

    Nodes lie about `grid_mm` apart. A bone weighs 1 / (d + `edge_mm`) ** `power` at the distance d, nothing beyond
    `reach_mm`; the motion of the whole weighs as a bone at `background_mm`. Cells whose Jacobian determinant is below
    `least_jacobian` are smoothed, at most `rounds` times, outside bone first.
    """

    grid_mm: float
    edge_mm: float
    power: float
    reach_mm: float
    background_mm: float
    least_jacobian: float
    rounds: int

    def __post_init__(self) -> None:
        if min(self.grid_mm, self.edge_mm, self.power, self.reach_mm, self.background_mm) <= 0.0:
            raise ValueError("distances and the power are above zero")
        if not 0.0 < self.least_jacobian < 1.0 or self.rounds < 1:
            raise ValueError("a Jacobian determinant stays between 0 and 1, in a round or more")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Blend:
    """The field, and how far smoothing and the nodes' spacing took it from what was asked.

    Args:
        smoothed: nodes that were smoothed.
        negative: share of the cells with a determinant of zero or less; 0 of an invertible field.
        least_determinant: over all cells.
    """

    field: DeformationField
    smoothed: int
    negative: float
    least_determinant: float


def blend(
    bones: Sequence[BoneMotion],
    pieces: Sequence[Piece],
    *,
    skeleton: SkeletonMap,
    whole: RigidTransform,
    limits: BlendLimits,
) -> Blend:
    """The field over the grid of a map of bones, whose pieces move as `bones` say, and the rest between them."""
    steps = np.linalg.norm(skeleton.matrix[:3, :3], axis=0)
    factors = tuple(max(1, round(limits.grid_mm / step)) for step in steps)
    shape = tuple(max(2, -(-size // factor) + 1) for size, factor in zip(skeleton.bones.shape, factors, strict=True))
    nodes = _Nodes(shape=(shape[0], shape[1], shape[2]), factors=(factors[0], factors[1], factors[2]))
    matrix = skeleton.matrix @ np.diag([*factors, 1.0])
    centre = matrix[:3, :3] @ (np.array(shape) - 1.0) / 2.0 + matrix[:3, 3]
    twists = {bone.name: se3.log(se3.about(np.linalg.inv(whole.matrix) @ bone.motion, -centre)) for bone in bones}
    total = np.full(nodes.shape, (limits.background_mm + limits.edge_mm) ** -limits.power, dtype=np.float32)
    blended = np.zeros((*nodes.shape, 6), dtype=np.float32)
    solid = np.zeros(nodes.shape, dtype=np.bool_)
    for piece in pieces:
        if piece.name in twists:
            box, weight, inside = nodes.weight(piece, skeleton, spacing_mm=steps * factors, limits=limits)
            total[box] += weight
            blended[box] += weight[..., None] * twists[piece.name].astype(np.float32)
            solid[box] |= inside
    blended /= total[..., None]
    displacement = _displacement(blended, matrix=matrix, centre=centre)
    return _unfolded(DeformationField(displacement=displacement, matrix=matrix, rigid=whole), solid, limits=limits)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Nodes:
    """Every `factors`-th voxel of a map, from the first on, and one beyond the last."""

    shape: tuple[int, int, int]
    factors: tuple[int, int, int]

    def weight(
        self, piece: Piece, skeleton: SkeletonMap, *, spacing_mm: FloatArray, limits: BlendLimits
    ) -> tuple[tuple[slice, slice, slice], npt.NDArray[np.float32], BoolArray]:
        """The nodes in reach of a piece, its weight there, and whether a node's surroundings hold some of it."""
        name = piece.name
        z, y, x = piece.box
        mask = (skeleton.bones[z, y, x] == name.bone) & ((skeleton.sides[z, y, x] == name.side) | (name.side == 0))
        voxels = np.argwhere(mask) + np.array([part.start for part in piece.box])
        held = np.unique(np.rint(voxels / np.array(self.factors)).astype(np.intp), axis=0)
        margin = np.ceil(limits.reach_mm / spacing_mm).astype(int)
        low = np.maximum(held.min(axis=0) - margin, 0)
        high = np.minimum(held.max(axis=0) + margin + 1, self.shape)
        inside = np.zeros(tuple(high - low), dtype=np.bool_)
        inside[tuple((held - low).T)] = True
        distance = ndimage.distance_transform_edt(~inside, sampling=spacing_mm)
        floor = (limits.reach_mm + limits.edge_mm) ** -limits.power
        weight = np.maximum((distance + limits.edge_mm) ** -limits.power - floor, 0.0)
        a, b, c = (slice(int(first), int(last)) for first, last in zip(low, high, strict=True))
        return (a, b, c), weight.astype(np.float32), inside


def _displacement(twists: npt.NDArray[np.float32], *, matrix: FloatArray, centre: FloatArray) -> Displacement:
    """What the exponentials of twists (a, b, c, 6) about the centre do to the nodes, slice by slice."""
    result = np.empty((*twists.shape[:3], 3), dtype=np.float32)
    plane = np.stack(np.meshgrid(*(np.arange(size) for size in twists.shape[1:3]), indexing="ij"), axis=-1)
    for number in range(len(twists)):
        places = plane @ matrix[:3, 1:3].T + number * matrix[:3, 0] + matrix[:3, 3] - centre
        result[number] = se3.moved(places, twists[number].astype(np.float64)) - places
    return result


def _unfolded(field: DeformationField, solid: BoolArray, *, limits: BlendLimits) -> Blend:
    """The field smoothed about every cell that comes too near to folding; in bone only in the second half of rounds."""
    touched = np.zeros(solid.shape, dtype=np.bool_)
    for number in range(limits.rounds + 1):
        determinants = field.jacobian_determinants()
        bad = determinants < limits.least_jacobian
        if not bad.any() or number == limits.rounds:
            break
        about = ndimage.binary_dilation(_corners(bad, solid.shape), iterations=1 + number // 4)
        if number < limits.rounds // 2:
            about &= ~solid
        touched |= about
        smooth = np.stack(
            [ndimage.gaussian_filter(field.displacement[..., axis], 1.0, mode="nearest") for axis in range(3)], axis=-1
        )
        field = replace(field, displacement=np.where(about[..., None], smooth, field.displacement))
    return Blend(
        field=field,
        smoothed=int(np.count_nonzero(touched)),
        negative=float(np.mean(determinants <= 0.0)),
        least_determinant=float(determinants.min()),
    )


def _corners(cells: BoolArray, shape: tuple[int, ...]) -> BoolArray:
    """Nodes at a corner of these cells."""
    nodes = np.zeros(shape, dtype=np.bool_)
    for corner in np.ndindex(2, 2, 2):
        z, y, x = (slice(first, first + size) for first, size in zip(corner, cells.shape, strict=True))
        nodes[z, y, x] |= cells
    return nodes
