"""How one scan lies against another as a whole: every shift is tried, the likeliest are refined, the best is kept.

No label and no header is trusted for it, so it holds for other fields of view and other positions on the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone import WorkingBone
from operators.kernels.morphology import block_factors, block_means
from operators.kernels.registration.coarse_align import Volume, best_shifts
from operators.kernels.registration.levels import CtLevels, HuWindow
from operators.kernels.registration.rigid_fit import Fit, FitLimits, fit_rigid
from operators.kernels.resample import block_matrix

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class GlobalLimits:
    """How two scans are brought together as a whole.

    Shifts are sought on a grid of `grid_mm`, of bone with the density of `window`; one is tried where `least_overlap`
    of the smaller field lies on the other. The `candidates` best are refined with `points` points of bone, scattered by
    `scatter_mm` so that they see its surface.
    """

    grid_mm: float
    window: HuWindow
    least_overlap: float
    candidates: int
    points: int
    scatter_mm: float
    fit: FitLimits

    def __post_init__(self) -> None:
        if min(self.grid_mm, self.scatter_mm) <= 0.0 or not 0.0 < self.least_overlap < 1.0:
            raise ValueError("grid and scatter are above zero, an overlap is a share")
        if self.candidates < 1 or self.points < 100:
            raise ValueError("a candidate or more is refined, by a hundred points or more")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CtBone:
    """What registration takes of one CT: its bone on working blocks, its own geometry, and its levels."""

    work: WorkingBone
    geometry: VolumeGeometry
    levels: CtLevels


def align(fixed: CtBone, moving: CtBone, *, limits: GlobalLimits) -> Fit | None:
    """The rigid motion (4, 4) from `fixed` to `moving`; None where nothing of the bones lies on each other."""
    return next(iter(alignments(fixed, moving, limits=limits)), None)


def alignments(fixed: CtBone, moving: CtBone, *, limits: GlobalLimits) -> tuple[Fit, ...]:
    """Every motion that may be it, the one that stands out most first.

    It need not be the right one: arms that lie otherwise make the right motion of the trunk look poor.
    """
    points = bone_points(fixed, count=limits.points, scatter_mm=limits.scatter_mm)
    if len(points) == 0 or not moving.work.bone.any():
        return ()
    fits = [
        fit_rigid(points, fixed=fixed.levels, moving=moving.levels, start=start, limits=limits.fit)
        for start in _starts(fixed, moving, limits=limits)
    ]
    return tuple(sorted((found for found in fits if evidence(found) > 0.0), key=evidence, reverse=True))


def evidence(found: Fit) -> float:
    """How far a fit stands out of chance: Fisher's z of the similarity times the root of the share that was seen."""
    if not np.isfinite(found.similarity):
        return 0.0
    return float(np.arctanh(np.clip(found.similarity, -0.999, 0.999)) * np.sqrt(found.inside))


def bone_points(ct: CtBone, *, count: int, scatter_mm: float) -> FloatArray:
    """Up to `count` voxels of bone (n, 3) in LPS mm, each moved by chance; the same ones every time."""
    voxels = np.argwhere(ct.work.bone)
    random = np.random.default_rng(1)
    if len(voxels) > count:
        voxels = voxels[np.sort(random.choice(len(voxels), size=count, replace=False))]
    matrix = block_matrix(ct.work, ct.geometry, ct.work.factors)
    return np.asarray(voxels @ matrix[:3, :3].T + matrix[:3, 3] + random.normal(0.0, scatter_mm, (len(voxels), 3)))


def _starts(fixed: CtBone, moving: CtBone, *, limits: GlobalLimits) -> list[FloatArray]:
    """Shifts (4, 4) from fixed to moving."""
    (a, valid_a, origin_a), (b, valid_b, origin_b) = (_density(ct, limits=limits) for ct in (fixed, moving))
    shifts = best_shifts(a, b, valid=(valid_a, valid_b), least_overlap=limits.least_overlap, count=limits.candidates)
    starts = []
    for shift in shifts:
        start = np.eye(4)
        start[:3, 3] = origin_b - origin_a + np.array(shift.steps[::-1]) * limits.grid_mm
        starts.append(start)
    return starts


def _density(ct: CtBone, *, limits: GlobalLimits) -> tuple[Volume, Volume, FloatArray]:
    """Bone above the window's lower end on a grid along LPS (z, y, x), where the field is, and its first place."""
    window = limits.window
    dense = np.where(ct.work.bone, np.clip(ct.work.hu, window.low_hu, window.high_hu) - window.low_hu, 0.0)
    z, y, x = block_factors(ct.work.spacing_mm, working_mm=limits.grid_mm)
    blocks = block_means(dense.astype(np.float32), (z, y, x))
    factors = (ct.work.factors[0] * z, ct.work.factors[1] * y, ct.work.factors[2] * x)
    matrix = block_matrix(ct.work, ct.geometry, factors)
    corners = np.array([[i * (n - 1) for i, n in zip(bits, blocks.shape, strict=True)] for bits in np.ndindex(2, 2, 2)])
    places = corners @ matrix[:3, :3].T + matrix[:3, 3]
    origin, end = places.min(axis=0), places.max(axis=0)
    size = np.maximum(np.ceil((end - origin) / limits.grid_mm).astype(int) + 1, 2)[::-1]
    grid = np.zeros((4, 4))
    grid[[2, 1, 0], [0, 1, 2]] = limits.grid_mm
    grid[:3, 3], grid[3, 3] = origin, 1.0
    to_blocks = np.linalg.inv(matrix) @ grid
    density, valid = (
        np.asarray(
            ndimage.affine_transform(
                values, to_blocks[:3, :3], to_blocks[:3, 3], tuple(size.tolist()), np.float32, order=1, mode="constant"
            )
        )
        for values in (blocks, np.ones(blocks.shape, dtype=np.float32))
    )
    return density, (valid > 0.5).astype(np.float32), np.asarray(origin)
