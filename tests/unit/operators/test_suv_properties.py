"""What SUV must not depend on, and how it must depend on the rest, for any patient, dose and timing."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.decay import HALF_LIFE_S, decayed, mean_activity_time_s
from operators.kernels.suv import PetSeries, PetSlice, SuvNotComputableError, SuvScale, suv_scale

NUCLIDES = ("F-18", "Ga-68", "Cu-64", "Zr-89")
SCAN = datetime(2025, 3, 1, 11, tzinfo=UTC)


@st.composite
def series(draw: st.DrawFn) -> PetSeries:
    """A series in Bq/ml decayed to its start, one to five beds, injected 20 minutes to 3 hours before."""
    nuclide = draw(st.sampled_from(NUCLIDES))
    half_life_s = HALF_LIFE_S[nuclide]
    duration_s = draw(st.floats(min_value=30.0, max_value=900.0))
    start = SCAN + timedelta(minutes=draw(st.integers(min_value=0, max_value=24 * 60)))
    mean_s = mean_activity_time_s(duration_s=duration_s, half_life_s=half_life_s)
    slices = tuple(
        PetSlice(
            acquired_at=start + timedelta(seconds=bed * duration_s),
            duration_s=duration_s,
            frame_reference_s=bed * duration_s + mean_s,
        )
        for bed in range(draw(st.integers(min_value=1, max_value=5)))
    )
    return PetSeries(
        units="BQML",
        corrected=frozenset({"ATTN", "DECY"}),
        decay_correction="START",
        weight=draw(st.floats(min_value=40.0, max_value=150.0)),
        height=draw(st.floats(min_value=1.4, max_value=2.1)),
        sex=draw(st.sampled_from(("M", "F", "O"))),
        dose=draw(st.floats(min_value=40e6, max_value=700e6)),
        half_life_s=half_life_s,
        radionuclide=nuclide,
        injected_at=start - timedelta(minutes=draw(st.integers(min_value=20, max_value=180))),
        series_at=start,
        slices=slices,
    )


def factor(item: PetSeries, **changes: object) -> float:
    """The first slice's factor with some facts changed."""
    return suv_scale(replace(item, **changes)).factors[0]  # type: ignore[arg-type]


@given(series(), st.floats(min_value=0.5, max_value=2.0))
def test_suv_grows_with_the_weight_and_falls_with_the_dose(item: PetSeries, times: float) -> None:
    """Twice the weight is twice the SUV, twice the dose half of it."""
    assert item.weight is not None
    assert item.dose is not None
    assert factor(item, weight=item.weight * times) == pytest.approx(factor(item) * times)
    assert factor(item, dose=item.dose * times) == pytest.approx(factor(item) / times)


@given(series())
def test_units_of_dose_and_size_do_not_change_suv(item: PetSeries) -> None:
    """MBq for Bq, grams for kilograms, centimetres for metres: the same factor, and each is said."""
    assert item.weight is not None
    assert item.height is not None
    assert item.dose is not None
    written = replace(item, dose=item.dose / 1e6, weight=item.weight * 1000.0, height=item.height * 100.0)
    scale = suv_scale(written)
    assert scale.factors == pytest.approx(suv_scale(item).factors)
    assert sum("was read as" in note for note in scale.notes) == 3


@given(series(), st.integers(min_value=-3000, max_value=3000))
def test_moving_every_clock_changes_nothing(item: PetSeries, minutes: int) -> None:
    """A study a day later, or over midnight, has the same SUV."""
    shift = timedelta(minutes=minutes)
    assert item.injected_at is not None
    assert item.series_at is not None
    moved = replace(
        item,
        injected_at=item.injected_at + shift,
        series_at=item.series_at + shift,
        slices=tuple(replace(one, acquired_at=one.acquired_at + shift) for one in item.slices if one.acquired_at),
    )
    assert suv_scale(moved) == suv_scale(item)


@given(series(), st.integers(min_value=0, max_value=5))
def test_a_time_of_day_alone_finds_its_date(item: PetSeries, days: int) -> None:
    """The injection's date follows from the scan's, midnight between them or not, whatever date the series bears."""
    assert item.injected_at is not None
    clock = replace(item, injected_at=item.injected_at + timedelta(days=days), injected_clock=True)
    assert factor(clock) == pytest.approx(factor(item))


