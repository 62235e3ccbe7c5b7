"""Bone's surface beside a lesion: whether there is cortex, and what of a lesion lies outside bone.

Conventions of this project: no published definition of a breach by HU exists. Shares are shown, no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from operators.kernels.axial_size import axial_size
from operators.kernels.morphology import dilate

METHOD = "CT_OPEN_CORTEX_V1"
OUTSIDE_METHOD = "CT_OUTSIDE_BONE_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class CortexLimits:
    """The surface within `reach_mm` of a lesion is beside it; it is open where nothing within `depth_mm` reaches
    `cortex_hu`."""

    reach_mm: float
    depth_mm: float
    cortex_hu: float

    def __post_init__(self) -> None:
        if min(self.reach_mm, self.depth_mm) <= 0.0:
            raise ValueError("reach and depth are positive")


@dataclass(frozen=True, kw_only=True, slots=True)
class OutsideBone:
    """The part of a lesion outside bone: its volume and its long axis in the axial plane."""

    volume_ml: float
    long_axis_mm: float


def open_cortex_share(
    hu: npt.NDArray[np.float32],
    bone: BoolArray,
    lesion: CroppedMask,
    geometry: VolumeGeometry,
    *,
    limits: CortexLimits,
) -> float | None:
    """The share, 0 to 1, of the bone's surface beside a lesion that is open; None where no surface is beside it.

    Arrays are (slice, row, column) on one grid. Surface voxels are bone with a neighbour (of six) that is not;
    what lies off the grid is no neighbour. A gap in the cortex is seen where it is wider than twice `depth_mm`.
    """
    margin = max(limits.reach_mm, limits.depth_mm) + limits.depth_mm
    reach = [int(margin / spacing) + 2 for spacing in geometry.spacing_mm]
    low = [max(0, start - more) for start, more in zip(lesion.origin, reach, strict=True)]
    high = [
        min(size, start + length + more)
        for start, length, size, more in zip(lesion.origin, lesion.values.shape, bone.shape, reach, strict=True)
    ]
    k, j, i = (slice(first, last) for first, last in zip(low, high, strict=True))
    inside = np.zeros(tuple(last - first for first, last in zip(low, high, strict=True)), dtype=np.bool_)
    inside[
        tuple(
            slice(start - first, start - first + length)
            for start, first, length in zip(lesion.origin, low, lesion.values.shape, strict=True)
        )
    ] = lesion.values
    local = bone[k, j, i]
    surface = local & ~ndimage.binary_erosion(local, border_value=1)
    beside = surface & dilate(inside, radius_mm=limits.reach_mm, spacing_mm=geometry.spacing_mm)
    if not beside.any():
        return None
    dense = dilate(hu[k, j, i] >= limits.cortex_hu, radius_mm=limits.depth_mm, spacing_mm=geometry.spacing_mm)
    return float(np.mean(~dense[beside]))


def outside_bone(lesion: BoolArray, bone: BoolArray, geometry: VolumeGeometry) -> OutsideBone | None:
    """What of a lesion's mask lies outside the bone's (both slice, row, column); None where nothing does.

    RECIST 1.1 takes a soft-tissue component of 10 mm or more as measurable. The lesion must have been drawn with
    what it has outside bone: of one that was sought in bone alone nothing can lie outside, and nothing is known.
    """
    outside = lesion & ~bone
    if not outside.any():
        return None
    part = CroppedMask.from_array(outside)
    return OutsideBone(
        volume_ml=part.voxel_count * geometry.voxel_volume_ml, long_axis_mm=axial_size(part, geometry).long_mm
    )
