"""A CT as registration sees it: HU between soft tissue and cortex, at several resolutions, sampled at points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone import WorkingBone
from operators.kernels.morphology import block_factors, block_means
from operators.kernels.resample import block_matrix

FloatArray = npt.NDArray[np.float64]
Volume = npt.NDArray[np.float32]

_SIGMA_BLOCKS = 0.6
"""Standard deviation of the smoothing after blocks were averaged, in blocks: takes the edges off them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HuWindow:
    """What lies outside counts as its nearer end: air is as good as fat, an implant as good as cortex."""

    low_hu: float
    high_hu: float

    def __post_init__(self) -> None:
        if not self.low_hu < self.high_hu:
            raise ValueError("a window is lowest first")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sampled:
    """An image at points: value (n,), gradient (n, 3) a millimetre along LPS, and whether the point is in the field."""

    value: FloatArray
    gradient: FloatArray
    inside: npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Level:
    """An image on one grid: values float32 (three axes in any order), `matrix` (4, 4) from the index to LPS mm."""

    values: Volume
    matrix: FloatArray

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.dtype != np.float32 or min(self.values.shape) < 2:
            raise ValueError("a level is a float32 volume of two voxels or more along every axis")

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of neighbours along each axis."""
        steps = np.linalg.norm(self.matrix[:3, :3], axis=0)
        return float(steps[0]), float(steps[1]), float(steps[2])

    def at(self, points_mm: FloatArray) -> Sampled:
        """Trilinear value and its exact gradient at points (n, 3); both are 0 outside the field."""
        to_index = np.linalg.inv(self.matrix)
        index = points_mm @ to_index[:3, :3].T + to_index[:3, 3]
        last = np.asarray(self.values.shape) - 1
        inside = np.all((index >= 0.0) & (index <= last), axis=1)
        low = np.clip(np.floor(np.where(inside[:, None], index, 0.0)).astype(np.intp), 0, last - 1)
        share = np.where(inside[:, None], index - low, 0.0)
        corner = self._corners(low)
        u, v, w = share.T
        along_w = corner[:, :, :, 0] * (1.0 - w)[:, None, None] + corner[:, :, :, 1] * w[:, None, None]
        along_v = along_w[:, :, 0] * (1.0 - v)[:, None] + along_w[:, :, 1] * v[:, None]
        value = along_v[:, 0] * (1.0 - u) + along_v[:, 1] * u
        step_u = along_v[:, 1] - along_v[:, 0]
        of_v = along_w[:, :, 1] - along_w[:, :, 0]
        step_v = of_v[:, 0] * (1.0 - u) + of_v[:, 1] * u
        of_w = corner[:, :, :, 1] - corner[:, :, :, 0]
        of_w = of_w[:, :, 0] * (1.0 - v)[:, None] + of_w[:, :, 1] * v[:, None]
        step_w = of_w[:, 0] * (1.0 - u) + of_w[:, 1] * u
        gradient = np.stack([step_u, step_v, step_w], axis=1) @ to_index[:3, :3]
        return Sampled(
            value=np.where(inside, value, 0.0), gradient=np.where(inside[:, None], gradient, 0.0), inside=inside
        )

    def _corners(self, low: npt.NDArray[np.intp]) -> FloatArray:
        """Values (n, 2, 2, 2) of the cell above each index."""
        _, rows, columns = self.values.shape
        flat = self.values.reshape(-1)
        first = (low[:, 0] * rows + low[:, 1]) * columns + low[:, 2]
        steps = np.array([[[0, 1], [columns, columns + 1]], [[0, 1], [columns, columns + 1]]], dtype=np.intp)
        steps[1] += rows * columns
        return np.asarray(flat[first[:, None, None, None] + steps], dtype=np.float64)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CtLevels:
    """One CT at several resolutions, the finest first.

    Args:
        levels: HU within the window.
        frame: its Frame of Reference UID.
    """

    levels: tuple[Level, ...]
    frame: str

    def __post_init__(self) -> None:
        if not self.levels or not self.frame:
            raise ValueError("a CT has one level or more and a frame of reference")

    @classmethod
    def of(
        cls, work: WorkingBone, geometry: VolumeGeometry, *, window: HuWindow, steps_mm: tuple[float, ...]
    ) -> CtLevels:
        """Levels of about `steps_mm` (finest first) from a bone segmentation's blocks; `geometry` is the CT's own."""
        clipped = np.clip(work.hu, window.low_hu, window.high_hu)
        levels = []
        for step in steps_mm:
            z, y, x = block_factors(work.spacing_mm, working_mm=step)
            whole = tuple(slice(0, size - size % factor) for size, factor in zip(clipped.shape, (z, y, x), strict=True))
            values = ndimage.gaussian_filter(block_means(clipped[whole], (z, y, x)), _SIGMA_BLOCKS, mode="nearest")
            factors = (work.factors[0] * z, work.factors[1] * y, work.factors[2] * x)
            levels.append(Level(values=np.ascontiguousarray(values), matrix=block_matrix(work, geometry, factors)))
        return cls(levels=tuple(levels), frame=geometry.frame_of_reference_uid)
