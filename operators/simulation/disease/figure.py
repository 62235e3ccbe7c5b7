"""A rough ellipsoid as a function of place, so that a focus is the same on every grid.

Places are those of the rest frame of the part that carries the focus. The person's part is
larger or smaller than the source's; radii are millimetres of the person. So the figure lives
in the rest frame stretched to the person's size, which turns and moves with the bone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from operators.simulation.patient import Shape

FloatArray = npt.NDArray[np.float64]

_WAVES = 6
_WAVE_NUMBERS = (1.5, 3.2)
"""Of the roughness on the unit sphere: from two humps around it to three."""
_SMALLEST_RADIUS = 0.45
_DIRECTIONS = 400
_GOLDEN = (1.0 + 5.0**0.5) / 2.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Figure:
    """A shape in the frame of its part.

    Args:
        shape: as the patient has it.
        to_unit: (3, 3): displacement from the centre in the rest frame to units of the semi-axes.
        waves: (n, 3), phases: (n,) of the roughness.
        size: factor on every radius, so that the rough figure has the volume of the ellipsoid.
        largest: largest distance of the surface from the centre in units of the semi-axes.
    """

    shape: Shape
    to_unit: FloatArray
    waves: FloatArray
    phases: FloatArray
    size: float
    largest: float

    @classmethod
    def of(cls, shape: Shape, stretch: FloatArray) -> Figure:
        """The figure of a shape in a part that is stretched by (3, 3) against the source."""
        turn = Rotation.from_rotvec(np.radians(shape.turn_deg)).as_matrix()
        to_unit = (turn.T @ stretch) / np.asarray(shape.radii_mm)[:, None]
        random = np.random.default_rng([shape.seed, 11])
        directions = random.normal(size=(_WAVES, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        waves = directions * random.uniform(*_WAVE_NUMBERS, size=(_WAVES, 1))
        phases = random.uniform(0.0, 2.0 * np.pi, size=_WAVES)
        sphere = sphere_directions(_DIRECTIONS)
        rough = _rough(sphere, waves=waves, phases=phases, roughness=shape.roughness)
        size = float(np.mean(rough**3)) ** (-1.0 / 3.0)
        return cls(
            shape=shape,
            to_unit=to_unit,
            waves=waves,
            phases=phases,
            size=size,
            largest=1.05 * size * float(rough.max()),
        )

    @property
    def volume_ml(self) -> float:
        """Volume of the whole figure, whether in bone or not."""
        return float(4.0 / 3.0 * np.pi * np.prod(self.shape.radii_mm)) / 1000.0

    def box(self) -> tuple[FloatArray, FloatArray]:
        """Corners (x, y, z) of a box in the rest frame that holds the figure."""
        half = self.largest * np.linalg.norm(np.linalg.inv(self.to_unit), axis=1)
        centre = np.asarray(self.shape.centre_mm)
        return centre - half, centre + half

    def relative(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Distance from the centre at points (n, 3) of the rest frame, where 1 is the surface; and its slope per mm."""
        unit = (points - np.asarray(self.shape.centre_mm)) @ self.to_unit.T
        radius = np.linalg.norm(unit, axis=1)
        safe = np.maximum(radius, 1e-9)
        directions = unit / safe[:, None]
        surface = self.size * _rough(directions, waves=self.waves, phases=self.phases, roughness=self.shape.roughness)
        slope = np.linalg.norm(directions / np.asarray(self.shape.radii_mm), axis=1) / surface
        slope = np.maximum(slope, 0.5 / max(self.shape.radii_mm))  # the centre itself has no direction
        return radius / surface, slope

    def depth_mm(self, points: FloatArray) -> FloatArray:
        """Depth below the surface at points (n, 3) of the rest frame, negative outside; exact at the surface."""
        relative, slope = self.relative(points)
        return np.asarray((1.0 - relative) / slope)

    def lattice(self, spacing_mm: float) -> FloatArray:
        """Points (n, 3) of the rest frame inside the figure, on a regular lattice in the person's millimetres."""
        reach = self.largest * np.asarray(self.shape.radii_mm)
        axes = [
            np.arange(-np.ceil(r / spacing_mm), np.ceil(r / spacing_mm) + 1) * spacing_mm / a
            for r, a in zip(reach, self.shape.radii_mm, strict=True)
        ]
        unit = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        points = np.asarray(self.shape.centre_mm) + unit @ np.linalg.inv(self.to_unit).T
        return np.asarray(points[self.relative(points)[0] <= 1.0])


def sphere_directions(count: int) -> FloatArray:
    """Unit vectors (count, 3) spread evenly over the sphere (Fibonacci lattice)."""
    index = np.arange(count) + 0.5
    height = 1.0 - 2.0 * index / count
    angle = 2.0 * np.pi * index / _GOLDEN
    ring = np.sqrt(1.0 - height**2)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)


def _rough(directions: FloatArray, *, waves: FloatArray, phases: FloatArray, roughness: float) -> FloatArray:
    """Relative distance of the surface in directions (n, 3)."""
    if roughness == 0.0:
        return np.ones(len(directions))
    humps = np.sqrt(2.0 / len(waves)) * np.cos(directions @ waves.T + phases).sum(axis=1)
    return np.asarray(np.maximum(1.0 + roughness * humps, _SMALLEST_RADIUS))
