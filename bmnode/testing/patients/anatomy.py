"""A body on a grid: tissue, bone and depth in bone of every voxel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bmnode.testing.patients.grid import Box, Coordinates, FloatVolume, Grid
from bmnode.testing.patients.organs import SUBCUTANEOUS_FAT_MM, Tissue, organs, outline
from bmnode.testing.patients.skeleton import Bone, skeleton
from bmnode.testing.patients.solids import Solid, union_bounds, union_depth
from bmnode.testing.patients.spec import PatientSpec, Side, Vector

REFERENCE_HEIGHT_M = 1.75
_SIZE_SPREAD = 0.015
_OUTSIDE_MM = np.float32(-1000.0)
_PARTIAL_VOLUME_MM = 6.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BodyModel:
    """A body on a grid, arrays ordered (slice, row, column).

    Args:
        tissue: `Tissue` values, as if there were no bones.
        bone: index into `bones` of the bone nearest to the voxel, -1 away from bone.
        bone_depth_mm: depth in bone, negative outside.
    """

    grid: Grid
    bones: tuple[Bone, ...]
    tissue: npt.NDArray[np.uint8]
    bone: npt.NDArray[np.int16]
    bone_depth_mm: FloatVolume

    def bone_share(self, *, below_mm: float | npt.NDArray[np.float32] = 0.0) -> FloatVolume:
        """Share of each voxel, 0 to 1, that lies in bone deeper than `below_mm`."""
        return coverage(self.bone_depth_mm - np.float32(below_mm), grid=self.grid)

    def per_bone(self, values: Mapping[str, float] | None = None, *, attribute: str) -> npt.NDArray[np.float32]:
        """A table over `bones` (its last entry, for index -1, is 0) of `attribute`, replaced by name from `values`."""
        chosen = [(values or {}).get(bone.name, getattr(bone, attribute)) for bone in self.bones]
        return np.array([*chosen, 0.0], dtype=np.float32)


def coverage(depth_mm: FloatVolume, *, grid: Grid) -> FloatVolume:
    """Share of each voxel inside a surface, from the depth of its centre."""
    share: FloatVolume = np.clip(depth_mm / np.float32(grid.mean_spacing_mm) + np.float32(0.5), 0, 1)
    return share


class Anatomy:
    """The body of one patient. Canonical millimetres times `scale` are the patient's."""

    def __init__(self, spec: PatientSpec, *, arms: bool = False) -> None:
        spread = np.random.default_rng([spec.seed, 1]).uniform(-_SIZE_SPREAD, _SIZE_SPREAD)
        self.scale = spec.height_m / REFERENCE_HEIGHT_M * (1.0 + float(spread))
        self.bones = skeleton(arms=arms)
        self._arms = arms

    @cached_property
    def _by_name(self) -> dict[tuple[str, Side], Bone]:
        return {(bone.name, bone.side): bone for bone in self.bones}

    def find(self, name: str, *, side: Side) -> Bone:
        """A bone by name and side. Raises ValueError where there is none."""
        try:
            return self._by_name[name, side]
        except KeyError:
            raise ValueError(f"the synthetic skeleton has no {side} bone named {name!r}") from None

    def anchor_lps(self, bone: Bone) -> Vector:
        """The bone's anchor in the patient's millimetres."""
        x, y, z = bone.anchor
        return x * self.scale, y * self.scale, z * self.scale

    def bone_depth(self, bone: Bone, *, at: Coordinates) -> FloatVolume:
        """Depth in one bone, in the patient's millimetres."""
        return union_depth(bone.solids, self._canonical(at)) * np.float32(self.scale)

    def on_grid(self, grid: Grid) -> BodyModel:
        """The body on a grid."""
        bone, depth = self._bones_on(grid)
        return BodyModel(grid=grid, bones=self.bones, tissue=self._tissue_on(grid), bone=bone, bone_depth_mm=depth)

    def _canonical(self, at: Coordinates) -> Coordinates:
        scale = np.float32(self.scale)
        return Coordinates(x=at.x / scale, y=at.y / scale, z=at.z / scale)

    def _scaled_box(self, solids: tuple[Solid, ...], *, grid: Grid, margin_mm: float) -> Box | None:
        lower, upper = union_bounds(solids)
        low = tuple(value * self.scale - margin_mm for value in lower)
        high = tuple(value * self.scale + margin_mm for value in upper)
        return grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))

    def _tissue_on(self, grid: Grid) -> npt.NDArray[np.uint8]:
        tissue = np.full(grid.shape, Tissue.AIR, dtype=np.uint8)
        depth = np.full(grid.shape, _OUTSIDE_MM, dtype=np.float32)
        for solid in outline(arms=self._arms):
            box = self._scaled_box((solid,), grid=grid, margin_mm=0.0)
            if box is not None:
                part = solid.depth(self._canonical(grid.coordinates(box)))
                np.maximum(depth[box], part, out=depth[box])
        tissue[depth > 0] = Tissue.FAT
        tissue[depth > SUBCUTANEOUS_FAT_MM] = Tissue.MUSCLE
        for kind, solid in organs():
            box = self._scaled_box((solid,), grid=grid, margin_mm=0.0)
            if box is not None:
                inside = solid.depth(self._canonical(grid.coordinates(box))) > 0
                tissue[box][inside] = kind
        return tissue

    def _bones_on(self, grid: Grid) -> tuple[npt.NDArray[np.int16], FloatVolume]:
        index = np.full(grid.shape, -1, dtype=np.int16)
        depth = np.full(grid.shape, _OUTSIDE_MM, dtype=np.float32)
        for number, bone in enumerate(self.bones):
            for solid in bone.solids:
                box = self._scaled_box((solid,), grid=grid, margin_mm=_PARTIAL_VOLUME_MM)
                if box is None:
                    continue
                part = solid.depth(self._canonical(grid.coordinates(box))) * np.float32(self.scale)
                deeper = (part > depth[box]) & (part > -_PARTIAL_VOLUME_MM)
                depth[box][deeper] = part[deeper]
                index[box][deeper] = number
        return index, depth
