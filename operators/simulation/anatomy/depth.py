"""From a mesh to a field of depth below the bone's surface: inside by rays, distance, and the bone's form.

The meshes have small holes and stray triangles, so inside is decided by rays along three axes and the vote
of two. Left and right meshes that mirror each other are worked out once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.form_table import FORMS, JOINT_SPACE_MM, PARTED, SACRUM_FRONT, SACRUM_HOLES, Form
from operators.simulation.anatomy.source import Part
from operators.simulation.anatomy.surface import surface_points
from operators.simulation.anatomy.templates import LIMIT, STEP_MM, Template, long_axis

FloatArray = npt.NDArray[np.float64]
FloatField = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

_MARGIN_MM = 9.0
"""Room for growth and for a person's own shape."""
_FINE_MM = 1.0
_COARSE_MM = 1.5
_FINE_BELOW_MM = 90.0
"""Parts whose box is shorter than this get the fine grid: phalanges, carpals, vertebrae, kneecaps."""
_SAMPLE_MM = 1.0
_PLANE_WITHIN_MM = 1.0
_NEAR_STEPS = 1.8
"""Within so many steps of the surface distances are to the nearest triangle's plane, beyond to the nearest voxel."""
_RAY_OFFSET = (0.000137, 0.000291)
"""Rays pass beside the grid's lines by this part of a voxel: none runs through an edge drawn on round numbers."""
_MIRRORED_MM = 0.3
"""Meshes that differ by no more are taken as mirror images."""
FORM_DIGEST = hashlib.sha256(repr((FORMS, SACRUM_FRONT, SACRUM_HOLES, PARTED, JOINT_SPACE_MM)).encode()).hexdigest()[
    :16
]
"""Of the tables: fields made by others are not found again."""
_SHIFT_ROUNDS = 14
_FRONT_SLOPE = 0.8
"""Cosine of the sacrum's front against the vertical."""


def make_templates(parts: Iterable[Part]) -> dict[str, Template]:
    """The depth fields of parts by name, on every core."""
    parts = tuple(parts)
    mirrors = _mirrors(parts)
    meshes: dict[bytes, list[Part]] = {}
    for part in parts:
        if part.name not in mirrors:
            meshes.setdefault(part.vertices.tobytes(), []).append(part)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        made = pool.map(_of_mesh, meshes.values())
    found = {name: template for templates in made for name, template in templates.items()}
    for part in parts:
        if part.name in mirrors:
            found[part.name] = _mirrored(found[mirrors[part.name]], part)
    for cut, other in PARTED:
        if cut in found and other in found:
            found[cut] = _parted(found[cut], found[other])
    return {part.name: found[part.name] for part in parts}


def _parted(template: Template, other: Template) -> Template:
    """The first cut back until the joint's space is free. Of the skull the solid counts, not its wall."""
    shift = (np.array(template.origin_mm) - np.array(other.origin_mm))[::-1] / other.step_mm
    seen = ndimage.affine_transform(
        other.depth.astype(np.float32),
        np.full(3, template.step_mm / other.step_mm),
        offset=shift,
        output_shape=template.depth.shape,
        order=1,
        cval=-LIMIT,
    )
    free = np.clip(np.rint(-seen - JOINT_SPACE_MM / STEP_MM), -LIMIT, LIMIT)
    return replace(template, depth=np.minimum(template.depth, free).astype(np.int8))


def make_template(part: Part, *, form: Form | None = None) -> Template:
    """The depth field of a part.

    Args:
        form: what is done to its surface; None takes what `FORMS` says.
    """
    return _finished(part, _Raw.of(part), form=form)


