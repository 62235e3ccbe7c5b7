"""How points of an earlier study map into the present one, and back: millimetres, LPS, from one frame of reference to
another.

DICOM states the two kinds of registration in opposite directions, and so do the types here:

    RigidMatrix         moving -> fixed    where a point of the earlier study lies in the present one (PS3.3 C.20.2)
    DisplacementField   fixed -> moving    where a point of the present study came from (PS3.3 C.20.3): the direction
                                           in which an image is resampled
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import Affine, VolumeGeometry
from bmnode.domain.ids import is_safe_uid

Points = npt.NDArray[np.float64]
"""(point, xyz) in LPS millimetres."""
Vectors = npt.NDArray[np.float32]
RIGID_TOLERANCE = 1e-6
_SQUARE_TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageReference:
    """One SOP instance."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredImage:
    """One of the two images: its study, series, frame of reference, and the instances of the series."""

    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    instances: tuple[ImageReference, ...]

    def __post_init__(self) -> None:
        if not self.instances:
            raise ValueError("a registered image has instances")
        if not all(is_safe_uid(uid) for uid in (self.study_uid, self.series_uid, self.frame_of_reference_uid)):
            raise ValueError("a registered image names its study, its series and its frame of reference")


@dataclass(frozen=True, kw_only=True, slots=True)
class RigidMatrix:
    """A rotation and a translation: x_fixed = R x_moving + t, homogeneous, row by row.

    Raises ValueError where it is not rigid: R is orthonormal with determinant 1 to 1e-6, the last row (0, 0, 0, 1).
    """

    rows: Affine

    def __post_init__(self) -> None:
        matrix = np.asarray(self.rows, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.all(np.isfinite(matrix)) or matrix[3].tolist() != [0.0, 0.0, 0.0, 1.0]:
            raise ValueError("a rigid registration is a finite homogeneous 4 by 4 matrix")
        rotation = matrix[:3, :3]
        off = np.abs(rotation @ rotation.T - np.eye(3)).max()
        if off > RIGID_TOLERANCE or abs(float(np.linalg.det(rotation)) - 1.0) > RIGID_TOLERANCE:
            raise ValueError("a rigid registration neither scales, shears nor mirrors")

    @classmethod
    def from_matrix(cls, matrix: npt.ArrayLike) -> RigidMatrix:
        """The transform of an array-like 4 by 4 matrix from moving to fixed."""
        values = np.asarray(matrix, dtype=np.float64).tolist()
        return cls(rows=tuple(tuple(row) for row in values))

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """From moving to fixed, 4 by 4."""
        return np.asarray(self.rows, dtype=np.float64)

    def to_fixed(self, moving: Points) -> Points:
        """Where points (point, xyz) of the moving frame lie in the fixed one, mm."""
        return np.asarray(moving @ self.matrix[:3, :3].T + self.matrix[:3, 3])

    def to_moving(self, fixed: Points) -> Points:
        """Where points (point, xyz) of the fixed frame lie in the moving one, mm."""
        return np.asarray((fixed - self.matrix[:3, 3]) @ self.matrix[:3, :3])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DisplacementField:
    """x_moving = x_fixed + d(x_fixed), given on a rectangular grid in the fixed frame, linear between its points.

    Args:
        geometry: the grid, in the fixed frame of reference.
        vectors: d in LPS millimetres, float32, (slice, row, column, xyz).
    """

    geometry: VolumeGeometry
    vectors: Vectors

    def __post_init__(self) -> None:
        if self.vectors.shape != (*self.geometry.shape, 3) or self.vectors.dtype != np.float32:
            raise ValueError("a displacement field is a float32 vector at every point of its grid")
        if not np.isfinite(self.vectors).all():
            raise ValueError("a displacement field is finite")
        axes = self.geometry.matrix[:3, :3] / np.asarray(self.geometry.spacing_mm)
        if np.abs(axes.T @ axes - np.eye(3)).max() > _SQUARE_TOLERANCE:
            raise ValueError("the grid of a displacement field is rectangular")

    def to_moving(self, fixed: Points) -> Points:
        """Where points (point, xyz) of the fixed frame lie in the moving one, mm; NaN where the grid does not reach."""
        homogeneous = np.c_[fixed, np.ones(len(fixed))]
        index = (homogeneous @ np.linalg.inv(self.geometry.matrix).T)[:, :3]
        last = np.asarray(self.geometry.shape) - 1
        is_inside = np.all((index >= -1e-6) & (index <= last + 1e-6), axis=1)
        index = np.clip(index, 0.0, last)
        low = np.minimum(np.floor(index).astype(int), np.maximum(last - 1, 0))
        share = index - low
        moved = np.array(fixed, dtype=np.float64)
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod(np.where(corner, share, 1.0 - share), axis=1)
            at = np.minimum(low + corner, last)
            moved += weight[:, np.newaxis] * self.vectors[at[:, 0], at[:, 1], at[:, 2]]
        moved[~is_inside] = np.nan
        return moved


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Registration:
    """One registration of an earlier study's image (moving) to the present one (fixed), with the method that found it.

    Raises ValueError unless there is either a rigid matrix or a displacement field, and where the field lies in another
    frame of reference than the fixed image.
    """

    fixed: RegisteredImage
    moving: RegisteredImage
    method: str
    version: str
    rigid: RigidMatrix | None = None
    field: DisplacementField | None = None

    def __post_init__(self) -> None:
        if (self.rigid is None) == (self.field is None):
            raise ValueError("a registration is either a rigid matrix or a displacement field")
        own_frame = self.fixed.frame_of_reference_uid
        if self.field is not None and self.field.geometry.frame_of_reference_uid != own_frame:
            raise ValueError("a displacement field lies in the frame of reference of the fixed image")
        if not self.method or not self.version or " " in self.version or len(f"{self.method} {self.version}") > 64:
            raise ValueError("a registration names its method and version, together in 64 characters")
