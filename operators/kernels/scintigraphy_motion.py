"""Did the patient move during a whole-body sweep: a jump from one row to the next.

The camera passes the body row by row, so that a shift of the body leaves the rows above where
they were and moves the rows below. `ROW_JUMP_V1` is a convention of this project: no published
test for planar sweeps was at hand. A movement along the sweep, a turn, or one that is undone
within a few rows leaves no jump.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.kernels.scintigraphy import Counts, PixelSize
from operators.kernels.scintigraphy_body import BodyFrame

METHOD = "ROW_JUMP_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionRule:
    """Bands of `band_mm` above and below each row are compared; a jump shows up to `reach_mm`.

    `limit_mm` is the jump from which on the reader is warned. Raises ValueError where a length is
    not positive or the limit lies beyond the reach.
    """

    band_mm: float
    reach_mm: float
    limit_mm: float

    def __post_init__(self) -> None:
        if min(self.band_mm, self.limit_mm) <= 0 or self.limit_mm > self.reach_mm:
            raise ValueError("band_mm and limit_mm are positive and limit_mm is not above reach_mm")


@dataclass(frozen=True, kw_only=True, slots=True)
class RowJump:
    """The largest shift across a row: to the image's right, and the row below it."""

    shift_mm: float
    row: int


def row_jump(counts: Counts, frame: BodyFrame, *, pixel_mm: PixelSize, rule: MotionRule) -> RowJump:
    """The largest jump within the body, from one row to the next.

    Every row's band above is compared with its band below at whole-pixel shifts by the
    correlation of their roots of counts; the best shift is the jump there.

    Args:
        counts: (row, column), head up.
        frame: of the body.
        pixel_mm: row height, column width.
        rule: lengths.
    """
    band = max(2, round(rule.band_mm / pixel_mm[0]))
    reach = max(1, round(rule.reach_mm / pixel_mm[1]))
    above, below, rows = _bands(counts, frame, band=band)
    if not len(rows):
        return RowJump(shift_mm=0.0, row=frame.top)
    shifts = np.arange(-reach, reach + 1)
    width = counts.shape[1]
    inner = above[:, reach : width - reach]
    scores = np.stack([_correlations(inner, below[:, reach + s : width - reach + s]) for s in shifts])
    best = shifts[scores.argmax(axis=0)]
    worst = int(np.abs(best).argmax())
    return RowJump(shift_mm=float(best[worst] * pixel_mm[1]), row=int(rows[worst]))


def _bands(
    counts: Counts, frame: BodyFrame, *, band: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Roots of the summed rows above and below each row that has a whole band of body on either side."""
    rows = np.arange(frame.top + band, frame.bottom + 2 - band)
    if not len(rows):
        empty = np.zeros((0, counts.shape[1]))
        return empty, empty, rows
    total = np.concatenate([np.zeros((1, counts.shape[1])), counts.cumsum(axis=0)])
    above = np.sqrt(np.maximum(total[rows] - total[rows - band], 0.0))
    below = np.sqrt(np.maximum(total[rows + band] - total[rows], 0.0))
    return above, below, rows


def _correlations(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pearson's of each row of one with the same row of the other."""
    x = one - one.mean(axis=1, keepdims=True)
    y = other - other.mean(axis=1, keepdims=True)
    size = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return np.asarray((x * y).sum(axis=1) / np.where(size > 0, size, 1.0), dtype=np.float64)