def _of_mesh(parts: list[Part]) -> dict[str, Template]:
    """The parts of one mesh."""
    raw = _Raw.of(parts[0])
    return {part.name: _finished(part, raw) for part in parts}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Raw:
    """A mesh's signed distance (x, y, z), positive inside, before anything is done to it."""

    depth: FloatField
    origin: FloatArray
    step: float

    @classmethod
    def of(cls, part: Part) -> _Raw:
        low, high = part.vertices.min(axis=0), part.vertices.max(axis=0)
        step = _FINE_MM if float((high - low).max()) < _FINE_BELOW_MM else _COARSE_MM
        origin = low - _MARGIN_MM
        count = np.ceil((high - low + 2 * _MARGIN_MM) / step).astype(int) + 1
        inside = _inside(
            (part.vertices - origin) / step, part.faces, shape=(int(count[0]), int(count[1]), int(count[2]))
        )
        return cls(depth=_depth_mm(part, inside, origin=origin, step=step), origin=origin, step=step)

    def around(self, points: FloatArray) -> _Raw:
        """The part of the field around points (n, 3)."""
        first = np.floor((points.min(axis=0) - _MARGIN_MM - self.origin) / self.step).astype(int)
        last = np.ceil((points.max(axis=0) + _MARGIN_MM - self.origin) / self.step).astype(int) + 1
        first = np.clip(first, 0, self.depth.shape)
        box = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        return _Raw(depth=self.depth[box], origin=self.origin + self.step * first, step=self.step)


def _finished(part: Part, raw: _Raw, *, form: Form | None = None) -> Template:
    form = form or FORMS["cartilage" if part.bone is None else part.bone.kind]
    kept = part.vertices[part.kept(part.vertices)]
    if part.keep:
        raw = raw.around(kept)
    depth = _formed(raw.depth, part, form=form, origin=raw.origin, step=raw.step)
    if part.keep:
        depth = np.minimum(depth, _half_space_depth(part, origin=raw.origin, step=raw.step, shape=depth.shape))
    units = np.clip(np.rint(depth / STEP_MM), -LIMIT, LIMIT).astype(np.int8)
    axis, ends = long_axis(kept)
    return Template(
        depth=np.ascontiguousarray(units.transpose(2, 1, 0)),
        origin_mm=(float(raw.origin[0]), float(raw.origin[1]), float(raw.origin[2])),
        step_mm=raw.step,
        axis=axis,
        ends_mm=ends,
    )


def _mirrors(parts: tuple[Part, ...]) -> dict[str, str]:
    """The left part by right part, where their meshes mirror each other."""
    left: dict[Bone, list[Part]] = {
        part.bone.partner: [] for part in parts if part.bone is not None and part.bone.partner is not None
    }
    for part in parts:
        if part.bone is not None and part.bone.partner is not None and part.bone < part.bone.partner:
            left[part.bone.partner].append(part)
    return {
        part.name: other.name
        for part in parts
        if part.bone is not None
        for other in left.get(part.bone, ())
        if _mirror_each_other(part, other)
    }


def _mirror_each_other(part: Part, other: Part) -> bool:
    if len(part.vertices) != len(other.vertices):
        return False
    turned = other.vertices * [-1.0, 1.0, 1.0]
    if np.abs(turned.mean(axis=0) - part.vertices.mean(axis=0)).max() > _MIRRORED_MM:
        return False
    return float(cKDTree(turned).query(part.vertices)[0].max()) <= _MIRRORED_MM


def _mirrored(template: Template, part: Part) -> Template:
    x, y, z = template.origin_mm
    axis, ends = long_axis(part.vertices[part.kept(part.vertices)])
    return Template(
        depth=np.ascontiguousarray(template.depth[:, :, ::-1]),
        origin_mm=(-(x + template.step_mm * (template.depth.shape[2] - 1)), y, z),
        step_mm=template.step_mm,
        axis=axis,
        ends_mm=ends,
    )


