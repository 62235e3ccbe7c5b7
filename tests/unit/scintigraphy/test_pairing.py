"""One lesion seen twice is one lesion: pairing by place, one to one, never across sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.planar_pairing import (
    PairRule,
    ViewSpots,
    geometric_mean,
    laid_on,
    mirror_shift,
    overlap_pixels,
    pair,
)
from operators.kernels.planar_regions.parts import PlanarPart
from operators.kernels.scintigraphy import HotSpot

SHAPE = (120, 80)
PIXEL = (2.5, 2.5)
RULE = PairRule(gate_mm=25.0, overlap_min=0.3)
BODY = np.zeros(SHAPE, dtype=np.bool_)
BODY[10:110, 22:55] = True


def spot(row: int, column: int, size: int = 3) -> HotSpot:
    """A square hot spot."""
    return HotSpot(origin=(row, column), mask=np.ones((size, size), dtype=np.bool_))


def behind(front: HotSpot) -> HotSpot:
    """The same place as the posterior view shows it."""
    return HotSpot(origin=(front.origin[0], SHAPE[1] - front.origin[1] - front.mask.shape[1]), mask=front.mask[:, ::-1])


def view(*spots: HotSpot, parts: tuple[PlanarPart | None, ...] = (), posterior: bool = False) -> ViewSpots:
    """A view's hot spots; those of a posterior one are laid onto the anterior grid."""
    move = mirror_shift(BODY, BODY[:, ::-1])
    found = tuple(laid_on(item, columns=SHAPE[1], move=move) if posterior else item for item in spots)
    return ViewSpots(spots=found, parts=parts or (None,) * len(spots))


def paired(front: ViewSpots, back: ViewSpots) -> tuple[tuple[int, int], ...]:
    """The pairs under the usual rule."""
    return pair(front, back, pixel_mm=PIXEL, rule=RULE)


PLACES = st.lists(
    st.tuples(st.integers(1, 9), st.integers(2, 4)).map(lambda at: (11 * at[0], 11 * at[1])),
    min_size=0,
    max_size=6,
    unique=True,
)


@given(PLACES, st.randoms(use_true_random=False))
def test_what_both_views_show_is_paired_whatever_the_order(places: list[tuple[int, int]], random: object) -> None:
    """Lesions that lie further apart than they move are each paired with themselves, in any order of the views."""
    front = [spot(*place) for place in places]
    order = list(range(len(front)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    back = [behind(front[index]) for index in order]
    found = dict(paired(view(*front), view(*back, posterior=True)))
    assert found == {index: order.index(index) for index in order}


@given(st.integers(-8, 8), st.integers(-8, 8))
def test_a_posterior_view_that_lies_elsewhere_is_laid_onto_the_anterior(rows: int, columns: int) -> None:
    """The mirrored posterior body is moved back by what it was moved, so that pairing does not depend on it."""
    moved = np.roll(BODY[:, ::-1], (rows, columns), axis=(0, 1))
    move = mirror_shift(BODY, moved)
    assert move == (-rows, columns)
    assert mirror_shift(moved, BODY) == (rows, columns)
    there = behind(spot(50, 30))
    there = HotSpot(origin=(there.origin[0] + rows, there.origin[1] + columns), mask=there.mask)
    assert laid_on(there, columns=SHAPE[1], move=move).origin == (50, 30)


def test_beyond_the_gate_there_is_no_pair() -> None:
    """Centres 22.5 mm apart are one lesion, 27.5 mm apart are two."""
    assert paired(view(spot(50, 30)), view(behind(spot(59, 30)), posterior=True)) == ((0, 0),)
    assert paired(view(spot(50, 30)), view(behind(spot(61, 30)), posterior=True)) == ()


def test_opposite_sides_are_never_one() -> None:
    """A spot on a left rib and one on a right rib are two lesions even at one place."""
    front = view(spot(50, 30), parts=(PlanarPart.RIBS_LEFT,))
    back = view(behind(spot(50, 30)), parts=(PlanarPart.RIBS_RIGHT,), posterior=True)
    assert paired(front, back) == ()


def test_parts_of_two_names_need_overlap() -> None:
    """The sternum lies before the spine: at one place it is one lesion, beside each other they are two."""
    front = view(spot(50, 38), parts=(PlanarPart.STERNUM,))
    names = (PlanarPart.THORACIC_SPINE,)
    assert paired(front, view(behind(spot(50, 39)), parts=names, posterior=True)) == ((0, 0),)
    assert paired(front, view(behind(spot(55, 38)), parts=names, posterior=True)) == ()


def test_assignment_beats_the_nearest_first() -> None:
    """Two in a row with two behind, moved along: both are paired, where the nearest pair alone would strand one."""
    front = view(spot(50, 30), spot(57, 30))
    back = view(behind(spot(56, 30)), behind(spot(64, 30)), posterior=True)
    assert paired(front, back) == ((0, 0), (1, 1))


def test_pixels_in_common() -> None:
    """Squares that overlap in a corner share its pixels; squares apart share none."""
    assert overlap_pixels(spot(10, 10, 4), spot(12, 13, 4)) == 2
    assert overlap_pixels(spot(10, 10), spot(20, 10)) == 0


def test_views_of_two_grids_are_refused() -> None:
    """Bodies of two shapes cannot be laid onto each other."""
    with pytest.raises(ValueError, match="one grid"):
        mirror_shift(BODY, BODY[:, :40])


def test_pl_1_geometric_mean() -> None:
    """PL-1: 400 in front and 100 behind, mirrored, are 200."""
    assert geometric_mean(400.0, 100.0) == pytest.approx(200.0)


@given(front=st.floats(0.0, 1e6), back=st.floats(0.0, 1e6), factor=st.floats(0.001, 1000.0))
def test_the_geometric_mean_knows_neither_unit_nor_view(front: float, back: float, factor: float) -> None:
    """It lies between both views, does not ask which is which, and scales with both alike."""
    found = geometric_mean(front, back)
    assert min(front, back) <= found * (1 + 1e-12)
    assert found <= max(front, back) * (1 + 1e-12)
    assert geometric_mean(back, front) == pytest.approx(found)
    assert geometric_mean(front * factor, back * factor) == pytest.approx(found * factor)


@given(depth=st.floats(0.0, 200.0), thickness=st.floats(200.0, 300.0), counts=st.floats(1.0, 1e4))
def test_depth_falls_out_of_the_geometric_mean(depth: float, thickness: float, counts: float) -> None:
    """Even attenuation leaves what does not depend on how deep the uptake lies, which each single view does."""
    per_mm = 0.012
    front, back = counts * np.exp(-per_mm * depth), counts * np.exp(-per_mm * (thickness - depth))
    assert geometric_mean(float(front), float(back)) == pytest.approx(counts * np.exp(-per_mm * thickness / 2.0))


@pytest.mark.parametrize(("front", "back"), [(-1.0, 4.0), (4.0, -1.0), (float("nan"), 1.0), (1.0, float("inf"))])
def test_negative_counts_have_no_mean(front: float, back: float) -> None:
    """A difference of images is no image of counts."""
    with pytest.raises(ValueError, match="not negative"):
        geometric_mean(front, back)
