"""Contrast medium on CT that is as dense as bone: wide, even blood pools whose rim is no denser than their core.

A convention of this project. Trabecular bone is even too, but cortex surrounds it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray, CroppedMask
from operators.kernels.components import components, label, minimum_voxels
from operators.kernels.morphology import Spacing, dilate, open_parts


@dataclass(frozen=True, kw_only=True, slots=True)
class ContrastLimits:
    """A pool holds a ball of `radius_mm`, its SD in a box of `texture_mm` stays under `highest_sd_hu`.

    It counts as contrast where the upper quartile of what lies within `rim_mm` around it is less than
    `rim_excess_hu` above its mean, and where less than `cortex_share` of it is `cortex_excess_hu` above: an even
    sclerotic focus that fills a thin bone has cortex beside it. A pool is then removed with `margin_mm` around it,
    and with the wide dense part that it makes up to `pool_share` or more. Without a pool of `proof_ml` no
    contrast was given: heart, aorta and kidneys make larger ones, and what is small, even and dense then
    is a sclerotic lesion of a flat bone, where no cortex is left to tell it from blood.
    """

    radius_mm: float
    texture_mm: float
    highest_sd_hu: float
    rim_mm: float
    rim_excess_hu: float
    cortex_excess_hu: float
    cortex_share: float
    margin_mm: float
    minimum_ml: float
    proof_ml: float
    pool_share: float


def find_contrast(
    hu: npt.NDArray[np.float32], dense: BoolArray, *, spacing_mm: Spacing, limits: ContrastLimits
) -> BoolArray:
    """Where dense voxels (z, y, x) are contrast medium."""
    size = [max(3, int(limits.texture_mm / step) | 1) for step in spacing_mm]
    clipped = np.clip(hu, -200.0, 1500.0)
    mean = ndimage.uniform_filter(clipped, size=size)
    variance = ndimage.uniform_filter(clipped**2, size=size) - mean**2
    even = dense & (variance < limits.highest_sd_hu**2)
    pools = open_parts(even, radius_mm=limits.radius_mm, spacing_mm=spacing_mm)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    contrast = np.zeros_like(dense)
    found = [
        pool
        for pool in components(pools, minimum_voxels=minimum_voxels(limits.minimum_ml, voxel_volume_ml=voxel_ml))
        if _is_pool(hu, pool, spacing_mm=spacing_mm, limits=limits)
    ]
    if max((pool.voxel_count for pool in found), default=0) * voxel_ml < limits.proof_ml:
        return contrast
    for pool in found:
        contrast[pool.box] |= pool.values
    contrast |= _around_pools(dense, contrast, spacing_mm=spacing_mm, limits=limits)
    return dilate(contrast, radius_mm=limits.margin_mm, spacing_mm=spacing_mm) & dense


def _around_pools(dense: BoolArray, pools: BoolArray, *, spacing_mm: Spacing, limits: ContrastLimits) -> BoolArray:
    """Wide dense parts that are contrast to a good share: the unevenly mixed chambers beside the even ones."""
    if not pools.any():
        return pools
    wide = open_parts(dense, radius_mm=limits.radius_mm, spacing_mm=spacing_mm)
    labels = label(wide, connectivity=6)
    counts = np.bincount(labels.ravel())
    held = np.bincount(labels[pools], minlength=len(counts))
    taken = held >= limits.pool_share * counts
    taken[0] = False
    result: BoolArray = taken[labels]
    return result


def _is_pool(hu: npt.NDArray[np.float32], pool: CroppedMask, *, spacing_mm: Spacing, limits: ContrastLimits) -> bool:
    reach = [int(limits.rim_mm / step) + 1 for step in spacing_mm]
    padded = np.pad(pool.values, [(margin, margin) for margin in reach])
    rim = dilate(padded, radius_mm=limits.rim_mm, spacing_mm=spacing_mm) & ~padded
    around = np.argwhere(rim) + np.asarray(pool.origin) - np.asarray(reach)
    around = around[np.all((around >= 0) & (around < np.asarray(hu.shape)), axis=1)]
    if len(around) == 0:
        return False
    rim_hu = hu[around[:, 0], around[:, 1], around[:, 2]]
    core_hu = float(hu[pool.box][pool.values].mean(dtype=np.float64))
    cortex = float(np.mean(rim_hu > core_hu + limits.cortex_excess_hu))
    return float(np.percentile(rim_hu, 75.0)) < core_hu + limits.rim_excess_hu and cortex < limits.cortex_share
