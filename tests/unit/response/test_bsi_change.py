"""Change of the Bone Scan Index, clinical reference 1.6 and 7.4."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.response.bsi_change import BsiChange, BsiChangeInputs, BsiScan, assess_bsi_change

C = BsiChange
INDICES = st.floats(min_value=0.01, max_value=20.0)


def inputs(before: float | None, after: float | None, days: float = 84.0) -> BsiChangeInputs:
    """Two complete, comparable scans."""
    scan = BsiScan(bsi_percent=before, coverage=1.0, coefficient_table="COEF_SPIERS1968", uptake_minutes=180.0)
    return BsiChangeInputs(baseline=scan, follow_up=replace(scan, bsi_percent=after), interval_days=days)


@pytest.mark.parametrize(
    ("before", "after", "days", "expected", "doubling"),
    [
        pytest.param(1.0, 2.0, 84, C.INCREASED, 84.0, id="1.0-2.0 in 84 d"),
        pytest.param(0.5, 1.8, 90, C.INCREASED, 48.7014, id="0.5-1.8 in 90 d"),
        pytest.param(2.0, 1.0, 84, C.DECREASED, -84.0, id="2-1 in 84 d: halving"),
        pytest.param(1.0, 1.3, 84, C.WITHIN_REPEATABILITY, None, id="exactly +0.30"),
        pytest.param(1.3, 1.0, 84, C.WITHIN_REPEATABILITY, None, id="exactly -0.30"),
        pytest.param(0.1, 0.4, 84, C.WITHIN_REPEATABILITY, None, id="fourfold, but +0.30"),
        pytest.param(0.0, 2.0, 84, C.INCREASED, None, id="from zero"),
        pytest.param(2.0, 0.0, 84, C.DECREASED, None, id="to zero"),
        pytest.param(0.0, 0.0, 84, C.WITHIN_REPEATABILITY, None, id="zero twice"),
    ],
)
def test_worked_cases(before: float, after: float, days: float, expected: BsiChange, doubling: float | None) -> None:
    """Doubling and halving times; none within repeatability, exactly 0.30 included, and none with zero."""
    found = assess_bsi_change(inputs(before, after, days))
    assert found.category is expected
    assert found.figure("bsi_doubling_time") == (None if doubling is None else pytest.approx(doubling, abs=5e-5))
    assert found.figure("bsi_difference") == pytest.approx(after - before)


def test_percent_change_of_zero_is_left_out() -> None:
    """A rise from 0 has a difference but no percentage."""
    assert assess_bsi_change(inputs(0.0, 2.0)).figure("bsi_change") is None
    assert assess_bsi_change(inputs(2.0, 3.0)).figure("bsi_change") == pytest.approx(50.0)


@pytest.mark.parametrize(("before", "after"), [(None, 1.0), (1.0, None)])
def test_not_evaluable_is_not_zero(before: float | None, after: float | None) -> None:
    """An index that is not known abstains and has no difference."""
    found = assess_bsi_change(inputs(before, after))
    assert found.category is C.NOT_EVALUABLE
    assert found.figures == ()


def test_scans_that_do_not_compare_abstain() -> None:
    """Another coefficient table or another share of the skeleton makes no difference of indices."""
    case = inputs(1.0, 2.0)

    def verdict(follow_up: BsiScan) -> BsiChange:
        return assess_bsi_change(replace(case, follow_up=follow_up)).category

    assert verdict(replace(case.follow_up, coefficient_table="OTHER")) is C.NOT_EVALUABLE
    assert verdict(replace(case.follow_up, coverage=0.494505)) is C.NOT_EVALUABLE
    assert verdict(replace(case.follow_up, coverage=0.98)) is C.INCREASED
    assert verdict(replace(case.follow_up, coverage=0.979)) is C.NOT_EVALUABLE
    nothing = replace(case, baseline=replace(case.baseline, coverage=0.0))
    unseen = replace(nothing, follow_up=replace(case.follow_up, coverage=0.0))
    assert assess_bsi_change(unseen).category is C.NOT_EVALUABLE


def test_what_is_not_known_is_said() -> None:
    """Coverage, table and uptake time that were not given are named."""
    bare = BsiChangeInputs(baseline=BsiScan(bsi_percent=1.0), follow_up=BsiScan(bsi_percent=2.0), interval_days=84.0)
    assert len(assess_bsi_change(bare).unknown) == 3
    assert assess_bsi_change(inputs(1.0, 2.0)).unknown == ()


@given(before=INDICES, after=INDICES, days=st.floats(1.0, 1000.0))
def test_forth_and_back_mirror_each_other(before: float, after: float, days: float) -> None:
    """The way back has the opposite category, difference and doubling time."""
    there, back = assess_bsi_change(inputs(before, after, days)), assess_bsi_change(inputs(after, before, days))
    opposite = {C.INCREASED: C.DECREASED, C.DECREASED: C.INCREASED, C.WITHIN_REPEATABILITY: C.WITHIN_REPEATABILITY}
    assert back.category is opposite[there.category]
    doubling, halving = there.figure("bsi_doubling_time"), back.figure("bsi_doubling_time")
    assert (doubling is None and halving is None) or doubling == pytest.approx(-(halving or 0.0))


@given(before=INDICES, factor=st.floats(1.5, 10.0), days=st.floats(1.0, 500.0))
def test_doubling_time_in_weeks_is_a_seventh(before: float, factor: float, days: float) -> None:
    """The doubling time has the unit of the interval."""
    long, short = (
        assess_bsi_change(inputs(before, before * factor, span)).figure("bsi_doubling_time")
        for span in (days, days / 7.0)
    )
    assert (long is None and short is None) or long == pytest.approx(7.0 * (short or 0.0))


def test_nonsense_is_an_error() -> None:
    """Negative indices, coverage over 1 and an interval that does not go forward are refused."""
    with pytest.raises(ValueError, match="bsi_percent"):
        BsiScan(bsi_percent=-0.1)
    with pytest.raises(ValueError, match="coverage"):
        BsiScan(bsi_percent=1.0, coverage=1.1)
    with pytest.raises(ValueError, match="interval_days"):
        inputs(1.0, 2.0, 0.0)