@given(series(), st.randoms(use_true_random=False))
def test_the_order_of_slices_does_not_matter(item: PetSeries, random: object) -> None:
    """Each slice keeps its factor wherever it stands in the series."""
    order = list(range(len(item.slices)))
    random.shuffle(order)  # type: ignore[attr-defined]
    undone = replace(item, decay_correction="NONE", corrected=frozenset({"ATTN"}))
    straight = suv_scale(undone).factors
    shuffled = suv_scale(replace(undone, slices=tuple(item.slices[index] for index in order))).factors
    assert shuffled == tuple(straight[index] for index in order)


@given(series(), st.floats(min_value=1e-3, max_value=1e3))
def test_counts_with_an_activity_factor_are_activity(item: PetSeries, per_count: float) -> None:
    """Philips: counts times their factor give the SUV of that activity; the factor to SUV stands above it."""
    counts = {"units": "CNTS", "philips_activity_factor": per_count}
    assert factor(item, **counts) == pytest.approx(factor(item) * per_count)
    assert factor(item, **counts, philips_suv_factor=0.0) == pytest.approx(factor(item) * per_count)
    assert factor(item, **counts, philips_suv_factor=0.5) == 0.5


def of_activity(item: PetSeries, *, correction: str) -> list[float]:
    """The SUV of tissue that holds 1 Bq/ml at injection, in each slice as that decay correction would store it."""
    assert item.injected_at is not None
    assert item.series_at is not None
    assert item.half_life_s is not None
    waited_s = (item.series_at - item.injected_at).total_seconds()
    scale: SuvScale = suv_scale(replace(item, decay_correction=correction))
    stored = {"ADMIN": 1.0, "START": decayed(1.0, elapsed_s=waited_s, half_life_s=item.half_life_s)}
    values = []
    for one, per_value in zip(item.slices, scale.factors, strict=True):
        value = stored.get(correction)
        if value is None:
            value = _mean_in_frame(item, one)
        values.append(value * per_value)
    return values


def _mean_in_frame(item: PetSeries, one: PetSlice) -> float:
    """The mean activity during a frame of what was 1 Bq/ml at injection: the integral over the frame's duration."""
    assert item.injected_at is not None
    assert item.half_life_s is not None
    assert one.acquired_at is not None
    assert one.duration_s is not None
    rate = math.log(2.0) / item.half_life_s
    begun_s = (one.acquired_at - item.injected_at).total_seconds()
    return (math.exp(-rate * begun_s) - math.exp(-rate * (begun_s + one.duration_s))) / (rate * one.duration_s)


@given(series())
def test_every_decay_correction_gives_the_same_suv_of_the_same_tissue(item: PetSeries) -> None:
    """Stored as of injection, of the scan's start, or not corrected at all: weight over dose in every slice."""
    assert item.weight is not None
    assert item.dose is not None
    expected = item.weight * 1000.0 / item.dose
    for correction in ("ADMIN", "START", "NONE"):
        assert of_activity(item, correction=correction) == pytest.approx([expected] * len(item.slices), rel=1e-6)


@given(series(), st.integers(min_value=1, max_value=600))
def test_a_late_series_time_is_seen_through(item: PetSeries, minutes: int) -> None:
    """The manufacturer's scan time, else the frame reference times, lead back to the start of the scan."""
    assert item.series_at is not None
    last = max(one.acquired_at for one in item.slices if one.acquired_at)
    late = replace(item, series_at=last + timedelta(minutes=minutes))
    assert factor(late) == pytest.approx(factor(item), rel=1e-6)
    assert factor(late, ge_scan_at=item.series_at) == pytest.approx(factor(item))


@given(series(), st.floats(min_value=0.5, max_value=1.5))
def test_a_half_life_is_the_nuclides_within_two_percent_or_refused(item: PetSeries, times: float) -> None:
    """Inside the tolerance the header's own is used, outside there is no SUV."""
    assert item.half_life_s is not None
    stated = replace(item, half_life_s=item.half_life_s * times)
    if abs(times - 1.0) > 0.02:
        with pytest.raises(SuvNotComputableError, match="half-life"):
            suv_scale(stated)
    else:
        assert factor(stated) == pytest.approx(factor(item), rel=0.2)


@given(series(), st.one_of(st.floats(min_value=1e-3, max_value=14.9), st.floats(min_value=1.51e9, max_value=1e15)))
def test_a_dose_that_no_adult_is_given_is_refused(item: PetSeries, dose: float) -> None:
    """Millicuries read as MBq, or a dose a thousand times too high, are another unit and no SUV."""
    with pytest.raises(SuvNotComputableError, match="not plausible"):
        suv_scale(replace(item, dose=dose))
