"""Planar bone scintigraphy: body, skeleton, normal level, hot spots, on one view's counts.

Arrays are (row, column), head up. Lengths are millimetres, converted by `pixel_mm` (row height,
column width). All rules here are conventions of this project (clinical reference 1.4 and 2):
they need no model, and their names stand in the report.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu

from bmnode.domain.geometry import BoolArray

Counts = npt.NDArray[np.float64]
PixelSize = tuple[float, float]

NORMALISED_LEVEL = 1000.0
"""What the normal skeleton's mean becomes."""
_EIGHT = np.ones((3, 3), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyRule:
    """`BODY_OTSU_V1`: smoothed counts above a share of Otsu's level between background and body."""

    smoothing_mm: float
    level_share: float
    minimum_part: float
    """Parts smaller than this share of the largest are dropped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SkeletonRule:
    """`SKELETON_CONTRAST_V1`: what stands out from the soft tissue around it.

    Soft tissue at a pixel is the grey-scale opening of the smoothed counts by a disk that is
    wider than bones are thick. A pixel is bone where it exceeds `contrast` times that, and
    `floor_share` of Otsu's level between soft tissue and bone over the whole body, whose counts
    are cut at the quantile `ceiling_share` for that.
    """

    smoothing_mm: float
    background_radius_mm: float
    contrast: float
    floor_share: float
    ceiling_share: float
    minimum_area_mm2: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrimRule:
    """`NORM_TRIM2` (clinical reference 1.4)."""

    trim: float
    tolerance: float
    max_iterations: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NormalLevel:
    """The normal skeleton's mean, counts a pixel, and from how many pixels."""

    counts_per_pixel: float
    pixels: int

    @property
    def scale(self) -> float:
        """What the counts are multiplied by to bring the normal skeleton to 1000."""
        return NORMALISED_LEVEL / self.counts_per_pixel


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HotSpot:
    """One hot spot: its mask in the box that starts at `origin` (row, column), holes filled."""

    origin: tuple[int, int]
    mask: BoolArray

    @property
    def pixel_count(self) -> int:
        """How many pixels it has."""
        return int(np.count_nonzero(self.mask))

    @property
    def box(self) -> tuple[slice, slice]:
        """The box as slices of the view."""
        (row, column), (rows, columns) = self.origin, self.mask.shape
        return slice(row, row + rows), slice(column, column + columns)

    @property
    def centre(self) -> tuple[float, float]:
        """Mean (row, column) of its pixels."""
        rows, columns = np.nonzero(self.mask)
        return self.origin[0] + float(rows.mean()), self.origin[1] + float(columns.mean())

    def values(self, counts: Counts) -> Counts:
        """The counts of its pixels."""
        inside: Counts = counts[self.box][self.mask]
        return inside


def smooth(counts: Counts, *, sigma_mm: float, pixel_mm: PixelSize) -> Counts:
    """Gaussian smoothing."""
    sigma = (sigma_mm / pixel_mm[0], sigma_mm / pixel_mm[1])
    return np.asarray(ndimage.gaussian_filter(counts, sigma), dtype=np.float64)


def body_mask(counts: Counts, *, pixel_mm: PixelSize, rule: BodyRule) -> BoolArray:
    """The patient's outline, holes filled; empty where the image is constant."""
    smoothed = smooth(np.maximum(counts, 0.0), sigma_mm=rule.smoothing_mm, pixel_mm=pixel_mm)
    if smoothed.max() <= smoothed.min():
        return np.zeros(counts.shape, dtype=np.bool_)
    # The square root makes the spread of Poisson counts independent of their mean.
    level = _otsu(np.sqrt(smoothed)) ** 2
    labels, number = ndimage.label(smoothed > rule.level_share * level)
    sizes = np.bincount(labels.ravel(), minlength=number + 1)
    sizes[0] = 0
    kept = sizes >= rule.minimum_part * max(int(sizes.max()), 1)
    kept[0] = False
    return np.asarray(ndimage.binary_fill_holes(kept[labels]), dtype=np.bool_)


def skeleton_mask(counts: Counts, body: BoolArray, *, pixel_mm: PixelSize, rule: SkeletonRule) -> BoolArray:
    """Where bone stands out from its surroundings, hot spots included; empty without a body."""
    if not body.any():
        return np.zeros_like(body)
    smoothed = smooth(counts, sigma_mm=rule.smoothing_mm, pixel_mm=pixel_mm)
    soft = _opened(smoothed, _disk(rule.background_radius_mm, pixel_mm))
    soft = smooth(soft, sigma_mm=rule.background_radius_mm / 2.0, pixel_mm=pixel_mm)
    inside = np.sqrt(np.maximum(smoothed[body], 0.0))
    # A full bladder or an extravasation would otherwise be Otsu's upper class, and all bone its lower one.
    inside = np.minimum(inside, np.quantile(inside, rule.ceiling_share))
    floor = _otsu(inside) ** 2 if inside.max() > inside.min() else np.inf
    bone = body & (smoothed > rule.contrast * soft) & (smoothed > rule.floor_share * floor)
    return _drop_small(bone, minimum_pixels=minimum_pixels(rule.minimum_area_mm2, pixel_mm=pixel_mm))


def normal_level(values: npt.ArrayLike, *, rule: TrimRule) -> NormalLevel | None:
    """`NORM_TRIM2`: the mean of the values, repeated over those up to `trim` times the last mean.

    Stops when the mean changes by less than `tolerance` of itself, or after `max_iterations`.
    None where there is no value or the mean is not positive.
    """
    data = np.asarray(values, dtype=np.float64).ravel()
    if data.size == 0 or float(data.mean()) <= 0:
        return None
    level = float(data.mean())
    kept = data
    for _ in range(rule.max_iterations):
        kept = data[data <= rule.trim * level]
        new = float(kept.mean())
        settled = abs(new - level) < rule.tolerance * level
        level = new
        if settled:
            break
    return NormalLevel(counts_per_pixel=level, pixels=int(kept.size)) if level > 0 else None


def hot_spots(normalised: Counts, *, thresholds: Counts, peak_factor: float, minimum_size: int) -> tuple[HotSpot, ...]:
    """8-connected components above the threshold of their place, holes filled, largest first.

    Args:
        normalised: (row, column), the normal skeleton at 1000.
        thresholds: (row, column), in multiples of the normal skeleton.
        peak_factor: a component counts where it somewhere exceeds this many times its threshold,
            so that bone which hovers about the threshold does not break into specks.
        minimum_size: components of fewer pixels are dropped.
    """
    excess = normalised / (NORMALISED_LEVEL * thresholds)
    labels, _ = ndimage.label(ndimage.binary_fill_holes(excess > 1.0), structure=_EIGHT)
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        mask = labels[box] == number
        if int(np.count_nonzero(mask)) >= minimum_size and float(excess[box][mask].max()) > peak_factor:
            found.append(HotSpot(origin=(int(box[0].start), int(box[1].start)), mask=np.ascontiguousarray(mask)))
    return tuple(sorted(found, key=lambda spot: (-spot.pixel_count, spot.origin)))


def minimum_pixels(area_mm2: float, *, pixel_mm: PixelSize) -> int:
    """How many pixels an area takes, rounded, at least one: 4 at 2.4 mm for 23 mm2."""
    return max(1, round(area_mm2 / (pixel_mm[0] * pixel_mm[1])))


def _otsu(values: Counts) -> float:
    return float(threshold_otsu(values))  # type: ignore[no-untyped-call]  # scikit-image is untyped here


def _disk(radius_mm: float, pixel_mm: PixelSize) -> BoolArray:
    reach_row, reach_column = (max(1, round(radius_mm / size)) for size in pixel_mm)
    rows, columns = np.mgrid[-reach_row : reach_row + 1, -reach_column : reach_column + 1]
    inside: BoolArray = (rows / reach_row) ** 2 + (columns / reach_column) ** 2 <= 1.0
    return inside


def _opened(image: Counts, disk: BoolArray) -> Counts:
    """Grey-scale opening by a disk: `scipy.ndimage.grey_opening`, value for value, in a quarter of its time."""
    return _slid(_slid(image, disk, largest=False), disk, largest=True)


def _slid(image: Counts, disk: BoolArray, *, largest: bool) -> Counts:
    """The extreme under a disk at every pixel: of each row's run, then over the disk's rows."""
    run = ndimage.maximum_filter1d if largest else ndimage.minimum_filter1d
    pick = np.maximum if largest else np.minimum
    reach, widths = len(disk) // 2, [int(width) for width in disk.sum(axis=1)]
    edge = ((reach, reach), (0, 0))
    runs = {width: np.pad(run(image, width, axis=1), edge, mode="symmetric") for width in set(widths)}
    found = runs[widths[0]][: len(image)].copy()
    for row, width in enumerate(widths):
        pick(found, runs[width][row : row + len(image)], out=found)
    return np.asarray(found, dtype=np.float64)


def _drop_small(mask: BoolArray, *, minimum_pixels: int) -> BoolArray:
    labels, _ = ndimage.label(mask, structure=_EIGHT)
    sizes = np.bincount(labels.ravel())
    kept = sizes >= minimum_pixels
    kept[0] = False
    return np.asarray(kept[labels], dtype=np.bool_)
