"""Pixel counts by label from one planar view's maps (clinical reference 1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, product
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray
from operators.kernels.bone_scan_index.involvement import PixelCounts
from operators.kernels.bone_scan_index.regions import BoneLabel, LabelSet

LabelMap = npt.NDArray[np.integer]

RIM_PX = 2
"""A hot pixel within this distance of the skeleton belongs to it; beyond, it is extra-skeletal."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanarView:
    """One view's maps, all (row, column) on one grid, in either orientation.

    Args:
        labels: the skeleton map, numbers of a `LabelSet`, 0 where there is no bone.
        hot: pixels that were classed as metastatic.
        excluded: pixels under bladder, kidney, injection site or contamination.

    Raises ValueError where the maps differ in shape or type.
    """

    labels: LabelMap
    hot: BoolArray
    excluded: BoolArray

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or not np.issubdtype(self.labels.dtype, np.integer):
            raise ValueError("a view's skeleton map is a two-dimensional integer array")
        for mask in (self.hot, self.excluded):
            if mask.shape != self.labels.shape or mask.dtype != np.bool_:
                raise ValueError("a view's masks are bool arrays of its skeleton map's shape")


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewTally:
    """One view's counts by label, and the hot pixels that belong to none."""

    counts: Mapping[BoneLabel, PixelCounts]
    extra_skeletal: int
    """Hot pixels beyond the skeleton's rim."""
    excluded: int
    """Hot pixels under an excluded area."""


def tally(view: PlanarView, *, labels: LabelSet) -> ViewTally:
    """Split a view's hot pixels by region.

    Hot pixels under an excluded area are dropped; those on the rim go to the nearest label.
    Raises ValueError where the map holds a number that the label set does not name.
    """
    unknown = sorted(set(np.unique(view.labels).tolist()) - {0, *labels.numbers})
    if unknown:
        raise ValueError(f"the skeleton map holds numbers that {labels.name} does not name: {unknown}")
    hot = view.hot & ~view.excluded
    size = max(labels.numbers) + 1
    owner = np.bincount(spread(view.labels)[hot], minlength=size)
    region = np.bincount(view.labels.ravel(), minlength=size)
    obscured = np.bincount(view.labels[view.excluded], minlength=size)
    edge = {int(n) for side in _edges(view.labels) for n in side}
    return ViewTally(
        counts=MappingProxyType(
            {
                label: PixelCounts(
                    hot=int(owner[number]),
                    region=int(region[number]),
                    obscured=int(obscured[number]),
                    cut=number in edge,
                )
                for number, label in labels.numbers.items()
                if region[number] > 0
            }
        ),
        extra_skeletal=int(owner[0]),
        excluded=int(np.count_nonzero(view.hot & view.excluded)),
    )


def spread(labels: LabelMap, *, radius_px: int = RIM_PX) -> LabelMap:
    """The map with every label grown by `radius_px` (Euclidean) into pixels without one.

    The nearest label wins; of several at one distance the lowest number, so that a flipped
    map gives the flipped result.
    """
    none = np.iinfo(np.int64).max
    padded = np.pad(labels.astype(np.int64), radius_px)
    padded[padded == 0] = none
    grown = labels.astype(np.int64)
    rows, columns = labels.shape
    for offsets in _rings(radius_px):
        reached = np.full(labels.shape, none)
        for row, column in offsets:
            top, left = radius_px + row, radius_px + column
            np.minimum(reached, padded[top : top + rows, left : left + columns], out=reached)
        take = (grown == 0) & (reached != none)
        grown[take] = reached[take]
    return grown


def _rings(radius_px: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """The offsets within the radius by their distance, the nearest first."""

    def distance(offset: tuple[int, int]) -> int:
        return offset[0] ** 2 + offset[1] ** 2

    reach = range(-radius_px, radius_px + 1)
    offsets = sorted((o for o in product(reach, reach) if 0 < distance(o) <= radius_px**2), key=distance)
    for _, ring in groupby(offsets, key=distance):
        yield tuple(ring)


def _edges(labels: LabelMap) -> Iterator[LabelMap]:
    yield from (labels[0], labels[-1], labels[:, 0], labels[:, -1])
