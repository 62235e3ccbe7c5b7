"""Implicit shapes: millimetres outside a surface, negative inside, at any points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

FloatArray = npt.NDArray[np.floating]
Vector = tuple[float, float, float]
FAR_MM = 99.0
_ALONG_MM = 2.0


class Shape(Protocol):
    """Anything with a surface and a box around it."""

    @property
    def reach(self) -> tuple[FloatArray, FloatArray]:
        """Corners of a box around it."""

    def outside(self, points: FloatArray) -> FloatArray:
        """Millimetres outside, negative inside."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ellipsoid:
    """An ellipsoid; `turn_deg` is the rotation vector of its axes."""

    centre: Vector
    radii: Vector
    turn_deg: Vector = (0.0, 0.0, 0.0)

    @property
    def reach(self) -> tuple[FloatArray, FloatArray]:
        """Corners of a box around it."""
        centre, size = np.array(self.centre), max(self.radii)
        return centre - size, centre + size

    def outside(self, points: FloatArray) -> FloatArray:
        """Approximate distance at points (..., 3)."""
        turn = Rotation.from_rotvec(np.radians(self.turn_deg)).as_matrix()
        local = (points - np.array(self.centre)) @ turn
        scaled = local / np.array(self.radii)
        near = np.linalg.norm(scaled, axis=-1)
        steep = np.linalg.norm(scaled / np.array(self.radii), axis=-1)
        return np.asarray(near * (near - 1.0) / np.maximum(steep, 1e-6))

    def scaled(self, factor: float) -> Ellipsoid:
        """The same, larger about its centre."""
        a, b, c = self.radii
        return Ellipsoid(centre=self.centre, radii=(factor * a, factor * b, factor * c), turn_deg=self.turn_deg)

    @property
    def mirrored(self) -> Ellipsoid:
        """The same on the other side of x = 0."""
        (x, y, z), (a, b, c) = self.centre, self.turn_deg
        return Ellipsoid(centre=(-x, y, z), radii=self.radii, turn_deg=(a, -b, -c))


@dataclass(frozen=True, kw_only=True, slots=True)
class Tube:
    """A tube along a smooth curve.

    Args:
        knots: (x, y, z, radius) that the curve passes.
        ripple: relative depth of rings around it, one every `ring_mm` (haustra).
    """

    knots: tuple[tuple[float, float, float, float], ...]
    ripple: float = 0.0
    ring_mm: float = 30.0

    @property
    def reach(self) -> tuple[FloatArray, FloatArray]:
        """Corners of a box around it."""
        line = self.line
        size = line[:, 3].max() * (1.0 + self.ripple)
        return line[:, :3].min(axis=0) - size, line[:, :3].max(axis=0) + size

    @property
    def line(self) -> FloatArray:
        """Points (n, 4) along the middle with their radius, two millimetres apart."""
        knots = np.array(self.knots)
        steps = np.linalg.norm(np.diff(knots[:, :3], axis=0), axis=1)
        at = np.concatenate([[0.0], np.cumsum(steps)])
        places = np.linspace(0.0, at[-1], max(int(at[-1] / _ALONG_MM), 2))
        if len(knots) < 3:
            line = np.stack([np.interp(places, at, column) for column in knots.T], axis=1)
        else:
            line = np.asarray(CubicSpline(at, knots, bc_type="natural")(places))
        line[:, 3] = np.interp(places, at, knots[:, 3])
        line[:, 3] *= 1.0 + self.ripple * np.cos(2.0 * np.pi * places / self.ring_mm)
        return line

    def outside(self, points: FloatArray) -> FloatArray:
        """Distance at points (..., 3); FAR_MM beyond reach."""
        line = self.line
        flat = points.reshape(-1, 3)
        limit = float(line[:, 3].max()) + 25.0
        distance, nearest = cKDTree(line[:, :3]).query(flat, distance_upper_bound=limit)
        radius = np.append(line[:, 3], 0.0)[nearest]
        return np.asarray(np.where(np.isfinite(distance), distance - radius, FAR_MM).reshape(points.shape[:-1]))

    @property
    def mirrored(self) -> Tube:
        """The same on the other side of x = 0."""
        return Tube(
            knots=tuple((-x, y, z, radius) for x, y, z, radius in self.knots), ripple=self.ripple, ring_mm=self.ring_mm
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class HalfSpace:
    """Everything below a plane through a point; the normal points outside."""

    point: Vector
    normal: Vector

    def outside(self, points: FloatArray) -> FloatArray:
        """Distance at points (..., 3)."""
        normal = np.array(self.normal) / np.linalg.norm(self.normal)
        return np.asarray((points - np.array(self.point)) @ normal)

    @property
    def mirrored(self) -> HalfSpace:
        """The same on the other side of x = 0."""
        (x, y, z), (a, b, c) = self.point, self.normal
        return HalfSpace(point=(-x, y, z), normal=(-a, b, c))


def ripples(points: FloatArray, *, seed: tuple[int, ...], wavelength_mm: float) -> FloatArray:
    """Smooth noise of variance one at points (..., 3): waves in random directions, free of any grid."""
    random = np.random.default_rng(list(seed))
    points = points.astype(np.float32, copy=False)
    total = np.zeros(points.shape[:-1], dtype=np.float32)
    for _ in range(_WAVES):
        direction = random.normal(size=3)
        direction *= 2.0 * np.pi / (wavelength_mm * np.exp(random.normal(0.0, 0.25)) * np.linalg.norm(direction))
        total += np.cos(points @ direction.astype(np.float32) + np.float32(random.uniform(0.0, 2.0 * np.pi)))
    return np.asarray(total * np.sqrt(2.0 / _WAVES))


_WAVES = 9
