"""Whether a CT shows the patient as its header says: broader than deep, spine at the back, trunk below the lungs,
liver on the right.

A convention of this project (CT_ORIENTATION_V3). It looks for gross contradictions and nothing else: what it cannot
tell is not evaluable, never a pass. A patient with situs inversus looks like a mirrored image, and the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray
from operators.kernels.components import largest
from operators.kernels.morphology import Spacing, block_factors, block_means, erode, open_parts

METHOD = "CT_ORIENTATION_V3"


class Agreement(StrEnum):
    """What the image says of one direction of its header."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    NOT_EVALUABLE = "not_evaluable"


@dataclass(frozen=True, kw_only=True, slots=True)
class OrientationLimits:
    """When a landmark is clear enough to judge by.

    Turn: over `spine_mm` or more of slices with `trunk_cm2` of patient, half of them are `turned_ratio` times deeper
    than broad: no trunk is, but one that was turned by a quarter. Nothing else is then judged.
    Back: in slices with `trunk_cm2` of patient and `spine_cm2` of bone within `midline_mm` of the middle, over
    `spine_mm` or more, that bone lies on average `back_share` of the patient's depth behind (or before) the middle.
    Head: lungs are the largest piece between two HU limits, `lung_ml` or more, in slices with `lung_cm2`. On one side
    of them follow `trunk_mm` of slices with `trunk_share` of their outline, on the other `neck_mm` at most.
    Sides: soft tissue between two HU limits that survives an opening, `organ_above_mm` to `organ_below_mm` around the
    lowest slice of the lungs, which is not that of the field: `organ_ml` at least, one side `side_ratio` times the
    other.
    """

    working_mm: float
    skin_mm: float
    midline_mm: float
    trunk_cm2: float
    turned_ratio: float
    spine_cm2: float
    spine_mm: float
    back_share: float
    lung_lowest_hu: float
    lung_highest_hu: float
    lung_ml: float
    lung_cm2: float
    lung_end_share: float
    trunk_share: float
    trunk_mm: float
    neck_mm: float
    organ_lowest_hu: float
    organ_highest_hu: float
    organ_opening_mm: float
    organ_above_mm: float
    organ_below_mm: float
    organ_ml: float
    side_ratio: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Orientation:
    """What the spine, the lungs and the liver say of a CT's three directions, and its outline of a quarter turn."""

    back: Agreement
    head: Agreement
    sides: Agreement
    turn: Agreement = Agreement.NOT_EVALUABLE


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Coarse:
    """The patient on blocks of `working_mm`; z runs to the head, y to the back, x to the left."""

    hu: npt.NDArray[np.float32]
    body: BoolArray
    bone: BoolArray
    spacing_mm: Spacing

    @property
    def pixel_cm2(self) -> float:
        return self.spacing_mm[1] * self.spacing_mm[2] / 100.0

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing_mm)) / 1000.0


def judge_orientation(
    hu: npt.NDArray[np.float32], bone: BoolArray, body: BoolArray, *, spacing_mm: Spacing, limits: OrientationLimits
) -> Orientation:
    """Judge a CT in patient orientation (z, y, x) in HU, with its bone and the patient without the table."""
    factors = block_factors(spacing_mm, working_mm=limits.working_mm)
    z, y, x = (step * factor for step, factor in zip(spacing_mm, factors, strict=True))
    coarse = _Coarse(
        hu=block_means(hu, factors),
        body=block_means(body.astype(np.float32), factors) >= 0.5,
        bone=block_means(bone.astype(np.float32), factors) >= 0.5,
        spacing_mm=(z, y, x),
    )
    turn = _turn(coarse, limits)
    if turn is Agreement.CONTRADICTS:
        unknown = Agreement.NOT_EVALUABLE
        return Orientation(back=unknown, head=unknown, sides=unknown, turn=turn)
    inner = erode(coarse.body, radius_mm=limits.skin_mm, spacing_mm=coarse.spacing_mm)
    lungs = _lung_slices(coarse, inner, limits)
    return Orientation(
        back=_back(coarse, limits),
        head=Agreement.NOT_EVALUABLE if lungs is None else _head(coarse, lungs, limits),
        sides=Agreement.NOT_EVALUABLE if lungs is None else _sides(coarse, inner, lungs, limits),
        turn=turn,
    )


def _turn(coarse: _Coarse, limits: OrientationLimits) -> Agreement:
    areas = coarse.body.sum(axis=(1, 2)) * coarse.pixel_cm2
    trunk = coarse.body[areas >= limits.trunk_cm2]
    if len(trunk) * coarse.spacing_mm[0] < limits.spine_mm:
        return Agreement.NOT_EVALUABLE
    depth, breadth = (_extents(trunk.any(axis=axis)) * coarse.spacing_mm[3 - axis] for axis in (2, 1))
    ratio = float(np.median(depth / breadth))
    if ratio >= limits.turned_ratio:
        return Agreement.CONTRADICTS
    return Agreement.AGREES if ratio < 1.0 else Agreement.NOT_EVALUABLE


