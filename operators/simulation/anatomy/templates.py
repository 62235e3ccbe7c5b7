"""Each part of the skeleton as a field of depth below its surface, on a grid in the rest frame.

The fields do not depend on the person: one is made from a mesh once and then looked up at
any place, size and spacing. The meshes have small holes and stray triangles, so inside is
decided by rays along three axes and the vote of two.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from operators.simulation.anatomy.bones import CORTEX
from operators.simulation.anatomy.source import Part

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

STEP_MM = 0.1
"""Depth of one unit of the stored int8."""
_LIMIT = 127
_MARGIN_MM = 4.0
_OUTER_BAND_MM = 2.0
_INNER_BAND_MM = 1.5
"""Distances are exact from this far outside to this far below the cortex; beyond, to about a voxel."""
_FINE_MM = 1.0
_COARSE_MM = 1.5
_FINE_BELOW_MM = 90.0
"""Parts whose box is shorter than this get the fine grid: phalanges, carpals, vertebrae, kneecaps."""
_SAMPLE_MM = 1.0
_PLANE_WITHIN_MM = 1.0
_RAY_OFFSET = (0.000137, 0.000291)
"""Rays pass beside the grid's lines by this part of a voxel: none runs through an edge drawn on round numbers."""
FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Template:
    """Depth below the surface (positive inside), trilinear between the nodes.

    Args:
        depth: int8 (z, y, x) in units of STEP_MM, clipped at 12.7 mm.
        origin_mm: (x, y, z) of node (0, 0, 0) in the rest frame.
        step_mm: distance between nodes.
        axis: unit vector of the long axis; ends_mm: the part's first and last projection on it.
    """

    depth: npt.NDArray[np.int8]
    origin_mm: tuple[float, float, float]
    step_mm: float
    axis: tuple[float, float, float]
    ends_mm: tuple[float, float]

    def along(self, points: FloatArray) -> FloatArray:
        """Where points (n, 3) of the rest frame lie along the long axis: 0 at one end, 1 at the other."""
        first, last = self.ends_mm
        return np.asarray((points @ np.asarray(self.axis) - first) / (last - first))


def make_template(part: Part) -> Template:
    """The depth field of a part."""
    low, high = part.vertices.min(axis=0), part.vertices.max(axis=0)
    step = _FINE_MM if float((high - low).max()) < _FINE_BELOW_MM else _COARSE_MM
    origin = low - _MARGIN_MM
    shape = tuple(int(n) for n in np.ceil((high - low + 2 * _MARGIN_MM) / step).astype(int) + 1)
    inside = _inside((part.vertices - origin) / step, part.faces, shape=(shape[0], shape[1], shape[2]))
    depth = _depth_mm(part, inside, origin=origin, step=step)
    if part.keep:
        depth = np.minimum(depth, _half_space_depth(part, origin=origin, step=step, shape=shape))
    units = np.clip(np.rint(depth / STEP_MM), -_LIMIT, _LIMIT).astype(np.int8)
    axis, ends = _long_axis(part.vertices[part.kept(part.vertices)])
    return Template(
        depth=np.ascontiguousarray(units.transpose(2, 1, 0)),
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        step_mm=step,
        axis=axis,
        ends_mm=ends,
    )


def _long_axis(vertices: FloatArray) -> tuple[tuple[float, float, float], tuple[float, float]]:
    centred = vertices - vertices.mean(axis=0)
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    direction = direction * (1.0 if direction[np.argmax(np.abs(direction))] > 0 else -1.0)
    along = vertices @ direction
    x, y, z = direction
    return (float(x), float(y), float(z)), (float(along.min()), float(along.max()))


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


