"""The body around the skeleton: skin and fascia as smooth surfaces whose volumes follow from weight and height.

Each segment of the body is the convex hull of its bones, grown by a thickness of its own. Trunk, arms and legs
are blended from their segments and then only touch: an arm beside the trunk is not grown together with it. One
number, how far the segments grow, is solved so that the volume inside the skin is that of the
person; a second so that what lies between skin and fascia is the subcutaneous fat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.outline_table import GROUPS, SEGMENTS, Segment, Slice
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.anatomy.pose import PosedSkeleton

FloatArray = npt.NDArray[np.float64]
Field = npt.NDArray[np.float32]

GRID_MM = 10.0
_BLEND_MM = 12.0
"""Over this distance neighbouring segments flow into each other."""
_SMOOTH_MM = {"trunk": 13.0}
_SMOOTH_LIMB_MM = 8.0
"""Standard deviation that rounds the edges of the hulls."""
_GROWTH_MM = (-60.0, 260.0)
_SKIN_OVER_BONE_MM, _FASCIA_OVER_BONE_MM = 3.0, 1.0
_COARSE, _COARSE_ROUNDS, _FINE_ROUNDS = 2, 12, 6
"""The growth is bracketed on every second node, then found on all of them."""
_BRACKET_MM = 4.0
_REACH_MM, _REACH_PER_INDEX_MM = 50.0, 4.0
"""How far the grid reaches beyond the bones, by body mass index above 18."""
_FAR_MM = 400.0
_STRAIGHT = 1e-12

_ON_COUCH = ("vertebra", "rib", "scapula", "sacrum")
_BEHIND_BONE_MM, _BEHIND_PER_INDEX_MM, _LEAN_INDEX = 10.0, 1.2, 20.0
_FAT_ON_COUCH_MM = 5.0
_COUCH_EDGE_MM = 8.0
"""Who lies on their back is flat there: flesh behind the rearmost bone, more of it in a stout person (chosen)."""

_AGE_YEARS = 60.0
"""Of every person, in the fat formula."""
FAT_DENSITY, LEAN_DENSITY = 0.900, 1.100
"""g/mL (Siri 1961)."""
_LUNG_AIR_ML = {Sex.MALE: (2500.0, 176.0), Sex.FEMALE: (2000.0, 163.0)}
"""Air inside the outline, supine at rest, of a person of a height in cm: three quarters of the functional residual
capacity of ICRP 89 (3.3 and 2.7 L, upright)."""
_AIR_PER_INDEX, _NORMAL_INDEX = 0.015, 25.0
"""A stout belly lifts the diaphragm (chosen)."""
_SUBCUTANEOUS_SHARE = 0.8
"""Of all fat; the rest lies between the organs."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outline:
    """Skin and fascia of a person, where their bones lie.

    Args:
        skin, fascia: float32 (z, y, x), millimetres outside the surface (negative inside), on nodes
            GRID_MM apart from `origin_mm` (x, y, z) in LPS. The fascia lies inside the skin.
    """

    skin: Field
    fascia: Field
    origin_mm: tuple[float, float, float]

    @property
    def volume_ml(self) -> float:
        """Volume inside the skin."""
        return _volume_ml(self.skin)

    @property
    def subcutaneous_ml(self) -> float:
        """Volume between skin and fascia."""
        return self.volume_ml - _volume_ml(self.fascia)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Corners of the box around the skin, LPS millimetres."""
        inside = np.argwhere(self.skin <= 0)[:, ::-1]
        origin = np.asarray(self.origin_mm)
        return origin + GRID_MM * (inside.min(axis=0) - 2.0), origin + GRID_MM * (inside.max(axis=0) + 2.0)

    def at(self, field: Field, points: FloatArray) -> Field:
        """A field at points (..., 3) in LPS, trilinear; far outside where it does not reach."""
        node = (points - np.asarray(self.origin_mm)) / GRID_MM
        flat = node.reshape(-1, 3)[:, ::-1].T
        found = ndimage.map_coordinates(field, flat, order=1, cval=_FAR_MM)
        return np.asarray(found.reshape(points.shape[:-1]))

    def on_grid(self, field: Field, geometry: VolumeGeometry, *, slices: slice) -> Field:
        """A field on some slices (slice, row, column) of a grid, trilinear; far outside where it does not reach."""
        count = len(range(*slices.indices(geometry.shape[0])))
        to_node = np.linalg.inv(_node_matrix(self.origin_mm)) @ geometry.matrix
        start = np.array([slices.start or 0, 0, 0], dtype=np.float64)
        linear = to_node[:3, :3]
        # Grids along the axes are looked up several times faster.
        straight = np.count_nonzero(np.abs(linear) > _STRAIGHT) == 3 and bool(np.all(np.diag(linear)))
        return np.asarray(
            ndimage.affine_transform(
                field,
                np.diag(linear).copy() if straight else linear,
                offset=to_node[:3, 3] + linear @ start,
                output_shape=(count, *geometry.shape[1:]),
                order=1,
                cval=_FAR_MM,
            )
        )


def _node_matrix(origin: tuple[float, float, float]) -> FloatArray:
    """From node (z, y, x) to LPS millimetres."""
    matrix = np.zeros((4, 4))
    matrix[0, 2] = matrix[1, 1] = matrix[2, 0] = GRID_MM
    matrix[:3, 3] = origin
    matrix[3, 3] = 1.0
    return matrix


def fat_fraction(spec: PersonSpec) -> float:
    """Share of fat in the body's mass at 60 years, kept in 0.06 to 0.55 (Deurenberg 1991, Br J Nutr 65:105)."""
    male = 1.0 if spec.sex is Sex.MALE else 0.0
    percent = 1.20 * spec.body_mass_index + 0.23 * _AGE_YEARS - 10.8 * male - 5.4
    return float(np.clip(percent / 100.0, 0.06, 0.55))


