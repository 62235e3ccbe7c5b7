"""Bias and limits of agreement against a published example, and what they must obey whatever the numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.agreement import agreement, differences, percent_differences, wilson

WRIGHT = (494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427)
MINI_WRIGHT = (512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451)
"""Peak expiratory flow, l/min, by two meters, first readings (Bland and Altman, Lancet 1986;1:307, table)."""

NUMBERS = st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=30)


def test_the_published_example_comes_out() -> None:
    """The peak flow meters of 1986: mean difference -2.1 l/min, standard deviation 38.8 l/min."""
    found = agreement(differences(list(zip(WRIGHT, MINI_WRIGHT, strict=True))))
    assert found is not None
    assert found.sd is not None
    assert found.limits is not None
    assert found.bias_interval is not None
    assert found.n == 17
    assert found.bias == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert found.limits == pytest.approx((-2.1 - 1.96 * 38.8, -2.1 + 1.96 * 38.8), abs=0.2)
    assert found.bias_interval == pytest.approx((-22.0, 17.8), abs=0.1)


def test_a_worked_example_of_the_intervals() -> None:
    """Differences -1, 0, 1: SD 1, t of two degrees of freedom 4.303, limits at -1.96 and 1.96."""
    found = agreement([-1.0, 0.0, 1.0])
    assert found is not None
    assert found.bias_interval == pytest.approx((-4.303 / math.sqrt(3), 4.303 / math.sqrt(3)), abs=1e-3)
    half = 4.303 * math.sqrt(1 / 3 + 1.96**2 / 4)
    assert found.low_limit_interval == pytest.approx((-1.96 - half, -1.96 + half), abs=2e-3)
    assert found.high_limit_interval == pytest.approx((1.96 - half, 1.96 + half), abs=2e-3)


@given(NUMBERS, st.floats(-1e3, 1e3))
def test_a_shift_moves_bias_and_limits_alone(values: list[float], shift: float) -> None:
    """A constant error is bias: the limits keep their width."""
    one, two = agreement(values), agreement([value + shift for value in values])
    assert one is not None
    assert two is not None
    assert one.limits is not None
    assert two.limits is not None
    assert two.bias == pytest.approx(one.bias + shift, abs=1e-6)
    assert two.limits[1] - two.limits[0] == pytest.approx(one.limits[1] - one.limits[0], abs=1e-6)


@given(NUMBERS)
def test_order_does_not_matter_and_sides_mirror(values: list[float]) -> None:
    """Turning the sign of every difference mirrors everything; their order changes nothing."""
    one, two = agreement(values), agreement([-value for value in reversed(values)])
    assert one is not None
    assert two is not None
    assert one.limits is not None
    assert two.limits is not None
    assert two.bias == pytest.approx(-one.bias, abs=1e-6)
    assert two.limits == pytest.approx((-one.limits[1], -one.limits[0]), abs=1e-6)
    assert min(values) - 1e-6 <= one.median <= max(values) + 1e-6


@given(st.lists(st.tuples(st.floats(0.1, 1e3), st.floats(0.1, 1e3)), min_size=1), st.floats(0.01, 100.0))
def test_per_cent_does_not_depend_on_the_unit(pairs: list[tuple[float, float]], factor: float) -> None:
    """Measured and true in another unit have the same difference in per cent."""
    scaled = [(measured * factor, true * factor) for measured, true in pairs]
    assert percent_differences(scaled) == pytest.approx(percent_differences(pairs), rel=1e-9, abs=1e-6)


def test_what_is_not_known_is_none() -> None:
    """Nothing compared has no agreement, and one comparison has no spread: neither is zero."""
    assert agreement([]) is None
    one = agreement([3.0])
    assert one is not None
    assert (one.bias, one.sd, one.limits, one.bias_interval) == (3.0, None, None, None)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_none_is_not_a_difference(bad: float) -> None:
    """What is not evaluable cannot slip into a mean."""
    with pytest.raises(ValueError, match="finite"):
        agreement([1.0, bad])
    with pytest.raises(ValueError, match="above zero"):
        percent_differences([(1.0, 0.0)])


def test_score_interval_of_a_textbook_share() -> None:
    """81 of 263 is 0.3080 with 0.2553 to 0.3662 (Newcombe, Stat Med 1998;17:857, method 3)."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="no share"):
        wilson(3, 2)


@given(st.integers(0, 50), st.integers(0, 50))
def test_score_interval_holds_the_share(hits: int, misses: int) -> None:
    """The interval lies in 0 to 1 and holds what was seen."""
    found = wilson(hits, hits + misses)
    if hits + misses == 0:
        assert found is None
        return
    assert found is not None
    assert 0.0 <= found[0] <= hits / (hits + misses) + 1e-12
    assert hits / (hits + misses) - 1e-12 <= found[1] <= 1.0
