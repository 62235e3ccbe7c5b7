"""ADC maps are brought together by what lies about the spine, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.registration.spine import SpineMap, align_spines
from pipelines.follow_up.registration import profile

FloatArray = npt.NDArray[np.float64]
LIMITS = profile().spine
SHAPE, SPACING = (24, 48, 48), (6.0, 2.5, 2.5)


def spine(shift_mm: tuple[float, float, float], *, seed: int = 0) -> SpineMap:
    """A map whose content, drawn by the seed, and whose region lie `shift_mm` (x, y, z) away."""
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]] = SPACING
    matrix[:3, 3], matrix[3, 3] = (-60.0, -60.0, -72.0), 1.0
    geometry = VolumeGeometry.from_matrix(matrix, shape=SHAPE, frame_of_reference_uid=f"1.2.{seed}")
    places = np.indices(SHAPE).reshape(3, -1).T @ matrix[:3, :3].T + matrix[:3, 3] - np.array(shift_mm)
    random = np.random.default_rng(seed)
    waves = random.normal(size=(40, 3)) / 12.0
    adc = 1200.0 + 150.0 * np.cos(places @ waves.T + random.uniform(0.0, 6.3, 40)).sum(axis=1)
    region = np.hypot(places[:, 0] / 16.0, places[:, 1] / 12.0) <= 1.0
    return SpineMap(adc=adc.reshape(SHAPE).astype(np.float32), region=region.reshape(SHAPE), geometry=geometry)


@pytest.mark.parametrize("shift_mm", [(0.0, 0.0, 0.0), (14.0, -9.0, 17.0), (-8.0, 6.0, -26.0)])
def test_a_shift_is_found(shift_mm: tuple[float, float, float]) -> None:
    """Content that lies elsewhere is found to a millimetre, also where the shift is none of those that are tried."""
    found = align_spines(spine((0.0, 0.0, 0.0)), spine(shift_mm), limits=LIMITS)
    assert found is not None
    assert np.linalg.norm(found.motion[:3, 3] - shift_mm) < 1.0


def test_what_is_not_alike_is_not_registered() -> None:
    """Other content in the same region is no place, and neither is a place that another one equals."""
    now = spine((0.0, 0.0, 0.0))
    assert align_spines(now, spine((0.0, 0.0, 0.0), seed=1), limits=LIMITS) is None
    picky = replace(LIMITS, stands_out=1000.0)
    assert align_spines(now, spine((0.0, 0.0, 0.0)), limits=picky) is None


def test_nonsense_is_refused() -> None:
    """A map without a region, and limits that no fit can keep to."""
    now = spine((0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="region"):
        SpineMap(adc=now.adc, region=np.zeros(SHAPE, dtype=np.bool_), geometry=now.geometry)
    with pytest.raises(ValueError, match="above zero"):
        replace(LIMITS, step_mm=0.0)
    with pytest.raises(ValueError, match="stands out"):
        replace(LIMITS, stands_out=0.5)
