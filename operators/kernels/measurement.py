"""What is measured on a region: statistics, volume, long axis, peak. All in double precision on the stored mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from bmnode.domain.geometry import CroppedMask, VolumeGeometry

PEAK_RADIUS_MM = 10.0 * (3.0 / (4.0 * math.pi)) ** (1.0 / 3.0)
"""Radius of the 1 ml sphere of SUVpeak: 6.203505 mm."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """Of the voxels inside a mask, in the image's unit; `standard_deviation` is the population's."""

    count: int
    mean: float
    maximum: float
    minimum: float
    median: float
    standard_deviation: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """SUVpeak: `local` is centred on the hottest voxel (IBSI VJGA), `best` the highest over the region (IBSI 0F91).

    Of several hottest voxels the one with the highest mean counts.
    """

    local: float
    best: float


def statistics(array: npt.NDArray[np.floating], mask: CroppedMask) -> Statistics:
    """Of the array's values (slice, row, column) inside the mask. Raises ValueError on an empty mask."""
    values = array[mask.box][mask.values].astype(np.float64)
    if values.size == 0:
        raise ValueError("an empty region has no statistics")
    return Statistics(
        count=int(values.size),
        mean=float(values.mean()),
        maximum=float(values.max()),
        minimum=float(values.min()),
        median=float(np.median(values)),
        standard_deviation=float(values.std()),
    )


def percentiles(array: npt.NDArray[np.floating], mask: CroppedMask, *, percents: Sequence[float]) -> tuple[float, ...]:
    """Of the array's values inside the mask, linear between ranks. Raises ValueError on an empty mask."""
    values = array[mask.box][mask.values].astype(np.float64)
    if values.size == 0:
        raise ValueError("an empty region has no percentiles")
    return tuple(float(value) for value in np.percentile(values, list(percents)))


def volume_ml(mask: CroppedMask, geometry: VolumeGeometry) -> float:
    """Voxel count times voxel volume, ml."""
    return mask.voxel_count * geometry.voxel_volume_ml


def long_axis_mm(mask: CroppedMask, geometry: VolumeGeometry) -> float:
    """The greatest distance between two voxel centres of the region, in three dimensions, mm; 0 for one voxel."""
    surface = np.argwhere(mask.values & ~_inner(mask.values))
    points = (surface + np.asarray(mask.origin)) @ geometry.matrix[:3, :3].T
    if len(points) < 2:
        return 0.0
    if len(points) > 64:
        try:
            points = points[ConvexHull(points).vertices]
        except QhullError:
            # Flat or straight regions have no hull; their extreme points along many directions hold the diameter.
            points = _extremes(points)
    return float(pdist(points).max())


def _inner(values: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Voxels whose six neighbours are all set."""
    padded = np.pad(values, 1)
    inner = values.copy()
    for axis in range(3):
        for shift in (-1, 1):
            inner &= np.roll(padded, shift, axis=axis)[1:-1, 1:-1, 1:-1]
    return inner


def _extremes(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The outer points of a flat set: its two-dimensional hull, or both ends of a line."""
    centred = points - points.mean(axis=0)
    _, strengths, axes = np.linalg.svd(centred, full_matrices=False)
    plane = centred @ axes[:2].T
    if strengths[1] <= 1e-9 * strengths[0]:
        ends = [int(np.argmin(plane[:, 0])), int(np.argmax(plane[:, 0]))]
        return points[ends]
    return np.asarray(points[ConvexHull(plane).vertices])


def sphere_offsets(geometry: VolumeGeometry, *, radius_mm: float = PEAK_RADIUS_MM) -> npt.NDArray[np.int64]:
    """Index offsets (n, 3) of the voxels whose centres lie within the radius of a voxel's centre."""
    step = geometry.matrix[:3, :3]
    reach = np.ceil(radius_mm * np.linalg.norm(np.linalg.inv(step), axis=1)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    distance = np.linalg.norm(grid @ step.T, axis=1)
    return np.asarray(grid[distance <= radius_mm], dtype=np.int64)


def peak(
    array: npt.NDArray[np.floating],
    mask: CroppedMask,
    geometry: VolumeGeometry,
    *,
    radius_mm: float = PEAK_RADIUS_MM,
) -> Peak:
    """The 1 ml mean, local and best. The sphere may leave the region; what lies off the grid is left out."""
    offsets = sphere_offsets(geometry, radius_mm=radius_mm)
    reach = np.abs(offsets).max(axis=0)
    low = [max(0, start - int(margin)) for start, margin in zip(mask.origin, reach, strict=True)]
    high = [
        min(limit, start + size + int(margin))
        for start, size, limit, margin in zip(mask.origin, mask.values.shape, array.shape, reach, strict=True)
    ]
    k, j, i = (slice(first, last) for first, last in zip(low, high, strict=True))
    surround = array[k, j, i].astype(np.float64)
    centres = np.argwhere(mask.values) + np.asarray(mask.origin) - np.asarray(low)
    total, count = np.zeros(len(centres)), np.zeros(len(centres))
    limit = np.asarray(surround.shape)
    for offset in offsets:
        at = centres + offset
        inside = np.all((at >= 0) & (at < limit), axis=1)
        rows = at[inside]
        total[inside] += surround[rows[:, 0], rows[:, 1], rows[:, 2]]
        count[inside] += 1.0
    means = total / count
    inside = array[mask.box][mask.values]
    return Peak(local=float(means[inside == inside.max()].max()), best=float(means.max()))
