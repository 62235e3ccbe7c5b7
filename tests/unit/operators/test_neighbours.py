"""What shows something has neighbours that are alike, whatever its scale, offset, orientation or size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from operators.kernels.neighbours import neighbour_correlation

NOISE = np.random.default_rng(3).normal(size=(6, 40, 50))
SHOWN = ndimage.gaussian_filter(NOISE, (0.0, 2.0, 2.0))


def test_noise_and_what_is_seen_through_a_scanner_lie_far_apart() -> None:
    """White noise has none; the same noise after a resolution of two pixels has nearly all."""
    noise, shown = neighbour_correlation(NOISE), neighbour_correlation(SHOWN)
    assert noise is not None
    assert shown is not None
    assert abs(noise) < 0.05
    assert shown > 0.9


@given(factor=st.floats(0.01, 1e4), offset=st.floats(-1e4, 1e4), turns=st.integers(0, 3), is_flipped=st.booleans())
def test_scale_turn_and_order_change_nothing(factor: float, offset: float, turns: int, *, is_flipped: bool) -> None:
    """Units, a rotation by quarters, mirrored rows and the order of slices are no matter."""
    image = np.rot90(SHOWN, turns, axes=(1, 2)) * factor + offset
    found = neighbour_correlation(image[::-1, ::-1] if is_flipped else image)
    assert found == pytest.approx(neighbour_correlation(SHOWN), abs=1e-6)


def test_what_has_no_neighbours_to_compare_is_not_evaluable() -> None:
    """A constant image and a single row have no correlation; a line of numbers is no image."""
    assert neighbour_correlation(np.full((3, 4, 4), 7.0)) is None
    assert neighbour_correlation(np.ones((1, 9))) is None
    assert neighbour_correlation(SHOWN[0]) is not None
    with pytest.raises(ValueError, match="dimensions"):
        neighbour_correlation(np.ones(4))