def _formed(depth: FloatField, part: Part, *, form: Form, origin: FloatArray, step: float) -> FloatField:
    """Filled, cut, smoothed, grown; arrays (x, y, z) of millimetres."""
    if form.fill_mm > 0:
        depth = _filled(depth, radius=form.fill_mm, step=step)
    sacral = part.bone in (Bone.SACRUM, Bone.COCCYX) and form.fill_mm > 0
    axes = [origin[axis] + step * np.arange(depth.shape[axis]) for axis in range(3)]
    if sacral:
        heights, fronts = np.array(SACRUM_FRONT).T
        front = np.interp(axes[2], heights, fronts)
        behind = (axes[1][:, None] - front[None, :]) * _FRONT_SLOPE
        depth = np.minimum(depth, behind[None].astype(np.float32))
    if form.smooth_mm > 0:
        depth = _smoothed(depth, form.smooth_mm / step, step=step)
    depth = depth + np.float32(form.growth_mm)
    if sacral:
        for first, last, radius in SACRUM_HOLES:
            depth = np.minimum(depth, _outside_tube(axes, np.array(first), np.array(last), radius))
    return np.asarray(depth, dtype=np.float32)


def _filled(depth: FloatField, *, radius: float, step: float) -> FloatField:
    """Closed by a ball: grooves that it cannot enter belong to the bone."""
    pad = int(np.ceil(radius / step)) + 1
    inside = np.pad(depth > 0, pad)
    grown = ndimage.distance_transform_edt(~inside) * step <= radius
    closed = ndimage.distance_transform_edt(grown) * step > radius
    core = closed[pad:-pad, pad:-pad, pad:-pad]
    signed = ndimage.distance_transform_edt(core) - ndimage.distance_transform_edt(~core)
    return np.asarray(np.maximum(depth, ((signed - 0.5) * step).astype(np.float32)))


def _smoothed(depth: FloatField, sigma: float, *, step: float) -> FloatField:
    """Smoothed, and shifted so that the volume inside stays."""
    smooth = ndimage.gaussian_filter(depth, sigma, mode="nearest", truncate=3.0)
    target = _volume(depth, step)
    near = smooth[np.abs(smooth) < 4.0]
    deep = int(np.count_nonzero(smooth >= 4.0))
    low, high = -2.5, 2.5
    for _ in range(_SHIFT_ROUNDS):
        middle = (low + high) / 2
        low, high = (middle, high) if deep + _volume(near + np.float32(middle), step) < target else (low, middle)
    return np.asarray(smooth + np.float32((low + high) / 2))


def _volume(depth: FloatField, step: float) -> float:
    """In voxels."""
    return float(np.clip(0.5 + depth / step, 0.0, 1.0).sum(dtype=np.float64))


def _outside_tube(axes: list[FloatArray], first: FloatArray, last: FloatArray, radius: float) -> FloatField:
    """How far nodes lie outside a round-ended tube, millimetres."""
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    way = last - first
    share = ((x - first[0]) * way[0] + (y - first[1]) * way[1] + (z - first[2]) * way[2]) / float(way @ way)
    share = np.clip(share, 0.0, 1.0)
    squared = sum((grid - first[i] - share * way[i]) ** 2 for i, grid in enumerate((x, y, z)))
    return np.asarray(np.sqrt(squared) - radius, dtype=np.float32)


def _half_space_depth(part: Part, *, origin: FloatArray, step: float, shape: tuple[int, ...]) -> FloatArray:
    grid = np.meshgrid(*(origin[axis] + step * np.arange(shape[axis]) for axis in range(3)), indexing="ij", sparse=True)
    depths = [sum(n * g for n, g in zip(normal, grid, strict=True)) - offset for normal, offset in part.keep]
    return np.asarray(np.minimum.reduce([np.broadcast_to(depth, shape) for depth in depths]))


def _inside(vertices: FloatArray, faces: npt.NDArray[np.int64], *, shape: tuple[int, int, int]) -> BoolArray:
    """Whether each node of a grid lies inside: two of three axes say so. Vertices in units of the grid."""
    votes = np.zeros(shape, dtype=np.int8)
    for axis in range(3):
        order = (axis, (axis + 1) % 3, (axis + 2) % 3)
        turned = _winding(vertices[:, order], faces, shape=(shape[order[0]], shape[order[1]], shape[order[2]])) > 0
        votes += turned.transpose(np.argsort(order))
    return votes >= 2


