"""What an image at points, and the likeness of two images, must not depend on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.registration.levels import Level
from operators.kernels.registration.rigid_fit import correlation

FloatArray = npt.NDArray[np.float64]
SEEDS = st.integers(0, 2**16)


def level(seed: int) -> Level:
    """Random HU on a grid that is neither cubic nor in the patient's axes' order."""
    random = np.random.default_rng(seed)
    shape = tuple(int(size) for size in random.integers(3, 8, size=3))
    matrix = np.eye(4)
    matrix[:3, :3] = np.roll(np.diag(random.uniform(1.0, 5.0, size=3)), int(random.integers(3)), axis=0)
    matrix[:3, 3] = random.uniform(-100.0, 100.0, size=3)
    return Level(values=random.normal(200.0, 80.0, size=shape).astype(np.float32), matrix=matrix)


def places(item: Level, seed: int) -> FloatArray:
    """Points in the field and beside it, mm."""
    random = np.random.default_rng(seed + 1)
    index = random.uniform(-1.0, np.asarray(item.values.shape), size=(60, 3))
    return np.asarray(index @ item.matrix[:3, :3].T + item.matrix[:3, 3])


def flipped(item: Level, axes: tuple[int, ...]) -> Level:
    """The same image, stored from the other end."""
    matrix = item.matrix.copy()
    for axis in axes:
        matrix[:3, 3] += matrix[:3, axis] * (item.values.shape[axis] - 1)
        matrix[:3, axis] *= -1.0
    return Level(values=np.ascontiguousarray(np.flip(item.values, axes)), matrix=matrix)


@given(seed=SEEDS, axes=st.sampled_from([(0,), (1,), (2,), (0, 2), (0, 1, 2)]))
def test_a_place_has_its_value_however_the_image_is_stored(seed: int, axes: tuple[int, ...]) -> None:
    """Value, gradient and field at a point are the patient's, not the array's."""
    item = level(seed)
    here, there = item.at(places(item, seed)), flipped(item, axes).at(places(item, seed))
    np.testing.assert_array_equal(here.inside, there.inside)
    np.testing.assert_allclose(here.value, there.value, atol=1e-6)
    np.testing.assert_allclose(here.gradient, there.gradient, atol=1e-6)


@given(seed=SEEDS, factor=st.floats(0.25, 4.0), shift=st.floats(-200.0, 200.0))
def test_value_and_gradient_follow_the_scale(seed: int, factor: float, shift: float) -> None:
    """HU times a factor are values and gradients times it; millimetres times a factor are gradients by it."""
    item, points = level(seed), places(level(seed), seed)
    here = item.at(points)
    brighter = Level(values=(item.values * np.float32(factor)).astype(np.float32), matrix=item.matrix).at(points)
    np.testing.assert_allclose(brighter.value, here.value * factor, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(brighter.gradient, here.gradient * factor, rtol=1e-4, atol=1e-2)
    larger = Level(values=item.values, matrix=np.diag([factor, factor, factor, 1.0]) @ item.matrix)
    inner = here.inside & larger.at(points * factor).inside
    np.testing.assert_allclose(larger.at(points * factor).gradient[inner], here.gradient[inner] / factor, atol=1e-3)
    moved = item.matrix.copy()
    moved[:3, 3] += shift
    elsewhere = Level(values=item.values, matrix=moved).at(points + shift)
    both = here.inside & elsewhere.inside
    np.testing.assert_allclose(elsewhere.value[both], here.value[both], atol=1e-3)


@given(seed=SEEDS, gain=st.floats(0.1, 10.0), offset=st.floats(-500.0, 500.0))
def test_likeness_knows_neither_gain_nor_order(seed: int, gain: float, offset: float) -> None:
    """Another tube voltage, the images exchanged, points in another order: the same; the negative is its opposite."""
    random = np.random.default_rng(seed)
    one, other = random.normal(size=(2, 50)) * 100.0
    order = random.permutation(50)
    plain = correlation(one, other)
    assert -1.0 - 1e-12 <= plain <= 1.0 + 1e-12
    assert correlation(one, gain * other + offset) == pytest.approx(plain, abs=1e-9)
    assert correlation(other[order], one[order]) == pytest.approx(plain, abs=1e-9)
    assert correlation(one, -other) == pytest.approx(-plain, abs=1e-9)
    assert correlation(one, gain * one + offset) == pytest.approx(1.0)
    assert np.isnan(correlation(one, np.full(50, offset)))
