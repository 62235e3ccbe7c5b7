"""Fields on nodes in LPS: free of the image's grid, with volumes that can be solved for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.matter import Matter

Field = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
Box = tuple[slice, slice, slice]

FAR_MM = 99.0
_SLACK_MM = 40.0
_FINER = 2
"""Volumes are taken between the nodes: this many points for each."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lattice:
    """Nodes `step_mm` apart along LPS; node (0, 0, 0) is at `origin_mm` (x, y, z); arrays are (z, y, x)."""

    origin_mm: FloatArray
    step_mm: float
    shape: tuple[int, int, int]

    @classmethod
    def around(cls, low: FloatArray, high: FloatArray, *, step_mm: float) -> Lattice:
        """Nodes that hold a box, at multiples of the step."""
        first = np.floor(low / step_mm).astype(int)
        last = np.ceil(high / step_mm).astype(int) + 1
        x, y, z = (int(n) for n in last - first)
        return cls(origin_mm=first * step_mm, step_mm=step_mm, shape=(z, y, x))

    def axes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coordinates of the nodes along x, y, z."""
        x, y, z = (self.origin_mm[axis] + self.step_mm * np.arange(self.shape[2 - axis]) for axis in range(3))
        return x, y, z

    def points(self) -> FloatArray:
        """(z, y, x, 3): LPS of every node."""
        x, y, z = self.axes()
        grid = np.empty((*self.shape, 3))
        grid[..., 0], grid[..., 1], grid[..., 2] = x, y[:, None], z[:, None, None]
        return grid

    def empty(self) -> Field:
        """A field that is outside everywhere."""
        return np.full(self.shape, FAR_MM, dtype=np.float32)

    def quick_ml(self, field: Field) -> float:
        """Volume inside a field on this lattice or a box of it, some per cent too large where it is small or thin."""
        inside = np.clip(0.5 - field / self.step_mm, 0.0, 1.0).sum(dtype=np.float64)
        return float(inside) * self.step_mm**3 / 1000.0

    def volume_ml(self, field: Field) -> float:
        """Volume inside the trilinear surface of a field on this lattice or a box of it."""
        inside = np.argwhere(field < self.step_mm)
        if not len(inside):
            return 0.0
        first, last = np.maximum(inside.min(axis=0) - 1, 0), inside.max(axis=0) + 2
        part = np.clip(field[tuple(slice(a, b) for a, b in zip(first, last, strict=True))], -_SLACK_MM, _SLACK_MM)
        for axis in range(3):
            part = _refined(part, axis)
        step = self.step_mm / _FINER
        return float(np.clip(0.5 - part / step, 0.0, 1.0).sum(dtype=np.float64)) * step**3 / 1000.0

    def crop(self, field: Field, *, margin_mm: float = 6.0) -> tuple[Lattice, Field]:
        """The part of a field that holds its inside, with a margin."""
        low, high = [], []
        inside = field < margin_mm
        for axis in range(3):
            hits = np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis)))
            low.append(int(hits[0]) if len(hits) else 0)
            high.append(int(hits[-1]) + 1 if len(hits) else 1)
        k, j, i = (slice(a, b) for a, b in zip(low, high, strict=True))
        part = np.ascontiguousarray(field[k, j, i])
        origin = self.origin_mm + self.step_mm * np.array(low[::-1])
        shape = (part.shape[0], part.shape[1], part.shape[2])
        return Lattice(origin_mm=origin, step_mm=self.step_mm, shape=shape), part


def _refined(field: Field, axis: int) -> Field:
    """Points in between along one axis, linear."""
    field = np.moveaxis(field, axis, 0)
    nodes = np.arange(0, len(field) - 1 + 1e-9, 1.0 / _FINER)
    low = np.minimum(nodes.astype(int), len(field) - 2)
    share = (nodes - low).astype(np.float32)[:, None, None]
    return np.moveaxis(field[low] * (1.0 - share) + field[low + 1] * share, 0, axis)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OrganField:
    """An organ's surface: millimetres outside it on a lattice's nodes, trilinear between them."""

    matter: Matter
    lattice: Lattice
    values: Field

    @classmethod
    def cropped(cls, matter: Matter, lattice: Lattice, values: Field) -> OrganField:
        """Keep only the box that the organ needs."""
        part, field = lattice.crop(values)
        return cls(matter=matter, lattice=part, values=field)

    @property
    def volume_ml(self) -> float:
        """Volume inside the surface."""
        return self.lattice.volume_ml(self.values)

    def box(self, geometry: VolumeGeometry) -> Box | None:
        """The voxels of a grid that it can touch; None where it lies off the grid."""
        size = self.lattice.step_mm * (np.array(self.lattice.shape[::-1]) - 1)
        corners = self.lattice.origin_mm + np.array(list(np.ndindex(2, 2, 2))) * size
        to_index = np.linalg.inv(geometry.matrix)
        index = corners @ to_index[:3, :3].T + to_index[:3, 3]
        first = np.clip(np.ceil(index.min(axis=0)), 0, geometry.shape).astype(int)
        last = np.clip(np.floor(index.max(axis=0)) + 1, 0, geometry.shape).astype(int)
        if np.any(first >= last):
            return None
        k, j, i = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        return k, j, i

    def on_grid(self, geometry: VolumeGeometry, box: Box) -> Field:
        """The field at the voxels of a box (slice, row, column)."""
        node = np.zeros((4, 4))
        node[0, 2] = node[1, 1] = node[2, 0] = 1.0 / self.lattice.step_mm
        node[:3, 3] = -self.lattice.origin_mm[::-1] / self.lattice.step_mm
        node[3, 3] = 1.0
        to_node = node @ geometry.matrix
        linear = to_node[:3, :3]
        start = np.array([axis.start for axis in box], dtype=np.float64)
        offset = to_node[:3, 3] + linear @ start
        size = tuple(axis.stop - axis.start for axis in box)
        diagonal = np.count_nonzero(np.abs(linear) > 1e-12) == 3 and np.all(np.diag(linear) != 0)
        return np.asarray(
            ndimage.affine_transform(
                self.values,
                np.diag(linear).copy() if diagonal else linear,
                offset=offset,
                output_shape=size,
                order=1,
                cval=FAR_MM,
            )
        )


def solved(lattice: Lattice, shape: Field, limit: Field, *, target_ml: float, reach_mm: float = 40.0) -> Field:
    """A shape grown or shrunk evenly, within a limit, until its volume is the target.

    Where the limit holds less than the target, the result is the limit itself or what the reach allows.
    """
    aim, result = target_ml, np.maximum(shape, limit)
    for _ in range(_CORRECTIONS):
        low, high = -reach_mm, reach_mm
        for _ in range(_ROUNDS):
            middle = (low + high) / 2
            below = lattice.quick_ml(np.maximum(shape - middle, limit)) < aim
            low, high = (middle, high) if below else (low, middle)
        result = np.maximum(shape - (low + high) / 2, limit)
        aim *= target_ml / max(lattice.volume_ml(result), 1e-3)
    return np.asarray(result, dtype=np.float32)


_ROUNDS = 13
_CORRECTIONS = 3
"""The quick volume is off by some per cent in small organs: its target is corrected by the exact one."""
