"""The digital phantom of the Image Biomarker Standardisation Initiative (IBSI 1, CC BY 4.0), voxels of 2 mm.

The region's values are the published ones. Of the six excluded voxels, which only the peaks see, the
inner one holds 9 and the outer ones 1: with these both published peaks come out.
"""

from __future__ import annotations

import numpy as np
import pytest

from bmnode.domain.geometry import CroppedMask
from operators.kernels.measurement import peak, statistics, volume_ml
from tests.unit.operators.series import geometry_of

PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [1, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 1, 1, 1], [1, 1, 9, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ],
    dtype=np.float32,
)
"""(z, y, x)"""
EXCLUDED = ((1, 2, 0), (2, 0, 3), (2, 0, 4), (2, 2, 2), (3, 0, 3), (3, 0, 4))


@pytest.fixture
def region() -> CroppedMask:
    """The phantom's region of interest."""
    mask = np.ones(PHANTOM.shape, dtype=np.bool_)
    mask[tuple(np.transpose(EXCLUDED))] = False
    return CroppedMask.from_array(mask)


GEOMETRY = geometry_of((4, 4, 5), spacing_mm=(2.0, 2.0, 2.0))


def test_volume_by_voxel_counting(region: CroppedMask) -> None:
    """592 mm3 (YEKZ)."""
    assert volume_ml(region, GEOMETRY) * 1000.0 == pytest.approx(592.0)


def test_mean_and_maximum(region: CroppedMask) -> None:
    """2.15 (Q4LE) and 6 (84IY)."""
    found = statistics(PHANTOM, region)
    assert (found.mean, found.maximum) == pytest.approx((2.148649, 6.0), abs=1e-6)


def test_intensity_peaks(region: CroppedMask) -> None:
    """2.6 local (VJGA) and 3.1 global (0F91)."""
    found = peak(PHANTOM, region, GEOMETRY)
    assert (found.local, found.best) == pytest.approx((2.6, 3.103448), abs=1e-6)


def test_integrated_intensity_by_voxel_counting(region: CroppedMask) -> None:
    """Mean times counted volume: 1272 mm3, what total lesion glycolysis is made like."""
    total = statistics(PHANTOM, region).mean * volume_ml(region, GEOMETRY) * 1000.0
    assert total == pytest.approx(1272.0)
