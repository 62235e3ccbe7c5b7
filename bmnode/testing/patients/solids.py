"""Simple solids, each telling how deep a point lies inside it.

Depth is in millimetres, positive inside; near the surface it is the distance to it to first
order, which is what partial volume and cortical thickness need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bmnode.testing.patients.grid import Coordinates, FloatVolume
from bmnode.testing.patients.spec import Vector

_TINY = np.float32(1e-6)

Bounds = tuple[Vector, Vector]


class Solid(Protocol):
    """A closed body in the anatomy's own millimetres."""

    @property
    def bounds(self) -> Bounds:
        """Lower and upper corner of a box around it."""
        ...

    def depth(self, at: Coordinates) -> FloatVolume:
        """Depth in millimetres at every point, shape (slice, row, column)."""
        ...


def union_bounds(solids: tuple[Solid, ...]) -> Bounds:
    """The box around several solids."""
    lower = np.min([solid.bounds[0] for solid in solids], axis=0)
    upper = np.max([solid.bounds[1] for solid in solids], axis=0)
    return _vector(lower), _vector(upper)


def union_depth(solids: tuple[Solid, ...], at: Coordinates) -> FloatVolume:
    """The depth in the union of several solids."""
    depth = solids[0].depth(at)
    for solid in solids[1:]:
        depth = np.maximum(depth, solid.depth(at))
    return depth


def mirrored(point: Vector, *, sign: int) -> Vector:
    """The point on the patient's left (sign +1) or right (sign -1)."""
    return sign * point[0], point[1], point[2]


