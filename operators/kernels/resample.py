"""Masks and values from one grid to another in the same frame of reference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray, VolumeGeometry
from operators.kernels.bone import WorkingBone
from operators.kernels.morphology import block_means


def block_matrix(work: WorkingBone, geometry: VolumeGeometry, factors: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """From the index of a block of `factors` turned voxels to LPS mm, 4 by 4; `geometry` is the CT's own."""
    to_index = np.zeros((4, 4))
    to_index[3, 3] = 1.0
    for turned_axis, (axis, flip) in enumerate(zip(work.axes.axes, work.axes.flips, strict=True)):
        factor, size = factors[turned_axis], geometry.shape[axis]
        sign = -1.0 if flip else 1.0
        to_index[axis, turned_axis] = sign * factor
        to_index[axis, 3] = (size - 1 - (factor - 1) / 2.0) if flip else (factor - 1) / 2.0
    return np.asarray(geometry.matrix @ to_index)


def bone_on_grid(work: WorkingBone, *, source: VolumeGeometry, target: VolumeGeometry) -> BoolArray:
    """Bone of a CT on another grid: voxels of `target` that are bone to half or more.

    The share of bone is averaged to about the target's spacing before it is interpolated, so that
    thin bones are neither missed nor widened.
    """
    coarser = [max(1, round(min(target.spacing_mm) / spacing)) for spacing in work.spacing_mm]
    z, y, x = coarser
    share = block_means(work.bone.astype(np.float32), (z, y, x))
    factors = (work.factors[0] * z, work.factors[1] * y, work.factors[2] * x)
    to_source = np.linalg.inv(block_matrix(work, source, factors)) @ target.matrix
    interpolated = ndimage.affine_transform(
        share,
        to_source[:3, :3],
        offset=to_source[:3, 3],
        output_shape=target.shape,
        output=np.float32,
        order=1,
        mode="constant",
        cval=0.0,
    )
    result: BoolArray = interpolated >= 0.5
    return result


def values_on_grid(
    array: npt.NDArray[np.floating], *, source: VolumeGeometry, target: VolumeGeometry
) -> npt.NDArray[np.float32]:
    """An image (slice, row, column) on another grid, linear between voxels; NaN where it does not reach."""
    to_source = np.linalg.inv(source.matrix) @ target.matrix
    values: npt.NDArray[np.float32] = ndimage.affine_transform(
        array.astype(np.float32, copy=False),
        to_source[:3, :3],
        offset=to_source[:3, 3],
        output_shape=target.shape,
        output=np.float32,
        order=1,
        mode="constant",
        cval=np.nan,
    )
    return values


def covered(*, source: VolumeGeometry, target: VolumeGeometry) -> BoolArray:
    """Slices of `target` (first axis) whose centre lies within the extent of `source`: one bool a slice."""
    middle = np.asarray(
        [[k, (target.shape[1] - 1) / 2.0, (target.shape[2] - 1) / 2.0, 1.0] for k in range(target.shape[0])]
    )
    index = (np.linalg.inv(source.matrix) @ target.matrix @ middle.T)[:3]
    limits = np.asarray(source.shape)[:, None]
    inside: BoolArray = np.all((index >= -0.5) & (index <= limits - 0.5), axis=0)
    return inside
