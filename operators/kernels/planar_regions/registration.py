"""`REGION_ATLAS_V1`, fitting: one image onto another by the demons' forces, coarse to fine, without chance.

Thirion, Medical Image Analysis 1998;2:243 describes the forces; the mean of both images'
gradients and the smoothing of the whole displacement after each step are common variants of it.
The numbers in force are a convention of this project.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Image = npt.NDArray[np.float32]
Displacement = npt.NDArray[np.float32]
"""(2, row, column): to add to (row, column), in pixels."""

_FLAT = 1e-4
"""Keeps the step finite where both images are flat and equal."""
_FORCE = 0.5
"""Weight of the difference against the gradient: bounds a step to about 0.7 pixel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FitRule:
    """Levels of the fit, the coarsest first: every `strides`-th pixel, so many steps, smoothing in its own pixels.

    Raises ValueError where the three are not of one length or not positive.
    """

    strides: tuple[int, ...]
    iterations: tuple[int, ...]
    smoothing_px: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.strides) == len(self.iterations) == len(self.smoothing_px) > 0:
            raise ValueError("strides, iterations and smoothing_px have one entry a level")
        if min(self.strides) < 1 or min(self.iterations) < 0 or min(self.smoothing_px) <= 0:
            raise ValueError("strides and smoothing_px are positive, iterations not negative")


def register(fixed: Image, moving: Image, *, rule: FitRule) -> Displacement:
    """Where each pixel of `fixed` lies in `moving`: `warped(moving, register(...))` resembles `fixed`.

    Args:
        fixed: (row, column).
        moving: of the same shape.
        rule: the levels.

    Raises ValueError where the shapes differ.
    """
    if fixed.shape != moving.shape or fixed.ndim != 2:
        raise ValueError("images that are registered have one shape (row, column)")
    field = np.zeros((2, *_size(fixed.shape, rule.strides[0])), dtype=np.float32)
    previous = rule.strides[0]
    for stride, iterations, sigma in zip(rule.strides, rule.iterations, rule.smoothing_px, strict=True):
        size = _size(fixed.shape, stride)
        field = np.stack([resized(part, size) for part in field]) * np.float32(previous / stride)
        field = _steps(
            _reduced(fixed, stride), _reduced(moving, stride), field=field, iterations=iterations, sigma=sigma
        )
        previous = stride
    if previous != 1:
        field = np.stack([resized(part, fixed.shape) for part in field]) * np.float32(previous)
    return np.asarray(field, dtype=np.float32)


def warped(image: Image, field: Displacement) -> Image:
    """An image read where a displacement leads, linear between pixels, the edge's value beyond it."""
    rows, columns = np.indices(image.shape, dtype=np.float32)
    places = np.stack([rows + field[0], columns + field[1]])
    return np.asarray(ndimage.map_coordinates(image, places, order=1, mode="nearest"), dtype=np.float32)


def alike(one: Image, other: Image) -> float:
    """Pearson's correlation over the pixels where either image shows something, -1 to 1; 0 where one is constant."""
    shown = (one > 0) | (other > 0)
    x, y = one[shown].astype(np.float64), other[shown].astype(np.float64)
    if x.size < 2 or x.std() == 0 or y.std() == 0:
        return 0.0
    return float(np.clip(np.corrcoef(x, y)[0, 1], -1.0, 1.0))


def resized(image: Image, size: tuple[int, ...]) -> Image:
    """An image on another number of rows and columns over the same extent, linear between pixel centres."""
    for axis, count in enumerate(size):
        if image.shape[axis] != count:
            image = _along(image, (np.arange(count) + 0.5) * (image.shape[axis] / count) - 0.5, axis=axis)
    return image


def _along(image: Image, places: npt.NDArray[np.float64], *, axis: int) -> Image:
    """One axis read at fractional places, linear, the edge's value beyond it."""
    last = image.shape[axis] - 1
    inside = np.clip(places, 0.0, last)
    low = np.minimum(inside.astype(np.intp), max(0, last - 1))
    share = (inside - low).astype(np.float32)
    share = share[:, np.newaxis] if axis == 0 else share
    high = np.minimum(low + 1, last)
    return np.asarray(image.take(low, axis=axis) * (1 - share) + image.take(high, axis=axis) * share, dtype=np.float32)


def _size(shape: tuple[int, ...], stride: int) -> tuple[int, int]:
    return max(2, round(shape[0] / stride)), max(2, round(shape[1] / stride))


def _reduced(image: Image, stride: int) -> Image:
    if stride == 1:
        return image
    return resized(np.asarray(ndimage.gaussian_filter(image, 0.5 * stride)), _size(image.shape, stride))


def _slope(image: Image) -> Displacement:
    down, right = np.gradient(image)
    return np.stack([down, right])


def _steps(fixed: Image, moving: Image, *, field: Displacement, iterations: int, sigma: float) -> Displacement:
    fixed_slope = _slope(fixed)
    for _ in range(iterations):
        seen = warped(moving, field)
        slope = (fixed_slope + _slope(seen)) / 2
        difference = fixed - seen
        step = slope * (difference / ((slope**2).sum(axis=0) + _FORCE * difference**2 + _FLAT))
        field = np.stack([ndimage.gaussian_filter(part, sigma) for part in field + step])
    return np.asarray(field, dtype=np.float32)
