"""Cavities that bone encloses and that are not its marrow: above all the cranial one.

A convention of this project. Attenuation cannot tell brain (20 to 60 HU) from fatty or thinned marrow,
but depth can: no marrow lies far from the cortex around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bmnode.domain.geometry import BoolArray, CroppedMask
from operators.kernels.components import components
from operators.kernels.morphology import Spacing, dilate


@dataclass(frozen=True, kw_only=True, slots=True)
class CavityLimits:
    """What fills a hole of the bone is a cavity where it lies more than `marrow_depth_mm` from bone somewhere.

    The distance is that within the axial slice, so that the shallow base of the skull counts too. With such a
    core goes what is connected to it within `reach_mm`: its narrow sections near base and vertex.
    """

    marrow_depth_mm: float
    reach_mm: float

    def __post_init__(self) -> None:
        if not 0.0 < self.marrow_depth_mm <= self.reach_mm:
            raise ValueError("a cavity needs 0 < marrow_depth_mm <= reach_mm")


def find_cavities(bone: BoolArray, filled: BoolArray, *, spacing_mm: Spacing, limits: CavityLimits) -> BoolArray:
    """The voxels (z, y, x) of `filled`, but not of `bone`, that belong to a cavity."""
    cavities = np.zeros_like(bone)
    for hole in components(filled & ~bone, connectivity=6):
        _, rows, columns = (size * step for size, step in zip(hole.values.shape, spacing_mm, strict=True))
        if min(rows, columns) < 2.0 * limits.marrow_depth_mm:
            continue  # too narrow to hold such a depth
        core = _deeper_than(bone, hole, spacing_mm=spacing_mm, limit_mm=limits.marrow_depth_mm)
        if core.any():
            cavities[hole.box] |= hole.values & dilate(core, radius_mm=limits.reach_mm, spacing_mm=spacing_mm)
    return cavities


def _deeper_than(bone: BoolArray, hole: CroppedMask, *, spacing_mm: Spacing, limit_mm: float) -> BoolArray:
    """Voxels of a hole, in its box, that lie further than the limit from bone of their slice."""
    slices, *plane = hole.box
    reach = [int(limit_mm / step) + 1 for step in spacing_mm[1:]]
    wider = tuple(slice(max(0, s.start - margin), s.stop + margin) for s, margin in zip(plane, reach, strict=True))
    inner = tuple(
        slice(s.start - w.start, s.start - w.start + (s.stop - s.start)) for s, w in zip(plane, wider, strict=True)
    )
    deep = hole.values.copy()
    for index, around in enumerate(bone[slices, *wider]):
        if deep[index].any() and around.any():
            depth_mm = ndimage.distance_transform_edt(~around, sampling=spacing_mm[1:])
            deep[index] &= depth_mm[inner] > limit_mm
    return deep