def lung_air_ml(spec: PersonSpec) -> float:
    """Air in the lungs, supine at rest; it grows with the cube of the height and falls with the body mass index."""
    air, height = _LUNG_AIR_ML[spec.sex]
    stout = np.exp(-_AIR_PER_INDEX * max(spec.body_mass_index - _NORMAL_INDEX, 0.0))
    return float(air * (spec.height_cm / height) ** 3 * stout)


def body_volume_ml(spec: PersonSpec) -> float:
    """Volume inside the skin: fat and lean mass at their densities (Siri 1961) and the air in the lungs."""
    fat = fat_fraction(spec)
    grams = spec.weight_kg * 1000.0
    return grams * (fat / FAT_DENSITY + (1.0 - fat) / LEAN_DENSITY) + lung_air_ml(spec)


def subcutaneous_volume_ml(spec: PersonSpec) -> float:
    """Volume of the fat under the skin."""
    return spec.weight_kg * 1000.0 * fat_fraction(spec) * _SUBCUTANEOUS_SHARE / FAT_DENSITY


def outline(skeleton: PosedSkeleton) -> Outline:
    """Wrap the body around a posed skeleton."""
    low, high = skeleton.bounds()
    reach = _REACH_MM + _REACH_PER_INDEX_MM * max(skeleton.spec.body_mass_index - 18.0, 0.0)
    origin = low - reach
    shape = np.ceil((high - low + 2 * reach) / GRID_MM).astype(int) + 1
    shape += shape % _COARSE
    segments = [segment for segment in SEGMENTS if segment.sex in (None, skeleton.spec.sex)]
    reached = [_reached(_segment_points(skeleton, segment), segment, origin, shape, reach) for segment in segments]
    lean_alone = [one for one in reached if not one.segment.fat_alone]
    target = body_volume_ml(skeleton.spec)
    lean = target - subcutaneous_volume_ml(skeleton.spec)
    size = (int(shape[2]), int(shape[1]), int(shape[0]))
    couch = _couch_mm(skeleton) - float(origin[1])
    skin = _grown(reached, size, target_ml=target, least_mm=_SKIN_OVER_BONE_MM, couch_mm=couch)
    inner = _grown(lean_alone, size, target_ml=lean, least_mm=_FASCIA_OVER_BONE_MM, couch_mm=couch - _FAT_ON_COUCH_MM)
    return Outline(
        skin=skin,
        fascia=np.maximum(inner, skin),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
    )


def _couch_mm(skeleton: PosedSkeleton) -> float:
    """LPS y of the couch on which the back is flattened: a little behind the rearmost bone of the trunk."""
    trunk = [placed for placed in skeleton.parts if placed.bone is not None and placed.bone.kind in _ON_COUCH]
    rear = max(float(placed.vertices_lps[:, 1].max()) for placed in trunk)
    stout = max(skeleton.spec.body_mass_index - _LEAN_INDEX, 0.0)
    return rear + _BEHIND_BONE_MM + _BEHIND_PER_INDEX_MM * stout


def _segment_points(skeleton: PosedSkeleton, segment: Segment) -> FloatArray:
    points = [
        placed.vertices_lps[_in_slice(placed.part.vertices, piece)]
        for piece in segment.slices
        for placed in skeleton.parts
        if placed.bone in piece.bones
    ]
    return np.asarray(np.concatenate(points) + np.array(segment.shift_mm))


