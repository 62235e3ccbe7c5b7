"""`UPTAKE_REGION_V2`: what a hot spot is taken for, by the parts of the body around it (clinical reference 2).

Bladder, kidneys, injection site and contamination are told by place, size and the ratio of the
views alone. Distances are millimetres; everything is a convention of this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray
from operators.kernels.planar_regions.parts import NUMBERED_PARTS, PART_NUMBERS, PartMap, PlanarPart
from operators.kernels.scintigraphy import Counts, HotSpot, PixelSize
from operators.kernels.scintigraphy_body import Uptake

METHOD = "UPTAKE_REGION_V2"
_FOREARMS = (PlanarPart.FOREARM_LEFT, PlanarPart.FOREARM_RIGHT)
_HIPS = (PlanarPart.PELVIS_LEFT, PlanarPart.PELVIS_RIGHT)


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionExclusionRule:
    """Where activity that is not bone is expected.

    Args:
        rim_mm: so far from the nearest bone's pixel a hot spot still belongs to it.
        on_bone_min: share of its pixels that must lie within the rim.
        bladder_width: half width about the sacrum's middle, as a share of the distance between both hips' middles.
        bladder_other_view: uptake by the normal skeleton's that the other view must show there.
        kidney_top, kidney_bottom: T12 to L3, in lengths of the lumbar spine below its upper end.
        kidney_near_mm, kidney_far_mm: from the lumbar spine's middle.
        kidney_ratio: posterior by anterior counts, above which it lies at the back.
        kidney_level_mm: how far the two may differ in height.
    """

    rim_mm: float
    on_bone_min: float
    bladder_width: float
    bladder_other_view: float
    kidney_top: float
    kidney_bottom: float
    kidney_near_mm: float
    kidney_far_mm: float
    kidney_ratio: float
    kidney_level_mm: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelledView:
    """What the labels are told from, head up, in the view's own orientation, all (row, column) on one grid.

    Args:
        spots: the hot spots.
        body: the body.
        parts: the parts.
        distance_mm, nearest: to the nearest pixel with bone, and its part, of `nearest_part`.
        uptake: smoothed counts by the normal skeleton's.
        other_uptake: the other view's, mirrored onto this one; None where there is none.
        pixel_mm: row height, column width.
        is_posterior: which view it is.
    """

    spots: tuple[HotSpot, ...]
    body: BoolArray
    parts: PartMap
    distance_mm: npt.NDArray[np.float64]
    nearest: PartMap
    uptake: Counts
    other_uptake: Counts | None
    pixel_mm: PixelSize
    is_posterior: bool


def label_by_regions(view: LabelledView, *, rule: RegionExclusionRule) -> tuple[Uptake, ...]:
    """What each hot spot is taken for, in the order given."""
    labels = [Uptake.CANDIDATE if _mostly(spot, view.body, 0.5) else Uptake.OUTSIDE_BODY for spot in view.spots]
    bladder = _bladder(view, _open(labels), rule=rule)
    if bladder is not None:
        labels[bladder] = Uptake.BLADDER
    for index in _kidneys(view, _open(labels), rule=rule):
        labels[index] = Uptake.KIDNEY
    near = view.distance_mm <= rule.rim_mm
    for index in _open(labels):
        spot = view.spots[index]
        if spot_part(spot, view.nearest) in _FOREARMS:
            labels[index] = Uptake.INJECTION_SITE
        elif not _mostly(spot, near, rule.on_bone_min):
            labels[index] = Uptake.OUTSIDE_SKELETON
    return tuple(labels)


def nearest_part(parts: PartMap, *, pixel_mm: PixelSize) -> tuple[npt.NDArray[np.float64], PartMap]:
    """The distance in mm of every pixel to the nearest one that shows bone, and that one's part number.

    Without any bone distances are infinite and numbers 0.
    """
    if not parts.any():
        return np.full(parts.shape, np.inf), parts
    distance, places = ndimage.distance_transform_edt(parts == 0, sampling=pixel_mm, return_indices=True)
    return distance, parts[tuple(places)]


def spot_part(spot: HotSpot, nearest: PartMap) -> PlanarPart | None:
    """The part that most of a hot spot's pixels lie on or nearest to; None where the map shows none."""
    return NUMBERED_PARTS.get(int(np.bincount(nearest[spot.box][spot.mask]).argmax()))


