"""The bench on which the organs of the trunk are made, one after the other: each takes the room that is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from operators.simulation.matter import Matter
from operators.simulation.organs.frame import BodyFrame
from operators.simulation.organs.lattice import Box, Field, Lattice, OrganField, solved
from operators.simulation.organs.shapes import Shape, ripples

FloatArray = npt.NDArray[np.floating]

_NEAR_MM, _FIXED_MM = 42.0, 8.0
"""Nodes within this distance of a shape know it."""
_SKIP = 4
"""Boxes are looked for on every fourth node."""


@dataclass(kw_only=True, slots=True, eq=False)
class Workshop:
    """Nodes of the trunk, what is already there, and the organs made so far.

    Args:
        rest: (z, y, x, 3) float32: every node in the rest frame.
        size: millimetres of the patient for one of the rest frame.
        taken: distance outside everything made so far.
    """

    lattice: Lattice
    rest: npt.NDArray[np.float32]
    size: float
    taken: Field
    organs: list[OrganField] = field(default_factory=list)

    @classmethod
    def on(cls, lattice: Lattice, frame: BodyFrame) -> Workshop:
        """An empty bench."""
        x, y, z = lattice.axes()
        rest = np.empty((*lattice.shape, 3), dtype=np.float32)
        plane = np.stack(np.broadcast_arrays(x[None, :], y[:, None], 1.0), axis=-1)
        for row, matrix in enumerate(frame.matrices(z)):
            flat = np.concatenate([matrix[:, :2], (matrix[:, 2] * z[row] + matrix[:, 3])[:, None]], axis=1)
            rest[row] = plane @ flat.T
        return cls(lattice=lattice, rest=rest, size=frame.size, taken=lattice.empty())

    def drawn(
        self,
        shapes: Sequence[Shape],
        *,
        smooth_mm: float = 0.0,
        roughness: tuple[int, ...] = (),
        lift_mm: float = 0.0,
        fixed: bool = False,
    ) -> Field:
        """The union of shapes of the rest frame, in millimetres of the patient, on the whole lattice.

        Args:
            smooth_mm: over which they flow into each other.
            roughness: seed of waves of one millimetre on the surface; none without.
            lift_mm: how far up they lie from where they were written down, in the rest frame.
            fixed: they keep their size, so nodes far from them are not looked at.
        """
        total = self.lattice.empty()
        near = _FIXED_MM if fixed else _NEAR_MM
        for shape in shapes:
            low, high = shape.reach
            lift = np.array([0.0, 0.0, lift_mm], dtype=np.float32)
            box = self._box(low - near + lift, high + near + lift)
            part = (shape.outside(self.rest[box] - lift) * self.size).astype(np.float32)
            total[box] = _union(total[box], part, smooth_mm)
        if roughness:
            box = self.inside_box(total, margin_mm=12.0)
            total[box] += ripples(self.rest[box], seed=roughness, wavelength_mm=45.0)
        return total

    def add(
        self,
        matter: Matter,
        shape: Field,
        *,
        target_ml: float | None = None,
        limit: Field | None = None,
        gap_mm: float = 1.0,
    ) -> Field:
        """Put an organ where there is room; returns its field.

        Args:
            shape: as `drawn`.
            target_ml: its volume; None keeps the shape as it is.
            limit: outside of which it may not lie.
            gap_mm: fat left between it and what is there.
        """
        box = self.inside_box(shape, margin_mm=_NEAR_MM)
        bound = gap_mm - self.taken[box]
        if limit is not None:
            bound = np.maximum(bound, limit[box])
        result = self.lattice.empty()
        result[box] = (
            np.maximum(shape[box], bound)
            if target_ml is None
            else solved(self.lattice, shape[box], bound, target_ml=target_ml)
        )
        self.keep(matter, result)
        return result

    def keep(self, matter: Matter, values: Field) -> None:
        """Enter an organ as it is."""
        self.organs.append(OrganField.cropped(matter, self.lattice, values))
        np.minimum(self.taken, values, out=self.taken)

    def inside_box(self, shape: Field, *, margin_mm: float) -> Box:
        """The box of nodes that lie within a margin of a shape."""
        near = shape < margin_mm
        slices = []
        for axis in range(3):
            hits = np.flatnonzero(near.any(axis=tuple(other for other in range(3) if other != axis)))
            slices.append(slice(int(hits[0]), int(hits[-1]) + 1) if len(hits) else slice(0, 1))
        return slices[0], slices[1], slices[2]

    def _box(self, low: FloatArray, high: FloatArray) -> Box:
        """A box of nodes that holds a box of the rest frame."""
        rest = self.rest[::_SKIP, ::_SKIP, ::_SKIP]
        slack = _SKIP * self.lattice.step_mm
        near: npt.NDArray[np.bool_] = np.all((rest > low - slack) & (rest < high + slack), axis=-1)
        slices = []
        for axis in range(3):
            hits = np.flatnonzero(near.any(axis=tuple(other for other in range(3) if other != axis)))
            slices.append(slice(int(hits[0]) * _SKIP, int(hits[-1]) * _SKIP + 1) if len(hits) else slice(0, 1))
        return slices[0], slices[1], slices[2]


def _union(first: Field, second: Field, smooth_mm: float) -> Field:
    if smooth_mm <= 0:
        return np.minimum(first, second)
    mix = np.clip(0.5 + 0.5 * (first - second) / smooth_mm, 0.0, 1.0)
    return np.asarray(first + (second - first) * mix - smooth_mm * mix * (1.0 - mix), dtype=np.float32)
