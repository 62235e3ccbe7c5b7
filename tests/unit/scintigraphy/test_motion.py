"""A jump from one row to the next is noticed where it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.scintigraphy_body import BodyFrame, body_frame
from operators.kernels.scintigraphy_motion import MotionRule, row_jump

PIXEL = (2.4, 2.4)
RULE = MotionRule(band_mm=10.0, reach_mm=30.0, limit_mm=11.0)


def still() -> tuple[np.ndarray, BodyFrame]:
    """Counts of a body with two bars along it, and its frame."""
    mean = np.full((200, 100), 0.3)
    mean[10:190, 30:70] = 12.0
    mean[10:190, 40:44] = 40.0
    mean[10:190, 60:63] = 35.0
    frame = body_frame(mean > 5, field=np.ones_like(mean, dtype=np.bool_))
    assert frame is not None
    return np.random.default_rng(8).poisson(mean).astype(float), frame


@settings(max_examples=20, deadline=None)
@given(st.integers(5, 11), st.sampled_from([-1, 1]), st.integers(30, 170))
def test_a_jump_is_found_where_it_is(pixels: int, way: int, row: int) -> None:
    """Rows below one row moved sideways: size within a pixel, row within three."""
    counts, frame = still()
    counts[row:] = np.roll(counts[row:], way * pixels, axis=1)
    found = row_jump(counts, frame, pixel_mm=PIXEL, rule=RULE)
    assert found.shift_mm / 2.4 == pytest.approx(way * pixels, abs=1.01)
    assert abs(found.row - row) <= 3
    assert abs(found.shift_mm) >= RULE.limit_mm - 2.4


def test_who_lies_still_does_not_jump() -> None:
    """Counting noise alone stays far below the limit."""
    counts, frame = still()
    assert abs(row_jump(counts, frame, pixel_mm=PIXEL, rule=RULE).shift_mm) <= 2.4 + 1e-9


def test_a_limit_beyond_the_reach_is_refused() -> None:
    """A jump that is not looked for cannot be warned of."""
    with pytest.raises(ValueError, match="reach_mm"):
        MotionRule(band_mm=10.0, reach_mm=8.0, limit_mm=11.0)
