"""Which height of the atlas each slice of a patient shows: likelihoods of all pairs, then the best monotone course.

A convention of this project (part of SKELETON_ATLAS_V1). The likelihood of a slice at a height is that of its bone
under the atlas' shares, pixel by pixel; what lies beyond the image counts for nothing, so a partial field is no error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from operators.kernels.skeleton_sites.atlas import SkeletonAtlas
from operators.kernels.skeleton_sites.frame import Coarse, SpinePath, seen_from_spine, upright_below

FloatArray = npt.NDArray[np.float64]

_FINER = 16
"""Heights are sought in sixteenths of the atlas' step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlignmentLimits:
    """What is tried: turns of the patient, sizes about the spine (`widths`) and along it (`lengths`).

    `floor` and `ceiling` are the least and the greatest share of people that any place is taken to have, and the
    atlas is blurred by `blur_cells` of its cells: real people differ more than simulated ones, and their marrow may be
    missing from the mask. `lowest_rise` and `highest_rise` bound the atlas' millimetres a patient's locally;
    `rise_price` is that of a rise off by all, `bend_price` that of a rise that changes by 1, in standard deviations
    of the likelihoods.
    """

    turns_deg: tuple[float, ...]
    widths: tuple[float, ...]
    shortest: float
    longest: float
    floor: float
    blur_cells: float
    ceiling: float
    lowest_rise: float
    highest_rise: float
    rise_price: float
    bend_price: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Alignment:
    """How a patient lies in the atlas.

    Args:
        factors: voxels a coarse block.
        middle_mm: (n, 2) the origin of each coarse slice, (y, x).
        heights_mm: (n,) of each coarse slice.
        posture: sheet of the atlas.
        turn_deg, width: of the best fit.
        length: patient's millimetres a millimetre of the atlas, over all.
        gain: mean log-likelihood a slice above that of no bone anywhere; 0 is no likeness.
    """

    factors: tuple[int, int, int]
    middle_mm: FloatArray
    heights_mm: FloatArray
    posture: int
    turn_deg: float
    width: float
    length: float
    gain: float


def align(coarse: Coarse, path: SpinePath, *, atlas: SkeletonAtlas, limits: AlignmentLimits) -> Alignment:
    """The best course of a patient's slices through the atlas, first with the spine's course as it was found, then
    with the pelvis seen straight down from where the first put the upper end of the sacrum."""
    tables = [_Table.of(sheet, limits=limits) for sheet in atlas.occupied]
    first = _align(coarse, path, atlas=atlas, tables=tables, limits=limits)
    if first.heights_mm[0] >= 0.0 or first.heights_mm[-1] <= 0.0:
        return first
    sacrum = float(np.interp(0.0, first.heights_mm, np.arange(len(first.heights_mm))))
    upright = upright_below(path, slice_index=sacrum, step_mm=coarse.spacing_mm[0])
    return _align(coarse, upright, atlas=atlas, tables=tables, limits=limits)


