"""How much of its height a vertebra has lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.stability.collapse import (
    BodyHeights,
    CollapseFlag,
    GenantGrade,
    collapse,
    genant_grade,
    sound_neighbours,
)

heights = st.floats(1.0, 60.0)
bodies = st.builds(BodyHeights, anterior_mm=heights, middle_mm=heights, posterior_mm=heights)


def body(anterior: float, middle: float, posterior: float) -> BodyHeights:
    """Three heights in mm."""
    return BodyHeights(anterior_mm=anterior, middle_mm=middle, posterior_mm=posterior)


def test_the_lowest_height_is_compared_with_the_neighbours_same_height() -> None:
    """A wedge of 15 mm in front between vertebrae of 24 and 26 mm in front has lost 40 %."""
    found = collapse(body(15.0, 20.0, 25.0), neighbours=(body(24.0, 24.0, 27.0), body(26.0, 25.0, 28.0)))
    assert found.fraction == pytest.approx(0.4)
    assert found.losses[2] == pytest.approx(1 - 25 / 27.5)
    assert found.flags == ()


def test_one_neighbour_is_enough_and_told() -> None:
    """At the end of the field, or beside another lesion, the reference is one vertebra."""
    found = collapse(body(20.0, 20.0, 20.0), neighbours=(body(25.0, 25.0, 25.0),))
    assert found.fraction == pytest.approx(0.2)
    assert found.flags == (CollapseFlag.ONE_NEIGHBOUR,)


def test_a_greater_loss_at_another_height_is_told() -> None:
    """A vertebra that is low in front by shape, and has lost at the back, does not pass as intact."""
    found = collapse(body(20.0, 22.0, 21.0), neighbours=(body(20.0, 24.0, 28.0),) * 2)
    assert found.fraction == pytest.approx(0.0)
    assert CollapseFlag.GREATER_LOSS_ELSEWHERE in found.flags


@given(own=bodies, above=bodies, below=bodies, factor=st.floats(0.5, 2.0))
def test_collapse_does_not_depend_on_size_or_order(
    own: BodyHeights, above: BodyHeights, below: BodyHeights, factor: float
) -> None:
    """A larger patient with the same shape has the same collapse, and so has one lying the other way round."""
    found = collapse(own, neighbours=(above, below))
    scaled = [body(*(factor * height for height in item.in_order)) for item in (own, above, below)]
    assert collapse(scaled[0], neighbours=(scaled[1], scaled[2])).fraction == pytest.approx(found.fraction)
    assert collapse(own, neighbours=(below, above)).fraction == pytest.approx(found.fraction)
    assert found.fraction <= max(found.losses)


def test_without_reference_there_is_no_collapse() -> None:
    """No neighbour, three, or one of no height cannot be a reference; negative heights cannot be built."""
    own = body(20.0, 20.0, 20.0)
    for neighbours in ((), (own,) * 3, (body(0.0, 20.0, 20.0),)):
        with pytest.raises(ValueError, match="neighbour"):
            collapse(own, neighbours=neighbours)
    with pytest.raises(ValueError, match="heights"):
        body(-1.0, 1.0, 1.0)


def test_a_collapsed_neighbour_is_no_reference() -> None:
    """Between 26 mm and a vertebra collapsed to 13 mm, 20 mm are a loss of 23 %; their mean would hide it."""
    own, sound, collapsed = (body(height, height, height) for height in (20.0, 26.0, 13.0))
    for pair in ((sound, collapsed), (collapsed, sound)):
        found = collapse(own, neighbours=sound_neighbours(pair, alike=0.2))
        assert found.fraction == pytest.approx(1 - 20 / 26)
        assert found.flags == (CollapseFlag.ONE_NEIGHBOUR,)


@given(one=bodies, other=bodies, alike=st.floats(0.05, 0.5))
def test_the_taller_of_two_unlike_neighbours_always_stays(one: BodyHeights, other: BodyHeights, alike: float) -> None:
    """Whatever their order; neighbours alike both stay, and a single one is never left out."""
    kept = sound_neighbours((one, other), alike=alike)
    assert set(map(id, kept)) <= {id(one), id(other)}
    assert max(sum(item.in_order) for item in kept) == max(sum(one.in_order), sum(other.in_order))
    assert {item.in_order for item in sound_neighbours((other, one), alike=alike)} == {item.in_order for item in kept}
    assert len(sound_neighbours((one, one), alike=alike)) == 2
    assert sound_neighbours((one,), alike=alike) == (one,)


@pytest.mark.parametrize(
    ("lost", "grade"),
    [(-0.1, 0), (0.0, 0), (0.19, 0), (0.2, 1), (0.24, 1), (0.25, 2), (0.4, 2), (0.41, 3), (1.0, 3)],
)
def test_genants_grades(lost: float, grade: int) -> None:
    """20 to 25 % is mild, 25 to 40 % moderate, more severe (Genant 1993); 25 % itself is moderate."""
    assert genant_grade(lost) is GenantGrade(grade)


@given(one=st.floats(-1.0, 1.0), other=st.floats(-1.0, 1.0))
def test_a_greater_loss_has_no_lower_grade(one: float, other: float) -> None:
    """Grades rise with the loss; a loss above all of it, or not known, has none."""
    assert genant_grade(max(one, other)) >= genant_grade(min(one, other))
    for wrong in (1.1, float("nan")):
        with pytest.raises(ValueError, match="collapse"):
            genant_grade(wrong)
