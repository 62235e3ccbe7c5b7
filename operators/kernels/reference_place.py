"""Where liver and blood pool are sampled on a hybrid scan: places by rule from the CT, before any uptake is looked at.

Conventions of this project after the volumes that PERCIST 1.0 names (a sphere of 3 cm in the right liver lobe, a
cylinder of 1 cm by 2 cm in the descending aorta). Places come from the CT alone, so that they do not follow uptake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray
from operators.kernels.coarse_ct import CoarseCt, canal_line

LIVER_METHOD = "LIVER_SPHERE30_V1"
BLOOD_METHOD = "DESC_AORTA_10X20_V1"

Point = tuple[float, float, float]
Line = npt.NDArray[np.float64]
FloatField = npt.NDArray[np.floating]


@dataclass(frozen=True, kw_only=True, slots=True)
class LiverLimits:
    """Where the sphere may lie: right of the canal, around the lowest part of the right lung, deep in soft tissue.

    `spread_hu` is the largest standard deviation over the sphere's blocks; `apart_mm` the distance between two places
    that are tried, `tries` their number.
    """

    radius_mm: float
    margin_mm: float
    soft_hu: tuple[float, ...]
    mean_hu: tuple[float, ...]
    spread_hu: float
    right_mm: tuple[float, ...]
    below_mm: float
    above_mm: float
    lung_ml: float
    apart_mm: float
    tries: int

    def __post_init__(self) -> None:
        if any(len(pair) != 2 or pair[0] >= pair[1] for pair in (self.soft_hu, self.mean_hu, self.right_mm)):
            raise ValueError("soft_hu, mean_hu and right_mm are pairs of a lower and an upper limit")


@dataclass(frozen=True, kw_only=True, slots=True)
class AortaLimits:
    """What the descending aorta looks like beside the spine, between both lungs, slice by slice.

    A place is `left_mm` to the left of the canal and `ahead_mm` before it, no further than `lung_mm` from
    the left lung and `bone_mm` from bone, and `radius_mm` or more from both; depth beyond `full_mm` counts no more.
    The search begins `above_base_mm` above the lowest slice that shows both lungs, above stomach and spleen.
    """

    radius_mm: float
    length_mm: float
    full_mm: float
    left_mm: tuple[float, ...]
    ahead_mm: tuple[float, ...]
    lung_mm: float
    bone_mm: float
    soft_hu: float
    lung_cm2: float
    above_base_mm: float
    shortest_mm: float
    tries: int

    def __post_init__(self) -> None:
        if any(len(pair) != 2 or pair[0] >= pair[1] for pair in (self.left_mm, self.ahead_mm)):
            raise ValueError("left_mm and ahead_mm are pairs of a lower and an upper limit")


def liver_places(ct: CoarseCt, *, limits: LiverLimits) -> tuple[Point, ...]:
    """Centres (LPS, mm) of spheres that fit into the right liver lobe, the deepest first; empty where none does.

    Depth is the distance to the nearest block that is no soft tissue (lung, fat, gas, bone). Lung lies above each
    place: heart and mediastinum are as deep.
    """
    line = canal_line(ct)
    box = None if line is None else _liver_box(ct, line, limits=limits)
    if box is None:
        return ()
    smooth = ndimage.uniform_filter(ct.hu[box], size=3, mode="nearest")
    soft = (smooth >= limits.soft_hu[0]) & (smooth <= limits.soft_hu[1]) & ~ct.bone[box] & ~ct.lung[box]
    depth = ndimage.distance_transform_edt(soft, sampling=ct.spacing_mm)
    offsets = _ball(limits.radius_mm, ct)
    start = np.array([part.start for part in box])
    found: list[tuple[int, ...]] = []
    for at in deepest_first(depth, at_least=limits.radius_mm + limits.margin_mm):
        if any(_apart_mm(at, other, ct) < limits.apart_mm for other in found):
            continue
        found.append(at)
        if len(found) == limits.tries:
            break
    centres = [tuple(int(value) for value in start + np.asarray(at)) for at in found]
    return tuple(
        ct.position_lps((k, j, i))
        for k, j, i in centres
        if ct.lung[k:, j, i].any() and _looks_like_liver(ct.hu, (k, j, i), offsets, limits=limits)
    )


def _liver_box(ct: CoarseCt, line: Line, *, limits: LiverLimits) -> tuple[slice, slice, slice] | None:
    """The box to search: None where the field shows too little of the right lung to know where its base is."""
    columns = np.arange(ct.hu.shape[2])
    right = ct.lung & (columns[None, None, :] < line[:, 1][:, None, None])
    base = lung_base(right, ct, least_ml=limits.lung_ml)
    if base is None:
        return None
    low = base - int(limits.below_mm / ct.spacing_mm[0])
    high = base + int(limits.above_mm / ct.spacing_mm[0])
    middle = float(line[base, 1])
    from_mm, to_mm = limits.right_mm
    first = int(middle - to_mm / ct.spacing_mm[2])
    last = int(middle - from_mm / ct.spacing_mm[2])
    box = (
        slice(max(0, low), min(ct.hu.shape[0], high + 1)),
        slice(0, ct.hu.shape[1]),
        slice(max(0, first), max(0, last + 1)),
    )
    return None if box[0].stop - box[0].start < _FEWEST or box[2].stop - box[2].start < _FEWEST else box


def lung_base(lung: BoolArray, ct: CoarseCt, *, least_ml: float) -> int | None:
    """The lowest slice of one lung, None where the field shows less of it than `least_ml`."""
    area_ml = lung.sum(axis=(1, 2)) * ct.voxel_volume_ml
    if float(area_ml.sum()) < least_ml:
        return None
    return int(np.flatnonzero(area_ml >= 0.5 * ct.spacing_mm[0] / 10.0 * _BASE_CM2)[0])


_BASE_CM2 = 10.0
"""Area of lung in a slice from which on the lung has begun."""
_FEWEST = 8


def deepest_first(depth: FloatField, *, at_least: float) -> list[tuple[int, ...]]:
    """Local maxima of the depth, deepest first; of equals the first in array order."""
    peaks = (depth >= at_least) & (depth == ndimage.maximum_filter(depth, size=3))
    places = np.argwhere(peaks)
    order = np.argsort(-depth[peaks], kind="stable")
    return [tuple(int(value) for value in places[number]) for number in order]


def _apart_mm(one: tuple[int, ...], other: tuple[int, ...], ct: CoarseCt) -> float:
    return float(np.linalg.norm((np.asarray(one) - np.asarray(other)) * np.asarray(ct.spacing_mm)))


def _ball(radius_mm: float, ct: CoarseCt) -> npt.NDArray[np.int64]:
    reach = [int(radius_mm / step) for step in ct.spacing_mm]
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    inside = np.linalg.norm(grid * np.asarray(ct.spacing_mm), axis=1) <= radius_mm
    return np.asarray(grid[inside], dtype=np.int64)


def _looks_like_liver(
    hu: npt.NDArray[np.float32], centre: tuple[int, ...], offsets: npt.NDArray[np.int64], *, limits: LiverLimits
) -> bool:
    at = np.asarray(centre) + offsets
    if (at < 0).any() or (at >= np.asarray(hu.shape)).any():
        return False
    values = hu[tuple(at.T)].astype(np.float64)
    return bool(limits.mean_hu[0] <= values.mean() <= limits.mean_hu[1] and values.std() <= limits.spread_hu)


def aorta_lines(ct: CoarseCt, *, limits: AortaLimits) -> tuple[tuple[Point, ...], ...]:
    """Axes of stretches of `length_mm` of the descending aorta, points (LPS, mm) from below; empty where none is found.

    The path that lies deepest between left lung, spine and mediastinal fat in every slice, one block sideways a
    slice at most; of it the stretches that do not overlap, that whose shallowest slice is deepest first.
    """
    line = canal_line(ct)
    rows = None if line is None else _thoracic(ct, line, limits=limits)
    if line is None or rows is None:
        return ()
    score, depth, corner = _scores(ct, line, rows, limits=limits)
    path = _best_path(score)
    along = np.array([depth[k, j, i] if np.isfinite(score[k, j, i]) else 0.0 for k, (j, i) in enumerate(path)])
    if np.count_nonzero(along >= limits.radius_mm) * ct.spacing_mm[0] < limits.shortest_mm:
        return ()
    length = max(2, round(limits.length_mm / ct.spacing_mm[0]) + 1)
    points = [ct.position_lps((rows.start + k, corner[0] + j, corner[1] + i)) for k, (j, i) in enumerate(path)]
    return tuple(tuple(points[k : k + length]) for k in _stretches(along, length, limits=limits))


def _stretches(along: FloatField, length: int, *, limits: AortaLimits) -> list[int]:
    """Where the stretches begin, from the depth in every slice of the path."""
    worst = np.array([along[k : k + length].min() for k in range(len(along) - length + 1)])
    chosen: list[int] = []
    for k in np.argsort(-worst, kind="stable"):
        if worst[k] < limits.radius_mm or len(chosen) == limits.tries:
            break
        if all(abs(int(k) - other) >= length for other in chosen):
            chosen.append(int(k))
    return chosen


def _thoracic(ct: CoarseCt, line: Line, *, limits: AortaLimits) -> slice | None:
    """The slices that show both lungs beside the canal."""
    columns = np.arange(ct.hu.shape[2])[None, None, :]
    middle = line[:, 1][:, None, None]
    pixel_cm2 = ct.spacing_mm[1] * ct.spacing_mm[2] / 100.0
    sides = (ct.lung & (columns < middle), ct.lung & (columns > middle))
    both = np.all([side.sum(axis=(1, 2)) * pixel_cm2 >= limits.lung_cm2 for side in sides], axis=0)
    shown = np.flatnonzero(both)
    if shown.size == 0:
        return None
    first = int(shown[0]) + round(limits.above_base_mm / ct.spacing_mm[0])
    return None if shown[-1] - first < _FEWEST else slice(first, int(shown[-1]) + 1)


def _scores(
    ct: CoarseCt, line: Line, rows: slice, *, limits: AortaLimits
) -> tuple[FloatField, FloatField, tuple[int, int]]:
    """How well each block suits the aorta's axis (minus infinity: not at all), its depth in mm, the crop's corner."""
    steps = np.asarray(ct.spacing_mm[1:])
    reach = np.ceil(np.array([limits.ahead_mm[1], limits.left_mm[1]]) / steps).astype(int) + 6
    middle = line[rows]
    top, left = (int(value) for value in np.maximum(middle.min(axis=0) - np.array([reach[0], 6]), 0))
    bottom, right = (int(value) for value in np.ceil(middle.max(axis=0) + np.array([6, reach[1]])))
    box = (rows, slice(top, bottom), slice(left, right))
    bone, lung = ct.bone[box], ct.lung[box]
    soft = (ct.hu[box] > limits.soft_hu) & ~bone
    depth = _in_plane(~soft, ct)
    to_lung, to_bone = _in_plane(lung, ct), _in_plane(bone, ct)
    behind = middle[:, 0][:, None, None] - (top + np.arange(soft.shape[1]))[None, :, None]
    beside = (left + np.arange(soft.shape[2]))[None, None, :] - middle[:, 1][:, None, None]
    ahead_mm, left_mm = behind * steps[0], beside * steps[1]
    allowed = soft & (to_lung <= limits.lung_mm) & (to_bone <= limits.bone_mm)
    allowed &= (ahead_mm >= limits.ahead_mm[0]) & (ahead_mm <= limits.ahead_mm[1])
    allowed &= (left_mm >= limits.left_mm[0]) & (left_mm <= limits.left_mm[1])
    score = np.where(allowed, np.minimum(depth, limits.full_mm) - _CLOSE * (to_lung + to_bone), -np.inf)
    return score, depth, (top, left)


_CLOSE = 0.1
"""Of two places of one depth the one closer to lung and spine: the aorta lies against both."""


def _in_plane(mask: BoolArray, ct: CoarseCt) -> FloatField:
    """Distance within its slice to the nearest block of the mask, mm."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    far = 1e6  # a step to the next slice is further than any way within one
    distance: FloatField = ndimage.distance_transform_edt(~mask, sampling=(far, *ct.spacing_mm[1:]))
    return distance


def _best_path(score: FloatField) -> list[tuple[int, int]]:
    """One place a slice, at most one block from the slice before, with the highest sum; a gap costs `_GAP`."""
    gain = np.where(np.isfinite(score), score, _GAP)
    best = gain[0].copy()
    steps: list[npt.NDArray[np.int64]] = []
    for plane in gain[1:]:
        padded = np.pad(best, 1, constant_values=-np.inf)
        rows, columns = best.shape
        options = np.stack([padded[j : j + rows, i : i + columns] for j in range(3) for i in range(3)])
        choice = np.argmax(options, axis=0)
        steps.append(choice)
        best = plane + np.take_along_axis(options, choice[None], axis=0)[0]
    at = np.unravel_index(int(np.argmax(best)), best.shape)
    path = [(int(at[0]), int(at[1]))]
    for choice in reversed(steps):
        j, i = path[-1]
        step = int(choice[j, i])
        path.append((j + step // 3 - 1, i + step % 3 - 1))
    return path[::-1]


_GAP = -20.0
"""Worse than any place, so that a path leaves the allowed region only where a slice has none."""
