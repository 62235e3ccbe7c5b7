"""The outline holds the mask's pixels and no others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from bmnode.domain.outlines import outer_outline, outline, rasterise, ring_area


def test_one_pixel() -> None:
    """The outline of the pixel in row 2, column 3 is the unit square from (3, 2)."""
    points = outline(np.ones((1, 1), dtype=np.bool_), origin=(2, 3))
    assert points == ((3.0, 2.0), (4.0, 2.0), (4.0, 3.0), (3.0, 3.0), (3.0, 2.0))


def test_straight_edges_have_no_extra_corners() -> None:
    """A rectangle of any size has four corners."""
    assert len(outline(np.ones((5, 9), dtype=np.bool_))) == 5


def test_pixels_that_touch_by_a_corner_share_one_ring() -> None:
    """A diagonal pair has one closed ring around both."""
    points = outline(np.eye(2, dtype=np.bool_))
    assert ring_area(points) == 2.0
    assert points.count((1.0, 1.0)) == 2


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_outline_is_exact(mask: np.ndarray) -> None:
    """For any component without holes, area and rasterised pixels are those of the mask."""
    labels, number = ndimage.label(ndimage.binary_fill_holes(mask), structure=np.ones((3, 3)))
    for index in range(1, number + 1):
        component = labels == index
        points = outline(component)
        assert points[0] == points[-1]
        assert ring_area(points) == np.count_nonzero(component)
        assert np.array_equal(rasterise(points, shape=mask.shape), component)


@pytest.mark.parametrize("text", ["...", "###/#.#/###", "#.#"], ids=["empty", "hole", "two parts"])
def test_masks_without_one_outline_are_refused(text: str) -> None:
    """An empty mask, a hole or several parts have no single outline, and that is an error."""
    mask = np.array([[cell == "#" for cell in row] for row in text.split("/")])
    with pytest.raises(ValueError, match="mask"):
        outline(mask)


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_the_outer_outline_is_that_of_the_largest_part(mask: np.ndarray) -> None:
    """Of any mask, holes and parts included: it rings one part with its holes, and no other part covers more."""
    assume(mask.any())
    labels, number = ndimage.label(mask, structure=np.ones((3, 3)))
    filled = [ndimage.binary_fill_holes(labels == index) for index in range(1, number + 1)]
    points = outer_outline(mask)
    inside = rasterise(points, shape=mask.shape)
    assert any(np.array_equal(inside, part) for part in filled)
    assert ring_area(points) == max(np.count_nonzero(part) for part in filled)


def test_an_empty_mask_has_no_outer_outline() -> None:
    """There is nothing to ring, and that is an error."""
    with pytest.raises(ValueError, match="empty"):
        outer_outline(np.zeros((2, 2), dtype=np.bool_))
