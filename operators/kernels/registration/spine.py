"""Two ADC maps of one patient by the tissue about the spine: one rigid motion, or none.

MR has no bones that a threshold finds, and an abdomen moves about its spine: what counts is the region of the vertebral
bodies and what lies within `about_mm` of it, the canal included. Shifts along the spine are tried one by one, because a
spine looks much the same one vertebra further; the best has to stand out of every other place [P].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from operators.kernels.lesion_matching.places import voxel_places
from operators.kernels.registration.global_align import evidence
from operators.kernels.registration.levels import CtLevels, Level
from operators.kernels.registration.rigid_fit import Fit, FitLimits, fit_rigid

FloatArray = npt.NDArray[np.float64]
METHOD = "RIGID_SPINE_ADC_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class SpineLimits:
    """How two maps are brought together.

    ADC counts up to `highest_um2_s`, smoothed by `smooth_mm` (standard deviations, finest first). Up to `points` voxels
    within `about_mm` of the region are taken. Shifts along the spine of up to `reach_mm` are tried every `step_mm`,
    where `least_common_mm` of both regions lie beside each other. The best fit is taken where its correlation is
    `least_similarity` or more and its evidence `stands_out` times that of any fit that lies `apart_mm` from it.
    """

    highest_um2_s: float
    smooth_mm: tuple[float, ...]
    points: int
    about_mm: float
    reach_mm: float
    step_mm: float
    least_common_mm: float
    least_similarity: float
    stands_out: float
    apart_mm: float
    fit: FitLimits

    def __post_init__(self) -> None:
        if min(self.highest_um2_s, self.about_mm, self.reach_mm, self.step_mm, self.apart_mm) <= 0.0:
            raise ValueError("ADC and distances are above zero")
        if len(self.smooth_mm) != len(self.fit.iterations) or self.points < 100 or self.stands_out < 1.0:
            raise ValueError("a fit has as many levels as smoothings, a hundred points or more, and stands out")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SpineMap:
    """An ADC map in um2/s (slice, row, column) with the region of the vertebral bodies on its grid."""

    adc: npt.NDArray[np.float32]
    region: BoolArray
    geometry: VolumeGeometry

    def __post_init__(self) -> None:
        if self.adc.shape != self.geometry.shape or self.region.shape != self.geometry.shape or not self.region.any():
            raise ValueError("a map has a region, both on its geometry")


def align_spines(current: SpineMap, prior: SpineMap, *, limits: SpineLimits) -> Fit | None:
    """The rigid motion (4, 4) from the current to the prior map; None where none stands out."""
    fixed, moving = _levels(current, limits=limits), _levels(prior, limits=limits)
    points = _points(current, limits=limits)
    fits = [
        fit_rigid(points, fixed=fixed, moving=moving, start=start, limits=limits.fit)
        for start in _starts(current, prior, limits=limits)
    ]
    best = max(fits, key=evidence, default=None)
    if best is None or not best.similarity >= limits.least_similarity:
        return None
    middle = np.append(points.mean(axis=0), 1.0)
    others = [
        evidence(other) for other in fits if np.linalg.norm((other.motion - best.motion) @ middle) > limits.apart_mm
    ]
    return best if evidence(best) >= limits.stands_out * max(others, default=0.0) else None


def _levels(image: SpineMap, *, limits: SpineLimits) -> CtLevels:
    clipped = np.clip(image.adc, 0.0, limits.highest_um2_s).astype(np.float32)
    steps = image.geometry.spacing_mm
    levels = [
        Level(
            values=np.ascontiguousarray(ndimage.gaussian_filter(clipped, [sigma / step for step in steps])),
            matrix=image.geometry.matrix,
        )
        for sigma in limits.smooth_mm
    ]
    return CtLevels(levels=tuple(levels), frame=image.geometry.frame_of_reference_uid)


def _points(image: SpineMap, *, limits: SpineLimits) -> FloatArray:
    """Voxels about the region (n, 3), LPS mm; the same ones every time."""
    near = ndimage.distance_transform_edt(~image.region, sampling=image.geometry.spacing_mm) <= limits.about_mm
    places = voxel_places(CroppedMask.from_array(near), image.geometry)
    if len(places) > limits.points:
        chosen = np.random.default_rng(5).choice(len(places), size=limits.points, replace=False)
        places = places[np.sort(chosen)]
    return places


def _starts(current: SpineMap, prior: SpineMap, *, limits: SpineLimits) -> list[FloatArray]:
    """Shifts (4, 4) along the patient's length, with the regions' middles above each other."""
    now, then = (voxel_places(CroppedMask.from_array(item.region), item.geometry) for item in (current, prior))
    starts = []
    for shift in np.arange(-limits.reach_mm, limits.reach_mm + 0.5 * limits.step_mm, limits.step_mm):
        low = max(now[:, 2].min() + shift, then[:, 2].min())
        high = min(now[:, 2].max() + shift, then[:, 2].max())
        if high - low < limits.least_common_mm:
            continue
        here = now[(now[:, 2] + shift >= low) & (now[:, 2] + shift <= high)]
        there = then[(then[:, 2] >= low) & (then[:, 2] <= high)]
        start = np.eye(4)
        start[:2, 3] = (there.mean(axis=0) - here.mean(axis=0))[:2]
        start[2, 3] = shift
        starts.append(start)
    return starts
