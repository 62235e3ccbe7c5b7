"""Rules of emission images under a change of unit, scale, order, orientation and sampling."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.body_size import body_surface_m2, lean_mass_janmahasatian
from operators.kernels.cavity import CavityLimits, find_cavities
from operators.kernels.components import components, united
from operators.kernels.decay import (
    decay_constant,
    decayed,
    frame_decay_factor,
    mean_activity_time_s,
    net_injected_dose,
)
from operators.kernels.measurement import peak, statistics
from operators.kernels.reference_uptake import sphere
from operators.kernels.scintigraphy import TrimRule, normal_level
from operators.kernels.spect import activity_bq_ml, suv_factor, trimmed_level

TURNS = list(product(permutations(range(3)), product((False, True), repeat=3)))
"""The 48 ways to hold a grid: order of its axes, and which of them run backwards."""
POSITIVE = st.floats(0.1, 10.0)
BINARY = st.sampled_from([0.25, 0.5, 2.0, 8.0])
"""Gains that round nothing, so that a value at the limit stays at it."""
LIMITS = CavityLimits(marrow_depth_mm=8.0, reach_mm=20.0)


Turn = tuple[tuple[int, ...], tuple[bool, ...]]


def turned(array: npt.NDArray[Any], turn: Turn) -> npt.NDArray[Any]:
    """An array with its axes in another order and some of them backwards."""
    axes, backwards = turn
    moved = array.transpose(axes)
    return np.ascontiguousarray(moved[tuple(slice(None, None, -1 if back else 1) for back in backwards)])


@given(values=st.lists(st.integers(1, 5000), min_size=3, max_size=60), gain=BINARY, seed=st.integers(0, 99))
def test_the_normal_level_follows_the_gain_and_not_the_order(values: list[int], gain: float, seed: int) -> None:
    """NORM_TRIM2, of SPECT and of planar scans: twice the counts is twice the level, in any order of pixels."""
    data = np.array(values, dtype=np.float64)
    shuffled = np.random.default_rng(seed).permutation(data)
    assert trimmed_level(shuffled) == pytest.approx(trimmed_level(data), rel=1e-9)
    assert trimmed_level(gain * data) == pytest.approx(gain * trimmed_level(data), rel=2e-3)
    rule = TrimRule(trim=2.0, tolerance=1e-3, max_iterations=20)
    level, scaled = normal_level(data, rule=rule), normal_level(gain * shuffled, rule=rule)
    assert level is not None
    assert scaled is not None
    assert scaled.counts_per_pixel == pytest.approx(gain * level.counts_per_pixel)


@given(dose=st.floats(50e6, 1e9), weight=st.floats(40.0, 150.0), hours=st.floats(0.0, 8.0), factor=POSITIVE)
def test_suv_of_spect_knows_its_units(dose: float, weight: float, hours: float, factor: float) -> None:
    """Half the dose or twice the weight is twice the factor; a half-life later it is twice as well."""
    half_life = 21624.1
    one = suv_factor(dose_bq=dose, elapsed_s=hours * 3600.0, half_life_s=half_life, weight_kg=weight)
    other = suv_factor(
        dose_bq=dose / factor, elapsed_s=hours * 3600.0 + half_life, half_life_s=half_life, weight_kg=weight
    )
    assert other == pytest.approx(2.0 * factor * one)
    heavier = suv_factor(dose_bq=dose, elapsed_s=hours * 3600.0, half_life_s=half_life, weight_kg=2.0 * weight)
    assert heavier == pytest.approx(2.0 * one)


@given(counts=st.floats(1.0, 1e5), split=st.floats(0.1, 0.9), factor=POSITIVE)
def test_activity_adds_over_time_and_volume(counts: float, split: float, factor: float) -> None:
    """Counts of a voxel split in two give the same Bq/ml in each; time and sensitivity trade against each other."""
    whole = activity_bq_ml(counts, acquisition_s=1200.0, sensitivity_cps_bq=8e-5, voxel_volume_ml=0.086)
    part = activity_bq_ml(
        split * counts, acquisition_s=1200.0 * factor, sensitivity_cps_bq=8e-5 / factor, voxel_volume_ml=split * 0.086
    )
    assert part == pytest.approx(whole)


@given(duration=st.floats(1.0, 7200.0), half_life=st.floats(600.0, 1e6), factor=POSITIVE)
def test_decay_within_a_frame_knows_no_unit_of_time(duration: float, half_life: float, factor: float) -> None:
    """Minutes for seconds change nothing but the time's own unit; activity at the mean time is the mean activity."""
    at = mean_activity_time_s(duration_s=duration, half_life_s=half_life)
    assert mean_activity_time_s(duration_s=factor * duration, half_life_s=factor * half_life) == pytest.approx(
        factor * at, rel=1e-6
    )
    assert 0.0 < at < duration / 2.0 + 1e-9
    mean = decayed(1.0, elapsed_s=at, half_life_s=half_life)
    assert mean * frame_decay_factor(duration_s=duration, half_life_s=half_life) == pytest.approx(1.0)
    steps = np.linspace(0.0, duration, 2001)
    numeric = float(np.trapezoid(np.exp(-decay_constant(half_life) * steps), steps)) / duration
    assert mean == pytest.approx(numeric, rel=1e-5)