def _in_slice(vertices: FloatArray, piece: Slice) -> npt.NDArray[np.bool_]:
    """Vertices between two fractions of the bone's length, from its upper end, and up to one of its depth, from
    its front, in the rest frame."""
    depth, height = vertices[:, 1], vertices[:, 2]
    from_top = (height.max() - height) / max(float(np.ptp(height)), 1e-6)
    from_front = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-6)
    return np.asarray((from_top >= piece.first) & (from_top <= piece.last) & (from_front <= piece.front))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reached:
    """How far nodes lie outside one segment's hull, on the part of the grid that it can grow to."""

    segment: Segment
    box: tuple[slice, slice, slice]
    distance: Field

    def thinned(self) -> _Reached:
        k, j, i = (slice(axis.start // _COARSE, axis.stop // _COARSE) for axis in self.box)
        return _Reached(
            segment=self.segment, box=(k, j, i), distance=self.distance[::_COARSE, ::_COARSE, ::_COARSE].copy()
        )


def _reached(
    corners: FloatArray, segment: Segment, origin: FloatArray, shape: npt.NDArray[np.int64], reach: float
) -> _Reached:
    first = np.floor((corners.min(axis=0) - reach - origin) / GRID_MM / _COARSE).astype(int) * _COARSE
    last = np.ceil((corners.max(axis=0) + reach - origin) / GRID_MM / _COARSE).astype(int) * _COARSE
    first, last = np.clip(first, 0, shape), np.clip(last, 0, shape)
    axes = [origin[axis] + GRID_MM * np.arange(first[axis], last[axis]) for axis in range(3)]
    z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij", sparse=True)
    distance = np.full((z.size, y.size, x.size), -_FAR_MM, dtype=np.float32)
    for normal in _directions(corners):
        along = normal[0] * x + normal[1] * y + normal[2] * z - (corners @ normal).max()
        np.maximum(distance, along.astype(np.float32), out=distance)
    k, j, i = (slice(int(first[axis]), int(last[axis])) for axis in (2, 1, 0))
    return _Reached(segment=segment, box=(k, j, i), distance=distance)


def _directions(corners: FloatArray) -> FloatArray:
    """The normals of a convex hull's planes; planes that hardly differ count once."""
    normals = ConvexHull(corners).equations[:, :3]
    _, chosen = np.unique(np.rint(normals * 5).astype(int), axis=0, return_index=True)
    return np.asarray(normals[chosen])


def _grown(
    reached: list[_Reached], shape: tuple[int, int, int], *, target_ml: float, least_mm: float, couch_mm: float
) -> Field:
    """The segments, grown until the volume inside is the target, blended and smoothed, flat on the couch."""
    thinned = [one.thinned() for one in reached]
    small = (shape[0] // _COARSE, shape[1] // _COARSE, shape[2] // _COARSE)

    def field(growth: float, *, coarse: bool = False) -> Field:
        step = GRID_MM * _COARSE if coarse else GRID_MM
        grown = _blend(thinned if coarse else reached, small if coarse else shape, growth, least_mm, step)
        behind = (step * np.arange(grown.shape[1], dtype=np.float32) - couch_mm)[:, None]
        return _edged(grown, behind)

    def volume_ml(growth: float, *, coarse: bool) -> float:
        return _volume_ml(field(growth, coarse=coarse), GRID_MM * _COARSE if coarse else GRID_MM)

    middle = _bisect(lambda growth: volume_ml(growth, coarse=True) < target_ml, _GROWTH_MM, rounds=_COARSE_ROUNDS)
    near = (middle - _BRACKET_MM, middle + _BRACKET_MM)
    growth = _bisect(lambda growth: volume_ml(growth, coarse=False) < target_ml, near, rounds=_FINE_ROUNDS)
    return field(growth)


def _edged(first: Field, second: Field) -> Field:
    """The larger of two fields, rounded where they cross."""
    mix = np.clip(0.5 + (second - first) / (2.0 * _COUCH_EDGE_MM), 0.0, 1.0)
    return np.asarray(first + (second - first) * mix + _COUCH_EDGE_MM * mix * (1.0 - mix), dtype=np.float32)


def _bisect(is_below: Callable[[float], bool], bracket: tuple[float, float], *, rounds: int) -> float:
    """Where a condition turns false, by halving; the bracket's nearer end where it does not turn inside."""
    low, high = bracket
    for _ in range(rounds):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


def _blend(
    reached: list[_Reached], shape: tuple[int, int, int], growth: float, least_mm: float, step_mm: float
) -> Field:
    field = np.full(shape, _FAR_MM, dtype=np.float32)
    for group in GROUPS:
        members = [one for one in reached if group in one.segment.groups]
        box = _around([one.box for one in members])
        total = np.full(tuple(axis.stop - axis.start for axis in box), np.exp(-_FAR_MM / _BLEND_MM), dtype=np.float32)
        for one in members:
            thickness = max(one.segment.thickness_mm + one.segment.growth * growth, least_mm)
            within = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(one.box, box, strict=True))
            total[within] += np.exp(np.clip((thickness - one.distance) / _BLEND_MM, -60.0, 60.0))
        width = _SMOOTH_MM.get(group, _SMOOTH_LIMB_MM)
        smooth = ndimage.gaussian_filter(-_BLEND_MM * np.log(total), width / step_mm)
        np.minimum(field[box], smooth, out=field[box])
    return field


def _around(boxes: list[tuple[slice, slice, slice]]) -> tuple[slice, slice, slice]:
    k, j, i = (slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes)) for axis in range(3))
    return k, j, i


def _volume_ml(field: Field, step_mm: float = GRID_MM) -> float:
    return float(np.clip(0.5 - field / step_mm, 0.0, 1.0).sum(dtype=np.float64)) * step_mm**3 / 1000.0
