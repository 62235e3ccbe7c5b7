"""Regions of raised uptake by threshold, for PET and SPECT."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from operators.kernels.components import components, label, minimum_voxels


@dataclass(frozen=True, kw_only=True, slots=True)
class UptakeLimits:
    """A region reaches `seed` somewhere; it holds what is at `floor` or more and at `fraction` of its maximum or more.

    `seed` and `floor` are in the image's unit (g/ml or a ratio), `fraction` is 0 where only the fixed
    threshold counts; regions under `minimum_ml` are left out.
    """

    seed: float
    floor: float
    fraction: float
    minimum_ml: float

    def __post_init__(self) -> None:
        if not 0.0 < self.floor <= self.seed or not 0.0 <= self.fraction < 1.0 or self.minimum_ml < 0.0:
            raise ValueError("uptake limits need 0 < floor <= seed, 0 <= fraction < 1 and minimum_ml >= 0")


QPSMA_LIVER_FACTOR = 4.30
"""Of the threshold for soft tissue that goes by the liver: PMC6735278 (qPSMA)."""


def qpsma_soft_tissue_suv(*, liver_mean: float, liver_sd: float) -> float:
    """The lowest SUV of a soft-tissue lesion by qPSMA, by the liver of the same scan; all SUVbw, g/ml.

    4.30 / mean * (mean + SD) (PMC6735278). No branch searches soft tissue: it is here for whoever adds that. Bone has
    its fixed 3.0. Raises ValueError where the mean is not positive or the SD negative, or one not finite.
    """
    if not (math.isfinite(liver_mean) and math.isfinite(liver_sd) and liver_mean > 0.0 and liver_sd >= 0.0):
        raise ValueError("a liver's mean SUV is positive and its SD not negative")
    return QPSMA_LIVER_FACTOR / liver_mean * (liver_mean + liver_sd)


def find_uptake(
    array: npt.NDArray[np.floating], search: BoolArray | None, geometry: VolumeGeometry, *, limits: UptakeLimits
) -> tuple[CroppedMask, ...]:
    """Regions (slice, row, column) inside `search`, or anywhere where that is None, hottest first.

    Connected voxels at `seed` or more are one uptake. Its region is what is connected to it at the
    higher of `floor` and `fraction` of its maximum; where that lies above `seed`, each connected part is
    a region. Regions do not overlap: the hotter uptake takes what it reaches.
    """
    allowed = np.ones(array.shape, dtype=np.bool_) if search is None else search.copy()
    least = minimum_voxels(limits.minimum_ml, voxel_volume_ml=geometry.voxel_volume_ml)
    seeds = [(_highest(array, part), part) for part in components(allowed & (array >= limits.seed))]
    found: list[CroppedMask] = []
    for highest, part in sorted(seeds, key=lambda item: (-item[0], item[1].origin)):
        if not (part.values & allowed[part.box]).any():
            continue  # a hotter uptake reached this one
        threshold = max(limits.floor, limits.fraction * highest)
        regions = (
            _inside(array, part, threshold) if threshold >= limits.seed else _grown(array, part, allowed, threshold)
        )
        for region in regions:
            allowed[region.box] &= ~region.values
            if region.voxel_count >= least:
                found.append(region)
    return tuple(sorted(found, key=lambda region: (-_highest(array, region), region.origin)))


def _highest(array: npt.NDArray[np.floating], region: CroppedMask) -> float:
    return float(array[region.box][region.values].max())


def _inside(array: npt.NDArray[np.floating], part: CroppedMask, threshold: float) -> list[CroppedMask]:
    return [_moved(piece, part) for piece in components(part.values & (array[part.box] >= threshold))]


def _grown(
    array: npt.NDArray[np.floating], part: CroppedMask, allowed: BoolArray, threshold: float
) -> list[CroppedMask]:
    labels = label(allowed & (array >= threshold))
    number = labels[part.box][part.values & allowed[part.box]][0]
    return [CroppedMask.from_array(labels == number)]


def _moved(piece: CroppedMask, part: CroppedMask) -> CroppedMask:
    k, j, i = (first + second for first, second in zip(piece.origin, part.origin, strict=True))
    return CroppedMask(grid_shape=part.grid_shape, origin=(k, j, i), values=piece.values)
