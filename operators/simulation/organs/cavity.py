"""The room inside ribs, abdominal wall and pelvis: how far it reaches from a middle line, by height and direction.

Bones say where the wall is near them; where there is none (belly, flanks) the fascia does, less
the muscle of the wall. Behind the belly the wall is the loin's muscle. The bodies of the vertebrae and
the psoas stand in this room: they are taken out of it as shapes of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from operators.simulation.anatomy.bones import LUMBAR, THORACIC, Bone
from operators.simulation.anatomy.outline import Outline
from operators.simulation.anatomy.pose import PlacedPart, PosedSkeleton
from operators.simulation.organs.lattice import Field, Lattice
from operators.simulation.organs.spine_table import BODIES, LOIN, body_of

FloatArray = npt.NDArray[np.float64]

_DIRECTIONS = 72
_HEIGHT_MM = 6.0
_RAY_MM = 4.0
_RAY_STEPS = 80
_CLEARANCE_MM = {"rib": 1.5, "sternum": 3.0, "hip": 9.0, "sacrum": 7.0, "coccyx": 8.0, "cartilage": 2.0}
"""Muscle and membrane between a bone and the cavity (chosen)."""
_WALL_MM = 11.0
"""Muscle of the abdominal wall (chosen; a lean adult's rectus and the three flat muscles are 10 to 20 mm thick)."""
_FLANK_SHARE = 1.1
"""The wall of the flank is not wider than this part of the ribs' half-width: the fascia around the arms may be."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cavity:
    """The trunk's cavity.

    Args:
        heights: (n,) LPS z, equally spaced, ascending.
        middle: (n, 2) x, y of the middle line.
        radius: (n, directions) millimetres; direction 0 points to +x (left), a quarter on to +y (back).
    """

    heights: FloatArray
    middle: FloatArray
    radius: FloatArray

    @classmethod
    def of(cls, skeleton: PosedSkeleton, body: Outline) -> Cavity:
        """The cavity of a posed skeleton with its fascia."""
        samples = _samples(skeleton)
        heights = np.arange(samples.low, samples.high, _HEIGHT_MM)
        middle = _middle_line(samples, heights)
        row = np.clip(np.rint((samples.points[:, 2] - heights[0]) / _HEIGHT_MM).astype(int), 0, len(heights) - 1)
        across = samples.points[:, :2] - middle[row]
        distance = np.linalg.norm(across, axis=1) - samples.clearance
        column = np.rint(np.arctan2(across[:, 1], across[:, 0]) / (2 * np.pi) * _DIRECTIONS).astype(int) % _DIRECTIONS
        nearest = np.full((len(heights), _DIRECTIONS), np.inf)
        np.minimum.at(nearest, (row, column), distance)
        known = np.isfinite(nearest)
        weight = _blurred(known.astype(np.float64))
        smooth = _blurred(np.where(known, nearest, 0.0)) / np.maximum(weight, 1e-9)
        smooth = np.minimum(smooth, _spread_minimum(nearest) + 6.0)
        fascia = _to_fascia(body, heights, middle, half_width=_flank_mm(samples, skeleton))
        trust = np.clip(weight / _SURE, 0.0, 1.0)
        chest = heights > samples.front[1, 2]
        wide = _blurred(known.astype(np.float64), sigma=_WIDE)
        far = _blurred(np.where(known, nearest, 0.0), sigma=_WIDE) / np.maximum(wide, 1e-9)
        fascia[chest] = np.minimum(far, fascia)[chest]
        radius = trust * np.minimum(smooth, fascia) + (1.0 - trust) * fascia
        return cls(heights=heights, middle=middle, radius=_blurred(radius, sigma=(1.0, 1.0)))

    def outside(self, lattice: Lattice) -> tuple[Field, Field]:
        """Millimetres outside the wall, and the distance from the middle line as a part of the wall's, (z, y, x)."""
        x, y, z = lattice.axes()
        at = (z - self.heights[0]) / _HEIGHT_MM
        middle = np.stack([np.interp(z, self.heights, self.middle[:, axis]) for axis in range(2)], axis=1)
        dx = x[None, None, :] - middle[:, 0, None, None]
        dy = y[None, :, None] - middle[:, 1, None, None]
        column = np.mod(np.arctan2(dy, dx) / (2 * np.pi) * _DIRECTIONS, _DIRECTIONS)
        rows = np.broadcast_to(at[:, None, None], column.shape)
        wrapped = np.concatenate([self.radius, self.radius[:, :1]], axis=1)
        wall = ndimage.map_coordinates(wrapped, [rows, column], order=1, mode="nearest")
        distance = np.hypot(dx, dy)
        beyond = np.maximum(self.heights[0] - z, z - self.heights[-1])[:, None, None]
        return (
            np.maximum(distance - wall, beyond).astype(np.float32),
            (distance / np.maximum(wall, 1.0)).astype(np.float32),
        )


_SURE = 0.12
_WIDE = (4.0, 5.0)
"""Inside the chest only bones count: gaps between them are bridged."""
_LOIN_DEPTH = {Bone.T12: 1.0, Bone.L1: 1.0, Bone.L2: 1.0, Bone.L3: 1.0, Bone.L4: 0.85, Bone.L5: 0.6, Bone.L6: 0.6}
"""Of the loin's muscles against `LOIN`: lower down the psoas and the iliac bone fill it."""


def _flank_mm(samples: _Samples, skeleton: PosedSkeleton) -> float:
    """Half the width to which the belly's wall may reach; a stout belly is wider than the ribs."""
    stout = max(skeleton.spec.body_mass_index - _NORMAL_INDEX, 0.0)
    return samples.half_width * _FLANK_SHARE + _FLANK_PER_INDEX_MM * stout


_NORMAL_INDEX, _FLANK_PER_INDEX_MM = 25.0, 1.5


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Samples:
    points: FloatArray
    clearance: FloatArray
    low: float
    high: float
    half_width: float
    spine: FloatArray
    front: FloatArray


def _samples(skeleton: PosedSkeleton) -> _Samples:
    points, clearance, spine = [], [], []
    for placed in skeleton.parts:
        kind = placed.bone.kind if placed.bone is not None else "cartilage"
        if kind in _CLEARANCE_MM:
            found = surface_of(placed)
            points.append(found)
            clearance.append(np.full(len(found), _CLEARANCE_MM[kind]))
        if placed.bone in BODIES or placed.bone in (Bone.L6, Bone.SACRUM):
            spine.append(_in_lps(placed, np.array([[0.0, *_body_front(placed)]]))[0])
        if placed.bone in (*LUMBAR, *THORACIC):
            bed = _loin(placed) if placed.bone in _LOIN_DEPTH else _behind_body(placed)
            points.append(bed)
            clearance.append(np.zeros(len(bed)))
    ribs = np.concatenate([skeleton.vertices(bone) for bone in skeleton.bones if bone.kind == "rib"])
    hips = np.concatenate([skeleton.vertices(bone) for bone in (Bone.HIP_LEFT, Bone.HIP_RIGHT)])
    sternum = skeleton.vertices(Bone.STERNUM)
    symphysis = hips[np.abs(hips[:, 0]) < _SYMPHYSIS_MM]
    front = np.array([symphysis.mean(axis=0), sternum[sternum[:, 2].argmin()], sternum[sternum[:, 2].argmax()]])
    return _Samples(
        points=np.concatenate(points),
        clearance=np.concatenate(clearance),
        low=float(symphysis[:, 2].min()) - 10.0,
        high=float(skeleton.vertices(Bone.T1)[:, 2].max()),
        half_width=float(np.ptp(ribs[:, 0])) / 2,
        spine=np.array(sorted(spine, key=lambda point: point[2])),
        front=front,
    )


_SYMPHYSIS_MM = 12.0


def _body_front(placed: PlacedPart) -> tuple[float, float]:
    if placed.bone is Bone.SACRUM:
        return 190.0, 1000.0
    assert placed.bone is not None
    body = body_of(placed.bone)
    return body.front_mm, (body.top_mm + body.bottom_mm) / 2


def _loin(placed: PlacedPart) -> FloatArray:
    """Points on the front of quadratus lumborum and the muscle behind the spine, a few millimetres apart."""
    front, middle = _body_front(placed)
    x, behind = np.array(LOIN).T
    at = np.linspace(x[0], x[-1], 24)
    assert placed.bone is not None
    depth = _LOIN_DEPTH[placed.bone] * np.interp(at, x, behind)
    section = np.stack([at, front + depth, np.full(24, middle)], axis=1)
    both = np.concatenate([section, section * [-1.0, 1.0, 1.0]])
    return _in_lps(
        placed, np.concatenate([both + np.array([0.0, 0.0, lift]) for lift in (-16.0, -8.0, 0.0, 8.0, 16.0)])
    )


def _behind_body(placed: PlacedPart) -> FloatArray:
    """Points behind a thoracic vertebral body: the cavity ends before the canal."""
    assert placed.bone is not None
    body = body_of(placed.bone)
    at = np.linspace(-12.0, 12.0, 7)
    rows = [np.stack([at, np.full(7, body.back_mm), np.full(7, z)], axis=1) for z in (body.bottom_mm, body.top_mm)]
    return _in_lps(placed, np.concatenate(rows))


def _in_lps(placed: PlacedPart, points: FloatArray) -> FloatArray:
    return np.asarray(points @ placed.affine[:3, :3].T + placed.affine[:3, 3])


def surface_of(placed: PlacedPart) -> FloatArray:
    """Corners, edges' and faces' middles of a part's triangles."""
    vertices = placed.vertices_lps
    kept = placed.part.kept(placed.part.vertices)[placed.part.faces].all(axis=1)
    corners = vertices[placed.part.faces[kept]]
    middles = (corners + np.roll(corners, 1, axis=1)) / 2
    return np.concatenate([corners.reshape(-1, 3), middles.reshape(-1, 3), corners.mean(axis=1)])


def _middle_line(samples: _Samples, heights: FloatArray) -> FloatArray:
    """Half-way between the front of the spine and the front wall, smooth."""
    spine, front = samples.spine, samples.front
    x = np.interp(heights, spine[:, 2], spine[:, 0])
    back = np.interp(heights, spine[:, 2], spine[:, 1])
    ahead = np.interp(heights, front[:, 2], front[:, 1])
    middle = np.stack([x, (back + ahead) / 2], axis=1)
    return np.asarray(ndimage.gaussian_filter1d(middle, 4.0, axis=0, mode="nearest"))


def _blurred(values: FloatArray, *, sigma: tuple[float, float] = (2.2, 1.6)) -> FloatArray:
    return np.asarray(ndimage.gaussian_filter(values, sigma, mode=("nearest", "wrap")))


def _spread_minimum(nearest: FloatArray) -> FloatArray:
    return np.asarray(ndimage.minimum_filter(nearest, size=(3, 3), mode=("nearest", "wrap")))


def _to_fascia(body: Outline, heights: FloatArray, middle: FloatArray, *, half_width: float) -> FloatArray:
    """Distance along every direction to the inside of the abdominal wall."""
    angle = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    steps = _RAY_MM * np.arange(_RAY_STEPS)
    x = middle[:, 0, None, None] + np.cos(angle)[None, :, None] * steps
    y = middle[:, 1, None, None] + np.sin(angle)[None, :, None] * steps
    z = np.broadcast_to(heights[:, None, None], x.shape)
    outside = body.at(body.fascia, np.stack([x, y, z], axis=-1)) > -_WALL_MM
    outside |= np.abs(x - middle[:, 0, None, None]) > half_width
    outside[..., -1] = True
    return np.asarray(steps[np.argmax(outside, axis=-1)])
