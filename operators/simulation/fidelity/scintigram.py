"""Places on an anterior whole-body view: mean counts on a simulated one, and the same measured on a real scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from operators.simulation.anatomy.bones import Bone, Side

Counts = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Reach = tuple[float, float]

REAL_SCAN: Mapping[str, float] = {
    "skull, frontal": 2.16,
    "skull before the brain": 1.41,
    "face": 4.66,
    "sternum": 4.75,
    "chest beside the sternum": 2.25,
    "abdomen": 1.35,
    "T12 and L1": 2.94,
    "ilium": 2.29,
    "proximal femur": 2.78,
    "femoral shaft": 2.08,
    "knee": 2.18,
    "tibial shaft": 1.74,
    "foot": 1.70,
}
"""Mean counts by those of the medial thigh (20.1 a pixel) on the anterior view JPEG-LL.dcm of `pydicom-data` (2.26 mm
pixels, 3.6 million counts), in rectangles put by hand where `region_means` looks; shafts along the ridge of the
smoothed counts. L2 to L4, left knee and left wrist of this patient are abnormal: L2 to L4 are left out."""
REAL_QUANTILES: Mapping[int, float] = {5: 0.29, 10: 0.39, 25: 0.61, 75: 1.54, 90: 2.11, 95: 2.61, 99: 4.21}
"""Percentiles of that view's counts by their median (28), in the body as `body_quantiles` finds it."""
REFERENCE = "medial thigh"
_SMOOTH_PIXELS = 2.0
_BODY_SHARE = 1.0 / 6.0
"""Of the median: pixels whose smoothed counts exceed it are body."""


def region_ratios(counts: Counts, bones: Labels, *, pixel_mm: float) -> dict[str, float]:
    """Mean counts of every region of `REAL_SCAN`, by those of the medial thigh.

    Args:
        counts: the anterior view (row, column).
        bones: the bone of each of its pixels, as `PlanarTruth.bones` has it.
        pixel_mm: of both axes.
    """
    view = _View(counts, bones, pixel_mm)
    means = {
        "skull, frontal": view.band(Bone.SKULL, (0.05, 0.25), (-50.0, 50.0)),
        "skull before the brain": view.band(Bone.SKULL, (0.33, 0.52), (-43.0, 43.0)),
        "face": view.band(Bone.SKULL, (0.68, 1.0), (-34.0, 34.0)),
        "sternum": view.band(Bone.STERNUM, (0.35, 0.9), (-14.0, 14.0)),
        "chest beside the sternum": _both(lambda side: view.band(Bone.STERNUM, (0.3, 1.0), _to(side, 40.0, 105.0))),
        "abdomen": _both(lambda side: view.band(Bone.L2, (-0.5, 1.5), _to(side, 60.0, 125.0))),
        "T12 and L1": (view.band(Bone.T12, (0.0, 1.0), (-20.0, 20.0)) + view.band(Bone.L1, (0.0, 1.0), (-20.0, 20.0)))
        / 2.0,
        "ilium": _both(lambda side: view.upper(_of("HIP", side), 0.25)),
        "proximal femur": _both(lambda side: view.upper(_of("FEMUR", side), 0.13)),
        "femoral shaft": _both(lambda side: view.band(_of("FEMUR", side), (0.35, 0.65), (-8.0, 8.0))),
        REFERENCE: _both(lambda side: view.band(_of("FEMUR", side), (0.35, 0.65), _to(side, -68.0, -42.0))),
        "knee": _both(lambda side: view.band(_of("TIBIA", side), (-0.1, 0.1), (-35.0, 35.0))),
        "tibial shaft": _both(lambda side: view.band(_of("TIBIA", side), (0.3, 0.5), (-8.0, 8.0))),
        "foot": _both(lambda side: view.upper(_of("FOOT", side), 1.0)),
    }
    return {name: means[name] / means[REFERENCE] for name in REAL_SCAN}


def body_quantiles(counts: Counts) -> dict[int, float]:
    """The percentiles of `REAL_QUANTILES` by the median, over the pixels of the body of one view."""
    smooth = ndimage.gaussian_filter(counts.astype(np.float64), _SMOOTH_PIXELS)
    body = counts[smooth > 1.0]
    for _ in range(3):
        body = counts[smooth > _BODY_SHARE * float(np.median(body))]
    return {q: float(np.percentile(body, q) / np.median(body)) for q in REAL_QUANTILES}


class _View:
    def __init__(self, counts: Counts, bones: Labels, pixel_mm: float) -> None:
        self.counts = counts
        self.bones = bones
        self.pixel_mm = pixel_mm

    def band(self, bone: Bone, along: Reach, across_mm: Reach) -> float:
        """Mean between two shares of a bone's length from its upper end, and two distances from its middle in each row.

        Distances are positive to the image's right; above and below the bone they are from its mean column.
        """
        rows, columns = np.nonzero(self.bones == bone)
        first, length = int(rows.min()), int(np.ptp(rows))
        pixels = []
        for row in range(first + round(along[0] * length), first + round(along[1] * length) + 1):
            here = columns[rows == row]
            middle = float((here if len(here) else columns).mean())
            low, high = (round(middle + distance / self.pixel_mm) for distance in across_mm)
            pixels.append(self.counts[row, max(low, 0) : max(high + 1, 0)])
        return float(np.concatenate(pixels).mean())

    def upper(self, bone: Bone, share: float) -> float:
        """Mean over a bone's own pixels in the upper part of its length."""
        rows, columns = np.nonzero(self.bones == bone)
        kept = rows <= rows.min() + share * np.ptp(rows)
        return float(self.counts[rows[kept], columns[kept]].mean())


def _of(kind: str, side: Side) -> Bone:
    return Bone[f"{kind}_{side.name}"]


def _to(side: Side, near: float, far: float) -> Reach:
    """Distances to the patient's side on an anterior view, which has the patient's left on its right."""
    return (near, far) if side is Side.LEFT else (-far, -near)


def _both(mean: Callable[[Side], float]) -> float:
    return (mean(Side.LEFT) + mean(Side.RIGHT)) / 2.0
