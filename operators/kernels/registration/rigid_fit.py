"""Rigid registration of a cloud of points with their HU to another image: Gauss-Newton, robust, coarse to fine.

The step is that of efficient second-order minimisation: the mean of both images' gradients (Malis, ICRA 2004;
Benhimane and Malis, IROS 2004). Weights are Cauchy's with the scale from the median absolute deviation (Huber and
Ronchetti, Robust Statistics, 2nd ed. 2009). A gain and an offset between the images are fitted along, since tube
voltage and kernel change the HU of bone. The numbers in force are a convention of this project.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.kernels.registration import se3
from operators.kernels.registration.levels import CtLevels, Level, Sampled

FloatArray = npt.NDArray[np.float64]

_CAUCHY = 2.385
"""Scales of the residual at which a Cauchy weight is one half: 95 % efficient for normal residuals."""
_TO_SIGMA = 1.4826


@dataclass(frozen=True, kw_only=True, slots=True)
class FitLimits:
    """How a fit is made.

    `iterations` a level, finest first; a fit ends where a step moves no point by `still_mm`. Residuals below
    `noise_hu` are as good as none. A fit is held to its initial value by a spring: `free_deg` and `free_mm` are the
    standard deviations of a bone's own motion, and of its points one in `points_a_fact` counts as independent.
    A gain beyond `gain` (lowest, highest) is not believed. Less than `least_inside` of the points in the other
    field is no overlap.
    """

    iterations: tuple[int, ...]
    still_mm: float
    noise_hu: float
    free_deg: float
    free_mm: float
    points_a_fact: float
    gain: tuple[float, float]
    least_inside: float

    def __post_init__(self) -> None:
        if min(self.iterations) < 1 or min(self.still_mm, self.noise_hu, self.free_deg, self.free_mm) <= 0.0:
            raise ValueError("iterations, steps, noise and freedom are above zero")
        if not (0.0 < self.gain[0] <= 1.0 <= self.gain[1] and 0.0 < self.least_inside <= 1.0):
            raise ValueError("a gain lies about 1, a share between 0 and 1")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Fit:
    """A motion (4, 4) of points into the other image.

    Args:
        similarity: correlation of both images' values at the points in the other field, at the finest level; NaN
            where fewer than `least_inside` of them are in it, or an image is flat there.
        inside: share of the points in the other field.
    """

    motion: FloatArray
    similarity: float
    inside: float


def fit_rigid(points_mm: FloatArray, *, fixed: CtLevels, moving: CtLevels, start: FloatArray, limits: FitLimits) -> Fit:
    """Where points (n, 3) of `fixed` lie in `moving`, from the motion `start` (4, 4).

    Where the start leaves too few points in the field of `moving`, the start is given back.
    """
    motion = start
    for number in reversed(range(len(fixed.levels))):
        of_fixed = fixed.levels[number].at(points_mm)
        kept = _Kept(points=points_mm[of_fixed.inside], seen=_only(of_fixed), start=start)
        motion = _fit_level(kept, moving.levels[number], motion, limits=limits, iterations=limits.iterations[number])
    return judged(points_mm, fixed=fixed, moving=moving, motion=motion, limits=limits)


def judged(points_mm: FloatArray, *, fixed: CtLevels, moving: CtLevels, motion: FloatArray, limits: FitLimits) -> Fit:
    """How alike both images are at the points under a motion."""
    here = fixed.levels[0].at(points_mm)
    there = moving.levels[0].at(points_mm @ motion[:3, :3].T + motion[:3, 3])
    both = here.inside & there.inside
    inside = float(np.mean(both)) if len(both) else 0.0
    similarity = float("nan")
    if inside >= limits.least_inside:
        similarity = correlation(here.value[both], there.value[both])
    return Fit(motion=motion, similarity=similarity, inside=inside)


def correlation(one: FloatArray, other: FloatArray) -> float:
    """Pearson's; NaN where one of them does not vary."""
    if not (np.ptp(one) > 0.0 and np.ptp(other) > 0.0):
        return float("nan")  # differences from a rounded mean would vary
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt(np.dot(a, a) * np.dot(b, b)))
    return float(np.dot(a, b)) / size if size > 0.0 else float("nan")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Kept:
    """Points in the fixed field with what is seen there, and the motion that the spring holds to."""

    points: FloatArray
    seen: Sampled
    start: FloatArray

    @property
    def centre(self) -> FloatArray:
        return np.asarray(self.points.mean(axis=0))


def _only(sampled: Sampled) -> Sampled:
    inside = sampled.inside
    return Sampled(value=sampled.value[inside], gradient=sampled.gradient[inside], inside=inside[inside])


def _fit_level(kept: _Kept, level: Level, motion: FloatArray, *, limits: FitLimits, iterations: int) -> FloatArray:
    if len(kept.points) < 6:
        return motion
    centre = kept.centre
    reach = float(np.sqrt(np.mean(np.sum((kept.points - centre) ** 2, axis=1))))
    for _ in range(iterations):
        step = _step(kept, level, motion, limits=limits)
        if step is None:
            return motion
        motion = motion @ se3.about(se3.exp(step), centre)
        if np.linalg.norm(step[:3]) * reach + np.linalg.norm(step[3:]) < limits.still_mm:
            break
    return motion


def _step(kept: _Kept, level: Level, motion: FloatArray, *, limits: FitLimits) -> FloatArray | None:
    """The twist about the centre of the points that lessens the residual; None without overlap."""
    centre = kept.centre
    there = level.at(kept.points @ motion[:3, :3].T + motion[:3, 3])
    inside = there.inside
    if float(np.mean(inside)) < limits.least_inside:
        return None
    fixed, moving = kept.seen.value[inside], there.value[inside]
    gain, offset = _gain(fixed, moving, limits=limits)
    residual = moving - gain * fixed - offset
    sigma = max(limits.noise_hu, _TO_SIGMA * float(np.median(np.abs(residual - np.median(residual)))))
    weight = 1.0 / (1.0 + (residual / (_CAUCHY * sigma)) ** 2)
    gradient = 0.5 * (gain * kept.seen.gradient[inside] + there.gradient[inside] @ motion[:3, :3])
    jacobian = np.concatenate([np.cross(kept.points[inside] - centre, gradient), gradient], axis=1)
    scale = 1.0 / (limits.points_a_fact * sigma**2)
    normal = scale * (jacobian * weight[:, None]).T @ jacobian
    slope = scale * jacobian.T @ (weight * residual)
    spring = np.repeat([np.radians(limits.free_deg) ** -2.0, limits.free_mm**-2.0], 3)
    moved = se3.log(se3.about(np.linalg.inv(kept.start) @ motion, -centre))
    return np.asarray(np.linalg.solve(normal + np.diag(spring), -slope - spring * moved))


def _gain(fixed: FloatArray, moving: FloatArray, *, limits: FitLimits) -> tuple[float, float]:
    """Gain and offset from the fixed to the moving image: by their spreads, which no mismatch of edges lessens."""
    spread = float(np.std(fixed))
    gain = float(np.clip(np.std(moving) / spread, *limits.gain)) if spread > 0.0 else 1.0
    return gain, float(np.median(moving) - gain * np.median(fixed))
