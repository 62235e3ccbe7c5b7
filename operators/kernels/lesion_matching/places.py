"""Where lesions of an earlier scan lie in the present one, and whether a scan shows a place at all."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import CroppedMask, VolumeGeometry

FloatArray = npt.NDArray[np.float64]
_MARGIN = 2
"""Voxels about the mapped box: half of a voxel may lie beyond where centres fall."""
_LEAST_SHARE = 0.5
"""A voxel whose centre is covered by half or more belongs to the mapped mask, as in `DeformationField.warp_mask`."""


class PointMap(Protocol):
    """Leads from the present scan to the earlier one, and back; points (n, 3), LPS mm."""

    def apply(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Where points of the present scan lie in the earlier one."""
        ...

    def apply_inverse(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Where points of the earlier scan lie in the present one; NaN where that is not known."""
        ...


def voxel_places(mask: CroppedMask, geometry: VolumeGeometry) -> FloatArray:
    """Centres of the mask's voxels (n, 3), LPS mm."""
    index = np.argwhere(mask.values) + np.asarray(mask.origin)
    return np.asarray(index @ geometry.matrix[:3, :3].T + geometry.matrix[:3, 3])


def centroid(places_mm: FloatArray) -> tuple[float, float, float]:
    """Mean of places (n, 3). Raises ValueError where there is none."""
    if len(places_mm) == 0:
        raise ValueError("no place has no middle")
    x, y, z = (float(value) for value in places_mm.mean(axis=0))
    return x, y, z


def share_within(places_mm: FloatArray, geometry: VolumeGeometry) -> float:
    """Share of the places (n, 3) that lie in a voxel of the grid; a place that is not known (NaN) lies in none."""
    if len(places_mm) == 0:
        return 0.0
    to_index = np.linalg.inv(geometry.matrix)
    index = places_mm @ to_index[:3, :3].T + to_index[:3, 3]
    within = np.all((index >= -0.5) & (index <= np.asarray(geometry.shape) - 0.5), axis=1)
    return float(np.mean(within))


def mapped_mask(
    mask: CroppedMask, field: PointMap, *, source: VolumeGeometry, target: VolumeGeometry
) -> CroppedMask | None:
    """A mask of the earlier scan, on the grid `source`, on the grid `target` of the present one.

    A lesion that is smaller than the target's voxels keeps the voxel of its middle. None where no part of it lies on
    the target.
    """
    there = field.apply_inverse(voxel_places(mask, source))
    there = there[np.isfinite(there).all(axis=1)]
    if len(there) == 0:
        return None
    to_target = np.linalg.inv(target.matrix)
    index = there @ to_target[:3, :3].T + to_target[:3, 3]
    low = np.maximum(np.floor(index.min(axis=0)).astype(int) - _MARGIN, 0)
    high = np.minimum(np.ceil(index.max(axis=0)).astype(int) + _MARGIN + 1, target.shape)
    if np.any(low >= high):
        return None
    found = _sampled(mask, field, source=source, target=target, box=(low, high))
    if not found.any():
        middle = np.rint(index.mean(axis=0)).astype(int)
        if np.any(middle < low) or np.any(middle >= high):
            return None
        found[tuple(middle - low)] = True
    k, j, i = (int(start) for start in low)
    return CroppedMask(grid_shape=target.shape, origin=(k, j, i), values=found)


def _sampled(
    mask: CroppedMask,
    field: PointMap,
    *,
    source: VolumeGeometry,
    target: VolumeGeometry,
    box: tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]],
) -> npt.NDArray[np.bool_]:
    """The mask at every voxel of a box of the target."""
    low, high = box
    shape = tuple(int(size) for size in high - low)
    index = np.indices(shape).reshape(3, -1).T + low
    places = field.apply(index @ target.matrix[:3, :3].T + target.matrix[:3, 3])
    to_source = np.linalg.inv(source.matrix)
    voxels = places @ to_source[:3, :3].T + to_source[:3, 3] - np.asarray(mask.origin)
    padded = np.pad(mask.values, 1).astype(np.float32)
    share = ndimage.map_coordinates(padded, voxels.T + 1.0, order=1, mode="constant", cval=0.0)
    return np.asarray(share.reshape(shape) >= _LEAST_SHARE)
