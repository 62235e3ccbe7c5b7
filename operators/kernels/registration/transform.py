"""A rigid motion between two frames of reference, LPS millimetres in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.kernels.registration import se3

FloatArray = npt.NDArray[np.float64]
Row = tuple[float, float, float, float]

_ORTHONORMAL = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class RigidTransform:
    """Takes a point of `from_frame` to where the same tissue lies in `to_frame`.

    Args:
        rows: the first three rows of the 4 by 4 matrix: rotation beside translation in millimetres.
        from_frame, to_frame: Frame of Reference UIDs; never empty.

    Raises ValueError where the rows are no rotation (a mirror or a scale is none) or a frame has no name.
    """

    rows: tuple[Row, Row, Row]
    from_frame: str
    to_frame: str

    def __post_init__(self) -> None:
        if not self.from_frame or not self.to_frame:
            raise ValueError("a transform says from which frame of reference to which it leads")
        matrix = np.asarray(self.rows, dtype=np.float64)
        if matrix.shape != (3, 4) or not np.isfinite(matrix).all():
            raise ValueError("a rigid transform has three rows of four finite numbers")
        rotation = matrix[:, :3]
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > _ORTHONORMAL or np.linalg.det(rotation) < 0.0:
            raise ValueError("a rigid transform turns and shifts: it neither scales nor mirrors")

    @classmethod
    def from_matrix(cls, matrix: npt.ArrayLike, *, from_frame: str, to_frame: str) -> RigidTransform:
        """Of a 4 by 4 matrix. Its rotation is made exactly orthonormal where rounding has left it nearly so."""
        values = np.array(matrix, dtype=np.float64)
        if values.shape != (4, 4) or not np.isfinite(values).all():
            raise ValueError("a rigid transform is a 4 by 4 matrix of finite numbers")
        left, sizes, right = np.linalg.svd(values[:3, :3])
        if np.abs(sizes - 1.0).max() < _ORTHONORMAL:
            values[:3, :3] = left @ right
        x, y, z = (_row(row) for row in values[:3].tolist())
        return cls(rows=(x, y, z), from_frame=from_frame, to_frame=to_frame)

    @classmethod
    def identity(cls, *, from_frame: str, to_frame: str) -> RigidTransform:
        """Leaves coordinates as they are."""
        return cls.from_matrix(np.eye(4), from_frame=from_frame, to_frame=to_frame)

    @classmethod
    def from_twist(cls, twist: npt.ArrayLike, *, from_frame: str, to_frame: str) -> RigidTransform:
        """The exponential of (rotation vector in radians, velocity in mm), six numbers."""
        motion = se3.exp(np.asarray(twist, dtype=np.float64))
        return cls.from_matrix(motion, from_frame=from_frame, to_frame=to_frame)

    @property
    def matrix(self) -> FloatArray:
        """4 by 4."""
        return np.asarray([*self.rows, (0.0, 0.0, 0.0, 1.0)], dtype=np.float64)

    @property
    def twist(self) -> FloatArray:
        """The logarithm (6,): rotation vector in radians of at most pi, velocity in mm."""
        return se3.log(self.matrix)

    @property
    def rotation_deg(self) -> float:
        """By how much it turns, degrees, 0 to 180."""
        return float(np.degrees(np.linalg.norm(self.twist[:3])))

    def apply(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Points (..., 3) of `from_frame` in `to_frame`."""
        points = np.asarray(points_mm, dtype=np.float64)
        matrix = self.matrix
        return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])

    def inverse(self) -> RigidTransform:
        """The way back."""
        return RigidTransform.from_matrix(
            np.linalg.inv(self.matrix), from_frame=self.to_frame, to_frame=self.from_frame
        )

    def after(self, first: RigidTransform) -> RigidTransform:
        """`first`, then this one. Raises ValueError where `first` ends in another frame than this one starts from."""
        if first.to_frame != self.from_frame:
            raise ValueError("the first transform does not end where the second starts")
        return RigidTransform.from_matrix(
            self.matrix @ first.matrix, from_frame=first.from_frame, to_frame=self.to_frame
        )


def _row(values: list[float]) -> Row:
    a, b, c, d = (float(value) for value in values)
    return a, b, c, d
