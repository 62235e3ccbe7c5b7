"""Vertebral bodies on an emission grid, as the normal skeleton that ratios of an uncalibrated SPECT refer to."""

from __future__ import annotations

import numpy as np

from bmnode.domain.geometry import BoolArray, VolumeGeometry
from operators.kernels.coarse_ct import CoarseCt, canal_line
from operators.kernels.reference_uptake import tube

METHOD = "NORM_TRIM2_SPINE_V1"


def vertebral_bodies(
    bone: BoolArray, geometry: VolumeGeometry, ct: CoarseCt, *, ahead_mm: float, radius_mm: float
) -> BoolArray | None:
    """Bone (slice, row, column) within `radius_mm` of a line that runs `ahead_mm` before the spinal canal.

    Along the part of the body where the CT shows the canal; None where it shows none, or no bone lies there.
    """
    line = canal_line(ct)
    if line is None:
        return None
    shown = np.flatnonzero(ct.canal.any(axis=(1, 2)))
    ahead = ahead_mm / ct.spacing_mm[1]
    points = [
        ct.position_lps((float(k), float(line[k, 0] - ahead), float(line[k, 1])))
        for k in range(int(shown[0]), int(shown[-1]) + 1)
    ]
    column = tube(geometry, points, radius_mm=radius_mm)
    if column is None:
        return None
    result = np.zeros_like(bone)
    result[column.box] = bone[column.box] & column.values
    return result if result.any() else None
