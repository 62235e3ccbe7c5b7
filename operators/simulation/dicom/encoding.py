"""From physical values to stored integers, plane by plane, so that no second volume exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.simulation.dicom.elements import StoredArray, decimal
from operators.simulation.images import FloatArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """stored = (value - intercept) / slope, rounded, cut at the ends.

    Args:
        slopes: one a slice, as exact as a decimal string holds them.
        lowest, highest: stored values; a negative lowest makes them signed.
        bits_stored: of the 16 that every pixel takes.
        outside: stored value beyond the circle that fits into the image; None stores what is there.
    """

    slopes: tuple[float, ...]
    intercept: float = 0.0
    lowest: int = 0
    highest: int = 65535
    bits_stored: int = 16
    signed: bool = False
    outside: int | None = None

    def __post_init__(self) -> None:
        below = 1 << (self.bits_stored - 1) if self.signed else 0
        low, high = -below, (1 << self.bits_stored) - 1 - below
        if not low <= self.lowest < self.highest <= high:
            raise ValueError(f"stored values of {self.bits_stored} bits lie between {low} and {high}")
        if min(self.slopes) <= 0.0:
            raise ValueError("a slope is above zero")

    def plane(self, values: FloatArray, index: int) -> StoredArray:
        """The stored values of slice `index` (row, column)."""
        scaled = np.rint((values.astype(np.float64) - self.intercept) / self.slopes[index])
        cut = np.clip(scaled, self.lowest, self.highest)
        if self.outside is not None:
            cut[beyond_circle(cut.shape)] = self.outside
        return cut.astype(np.int16) if self.signed else cut.astype(np.uint16)


def beyond_circle(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Which pixels (row, column) lie outside the circle that fits into the image: no scanner reconstructs them."""
    rows, columns = (np.arange(size) - (size - 1) / 2.0 for size in shape)
    return np.asarray(np.hypot(rows[:, None], columns[None, :]) > min(shape) / 2.0)


def slopes_to(highest: int, values: FloatArray, *, per_slice: bool) -> tuple[float, ...]:
    """The slopes with which a volume (slice, row, column) fills stored values up to `highest`.

    Either one for all, or each slice its own; a slice much darker than the rest does not go below a thousandth of it.
    """
    peaks = values.max(axis=(1, 2)).astype(np.float64)
    top = float(peaks.max())
    if top <= 0.0:
        return (1.0,) * len(peaks)
    wanted = np.maximum(peaks, top / 1000.0) if per_slice else np.full(len(peaks), top)
    return rounded(wanted / highest)


def rounded(slopes: Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, ...]:
    """Slopes as the file will hold them."""
    return tuple(float(decimal(float(slope))) for slope in slopes)