def _open(labels: Sequence[Uptake]) -> list[int]:
    return [index for index, label in enumerate(labels) if label is Uptake.CANDIDATE]


def _mostly(spot: HotSpot, area: BoolArray, share: float) -> bool:
    return int(np.count_nonzero(area[spot.box] & spot.mask)) >= share * spot.pixel_count


def _extent(parts: PartMap, part: PlanarPart) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]] | None:
    rows, columns = np.nonzero(parts == PART_NUMBERS[part])
    return (rows, columns) if rows.size else None


def _bladder(view: LabelledView, candidates: Sequence[int], *, rule: RegionExclusionRule) -> int | None:
    """The largest spot in the midline of the pelvis, not above the sacrum's middle, hot in the other view too.

    Of two of one size the one nearer to the midline, then the lower one: never the one that happens to be first.
    """
    sacrum, hips = _extent(view.parts, PlanarPart.SACRUM), [_extent(view.parts, hip) for hip in _HIPS]
    if sacrum is None or hips[0] is None or hips[1] is None:
        return None
    middles = [float(hip[1].mean()) for hip in hips if hip is not None]
    reach = rule.bladder_width * abs(middles[0] - middles[1])
    lowest = max(int(hip[0].max()) for hip in hips if hip is not None)
    found = []
    for index in candidates:
        spot = view.spots[index]
        row, column = spot.centre
        below, aside = sacrum[0].mean() <= row <= lowest, abs(column - sum(middles) / 2)
        if below and aside <= reach and _hot_behind(spot, view, rule.bladder_other_view):
            found.append((-spot.pixel_count, aside, -row, column, index))
    return min(found)[-1] if found else None


def _hot_behind(spot: HotSpot, view: LabelledView, limit: float) -> bool:
    return view.other_uptake is None or float(view.other_uptake[spot.box][spot.mask].max()) >= limit


def _kidneys(view: LabelledView, candidates: Sequence[int], *, rule: RegionExclusionRule) -> tuple[int, ...]:
    """A pair beside the spine at T12 to L3 on the posterior view, brighter there than in front.

    Of several pairs the most level one; of those the one most evenly beside the spine, and nearest to it.
    """
    lumbar = _extent(view.parts, PlanarPart.LUMBAR_SPINE)
    if not view.is_posterior or lumbar is None:
        return ()
    top, bottom = np.quantile(lumbar[0], (0.02, 0.98))
    middle = float(lumbar[1].mean())
    first, last = (top + share * (bottom - top) for share in (rule.kidney_top, rule.kidney_bottom))
    beside: list[tuple[int, float, float]] = []
    for index in candidates:
        spot = view.spots[index]
        row, column = spot.centre
        side = (column - middle) * view.pixel_mm[1]
        away = rule.kidney_near_mm <= abs(side) <= rule.kidney_far_mm
        if first <= row <= last and away and _brighter_behind(spot, view, rule.kidney_ratio):
            beside.append((index, row * view.pixel_mm[0], side))
    pairs = [
        (abs(a[1] - b[1]), abs(a[2] + b[2]), b[2] - a[2], a[1], a[0], b[0])
        for a in beside
        for b in beside
        if a[2] < 0 < b[2]
    ]
    level = [pair for pair in pairs if pair[0] <= rule.kidney_level_mm]
    return min(level)[-2:] if level else ()


def _brighter_behind(spot: HotSpot, view: LabelledView, ratio: float) -> bool:
    """Whether the posterior counts exceed the anterior ones; without an anterior view place alone decides."""
    if view.other_uptake is None:
        return True
    behind, front = (float(image[spot.box][spot.mask].mean()) for image in (view.uptake, view.other_uptake))
    return behind > ratio * front
