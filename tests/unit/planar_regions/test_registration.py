"""The fit of one image to another: known moves are found, and mirrored images give mirrored fits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from operators.kernels.planar_regions.registration import FitRule, Image, register, resized, warped

RULE = FitRule(strides=(4, 2, 1), iterations=(40, 30, 10), smoothing_px=(2.0, 2.0, 2.0))


def figure(seed: int, *, shape: tuple[int, int] = (96, 64)) -> Image:
    """A smooth image with structure everywhere."""
    noise = np.random.default_rng(seed).random(shape)
    image = ndimage.gaussian_filter(noise, 5.0)
    return np.asarray((image - image.min()) / (image.max() - image.min()), dtype=np.float32)


def test_equal_images_stay_where_they_are() -> None:
    """An image fitted to itself is not moved."""
    image = figure(1)
    assert np.abs(register(image, image, rule=RULE)).max() < 1e-6


@settings(max_examples=8, deadline=None)
@given(rows=st.integers(-5, 5), columns=st.integers(-5, 5), seed=st.integers(0, 20))
def test_a_move_is_found(rows: int, columns: int, seed: int) -> None:
    """An image that was moved by some pixels is brought back over its inner part."""
    moving = figure(seed)
    fixed = np.roll(moving, (rows, columns), axis=(0, 1))
    inner = (slice(16, -16), slice(16, -16))
    before = np.abs(fixed - moving)[inner].mean()
    after = np.abs(fixed - warped(moving, register(fixed, moving, rule=RULE)))[inner].mean()
    assert after <= 0.35 * before + 1e-6


@settings(max_examples=5, deadline=None)
@given(one=st.integers(0, 20), other=st.integers(0, 20))
def test_mirrored_images_have_the_mirrored_fit(one: int, other: int) -> None:
    """Mirroring both images mirrors the displacement and turns its sideways part: no side is preferred."""
    field = register(figure(one), figure(other), rule=RULE)
    flipped = register(figure(one)[:, ::-1], figure(other)[:, ::-1], rule=RULE)
    assert np.allclose(flipped[0][:, ::-1], field[0], atol=2e-3)
    assert np.allclose(-flipped[1][:, ::-1], field[1], atol=2e-3)


def test_resized_keeps_the_extent() -> None:
    """A ramp keeps its values at the same places on a finer and on a coarser grid."""
    ramp = np.tile(np.arange(32, dtype=np.float32), (8, 1))
    fine, coarse = resized(ramp, (8, 64)), resized(ramp, (8, 16))
    assert np.allclose(fine[0, 1:-1], (np.arange(64)[1:-1] + 0.5) / 2 - 0.5)
    assert np.allclose(coarse[0], (np.arange(16) + 0.5) * 2 - 0.5)


def test_images_of_two_shapes_are_refused() -> None:
    """What does not lie on one grid cannot be fitted."""
    with pytest.raises(ValueError, match="one shape"):
        register(figure(1), figure(1, shape=(96, 32)), rule=RULE)


@pytest.mark.parametrize("wrong", [{"strides": (2,)}, {"smoothing_px": (0.0, 1.0, 1.0)}, {"iterations": (-1, 1, 1)}])
def test_a_rule_that_cannot_be_followed_is_refused(wrong: dict[str, tuple[float, ...]]) -> None:
    """Levels of different number, no smoothing and negative steps are refused when the profile is read."""
    values = {"strides": (4, 2, 1), "iterations": (1, 1, 1), "smoothing_px": (1.0, 1.0, 1.0)}
    with pytest.raises(ValueError, match="strides"):
        FitRule(**{**values, **wrong})  # type: ignore[arg-type]  # built from the field names
