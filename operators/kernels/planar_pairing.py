"""One lesion seen in both views is one lesion: hot spots of the anterior view and of the mirrored posterior one.

Both views are parallel projections along one axis: what lies at one place of the body lies at one
place of both, once the posterior view is mirrored and laid onto the anterior. Gates are
conventions of this project (`PAIR_VIEWS_V1`, clinical reference 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.optimize import linear_sum_assignment

from bmnode.domain.geometry import BoolArray
from operators.kernels.planar_regions.parts import PlanarPart
from operators.kernels.scintigraphy import HotSpot, PixelSize

METHOD = "PAIR_VIEWS_V1"
CONJUGATE = "GEOMETRIC_MEAN_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class PairRule:
    """When two hot spots may be one lesion.

    In one part of the body: centres within `gate_mm`. In parts of different names (the sternum
    before the spine, a border that the two views place differently): `overlap_min` of the smaller
    one's pixels under the other. Never on opposite sides.
    """

    gate_mm: float
    overlap_min: float

    def __post_init__(self) -> None:
        if self.gate_mm <= 0 or not 0 < self.overlap_min <= 1:
            raise ValueError("gate_mm is positive, overlap_min above 0 and up to 1")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ViewSpots:
    """One view's candidates on the anterior grid, head up: a posterior view's are `laid_on` it.

    Args:
        spots: the hot spots.
        parts: the part of each; None where no part is known.
    """

    spots: tuple[HotSpot, ...]
    parts: tuple[PlanarPart | None, ...]

    def __post_init__(self) -> None:
        if len(self.spots) != len(self.parts):
            raise ValueError("every hot spot has a part or None")


def mirror_shift(anterior: BoolArray, posterior: BoolArray) -> tuple[int, int]:
    """Rows and columns to move the mirrored posterior body by, so that most of it covers the anterior one.

    The largest overlap decides, by way of the Fourier transform; the smallest move on a tie. To
    move the mirrored anterior body onto the posterior one takes as many columns and the rows back.
    Raises ValueError where the grids differ.
    """
    if anterior.shape != posterior.shape:
        raise ValueError("the two views are not on one grid")
    size = tuple(2 * count for count in anterior.shape)
    front, back = (fft.rfft2(mask.astype(np.float32), size) for mask in (anterior, posterior[:, ::-1]))
    overlap = np.rint(fft.irfft2(front * back.conj(), size))
    best = np.argwhere(overlap == overlap.max())
    moves = np.where(best >= np.array(anterior.shape), best - np.array(size), best)
    row, column = min(moves.tolist(), key=lambda move: (abs(move[0]) + abs(move[1]), move))
    return int(row), int(column)


def pair(
    anterior: ViewSpots, posterior: ViewSpots, *, pixel_mm: PixelSize, rule: PairRule
) -> tuple[tuple[int, int], ...]:
    """Which anterior and posterior hot spots are one lesion, as indices, by the anterior one.

    One to one: of all pairings the one with most pairs, and of these the nearest (linear
    assignment).
    """
    cost = np.full((len(anterior.spots), len(posterior.spots)), np.inf)
    for i, front in enumerate(anterior.spots):
        for j, back in enumerate(posterior.spots):
            cost[i, j] = _cost(front, back, parts=(anterior.parts[i], posterior.parts[j]), pixel_mm=pixel_mm, rule=rule)
    return _assigned(cost)


def laid_on(spot: HotSpot, *, columns: int, move: tuple[int, int]) -> HotSpot:
    """A hot spot of the posterior view, which has so many columns, mirrored and moved onto the anterior grid."""
    row, column = spot.origin
    return HotSpot(
        origin=(row + move[0], columns - column - spot.mask.shape[1] + move[1]),
        mask=np.ascontiguousarray(spot.mask[:, ::-1]),
    )


def geometric_mean(anterior: float, posterior: float) -> float:
    """Of what opposite views show of one place, in their common unit: counts, or ratios to each view's normal level.

    The square root of the product (conjugate views, clinical reference 2): how deep the place lies falls out, as far
    as the body attenuates evenly. Raises ValueError where one is negative or not finite.
    """
    if not all(math.isfinite(value) and value >= 0.0 for value in (anterior, posterior)):
        raise ValueError("what a view shows is finite and not negative")
    return math.sqrt(anterior) * math.sqrt(posterior)


def _cost(
    front: HotSpot,
    back: HotSpot,
    *,
    parts: tuple[PlanarPart | None, PlanarPart | None],
    pixel_mm: PixelSize,
    rule: PairRule,
) -> float:
    """Distance of the centres in mm, at most the gate; infinite where the two cannot be one lesion."""
    one, other = parts
    if one is not None and other is not None and ((one.is_left and other.is_right) or (one.is_right and other.is_left)):
        return float("inf")
    gap = (np.array(front.centre) - np.array(back.centre)) * np.array(pixel_mm)
    distance = float(np.hypot(*gap))
    if (one == other or one is None or other is None) and distance <= rule.gate_mm:
        return distance
    shared = overlap_pixels(front, back) / min(front.pixel_count, back.pixel_count)
    return min(distance, rule.gate_mm) if shared >= rule.overlap_min else float("inf")


def overlap_pixels(one: HotSpot, other: HotSpot) -> int:
    """Pixels that two hot spots share on one grid."""
    top, left = np.maximum(one.origin, other.origin)
    bottom, right = np.minimum(np.add(one.origin, one.mask.shape), np.add(other.origin, other.mask.shape))
    if top >= bottom or left >= right:
        return 0
    cut = [spot.mask[top - spot.origin[0] : bottom - spot.origin[0], left - spot.origin[1] : right - spot.origin[1]]
           for spot in (one, other)]  # fmt: skip
    return int(np.count_nonzero(cut[0] & cut[1]))


def _assigned(cost: npt.NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    """Most pairs first, then the least sum: a pair that is forbidden costs more than all others together."""
    allowed = np.isfinite(cost)
    if not allowed.any():
        return ()
    forbidden = 1.0 + 2.0 * float(cost[allowed].sum())
    rows, columns = linear_sum_assignment(np.where(allowed, cost, forbidden))
    return tuple((int(i), int(j)) for i, j in zip(rows, columns, strict=True) if allowed[i, j])
