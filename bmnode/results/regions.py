"""Whether two regions are the same, and masks moved between grids that share their voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bmnode.domain.geometry import CroppedMask, ImagePolygon, VolumeGeometry
from bmnode.results.drawn_outlines import drawn_outline
from bmnode.results.grid import COSINE_TOLERANCE, POSITION_TOLERANCE_STEPS

_OUTLINE_TOLERANCE = 1e-3
"""Pixels; SCOORD has single precision."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lattice:
    """A grid with the series and the slices that it is of."""

    geometry: VolumeGeometry
    source_series_uid: str
    source_instance_uids: tuple[str, ...]

    def join(self, other: Lattice) -> Lattice | None:
        """The grid that holds both; None where they are of different series or their voxels are not the same ones."""
        offset = offset_between(other.geometry, self.geometry)
        if offset is None or other.source_series_uid != self.source_series_uid:
            return None
        first = min(0, offset)
        count = max(self.geometry.shape[0], offset + other.geometry.shape[0]) - first
        matrix = self.geometry.matrix
        matrix[:3, 3] += first * matrix[:3, 0]
        geometry = VolumeGeometry.from_matrix(
            matrix,
            shape=(count, *self.geometry.shape[1:]),
            frame_of_reference_uid=self.geometry.frame_of_reference_uid,
        )
        return Lattice(
            geometry=geometry,
            source_series_uid=self.source_series_uid,
            source_instance_uids=self._join_uids(other, first=first, offset=offset, count=count),
        )

    def _join_uids(self, other: Lattice, *, first: int, offset: int, count: int) -> tuple[str, ...]:
        mine, theirs = self.source_instance_uids, other.source_instance_uids
        if len(mine) != self.geometry.shape[0] or len(theirs) != other.geometry.shape[0]:
            return mine  # of one multi-frame instance
        named = {index - first + offset: uid for index, uid in enumerate(theirs) if uid}
        named |= {index - first: uid for index, uid in enumerate(mine) if uid}
        return tuple(named.get(index, "") for index in range(count))


def offset_between(one: VolumeGeometry, other: VolumeGeometry) -> int | None:
    """On which slice of the other grid the first slice of this one lies; None where their voxels are not the same."""
    if one.shape[1:] != other.shape[1:] or one.frame_of_reference_uid != other.frame_of_reference_uid:
        return None
    between = np.linalg.inv(other.matrix) @ one.matrix
    offset = int(np.rint(between[0, 3]))
    is_parallel = np.abs(between[:3, :3] - np.eye(3)).max() <= COSINE_TOLERANCE
    is_on_voxels = np.abs(between[:3, 3] - [offset, 0, 0]).max() <= POSITION_TOLERANCE_STEPS
    return offset if is_parallel and is_on_voxels else None


def move_mask(mask: CroppedMask, *, source: VolumeGeometry, target: VolumeGeometry) -> CroppedMask:
    """The same voxels on a grid that holds them. Raises ValueError where it does not."""
    offset = offset_between(source, target)
    if offset is None:
        raise ValueError("the mask's voxels are not those of the grid")
    origin = (mask.origin[0] + offset, mask.origin[1], mask.origin[2])
    return replace(mask, grid_shape=target.shape, origin=origin)


def is_same_mask(one: CroppedMask, other: CroppedMask) -> bool:
    """Whether two masks on one grid have the very same voxels."""
    if one.grid_shape != other.grid_shape or one.voxel_count != other.voxel_count:
        return False
    return shared_voxels(one, other) == one.voxel_count


def shared_voxels(one: CroppedMask, other: CroppedMask) -> int:
    """How many voxels two masks on one grid have in common."""
    common = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one.box, other.box, strict=True)]
    if any(part.start >= part.stop for part in common):
        return 0
    parts = [
        mask.values[tuple(slice(c.start - o, c.stop - o) for c, o in zip(common, mask.origin, strict=True))]
        for mask in (one, other)
    ]
    return int(np.count_nonzero(parts[0] & parts[1]))


def are_same_outlines(one: Sequence[ImagePolygon], other: Sequence[ImagePolygon]) -> bool:
    """Whether two findings are outlined alike, whatever the order of their outlines."""
    return len(one) == len(other) and all(any(_is_same_outline(mine, theirs) for theirs in other) for mine in one)


def _is_same_outline(one: ImagePolygon, other: ImagePolygon) -> bool:
    """Whether it is the same line on the same frame, as it was found or as it was drawn."""
    one, other = drawn_outline(one), drawn_outline(other)
    same_frame = (one.sop_instance_uid, one.frame_number or 1) == (other.sop_instance_uid, other.frame_number or 1)
    if not same_frame or len(one.points) != len(other.points):
        return False
    return bool(np.abs(np.subtract(one.points, other.points)).max() <= _OUTLINE_TOLERANCE)
