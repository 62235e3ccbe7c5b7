"""Uptake of liver and blood pool in the places that the CT gave, or the sentence that says why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from operators.kernels.measurement import Statistics, statistics
from operators.kernels.reference_place import Point


@dataclass(frozen=True, kw_only=True, slots=True)
class PlausibleUptake:
    """SUVbw between which a reference mean may lie, and the highest coefficient of variation (project rules)."""

    lowest: float
    highest: float
    variation: float

    def __post_init__(self) -> None:
        if not 0.0 < self.lowest < self.highest or not 0.0 < self.variation < 1.0:
            raise ValueError("a plausible uptake needs 0 < lowest < highest and 0 < variation < 1")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reference:
    """A reference region on the emission grid, with its SUVbw."""

    mask: CroppedMask
    values: Statistics


def first_plausible(
    array: npt.NDArray[np.floating],
    geometry: VolumeGeometry,
    regions: Iterable[CroppedMask | None],
    *,
    least_ml: float,
    limits: PlausibleUptake,
) -> tuple[Reference | None, str]:
    """The first region with `least_ml` on the grid and plausible uptake, or None and why not."""
    why_not = "no place for it was found on the CT."
    for region in regions:
        if region is None or region.voxel_count * geometry.voxel_volume_ml < least_ml:
            why_not = "it lies outside the emission image."
            continue
        values = statistics(array, region)
        if not limits.lowest <= values.mean <= limits.highest:
            why_not = f"a mean SUV of {values.mean:.2f} is not plausible ({limits.lowest:g} to {limits.highest:g})."
        elif values.standard_deviation > limits.variation * values.mean:
            share = 100.0 * values.standard_deviation / values.mean
            why_not = f"the uptake is not even: it varies by {share:.0f} %, {100.0 * limits.variation:g} % is allowed."
        else:
            return Reference(mask=region, values=values), ""
    return None, why_not


def sphere(geometry: VolumeGeometry, centre: Point, *, radius_mm: float) -> CroppedMask | None:
    """Voxels whose centres lie within `radius_mm` of a point (LPS, mm), None where there are none."""
    return tube(geometry, (centre,), radius_mm=radius_mm, flat=False)


def tube(geometry: VolumeGeometry, line: Sequence[Point], *, radius_mm: float, flat: bool = True) -> CroppedMask | None:
    """Voxels whose centres lie within `radius_mm` of a line through points (LPS, mm), None where there are none.

    `flat` cuts it off at the height of its ends, so that a straight line along the patient gives a cylinder.
    """
    points = np.asarray(line, dtype=np.float64)
    box = _box(geometry, points, radius_mm=radius_mm)
    if any(part.start >= part.stop for part in box):
        return None
    grid = np.stack(np.meshgrid(*(np.arange(part.start, part.stop) for part in box), indexing="ij"), axis=-1)
    places = grid @ geometry.matrix[:3, :3].T + geometry.matrix[:3, 3]
    nearest = np.full(places.shape[:3], np.inf)
    for first, second in pairwise(points if len(points) > 1 else np.repeat(points, 2, axis=0)):
        np.minimum(nearest, _square_distance(places, first, second), out=nearest)
    inside: BoolArray = nearest <= radius_mm**2 + 1e-9
    if flat:
        low, high = points[:, 2].min(), points[:, 2].max()
        inside &= (places[..., 2] >= low - 1e-6) & (places[..., 2] <= high + 1e-6)
    if not inside.any():
        return None
    k, j, i = (part.start for part in box)
    return CroppedMask(grid_shape=geometry.shape, origin=(k, j, i), values=inside)


def _square_distance(
    places: npt.NDArray[np.float64], first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """From each place (..., 3) to the nearest point between two points, mm2; these may coincide."""
    way = second - first
    length = float(way @ way)
    along = np.clip((places - first) @ way / length, 0.0, 1.0) if length > 0.0 else np.zeros(places.shape[:-1])
    gap = places - first - along[..., None] * way
    return np.asarray(np.einsum("...i,...i->...", gap, gap))


def _box(geometry: VolumeGeometry, points: npt.NDArray[np.float64], *, radius_mm: float) -> tuple[slice, slice, slice]:
    inverse = np.linalg.inv(geometry.matrix)
    index = points @ inverse[:3, :3].T + inverse[:3, 3]
    reach = np.ceil(radius_mm * np.linalg.norm(inverse[:3, :3], axis=1)) + 1
    low = np.maximum(np.floor(index.min(axis=0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(index.max(axis=0) + reach) + 1, geometry.shape).astype(int)
    k, j, i = (slice(int(first), int(last)) for first, last in zip(low, high, strict=True))
    return k, j, i