def _depth_mm(part: Part, inside: BoolArray, *, origin: FloatArray, step: float) -> FloatArray:
    """Signed distance to the surface: exact to about 0.1 mm in the band, to about a voxel beyond it."""
    points, normals = _surface_points(part)
    surface = np.zeros(inside.shape, dtype=np.bool_)
    surface[tuple(np.clip(np.rint((points - origin) / step).astype(int), 0, np.array(inside.shape) - 1).T)] = True
    depth = ndimage.distance_transform_edt(~surface) * step
    depth[~inside] *= -1.0
    index = np.argwhere((depth > -_OUTER_BAND_MM - step) & (depth < _thickest_mm(part) + _INNER_BAND_MM + step))
    nodes = origin + step * index
    gap, closest = cKDTree(points, balanced_tree=False, compact_nodes=False).query(nodes, workers=-1)
    plane = np.abs(np.einsum("ij,ij->i", nodes - points[closest], normals[closest]))
    at = tuple(index.T)
    depth[at] = np.where(gap < _PLANE_WITHIN_MM, plane, gap) * np.where(inside[at], 1.0, -1.0)
    return np.asarray(depth)


def _thickest_mm(part: Part) -> float:
    if part.bone is None:
        return 0.0
    cortex = CORTEX[part.bone.kind]
    return cortex.wall_mm or cortex.shaft_mm


def _surface_points(part: Part) -> tuple[FloatArray, FloatArray]:
    """Points spread evenly over every triangle, closer than the sampling distance, with their normals."""
    a, b, c = (part.vertices[part.faces[:, corner]] for corner in range(3))
    longest = np.max(
        [np.linalg.norm(b - a, axis=1), np.linalg.norm(c - a, axis=1), np.linalg.norm(c - b, axis=1)], axis=0
    )
    pieces = np.clip(np.ceil(longest / _SAMPLE_MM), 1, None).astype(int)
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    points, directions = [], []
    for count in np.unique(pieces):
        chosen = np.flatnonzero(pieces == count)
        i, j = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
        u, v = ((grid[i + j < count] + 1 / 3) / count for grid in (i, j))
        spread = (
            a[chosen, None] * (1 - u - v)[None, :, None]
            + b[chosen, None] * u[None, :, None]
            + c[chosen, None] * v[None, :, None]
        )
        points.append(spread.reshape(-1, 3))
        directions.append(np.repeat(normals[chosen], len(u), axis=0))
    return np.concatenate(points), np.concatenate(directions)


def load_templates(parts: tuple[Part, ...], *, digest: str, cache_dir: Path) -> dict[str, Template]:
    """The depth fields of all parts by name, made once and kept in the folder.

    Args:
        digest: of the source; another source gets other files.
        cache_dir: made where it does not exist. A file that cannot be read is made anew.
    """
    key = hashlib.sha256(f"{FORMAT} {digest}".encode()).hexdigest()[:16]
    path = cache_dir / f"skeleton-{key}.npz"
    if path.exists():
        found = _read(path, names=[part.name for part in parts])
        if found is not None:
            return found
    templates = {part.name: make_template(part) for part in parts}
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for name, template in templates.items():
        arrays[f"{name}/depth"] = template.depth
        arrays[f"{name}/frame"] = np.array([*template.origin_mm, template.step_mm, *template.axis, *template.ends_mm])
    save_arrays(path, arrays, compress=False)  # read at every start: 40 MB in a tenth of a second
    return templates


def _read(path: Path, *, names: list[str]) -> dict[str, Template] | None:
    stored = read_arrays(path)
    if stored is None or {f"{name}/depth" for name in names} - set(stored):
        return None
    templates = {}
    for name in names:
        x, y, z, step, *rest = (float(value) for value in stored[f"{name}/frame"])
        templates[name] = Template(
            depth=stored[f"{name}/depth"].astype(np.int8, copy=False),
            origin_mm=(x, y, z),
            step_mm=step,
            axis=(rest[0], rest[1], rest[2]),
            ends_mm=(rest[3], rest[4]),
        )
    return templates


def save_arrays(path: Path, arrays: dict[str, npt.NDArray[np.generic]], *, compress: bool = True) -> None:
    """Write arrays to an npz that is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            if compress:
                np.savez_compressed(stream, allow_pickle=False, **arrays)
            else:
                np.savez(stream, allow_pickle=False, **arrays)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_arrays(path: Path) -> dict[str, npt.NDArray[np.generic]] | None:
    """The arrays of an npz; None where the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return None