@given(before=st.floats(100.0, 900.0), residual=st.floats(0.0, 50.0), early=st.floats(0.0, 60.0), factor=POSITIVE)
def test_the_net_dose_keeps_its_unit(before: float, residual: float, early: float, factor: float) -> None:
    """MBq in, MBq out; measured a half-life earlier, the same syringe would have held twice as much."""
    half_life_s = 6586.2

    def net(scale: float, minutes: float, start: float) -> float:
        return net_injected_dose(
            scale * start, minutes_before=minutes, residual=scale * residual, minutes_after=5.0, half_life_s=half_life_s
        )

    dose = net(1.0, early, before)
    assert net(factor, early, before) == pytest.approx(factor * dose, abs=1e-6)
    assert net(1.0, early + half_life_s / 60.0, 2.0 * before) == pytest.approx(dose, abs=1e-6)


@given(weight=st.floats(55.0, 160.0), height=st.floats(1.45, 1.75), male=st.booleans())
def test_lean_mass_is_part_of_the_weight_and_surface_grows(weight: float, height: float, *, male: bool) -> None:
    """Lean mass (Janmahasatian) stays under the weight and rises with it; so does the body's surface."""
    lean = lean_mass_janmahasatian(weight, height, male=male)
    assert 0.0 < lean < weight
    assert lean_mass_janmahasatian(weight + 5.0, height, male=male) > lean
    assert body_surface_m2(weight + 5.0, height) > body_surface_m2(weight, height)


@settings(max_examples=12, deadline=None)
@given(turn=st.sampled_from(TURNS), seed=st.integers(0, 2**16))
def test_peaks_and_components_do_not_know_how_the_grid_is_held(turn: Turn, seed: int) -> None:
    """Components by size, their means, and SUVpeak are those of the turned image, on its turned spacing."""
    random = np.random.default_rng(seed)
    values = random.uniform(0.0, 10.0, (9, 10, 11))
    spacing = np.array([5.0, 3.0, 4.0])

    def figures(array: npt.NDArray[Any], steps: npt.NDArray[np.float64]) -> list[tuple[int, float, float]]:
        geometry = VolumeGeometry.from_matrix(
            np.diag([*steps, 1.0])[[2, 1, 0, 3]], shape=array.shape, frame_of_reference_uid="1.2"
        )
        found = [
            (part.voxel_count, statistics(array, part).mean, peak(array, part, geometry).best)
            for part in components(array > 7.5)
        ]
        return sorted(found)

    axes, _ = turn
    expected, got = figures(values, spacing), figures(turned(values, turn), spacing[list(axes)])
    assert len(got) == len(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-9)


@settings(max_examples=8, deadline=None)
@given(backwards=st.tuples(st.booleans(), st.booleans(), st.booleans()), swap=st.booleans())
def test_a_cavity_follows_the_grid(backwards: tuple[bool, bool, bool], *, swap: bool) -> None:
    """Flips, and rows for columns, move the cavity with the bone; a slice stays a slice."""
    bone = np.zeros((10, 24, 30), dtype=np.bool_)
    bone[1:9, 2:22, 3:27] = True
    bone[2:8, 4:20, 5:15] = False
    bone[2:8, 6:10, 20:24] = False
    filled = np.zeros_like(bone)
    filled[1:9, 2:22, 3:27] = True
    turn = ((0, 2, 1) if swap else (0, 1, 2), backwards)
    spacing = (3.0, 2.0, 2.0)
    plain = find_cavities(bone, filled, spacing_mm=spacing, limits=LIMITS)
    moved = find_cavities(
        turned(bone, turn),
        turned(filled, turn),
        spacing_mm=spacing,
        limits=LIMITS,
    )
    assert plain.any()
    np.testing.assert_array_equal(moved, turned(plain, turn))


@settings(max_examples=15, deadline=None)
@given(finer=st.integers(2, 3), radius=st.floats(9.0, 14.0), shift=st.floats(-2.0, 2.0))
def test_a_sphere_keeps_its_volume_when_the_grid_is_finer(finer: int, radius: float, shift: float) -> None:
    """A reference sphere on a coarse and a fine grid holds its ball's volume, the fine one more exactly."""

    def volume_ml(step: float) -> float:
        count = int(64.0 / step)
        geometry = VolumeGeometry.from_matrix(
            np.array([[0, 0, step, 0], [0, step, 0, 0], [step, 0, 0, 0], [0, 0, 0, 1.0]]),
            shape=(count, count, count),
            frame_of_reference_uid="1.2",
        )
        found = sphere(geometry, (31.0 + shift, 30.0, 32.0 - shift), radius_mm=radius)
        assert found is not None
        return found.voxel_count * geometry.voxel_volume_ml

    true_ml = 4.0 / 3.0 * np.pi * radius**3 / 1000.0
    assert volume_ml(4.0) == pytest.approx(true_ml, rel=0.15)
    assert volume_ml(4.0 / finer) == pytest.approx(true_ml, rel=0.06)


@given(seed=st.integers(0, 2**16))
def test_the_union_does_not_know_the_order(seed: int) -> None:
    """Masks that overlap add up to the same voxels in any order."""
    random = np.random.default_rng(seed)
    masks = [CroppedMask.from_array(random.uniform(size=(4, 5, 6)) > 0.7) for _ in range(3)]
    one = united(tuple(masks), shape=(4, 5, 6))
    other = united(tuple(masks[::-1]), shape=(4, 5, 6))
    np.testing.assert_array_equal(one, other)
