"""The skeleton by contrast: what must not disturb it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from operators.kernels.scintigraphy import _disk, _opened, body_mask, skeleton_mask
from pipelines.bone_scan.profile import load

PIXEL = (2.4, 2.4)


def figure(bladder: float) -> np.ndarray:
    """Counts of a body with a spine, a crossbar and a small disc of so many counts a pixel."""
    mean = np.full((300, 120), 0.2)
    mean[20:280, 20:100] = 12.0
    mean[30:270, 56:64] = 30.0
    mean[100:108, 25:95] = 30.0
    rows, columns = np.mgrid[:300, :120]
    mean[(rows - 230) ** 2 + (columns - 60) ** 2 < 40] = bladder
    return np.random.default_rng(4).poisson(mean).astype(float)


def test_a_full_bladder_hides_no_bone() -> None:
    """A small area of twenty times the bone's counts leaves the skeleton as it is found without it."""
    found = []
    for bladder in (30.0, 600.0):
        counts = figure(bladder)
        body = body_mask(counts, pixel_mm=PIXEL, rule=load().body)
        found.append(skeleton_mask(counts, body, pixel_mm=PIXEL, rule=load().skeleton))
    plain, full = (mask[40:200, 57:63].mean() for mask in found)
    assert plain > 0.95
    assert full > 0.95


@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(st.integers(40, 70), st.integers(40, 70)),
    pixel=st.tuples(st.floats(2.0, 4.0), st.floats(2.0, 4.0)),
    seed=st.integers(0, 99),
)
def test_opening_is_that_of_scipy(shape: tuple[int, int], pixel: tuple[float, float], seed: int) -> None:
    """The quick opening gives scipy's values exactly, edges included."""
    image = np.random.default_rng(seed).random(shape)
    disk = _disk(30.0, pixel)
    assert np.array_equal(_opened(image, disk), ndimage.grey_opening(image, footprint=disk))
