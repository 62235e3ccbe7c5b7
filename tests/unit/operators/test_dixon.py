"""Fat fraction and opposed phase."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.dixon import fat_fraction, is_suspicious, opposed_ratio

signals = st.lists(st.floats(0.0, 1000.0), min_size=1, max_size=20).filter(lambda values: sum(values) > 1.0)


def test_worked_cases() -> None:
    """300 of fat and 700 of water are 30 %; 400 in opposed phase over 500 in phase are 0.80."""
    assert fat_fraction(np.array([300.0]), np.array([700.0])) == pytest.approx(0.30)
    assert opposed_ratio(np.array([400.0]), np.array([500.0])) == pytest.approx(0.80)


@pytest.mark.parametrize(("opposed", "suspicious"), [(400.0, True), (399.0, False), (450.0, True)])
def test_the_boundary_is_suspicious(opposed: float, suspicious: bool) -> None:
    """400 over 500 is 0.80, and 0.80 is suspicious; a loss of a fifth and more is not."""
    ratio = opposed_ratio(np.array([opposed]), np.array([500.0]))
    assert ratio is not None
    assert is_suspicious(ratio, field_t=1.5) is suspicious


@given(ratio=st.floats(0.0, 1.5), more=st.floats(0.0, 1.0), field_t=st.floats(0.2, 7.0))
def test_less_loss_is_never_less_suspicious(ratio: float, more: float, field_t: float) -> None:
    """And at another field than 1.5 T the limit says nothing."""
    first, second = is_suspicious(ratio, field_t=field_t), is_suspicious(ratio + more, field_t=field_t)
    assert (first is None) is (second is None)
    assert not first or second
    assert is_suspicious(ratio, field_t=3.0) is None


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