def _align(
    coarse: Coarse, path: SpinePath, *, atlas: SkeletonAtlas, tables: list[_Table], limits: AlignmentLimits
) -> Alignment:
    best: tuple[float, _Try] | None = None
    for turn in limits.turns_deg:
        for width in limits.widths:
            share, inside = seen_from_spine(
                coarse, path.middle_mm, v_mm=atlas.v_mm * width, u_mm=atlas.u_mm * width, turn_deg=turn
            )
            for posture, table in enumerate(tables):
                scores = table.scores(share, inside) * width**2  # per area of the patient, not of the atlas
                for length in np.arange(limits.shortest, limits.longest + 0.001, 0.03):
                    total, offset = _best_offset(scores, atlas=atlas, step_mm=coarse.spacing_mm[0] / length)
                    if best is None or total > best[0]:
                        best = total, _Try(scores, posture, turn, width, float(length), offset)
    if best is None:
        raise ValueError("there are turns and widths to try")
    found = best[1]
    heights, gain = _refined(found, atlas=atlas, step_mm=coarse.spacing_mm[0], limits=limits)
    return Alignment(
        factors=coarse.factors,
        middle_mm=path.middle_mm,
        heights_mm=heights,
        posture=found.posture,
        turn_deg=found.turn_deg,
        width=found.width,
        length=found.length,
        gain=gain,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Try:
    scores: FloatArray
    posture: int
    turn_deg: float
    width: float
    length: float
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Table:
    """Log-odds of bone and log-likelihood of none against an empty atlas, (height, pixel)."""

    odds: npt.NDArray[np.float32]
    none: npt.NDArray[np.float32]

    @classmethod
    def of(cls, sheet: npt.NDArray[np.float32], *, limits: AlignmentLimits) -> _Table:
        blurred = ndimage.gaussian_filter(sheet, limits.blur_cells, mode="nearest")
        share = np.clip(blurred.reshape(len(sheet), -1), limits.floor, limits.ceiling)
        empty = np.log(1.0 - limits.floor)
        odds = np.log(share / (1.0 - share)) - np.log(limits.floor / (1.0 - limits.floor))
        return cls(odds=odds.astype(np.float32), none=(np.log(1.0 - share) - empty).astype(np.float32))

    def scores(self, share: npt.NDArray[np.float32], inside: npt.NDArray[np.float32]) -> FloatArray:
        """Of every slice at every height, (slice, height)."""
        bone = (share * inside).reshape(len(share), -1)
        return np.asarray(bone @ self.odds.T + inside.reshape(len(share), -1) @ self.none.T, dtype=np.float64)


def _best_offset(scores: FloatArray, *, atlas: SkeletonAtlas, step_mm: float) -> tuple[float, int]:
    """The sum along the best straight course, and the height's index at the first slice."""
    count, heights = scores.shape
    along = np.arange(count) * (step_mm / _step(atlas))
    rises = np.rint(along).astype(int)
    if rises[-1] >= heights:
        return -np.inf, 0
    offsets = np.arange(heights - rises[-1])
    totals = np.zeros(len(offsets))
    for index, rise in enumerate(rises):
        totals += scores[index, rise : rise + len(offsets)]
    return float(totals.max()), int(offsets[totals.argmax()])


def _step(atlas: SkeletonAtlas) -> float:
    return float(atlas.heights_mm[1] - atlas.heights_mm[0])


def _refined(found: _Try, *, atlas: SkeletonAtlas, step_mm: float, limits: AlignmentLimits) -> tuple[FloatArray, float]:
    """The best course whose rise changes little from slice to slice, by dynamic programming over (rise, height).

    Pelvis, loins, chest and neck each have their own length, so the rise is free within `rises`, but it bends slowly.
    """
    step = _step(atlas) / _FINER
    count, heights = found.scores.shape
    grid = np.arange((heights - 1) * _FINER + 1) / _FINER
    low = np.minimum(np.floor(grid).astype(int), heights - 2)
    part = grid - low
    moves = np.arange(round(limits.lowest_rise * step_mm / step), round(limits.highest_rise * step_mm / step) + 1)
    rises = moves * step / step_mm
    spread = float(np.std(found.scores)) + 1e-9
    prices = limits.rise_price * spread * (rises * found.length - 1.0) ** 2
    bend = limits.bend_price * spread * (step / step_mm)
    best = np.repeat(_between(found.scores[0], low, part)[None], len(moves), axis=0)
    choices = []
    for row in found.scores[1:]:
        padded = np.pad(best, ((1, 1), (0, 0)), constant_values=-np.inf)
        options = np.stack([padded[:-2] - bend, padded[1:-1], padded[2:] - bend])
        choice = options.argmax(axis=0)
        choices.append(choice.astype(np.int8))
        reached = np.take_along_axis(options, choice[None], axis=0)[0]
        gain = _between(row, low, part)
        best = np.full_like(best, -np.inf)
        for index, move in enumerate(moves):
            best[index, move:] = reached[index, : reached.shape[1] - move] - prices[index] + gain[move:]
    rise, at = (int(value) for value in np.unravel_index(int(best.argmax()), best.shape))
    course = [at]
    for choice in reversed(choices):
        at -= int(moves[rise])
        rise += int(choice[rise, at]) - 1
        course.append(at)
    indices = np.asarray(course[::-1])
    return np.asarray(atlas.heights_mm[0] + indices * step), float(best.max()) / count


def _between(row: FloatArray, low: npt.NDArray[np.int64], part: FloatArray) -> FloatArray:
    return np.asarray(row[low] * (1.0 - part) + row[low + 1] * part)
