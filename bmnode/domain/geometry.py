"""Where voxels lie. Arrays are ordered (slice, row, column); positions are LPS millimetres.

The affine maps the array index (slice, row, column, 1) to the voxel's centre in DICOM's
patient coordinate system (PS3.3 C.7.6.2.1.1): +x to the patient's left, +y posterior, +z to
the head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Affine = tuple[tuple[float, float, float, float], ...]
FloatArray = npt.NDArray[np.floating]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class VolumeGeometry:
    """A regular grid in one frame of reference. Raises ValueError where the grid is degenerate."""

    shape: tuple[int, int, int]
    affine_lps: Affine
    frame_of_reference_uid: str

    def __post_init__(self) -> None:
        matrix = np.asarray(self.affine_lps, dtype=np.float64)
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"a volume needs three axes of one voxel or more, got {self.shape}")
        if matrix.shape != (4, 4) or not np.all(np.isfinite(matrix)):
            raise ValueError("affine_lps must be a finite 4 by 4 matrix")
        if abs(float(np.linalg.det(matrix[:3, :3]))) < 1e-9:
            raise ValueError("affine_lps has no volume: two axes coincide or a spacing is zero")

    @classmethod
    def from_matrix(
        cls, matrix: npt.ArrayLike, *, shape: tuple[int, int, int], frame_of_reference_uid: str
    ) -> VolumeGeometry:
        """The geometry of an array-like 4 by 4 affine."""
        rows = np.asarray(matrix, dtype=np.float64).tolist()
        return cls(
            shape=shape, affine_lps=tuple(tuple(row) for row in rows), frame_of_reference_uid=frame_of_reference_uid
        )

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """The affine as a 4 by 4 array."""
        return np.asarray(self.affine_lps, dtype=np.float64)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along (slice, row, column), in millimetres."""
        steps = np.linalg.norm(self.matrix[:3, :3], axis=0)
        return float(steps[0]), float(steps[1]), float(steps[2])

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres, shear included."""
        return abs(float(np.linalg.det(self.matrix[:3, :3]))) / 1000.0

    def position_lps(self, index: tuple[float, float, float]) -> tuple[float, float, float]:
        """Centre of the voxel at (slice, row, column), in millimetres."""
        x, y, z, _ = self.matrix @ np.array([*index, 1.0])
        return float(x), float(y), float(z)

    def is_same_grid(self, other: VolumeGeometry, *, tolerance_mm: float = 1e-3) -> bool:
        """Whether both name the same voxels: frame of reference, shape, and every corner within the tolerance."""
        if self.shape != other.shape or self.frame_of_reference_uid != other.frame_of_reference_uid:
            return False
        corners = np.array(
            [[i * (n - 1) for i, n in zip(bits, self.shape, strict=True)] for bits in np.ndindex(2, 2, 2)]
        )
        homogeneous = np.c_[corners, np.ones(len(corners))]
        gap = homogeneous @ (self.matrix - other.matrix).T
        return bool(np.max(np.linalg.norm(gap[:, :3], axis=1)) <= tolerance_mm)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CroppedMask:
    """A binary mask on a grid, kept as the box that holds it.

    Args:
        grid_shape: the whole grid's (slices, rows, columns).
        origin: index of the box's first voxel on the grid.
        values: bool array of the box.
    """

    grid_shape: tuple[int, int, int]
    origin: tuple[int, int, int]
    values: BoolArray

    def __post_init__(self) -> None:
        if self.values.dtype != np.bool_ or self.values.ndim != 3:
            raise ValueError("a mask is a three-dimensional bool array")
        for start, size, limit in zip(self.origin, self.values.shape, self.grid_shape, strict=True):
            if start < 0 or start + size > limit:
                raise ValueError("the mask's box leaves its grid")

    @classmethod
    def from_array(cls, mask: BoolArray) -> CroppedMask:
        """Crop a whole-grid mask (slice, row, column) to its content. Raises ValueError on an empty mask."""
        if not mask.any():
            raise ValueError("an empty mask has no box")
        box = []
        for axis in range(3):
            hits = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
            box.append(slice(int(hits[0]), int(hits[-1]) + 1))
        k, j, i = box
        return cls(
            grid_shape=(mask.shape[0], mask.shape[1], mask.shape[2]),
            origin=(k.start, j.start, i.start),
            values=np.ascontiguousarray(mask[k, j, i]),
        )

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box as slices of the whole grid."""
        k, j, i = (slice(start, start + size) for start, size in zip(self.origin, self.values.shape, strict=True))
        return k, j, i

    @property
    def voxel_count(self) -> int:
        """How many voxels are set."""
        return int(np.count_nonzero(self.values))

    def to_array(self) -> BoolArray:
        """The mask on its whole grid (slice, row, column)."""
        whole = np.zeros(self.grid_shape, dtype=np.bool_)
        whole[self.box] = self.values
        return whole


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePolygon:
    """A closed outline on one frame of one image.

    Points are (column, row) in image coordinates of PS3.3 C.18.6.1.2: (0.0, 0.0) is the
    upper left corner of the first pixel, (1.0, 1.0) its lower right; the last point repeats
    the first.
    """

    sop_instance_uid: str
    frame_number: int | None
    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if len(self.points) < 4 or self.points[0] != self.points[-1]:
            raise ValueError("a polygon is closed and has three corners or more")
        if not all(math.isfinite(value) for point in self.points for value in point):
            raise ValueError("a polygon's points are finite")
        if self.frame_number is not None and self.frame_number < 1:
            raise ValueError("frames are numbered from 1")
