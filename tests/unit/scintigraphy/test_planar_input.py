"""What a two-view network is given: counts kept, sides alike in both views, and maps that come back to their place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.planar_input import (
    WORKING_MM,
    WORKING_SHAPE,
    body_level,
    from_working,
    network_input,
    to_working,
)

Image = npt.NDArray[np.float32]
PIXEL = (2.4, 2.4)


def _view(seed: int = 1) -> Image:
    """Counts in the middle of a whole-body image."""
    image = np.zeros((1024, 256), dtype=np.float32)
    image[100:800, 60:190] = np.random.default_rng(seed).poisson(8.0, (700, 130))
    return image


@given(
    rows=st.floats(1.8, 4.8),
    columns=st.floats(1.8, 4.8),
    is_posterior=st.booleans(),
    at=st.tuples(st.integers(20, 180), st.integers(40, 90)),
)
def test_no_count_is_lost_or_made(rows: float, columns: float, is_posterior: bool, at: tuple[int, int]) -> None:
    """Whatever the pixels' size, the working grid holds the counts of a body that lies within it."""
    image = np.zeros((256, 128), dtype=np.float32)
    image[at[0] : at[0] + 9, at[1] : at[1] + 5] = 7.0
    working = to_working(image, pixel_mm=(rows, columns), is_posterior=is_posterior)
    assert working.shape == WORKING_SHAPE
    assert working.sum() == pytest.approx(image.sum(), rel=1e-4)


def test_the_patients_right_is_on_the_left_in_both_views() -> None:
    """A focus on one side of the patient lies in the same column, whichever detector saw it."""
    anterior = np.zeros((1024, 256), dtype=np.float32)
    anterior[300, 90] = 100.0
    posterior = np.ascontiguousarray(anterior[:, ::-1])
    one = to_working(anterior, pixel_mm=PIXEL, is_posterior=False)
    other = to_working(posterior, pixel_mm=PIXEL, is_posterior=True)
    np.testing.assert_array_equal(one, other)
    assert int(one.argmax() % WORKING_SHAPE[1]) < WORKING_SHAPE[1] // 2


@pytest.mark.parametrize("is_posterior", [False, True])
@pytest.mark.parametrize("pixel", [(2.4, 2.4), (2.0, 2.2), (4.8, 4.8)])
def test_a_map_comes_back_to_its_place(pixel: tuple[float, float], is_posterior: bool) -> None:
    """A blob found on the working grid is drawn where it is in the view, to half a working pixel."""
    rows, columns = np.indices((400, 200), dtype=np.float64)
    centre = (151.0, 71.0)
    width = 15.0 / pixel[0]
    image = np.exp(-((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / (2 * width**2)).astype(np.float32)
    working = to_working(image, pixel_mm=pixel, is_posterior=is_posterior)
    back = from_working(working, shape=image.shape, pixel_mm=pixel, is_posterior=is_posterior)
    found = [float((axis * back).sum() / back.sum()) for axis in (rows, columns)]
    np.testing.assert_allclose(found, centre, atol=WORKING_MM / 2.0 / min(pixel))


def test_the_number_of_counts_does_not_change_the_input() -> None:
    """A scan twice as long is given as the same picture."""
    counts = to_working(_view(), pixel_mm=PIXEL, is_posterior=False)
    np.testing.assert_allclose(network_input(counts), network_input(counts * 2.0), rtol=1e-5)
    assert network_input(counts).shape == (1, *WORKING_SHAPE)


def test_a_full_bladder_does_not_darken_the_body() -> None:
    """The level is that of the body's middle pixel, and what is hotter than all is cut."""
    counts = to_working(_view(), pixel_mm=PIXEL, is_posterior=False)
    hot = counts.copy()
    hot[200:206, 60:66] = 1e6
    assert body_level(hot) == pytest.approx(body_level(counts), rel=0.02)
    assert network_input(hot).max() == pytest.approx(6.0)


def test_what_cannot_be_given_is_refused() -> None:
    """An empty view has no level, and pixels coarser than the working grid would be made up."""
    with pytest.raises(ValueError, match="no counts"):
        network_input(np.zeros(WORKING_SHAPE, dtype=np.float32))
    with pytest.raises(ValueError, match="coarser"):
        to_working(_view(), pixel_mm=(5.0, 5.0), is_posterior=False)
