"""A smooth field from one scan to another: points both ways, images and masks of the other scan in this one's frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray, VolumeGeometry
from operators.kernels.registration.transform import RigidTransform

FloatArray = npt.NDArray[np.float64]
Displacement = npt.NDArray[np.float32]

_STEPS = 60
"""Of the fixed-point iteration; a field that stretches by less than half needs about fifteen."""
_STILL_MM = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeformationField:
    """A point x of `rigid.from_frame` lies in `rigid.to_frame` at rigid(x + u(x)).

    Args:
        displacement: float32 (a, b, c, 3), u in LPS mm at the nodes, linear between and constant beyond them.
        matrix: (4, 4) from the index of a node to LPS mm.
        rigid: the motion of the whole.
    """

    displacement: Displacement
    matrix: FloatArray
    rigid: RigidTransform

    def __post_init__(self) -> None:
        shape = self.displacement.shape
        if len(shape) != 4 or shape[3] != 3 or min(shape[:3]) < 2 or self.displacement.dtype != np.float32:
            raise ValueError("a field has three numbers (float32) at each node, two nodes or more along every axis")
        if not np.isfinite(self.displacement).all():
            raise ValueError("a displacement is finite")
        if self.matrix.shape != (4, 4) or abs(float(np.linalg.det(self.matrix[:3, :3]))) < 1e-9:
            raise ValueError("the nodes lie on a grid that has a volume")

    def displacement_at(self, points_mm: npt.ArrayLike) -> FloatArray:
        """u (n, 3) in mm at points (n, 3) of the current frame."""
        points = np.asarray(points_mm, dtype=np.float64)
        to_index = np.linalg.inv(self.matrix)
        index = (points @ to_index[:3, :3].T + to_index[:3, 3]).T
        found = [
            ndimage.map_coordinates(self.displacement[..., axis], index, order=1, mode="nearest", output=np.float64)
            for axis in range(3)
        ]
        return np.stack(found, axis=-1)

    def apply(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Where points (n, 3) of the current scan lie in the other one."""
        points = np.asarray(points_mm, dtype=np.float64)
        return self.rigid.apply(points + self.displacement_at(points))

    def apply_inverse(self, points_mm: npt.ArrayLike) -> FloatArray:
        """Where points (n, 3) of the other scan lie in the current one, by fixed-point iteration.

        NaN for a point at which it does not come to rest within a hundredth of a millimetre.
        """
        aim = self.rigid.inverse().apply(points_mm)
        found = aim - self.displacement_at(aim)
        rest = np.full(len(aim), np.inf)
        for step in range(_STEPS):
            gap = aim - found - self.displacement_at(found)
            rest = np.linalg.norm(gap, axis=1)
            if rest.size == 0 or float(rest.max()) < _STILL_MM:
                break
            found = found + (gap if step < _STEPS // 2 else 0.5 * gap)
        return np.where((rest < 10.0 * _STILL_MM)[:, None], found, np.nan)

    def jacobian_determinants(self) -> npt.NDArray[np.float32]:
        """The least determinant of the derivative in every cell of nodes, over its eight corners.

        Differences run along the cell's edges, so that of the linear field between the nodes they are exact there: the
        determinant at a corner is the volume that its three moved edges span, over that of the cell.
        """
        least: npt.NDArray[np.float32] | None = None
        moved = np.ascontiguousarray(np.moveaxis(self.displacement, -1, 0))
        sizes = moved.shape[1:]
        volume = np.float32(np.linalg.det(self.matrix[:3, :3]))
        edges = [
            np.diff(moved, axis=axis + 1) + self.matrix[:3, axis].astype(np.float32)[:, None, None, None]
            for axis in range(3)
        ]
        for corner in np.ndindex(2, 2, 2):
            spanned = []
            for axis, edge in enumerate(edges):
                box = tuple(
                    slice(0, None) if other == axis else slice(corner[other], corner[other] + size - 1)
                    for other, size in enumerate(sizes)
                )
                spanned.append(edge[(slice(None), *box)])
            found = _triple_product(*spanned) / volume
            least = found if least is None else np.minimum(least, found)
        assert least is not None
        return least

    def warp(
        self, array: npt.NDArray[np.floating], *, source: VolumeGeometry, target: VolumeGeometry
    ) -> npt.NDArray[np.float32]:
        """An image of the other scan (slice, row, column) on a grid of the current one, linear; NaN beyond its field.

        Raises ValueError where `source` or `target` is of another frame of reference than the field leads between.
        """
        if (target.frame_of_reference_uid, source.frame_of_reference_uid) != (
            self.rigid.from_frame,
            self.rigid.to_frame,
        ):
            raise ValueError("the field leads between other frames of reference than the images'")
        values = np.asarray(array, dtype=np.float32)
        result = np.empty(target.shape, dtype=np.float32)
        for number, index in enumerate(self._source_index(source, target)):
            result[number] = ndimage.map_coordinates(
                values, index, order=1, mode="constant", cval=np.nan, output=np.float32
            ).reshape(target.shape[1:])
        return result

    def warp_mask(self, mask: BoolArray, *, source: VolumeGeometry, target: VolumeGeometry) -> BoolArray:
        """A mask of the other scan on a grid of the current one: voxels whose centre it covers by half or more."""
        share = self.warp(mask.astype(np.float32), source=source, target=target)
        result: BoolArray = share >= 0.5
        return result

    def _source_index(self, source: VolumeGeometry, target: VolumeGeometry) -> Iterator[FloatArray]:
        """For every slice of the target, the index (3, n) of its voxels in the source."""
        rows, columns = (values.ravel() for values in np.indices(target.shape[1:]))
        to_source = np.linalg.inv(source.matrix)
        for number in range(target.shape[0]):
            index = np.stack([np.full(len(rows), number), rows, columns])
            places = self.apply((target.matrix[:3, :3] @ index).T + target.matrix[:3, 3])
            yield to_source[:3, :3] @ places.T + to_source[:3, 3:]


def _triple_product(
    one: npt.NDArray[np.float32], two: npt.NDArray[np.float32], three: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Volume that vectors (3, ...) span, component by component: many times as fast as matrices."""
    (a, b, c), (d, e, f), (g, h, i) = one, two, three
    result: npt.NDArray[np.float32] = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return result
