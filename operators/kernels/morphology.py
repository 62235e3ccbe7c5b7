"""Morphology by balls in millimetres, as unions of shifted arrays: exact, and fast on large bool volumes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray

Spacing = tuple[float, float, float]

_SHIFTS_UP_TO = 4.5
"""Radius in voxels above which a distance transform is faster than the ball's shifts.

It also takes twenty times the memory.
"""


def dilate(mask: BoolArray, *, radius_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Voxels whose centre lies within the radius of a set voxel's centre."""
    result = mask.copy()
    if not mask.any():
        return result
    box = _reached(mask, radius_mm=radius_mm, spacing_mm=spacing_mm)
    inner = mask[box]
    if radius_mm > _SHIFTS_UP_TO * min(spacing_mm):
        result[box] = ndimage.distance_transform_edt(~inner, sampling=spacing_mm) <= radius_mm + 1e-9
        return result
    grown = result[box]
    for offset in _ball(radius_mm, spacing_mm):
        source, target = _shifted(inner.shape, offset)
        grown[target] |= inner[source]
    return result


def _reached(mask: BoolArray, *, radius_mm: float, spacing_mm: Spacing) -> tuple[slice, ...]:
    """The box that a dilation can change."""
    box = []
    for axis, spacing in enumerate(spacing_mm):
        hits = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        reach = int(radius_mm / spacing + 1e-9)
        box.append(slice(max(0, int(hits[0]) - reach), min(mask.shape[axis], int(hits[-1]) + reach + 1)))
    return tuple(box)


def erode(mask: BoolArray, *, radius_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Voxels whose ball lies inside the mask; what lies beyond the array counts as inside."""
    result = np.zeros_like(mask)
    if mask.any():
        box = _reached(mask, radius_mm=radius_mm, spacing_mm=spacing_mm)
        result[box] = ~dilate(~mask[box], radius_mm=radius_mm, spacing_mm=spacing_mm)
    return result


def close_gaps(mask: BoolArray, *, radius_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Closing: gaps narrower than the ball are filled."""
    reach = [int(radius_mm // spacing) + 1 for spacing in spacing_mm]
    padded = np.pad(mask, [(margin, margin) for margin in reach])
    closed = erode(
        dilate(padded, radius_mm=radius_mm, spacing_mm=spacing_mm), radius_mm=radius_mm, spacing_mm=spacing_mm
    )
    k, j, i = (slice(margin, -margin) for margin in reach)
    return closed[k, j, i] | mask


def open_parts(mask: BoolArray, *, radius_mm: float, spacing_mm: Spacing) -> BoolArray:
    """Opening: parts thinner than the ball are removed."""
    core = erode(mask, radius_mm=radius_mm, spacing_mm=spacing_mm)
    return dilate(core, radius_mm=radius_mm, spacing_mm=spacing_mm) & mask


def fill_slices(mask: BoolArray) -> BoolArray:
    """Holes that are enclosed within their slice (first axis) are filled."""
    in_plane = ndimage.generate_binary_structure(3, 1)
    in_plane[0] = in_plane[2] = False
    labels, count = ndimage.label(~mask, structure=in_plane)
    open_labels = np.zeros(count + 1, dtype=np.bool_)
    for edge in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        open_labels[edge] = True
    open_labels[0] = False  # label 0 is the mask itself
    result: BoolArray = ~open_labels[labels]
    return result


def block_means(array: npt.NDArray[np.floating], factors: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Means of blocks of `factors` voxels; the last block of an axis may be smaller."""
    result: npt.NDArray[np.float32] = np.asarray(array, dtype=np.float32)
    for axis, factor in enumerate(factors):
        if factor > 1:
            result = _means_along(result, axis, factor)
    return result


def _means_along(array: npt.NDArray[np.float32], axis: int, factor: int) -> npt.NDArray[np.float32]:
    """Strided sums: on the first two axes they take a tenth of `np.add.reduceat`'s time."""
    rows = np.moveaxis(array, axis, 0)
    total = rows[::factor].copy()
    for step in range(1, factor):
        others = rows[step::factor]
        total[: len(others)] += others
    sizes = np.full((len(total), 1, 1), factor, dtype=np.float32)
    sizes[-1] -= -len(rows) % factor
    total /= sizes
    return np.moveaxis(total, 0, axis)


def expand_blocks(mask: BoolArray, factors: tuple[int, int, int], *, shape: tuple[int, ...]) -> BoolArray:
    """A mask of blocks on the grid that `block_means` was taken of."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            mask = mask.repeat(factor, axis=axis)
    return mask[: shape[0], : shape[1], : shape[2]]


def block_factors(spacing_mm: Spacing, *, working_mm: float) -> tuple[int, int, int]:
    """How many voxels make a block of about `working_mm`, one at least."""
    z, y, x = (max(1, int(working_mm / spacing + 0.25)) for spacing in spacing_mm)
    return z, y, x


def _ball(radius_mm: float, spacing_mm: Spacing) -> list[tuple[int, int, int]]:
    reach = [int(radius_mm / spacing + 1e-9) for spacing in spacing_mm]
    offsets = []
    for k, j, i in np.ndindex(*(2 * n + 1 for n in reach)):
        offset = (k - reach[0], j - reach[1], i - reach[2])
        distance = float(np.linalg.norm(np.multiply(offset, spacing_mm)))
        if 0.0 < distance <= radius_mm + 1e-9:
            offsets.append(offset)
    return offsets


def _shifted(shape: tuple[int, ...], offset: tuple[int, int, int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    source = tuple(slice(max(0, -step), min(size, size - step)) for step, size in zip(offset, shape, strict=True))
    target = tuple(slice(max(0, step), min(size, size + step)) for step, size in zip(offset, shape, strict=True))
    return source, target