def _vector(values: npt.NDArray[np.float64]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _ellipsoid_depth(scaled: FloatVolume, gradient: FloatVolume, *, smallest: float) -> FloatVolume:
    # |p/r| (1 - |p/r|) / |p/r^2|: first-order distance, and the smallest radius at the centre.
    k0 = np.sqrt(scaled) + _TINY
    k1 = np.sqrt(gradient) + _TINY / np.float32(smallest)
    depth: FloatVolume = k0 * (1 - k0) / k1
    return depth


@dataclass(frozen=True, kw_only=True, slots=True)
class Ellipsoid:
    """An ellipsoid along the body's axes."""

    center: Vector
    radii: Vector

    @property
    def bounds(self) -> Bounds:
        """The box around it."""
        center, radii = np.array(self.center), np.array(self.radii)
        return _vector(center - radii), _vector(center + radii)

    def depth(self, at: Coordinates) -> FloatVolume:
        """Depth in millimetres."""
        u = (at.x - np.float32(self.center[0])) / np.float32(self.radii[0])
        v = (at.y - np.float32(self.center[1])) / np.float32(self.radii[1])
        w = (at.z - np.float32(self.center[2])) / np.float32(self.radii[2])
        a, b, c = (np.float32(radius) for radius in self.radii)
        return _ellipsoid_depth(
            u * u + v * v + w * w, (u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2, smallest=min(self.radii)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Plate:
    """A thin ellipsoid in any plane: half-lengths along `u` and `w`, half-thickness across.

    `u` and `w` need not be unit vectors; `w` is made perpendicular to `u`.
    """

    center: Vector
    u: Vector
    w: Vector
    half_length_u: float
    half_length_w: float
    half_thickness: float

    @property
    def bounds(self) -> Bounds:
        """The box around it."""
        axes, radii = self._axes(), np.array([self.half_length_u, self.half_length_w, self.half_thickness])
        reach = np.sqrt(((axes * radii[:, None]) ** 2).sum(axis=0))
        return _vector(np.array(self.center) - reach), _vector(np.array(self.center) + reach)

    def depth(self, at: Coordinates) -> FloatVolume:
        """Depth in millimetres."""
        axes = self._axes().astype(np.float32)
        x, y, z = (axis - np.float32(c) for axis, c in zip((at.x, at.y, at.z), self.center, strict=True))
        scaled = np.zeros(at.shape, dtype=np.float32)
        gradient = np.zeros(at.shape, dtype=np.float32)
        radii = (self.half_length_u, self.half_length_w, self.half_thickness)
        for axis, radius in zip(axes, radii, strict=True):
            ratio = (x * axis[0] + y * axis[1] + z * axis[2]) / np.float32(radius)
            scaled = scaled + ratio * ratio
            gradient = gradient + (ratio / np.float32(radius)) ** 2
        return _ellipsoid_depth(scaled, gradient, smallest=min(radii))

    def _axes(self) -> npt.NDArray[np.float64]:
        u = np.array(self.u) / np.linalg.norm(self.u)
        w = np.array(self.w) - np.dot(self.w, u) * u
        w = w / np.linalg.norm(w)
        return np.stack([u, w, np.cross(u, w)])


@dataclass(frozen=True, kw_only=True, slots=True)
class Capsule:
    """A round rod from `start` to `end`, its radius going from one end's to the other's."""

    start: Vector
    end: Vector
    radius_start: float
    radius_end: float

    @property
    def bounds(self) -> Bounds:
        """The box around it."""
        ends = np.array([self.start, self.end])
        radius = max(self.radius_start, self.radius_end)
        return _vector(ends.min(axis=0) - radius), _vector(ends.max(axis=0) + radius)

    def depth(self, at: Coordinates) -> FloatVolume:
        """Depth in millimetres."""
        start = np.array(self.start, dtype=np.float32)
        axis = np.array(self.end, dtype=np.float32) - start
        x, y, z = at.x - start[0], at.y - start[1], at.z - start[2]
        along = np.clip((x * axis[0] + y * axis[1] + z * axis[2]) / np.float32(axis @ axis), 0, 1)
        radius = np.float32(self.radius_start) + along * np.float32(self.radius_end - self.radius_start)
        away = (x - along * axis[0]) ** 2 + (y - along * axis[1]) ** 2 + (z - along * axis[2]) ** 2
        depth: FloatVolume = radius - np.sqrt(away)
        return depth


@dataclass(frozen=True, kw_only=True, slots=True)
class Cylinder:
    """An elliptic cylinder along z: a vertebral body, a disc, a stretch of canal."""

    center: Vector
    radius_x: float
    radius_y: float
    half_height: float

    @property
    def bounds(self) -> Bounds:
        """The box around it."""
        reach = np.array([self.radius_x, self.radius_y, self.half_height])
        return _vector(np.array(self.center) - reach), _vector(np.array(self.center) + reach)

    def depth(self, at: Coordinates) -> FloatVolume:
        """Depth in millimetres."""
        a, b = np.float32(self.radius_x), np.float32(self.radius_y)
        u = (at.x - np.float32(self.center[0])) / a
        v = (at.y - np.float32(self.center[1])) / b
        radial = _ellipsoid_depth(
            u * u + v * v, (u / a) ** 2 + (v / b) ** 2, smallest=min(self.radius_x, self.radius_y)
        )
        axial = np.float32(self.half_height) - np.abs(at.z - np.float32(self.center[2]))
        depth: FloatVolume = np.minimum(radial, axial)
        return depth


@dataclass(frozen=True, kw_only=True, slots=True)
class Without:
    """One solid with others taken out of it: a skull around its brain, an arch around its canal."""

    solid: Solid
    removed: tuple[Solid, ...]

    @property
    def bounds(self) -> Bounds:
        """The box around what was there before."""
        return self.solid.bounds

    def depth(self, at: Coordinates) -> FloatVolume:
        """Depth in millimetres."""
        return np.minimum(self.solid.depth(at), -union_depth(self.removed, at))


@dataclass(frozen=True, kw_only=True, slots=True)
class Within:
    """What several solids have in common: a lung that never passes the chest wall."""

    solids: tuple[Solid, ...]

    @property
    def bounds(self) -> Bounds:
        """The box that all of them share."""
        lower = np.max([solid.bounds[0] for solid in self.solids], axis=0)
        upper = np.min([solid.bounds[1] for solid in self.solids], axis=0)
        return _vector(lower), _vector(upper)

    def depth(self, at: Coordinates) -> FloatVolume:
        """Depth in millimetres."""
        depth = self.solids[0].depth(at)
        for solid in self.solids[1:]:
            depth = np.minimum(depth, solid.depth(at))
        return depth


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A trunk: elliptic cross-sections whose half-widths follow tables over z (ascending)."""

    z: tuple[float, ...]
    half_width: tuple[float, ...]
    half_depth: tuple[float, ...]
    center_y: float = 0.0

    @property
    def bounds(self) -> Bounds:
        """The box around it."""
        width, depth = max(self.half_width), max(self.half_depth)
        return (-width, self.center_y - depth, self.z[0]), (width, self.center_y + depth, self.z[-1])

    def depth(self, at: Coordinates) -> FloatVolume:
        """Depth in millimetres."""
        a = np.interp(at.z, self.z, self.half_width).astype(np.float32)
        b = np.interp(at.z, self.z, self.half_depth).astype(np.float32)
        u, v = at.x / a, (at.y - np.float32(self.center_y)) / b
        radial = _ellipsoid_depth(
            u * u + v * v, (u / a) ** 2 + (v / b) ** 2, smallest=min(*self.half_width, *self.half_depth)
        )
        axial = np.minimum(at.z - np.float32(self.z[0]), np.float32(self.z[-1]) - at.z)
        depth: FloatVolume = np.minimum(radial, axial)
        return depth


@dataclass(frozen=True, kw_only=True, slots=True)
class RibArc:
    """A rib: a band on the chest wall that falls from the spine to the front.

    Args:
        wall: the surface that the rib follows.
        sign: +1 left, -1 right.
        z_spine: height at the spine.
        drop: how far the front end of the wall lies below.
        reach: share of the way from back (0) to front (1) that is bone.
    """

    wall: Profile
    sign: int
    z_spine: float
    drop: float
    reach: float
    half_thickness: float = 4.5
    half_height: float = 7.0
    medial_gap: float = 20.0

    @property
    def bounds(self) -> Bounds:
        """The box around it."""
        front, back = self._front_and_back()
        margin = self.half_thickness + 1
        near, far = self.sign * self.medial_gap, self.sign * (max(self.wall.half_width) + margin)
        low, high = self.z_spine - self.drop * self.reach - 2 * self.half_height, self.z_spine + 2 * self.half_height
        end = back - self.reach * (back - front)
        return (min(near, far), end, low), (max(near, far), max(self.wall.bounds[1][1], back) + margin, high)

    def depth(self, at: Coordinates) -> FloatVolume:
        """Depth in millimetres."""
        front, back = (np.float32(y) for y in self._front_and_back())
        way = (back - at.y) / (back - front)
        a = np.interp(at.z, self.wall.z, self.wall.half_width).astype(np.float32)
        b = np.interp(at.z, self.wall.z, self.wall.half_depth).astype(np.float32)
        u, v = at.x / a, (at.y - np.float32(self.wall.center_y)) / b
        radial = np.abs(
            _ellipsoid_depth(
                u * u + v * v, (u / a) ** 2 + (v / b) ** 2, smallest=min(*self.wall.half_width, *self.wall.half_depth)
            )
        )
        level = np.abs(at.z - (np.float32(self.z_spine) - np.float32(self.drop) * way))
        depth = np.minimum(np.float32(self.half_thickness) - radial, np.float32(self.half_height) - level)
        depth = np.minimum(depth, np.float32(self.sign) * at.x - np.float32(self.medial_gap))
        end = back - np.float32(self.reach) * (back - front)
        ended: FloatVolume = np.minimum(depth, at.y - end)
        return ended

    def point(self, y: float) -> Vector:
        """The point of the rib's centre line at a depth `y` of the chest."""
        front, back = self._front_and_back()
        z = self.z_spine - self.drop * (back - y) / (back - front)
        a, b = np.interp(z, self.wall.z, self.wall.half_width), np.interp(z, self.wall.z, self.wall.half_depth)
        rest = max(0.0, 1.0 - ((y - self.wall.center_y) / float(b)) ** 2)
        return self.sign * float(a) * rest**0.5, y, z

    def _front_and_back(self) -> tuple[float, float]:
        half_depth = float(np.interp(self.z_spine, self.wall.z, self.wall.half_depth))
        return self.wall.center_y - half_depth, self.wall.center_y + half_depth