def _winding(
    vertices: FloatArray, faces: npt.NDArray[np.int64], *, shape: tuple[int, int, int]
) -> npt.NDArray[np.int16]:
    """Winding number at each node, counted along rays of the first axis. Overlapping shells add up, so they unite."""
    corners = vertices[faces] - np.array([0.0, *_RAY_OFFSET])
    flat = corners[:, :, 1:]
    first = np.clip(np.ceil(flat.min(axis=1)), 0, None).astype(np.int64)
    last = np.minimum(np.floor(flat.max(axis=1)).astype(np.int64), np.array(shape[1:]) - 1)
    size = np.clip(last - first + 1, 0, None)
    count = size[:, 0] * size[:, 1]
    face = np.repeat(np.arange(len(faces)), count)
    rank = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    ray = first[face] + np.stack([rank // size[face, 1], rank % size[face, 1]], axis=1)
    a, b, c = flat[face, 0], flat[face, 1], flat[face, 2]
    area = _cross(b - a, c - a)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight_b, weight_c = _cross(ray - a, c - a) / area, _cross(b - a, ray - a) / area
    hit = (area != 0) & (weight_b >= 0) & (weight_c >= 0) & (weight_b + weight_c <= 1)
    face, ray, weight_b, weight_c = face[hit], ray[hit], weight_b[hit], weight_c[hit]
    heights = corners[face, :, 0]
    height = heights[:, 0] * (1 - weight_b - weight_c) + heights[:, 1] * weight_b + heights[:, 2] * weight_c
    node = np.clip(np.ceil(height), 0, shape[0]).astype(np.int64)
    steps = np.zeros((shape[0] + 1, shape[1], shape[2]), dtype=np.int16)
    np.add.at(steps, (node, ray[:, 0], ray[:, 1]), np.where(area[hit] < 0, 1, -1).astype(np.int16))
    return np.cumsum(steps[:-1], axis=0, dtype=np.int16)


def _cross(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])


def _depth_mm(part: Part, inside: BoolArray, *, origin: FloatArray, step: float) -> FloatField:
    """Signed distance to the surface (x, y, z): to about 0.1 mm near it, to a quarter of a millimetre further off."""
    points, normals = surface_points(part, spacing_mm=_SAMPLE_MM)
    shape = inside.shape
    cell = np.clip(np.rint((points - origin) / step).astype(np.int64), 0, np.array(shape) - 1)
    flat = np.ravel_multi_index((cell[:, 0], cell[:, 1], cell[:, 2]), shape)
    cells, member = np.unique(flat, return_inverse=True)
    count = np.bincount(member)
    middle = np.stack([np.bincount(member, weights=points[:, i]) / count for i in range(3)], axis=1)
    surface = np.zeros(shape, dtype=np.bool_)
    surface.ravel()[cells] = True
    rank = np.zeros(surface.size, dtype=np.int32)
    rank[cells] = np.arange(len(cells), dtype=np.int32)
    index = ndimage.distance_transform_edt(~surface, return_distances=False, return_indices=True)
    nearest = rank[np.ravel_multi_index((index[0], index[1], index[2]), shape)]
    squared = np.zeros(shape, dtype=np.float32)
    for axis in range(3):
        grid = (origin[axis] + step * np.arange(shape[axis])).astype(np.float32)
        grid = grid.reshape([-1 if i == axis else 1 for i in range(3)])
        squared += (grid - middle[:, axis].astype(np.float32)[nearest]) ** 2
    depth = np.sqrt(squared)
    near = np.argwhere(depth < _NEAR_STEPS * step)
    nodes = origin + step * near
    gap, closest = cKDTree(points, balanced_tree=False, compact_nodes=False).query(nodes)
    plane = np.abs(np.einsum("ij,ij->i", nodes - points[closest], normals[closest]))
    depth[tuple(near.T)] = np.where(gap < _PLANE_WITHIN_MM, plane, gap)
    return np.where(inside, depth, -depth)
