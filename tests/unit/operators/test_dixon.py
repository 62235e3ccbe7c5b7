"""Fat fraction and opposed phase."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.dixon import fat_fraction, opposed_ratio

signals = st.lists(st.floats(0.0, 1000.0), min_size=1, max_size=20).filter(lambda values: sum(values) > 1.0)


def test_worked_cases() -> None:
    """300 of fat and 700 of water are 30 %; 400 in opposed phase over 500 in phase are 0.80."""
    assert fat_fraction(np.array([300.0]), np.array([700.0])) == pytest.approx(0.30)
    assert opposed_ratio(np.array([400.0]), np.array([500.0])) == pytest.approx(0.80)


def test_without_signal_there_is_none() -> None:
    """Nothing is not zero."""
    assert fat_fraction(np.zeros(3), np.zeros(3)) is None
    assert opposed_ratio(np.ones(3), np.zeros(3)) is None


@given(fat=signals, factor=st.floats(0.01, 100.0))
def test_the_scanner_s_scale_does_not_matter_and_both_fractions_add_up(fat: list[float], factor: float) -> None:
    """Signals are in no unit; what is not fat is water; the order of voxels is of no account."""
    lipid = np.asarray(fat)
    water = lipid[::-1] * 0.5 + 1.0
    plain = fat_fraction(lipid, water)
    assert plain is not None
    assert fat_fraction(factor * lipid, factor * water) == pytest.approx(plain)
    assert fat_fraction(lipid[::-1], water[::-1]) == pytest.approx(plain)
    assert fat_fraction(water, lipid) == pytest.approx(1.0 - plain)
    assert 0.0 <= plain <= 1.0
