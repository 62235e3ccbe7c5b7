"""How lesions lie to each other: how far apart, edge to edge, and how much of them is one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import CroppedMask

Spacing = tuple[float, float, float]
Gaps = npt.NDArray[np.float64]
Shares = npt.NDArray[np.float64]


def gaps_mm(
    prior: Sequence[CroppedMask | None],
    current: Sequence[CroppedMask | None],
    *,
    spacing_mm: Spacing,
    reach_mm: float,
) -> Gaps:
    """Shortest distance of voxel centres between each prior and each current lesion, (prior, current), in mm.

    0 where they share a voxel; infinite beyond `reach_mm`, and for a lesion without a mask on this
    grid (one that was mapped out of it). Spacing and masks are ordered (slice, row, column).
    Raises ValueError where masks are on different grids.
    """
    if len({mask.grid_shape for mask in (*prior, *current) if mask is not None}) > 1:
        raise ValueError("lesions are compared on one grid")
    gaps = np.full((len(prior), len(current)), np.inf)
    for i, before in enumerate(prior):
        if before is None:
            continue
        origin, distance = _distance_around(before, spacing_mm=spacing_mm, reach_mm=reach_mm)
        for j, now in enumerate(current):
            if now is not None:
                gaps[i, j] = _nearest(now, origin=origin, distance=distance)
    gaps[gaps > reach_mm + 1e-9] = np.inf
    return gaps


def shares_of_smaller(prior: Sequence[CroppedMask | None], current: Sequence[CroppedMask | None]) -> Shares:
    """Voxels that a prior and a current lesion share, of those of the smaller one, (prior, current), 0 to 1.

    0 for a lesion without a mask on this grid. Raises ValueError where masks are on different grids.
    """
    if len({mask.grid_shape for mask in (*prior, *current) if mask is not None}) > 1:
        raise ValueError("lesions are compared on one grid")
    shares = np.zeros((len(prior), len(current)))
    for i, before in enumerate(prior):
        for j, now in enumerate(current):
            if before is not None and now is not None:
                shares[i, j] = _shared(before, now) / max(1, min(before.voxel_count, now.voxel_count))
    return shares


def _shared(one: CroppedMask, other: CroppedMask) -> int:
    """Voxels that both hold."""
    parts = []
    for a, b in ((one, other), (other, one)):
        part = []
        for start, size, first, length in zip(a.origin, a.values.shape, b.origin, b.values.shape, strict=True):
            low, high = max(start, first), min(start + size, first + length)
            if low >= high:
                return 0
            part.append(slice(low - start, high - start))
        parts.append(a.values[tuple(part)])
    return int(np.count_nonzero(parts[0] & parts[1]))


def _distance_around(
    mask: CroppedMask, *, spacing_mm: Spacing, reach_mm: float
) -> tuple[tuple[int, int, int], npt.NDArray[np.float64]]:
    """Distance from the mask in its box and `reach_mm` around it; the grid's ends are no limit."""
    margin = [int(reach_mm / spacing) + 1 for spacing in spacing_mm]
    padded = np.pad(mask.values, [(size, size) for size in margin])
    k, j, i = (start - size for start, size in zip(mask.origin, margin, strict=True))
    return (k, j, i), np.asarray(ndimage.distance_transform_edt(~padded, sampling=spacing_mm))


def _nearest(mask: CroppedMask, *, origin: tuple[int, int, int], distance: npt.NDArray[np.float64]) -> float:
    """The smallest distance at one of the mask's voxels; infinite where none lies in the field."""
    field, own = [], []
    for axis in range(3):
        low = max(mask.origin[axis], origin[axis])
        high = min(mask.origin[axis] + mask.values.shape[axis], origin[axis] + distance.shape[axis])
        if low >= high:
            return np.inf
        field.append(slice(low - origin[axis], high - origin[axis]))
        own.append(slice(low - mask.origin[axis], high - mask.origin[axis]))
    return float(np.min(distance[tuple(field)], where=mask.values[tuple(own)], initial=np.inf))