def _extents(shown: BoolArray) -> npt.NDArray[np.int64]:
    """From the first to the last that is set, of each row."""
    return np.asarray(shown.shape[1] - shown.argmax(axis=1) - shown[:, ::-1].argmax(axis=1))


def _back(coarse: _Coarse, limits: OrientationLimits) -> Agreement:
    columns, rows = np.arange(coarse.body.shape[2]), np.arange(coarse.body.shape[1])
    shares = []
    for body, bone in zip(coarse.body, coarse.bone, strict=True):
        if np.count_nonzero(body) * coarse.pixel_cm2 < limits.trunk_cm2:
            continue
        middle = float(np.average(columns, weights=body.sum(axis=0)))
        profile = bone[:, np.abs(columns - middle) * coarse.spacing_mm[2] <= limits.midline_mm].sum(axis=1)
        if profile.sum() * coarse.pixel_cm2 < limits.spine_cm2:
            continue
        occupied = np.flatnonzero(body.any(axis=1))
        centre = (occupied[0] + occupied[-1]) / 2.0
        shares.append((float(np.average(rows, weights=profile)) - centre) / len(occupied))
    if len(shares) * coarse.spacing_mm[0] < limits.spine_mm:
        return Agreement.NOT_EVALUABLE
    return _verdict(float(np.median(shares)), limit=limits.back_share)


def _verdict(value: float, *, limit: float) -> Agreement:
    if abs(value) < limit:
        return Agreement.NOT_EVALUABLE
    return Agreement.AGREES if value > 0 else Agreement.CONTRADICTS


def _lung_slices(coarse: _Coarse, inner: BoolArray, limits: OrientationLimits) -> tuple[int, int] | None:
    """The lungs' first and last slice, from the feet; None without lungs, or where they end as lungs do not.

    Lungs taper at base and apex. Where one slice holds much of them and the next none, the thin wall of a chest was
    lost from the patient's mask and its lungs with it: what is left says nothing of head and feet.
    """
    air = (coarse.hu > limits.lung_lowest_hu) & (coarse.hu < limits.lung_highest_hu) & inner
    lungs = largest(ndimage.binary_opening(air))
    areas = lungs.sum(axis=(1, 2)) * coarse.pixel_cm2
    shown = np.flatnonzero(areas >= limits.lung_cm2)
    if not shown.size or np.count_nonzero(lungs) * coarse.voxel_ml < limits.lung_ml:
        return None
    first, last = int(shown[0]), int(shown[-1])
    ends = [areas[at] for at, beyond in ((first, first > 0), (last, last < len(areas) - 1)) if beyond]
    return None if max(ends, default=0.0) > limits.lung_end_share * areas.max() else (first, last)


def _head(coarse: _Coarse, lungs: tuple[int, int], limits: OrientationLimits) -> Agreement:
    areas = coarse.body.sum(axis=(1, 2))
    broad = areas >= limits.trunk_share * np.median(areas[lungs[0] : lungs[1] + 1])
    above = _leading(broad[lungs[1] + 1 :]) * coarse.spacing_mm[0]
    below = _leading(broad[: lungs[0]][::-1]) * coarse.spacing_mm[0]
    if below >= limits.trunk_mm and above <= limits.neck_mm:
        return Agreement.AGREES
    if above >= limits.trunk_mm and below <= limits.neck_mm:
        return Agreement.CONTRADICTS
    return Agreement.NOT_EVALUABLE


def _leading(flags: npt.NDArray[np.bool_]) -> int:
    """How many are set before the first that is not."""
    return len(flags) if flags.all() else int(np.argmin(flags))


def _sides(coarse: _Coarse, inner: BoolArray, lungs: tuple[int, int], limits: OrientationLimits) -> Agreement:
    """Not evaluable where the field ends within the lungs: the largest organ then is the heart, on the left."""
    if lungs[0] == 0:
        return Agreement.NOT_EVALUABLE
    step = coarse.spacing_mm[0]
    low = max(0, lungs[0] - round(limits.organ_below_mm / step))
    slab = slice(low, lungs[0] + round(limits.organ_above_mm / step) + 1)
    smooth = ndimage.gaussian_filter(coarse.hu[slab], sigma=[1.0, *(4.0 / side for side in coarse.spacing_mm[1:])])
    soft = (smooth > limits.organ_lowest_hu) & (smooth < limits.organ_highest_hu) & inner[slab] & ~coarse.bone[slab]
    organs = open_parts(soft, radius_mm=limits.organ_opening_mm, spacing_mm=coarse.spacing_mm)
    columns = np.arange(organs.shape[2])
    middle = float(np.average(columns, weights=coarse.body[slab].sum(axis=(0, 1))))
    beside = (columns - middle) * coarse.spacing_mm[2]
    profile = organs.sum(axis=(0, 1)) * coarse.voxel_ml
    right, left = (float(profile[side].sum()) for side in (beside < -limits.skin_mm, beside > limits.skin_mm))
    if right + left < limits.organ_ml:
        return Agreement.NOT_EVALUABLE
    if right >= limits.side_ratio * left:
        return Agreement.AGREES
    return Agreement.CONTRADICTS if left >= limits.side_ratio * right else Agreement.NOT_EVALUABLE
