"""Uptake divided by its peaks, and whether each part belongs to bone or to an organ beside it.

A convention of this project: an uptake belongs to where its peak and most of it lie. A threshold alone
joins a lesion with a hot organ that touches it, and takes an organ's rim for a lesion.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray
from operators.kernels.uptake import UptakeLimits

METHOD = "PEAK_IN_BONE_V1"

_HALF_OF_26 = tuple(step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0))


@dataclass(frozen=True, kw_only=True, slots=True)
class BasinLimits:
    """How uptake is divided and told from organs.

    Two peaks are one where the saddle between them is `joined_share` of the lower one or more (noise,
    uneven uptake). A part belongs to bone where its peak lies in the search region and `bone_share` of it or more.
    """

    joined_share: float
    bone_share: float

    def __post_init__(self) -> None:
        if not 0.0 < self.joined_share <= 1.0 or not 0.0 <= self.bone_share <= 1.0:
            raise ValueError("joined_share lies in (0, 1] and bone_share in [0, 1]")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OrganUptake:
    """What of the search region (slice, row, column) organs take up, and how many parts reach the seed there."""

    mask: BoolArray
    count: int


def organ_uptake(
    array: npt.NDArray[np.floating], search: BoolArray, *, uptake: UptakeLimits, limits: BasinLimits
) -> OrganUptake:
    """The voxels of `search` at the floor or more that belong to a peak outside bone.

    Of each part counts what is at the floor and at `uptake.fraction` of its peak or more: the region that would
    be drawn.
    """
    basins = divide(array, floor=uptake.floor, joined_share=limits.joined_share)
    values, inside = array.ravel()[basins.voxels], search.ravel()[basins.voxels]
    count = len(basins.peaks)
    highest = array.ravel()[basins.peaks]
    drawn = values >= uptake.fraction * highest[basins.of_voxel]
    whole = np.bincount(basins.of_voxel[drawn], minlength=count)
    held = np.bincount(basins.of_voxel[drawn & inside], minlength=count)
    is_bone = search.ravel()[basins.peaks] & (held >= limits.bone_share * whole)
    foreign = ~is_bone[basins.of_voxel] & inside
    mask = np.zeros(array.shape, dtype=np.bool_)
    mask.ravel()[basins.voxels[foreign]] = True
    reaching = np.unique(basins.of_voxel[foreign & (values >= uptake.seed)])
    return OrganUptake(mask=mask, count=len(reaching))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Basins:
    """Voxels (flat indices), the basin of each (from 0), and the flat index of each basin's peak."""

    voxels: npt.NDArray[np.int64]
    of_voxel: npt.NDArray[np.int64]
    peaks: npt.NDArray[np.int64]


def divide(array: npt.NDArray[np.floating], *, floor: float, joined_share: float) -> Basins:
    """The voxels at `floor` or more, each with the peak that steepest ascent over 26 neighbours leads to.

    Peaks whose saddle is at `joined_share` of the lower one or more become one; the highest names it.
    """
    voxels = np.flatnonzero(array.ravel() >= floor)
    pairs = _neighbours(array, voxels)
    values = array.ravel()[voxels].astype(np.float64)
    upward = _followed(_steepest(values, pairs))
    names = _joined(values, upward, pairs, joined_share=joined_share)
    peaks, of_voxel = np.unique(names[upward], return_inverse=True)
    return Basins(voxels=voxels, of_voxel=of_voxel.astype(np.int64), peaks=voxels[peaks])


_Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _neighbours(array: npt.NDArray[np.floating], voxels: npt.NDArray[np.int64]) -> list[_Pairs]:
    """For each of thirteen directions the pairs of neighbouring voxels, as positions in `voxels`."""
    at = np.stack(np.unravel_index(voxels, array.shape), axis=1)
    pairs: list[_Pairs] = []
    for step in _HALF_OF_26:
        there = at + np.asarray(step)
        valid = np.flatnonzero(np.all((there >= 0) & (there < np.asarray(array.shape)), axis=1))
        flat = np.ravel_multi_index(tuple(there[valid].T), array.shape)
        other = np.minimum(np.searchsorted(voxels, flat), len(voxels) - 1)
        found = voxels[other] == flat
        pairs.append((valid[found], other[found]))
    return pairs


def _steepest(values: npt.NDArray[np.float64], pairs: list[_Pairs]) -> npt.NDArray[np.int64]:
    """The highest neighbour of each voxel, itself where none is higher; of equals the first counts as higher."""
    order = np.empty(len(values), dtype=np.int64)
    order[np.lexsort((-np.arange(len(values)), values))] = np.arange(len(values))
    best = np.arange(len(values))
    for first, second in pairs:
        for here, there in ((first, second), (second, first)):
            higher = order[there] > order[best[here]]
            best[here[higher]] = there[higher]
    return best


def _joined(
    values: npt.NDArray[np.float64], peak_of: npt.NDArray[np.int64], pairs: list[_Pairs], *, joined_share: float
) -> npt.NDArray[np.int64]:
    """For every voxel that is a peak, the peak whose name it takes; the highest saddles are joined first."""
    name = np.arange(len(values))

    def find(peak: int) -> int:
        while name[peak] != peak:
            name[peak] = name[name[peak]]
            peak = int(name[peak])
        return peak

    for one, other, saddle in _saddles(values, peak_of, pairs):
        lower, higher = sorted((find(one), find(other)), key=lambda peak: (values[peak], -peak))
        if lower != higher and saddle >= joined_share * values[lower]:
            name[lower] = higher
    return _followed(name)


def _followed(pointer: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each chain of pointers ends; the way halves with every round."""
    while not np.array_equal(further := pointer[pointer], pointer):
        pointer = further
    return pointer


def _saddles(
    values: npt.NDArray[np.float64], peak_of: npt.NDArray[np.int64], pairs: list[_Pairs]
) -> list[tuple[int, int, float]]:
    """Pairs of peaks whose basins touch, with the height at which they do, highest first."""
    rows = []
    for first, second in pairs:
        one, other = peak_of[first], peak_of[second]
        apart = one != other
        height = np.minimum(values[first], values[second])[apart]
        rows.append((np.minimum(one, other)[apart], np.maximum(one, other)[apart], height))
    low, high, height = (np.concatenate(column) for column in zip(*rows, strict=True))
    downward = np.argsort(-height, kind="stable")
    _, first_of_pair = np.unique((low * len(values) + high)[downward], return_index=True)
    kept = downward[np.sort(first_of_pair)]
    return list(zip(low[kept].tolist(), high[kept].tolist(), height[kept].tolist(), strict=True))
