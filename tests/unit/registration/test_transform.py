"""Rigid transforms: the reference cases R-1 and R-2, and the rules of a group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.registration import se3
from operators.kernels.registration.transform import RigidTransform

FloatArray = npt.NDArray[np.float64]
POINTS = np.array([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0], [-30.0, 250.0, 900.0], [1.0, -2.0, 3.0]])


def between(twist: npt.ArrayLike, *, from_frame: str = "1.2.1", to_frame: str = "1.2.2") -> RigidTransform:
    """The exponential of a twist, from current to prior unless said otherwise."""
    return RigidTransform.from_twist(twist, from_frame=from_frame, to_frame=to_frame)


@st.composite
def twists(draw: st.DrawFn) -> FloatArray:
    """Rotations of less than half a turn about any axis, and shifts of up to half a metre; small ones too."""
    axis = np.array([draw(st.floats(-1.0, 1.0)) for _ in range(3)]) + np.array([1e-3, 0.0, 0.0])
    angle = draw(st.sampled_from([0.0, 1e-9, 1e-5, 1e-4, 0.2, 1.5, 3.1])) * draw(st.floats(0.0, 1.0))
    velocity = [draw(st.floats(-500.0, 500.0)) for _ in range(3)]
    return np.concatenate([axis / np.linalg.norm(axis) * angle, velocity])


def test_r1_rotation_about_z_and_shift() -> None:
    """Rz(10 degrees) and (5, -3, 12) take (100, 0, 0) to (103.480775, 14.364818, 12.0)."""
    turn = np.radians(10.0)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    matrix[:3, 3] = (5.0, -3.0, 12.0)
    found = RigidTransform.from_matrix(matrix, from_frame="1", to_frame="2").apply((100.0, 0.0, 0.0))
    assert found == pytest.approx([103.480775, 14.364818, 12.0], abs=1e-6)


@pytest.mark.parametrize(("distance_mm", "error_mm"), [(50.0, 1.74524), (100.0, 3.49048)])
def test_r2_an_angle_that_is_left_grows_with_distance(distance_mm: float, error_mm: float) -> None:
    """Two degrees too few are 1.74524 mm at 50 mm from the axis and 3.49048 mm at 100 mm, as chords."""
    left = between([0.0, 0.0, np.radians(2.0), 0.0, 0.0, 0.0])
    point = np.array([distance_mm, 0.0, 0.0])
    assert float(np.linalg.norm(left.apply(point) - point)) == pytest.approx(error_mm, abs=1e-5)


@settings(deadline=None)
@given(twists())
def test_there_and_back_is_nowhere(twist: FloatArray) -> None:
    """The inverse undoes the transform and swaps the frames."""
    forth = between(twist)
    back = forth.inverse()
    assert (back.from_frame, back.to_frame) == (forth.to_frame, forth.from_frame)
    assert back.apply(forth.apply(POINTS)) == pytest.approx(POINTS, abs=1e-8)
    assert back.after(forth).matrix == pytest.approx(np.eye(4), abs=1e-8)


@settings(deadline=None)
@given(twists())
def test_logarithm_undoes_exponential(twist: FloatArray) -> None:
    """Every rotation below half a turn comes back as its own twist, tiny ones with all their digits."""
    assert between(twist).twist == pytest.approx(twist, rel=1e-6, abs=1e-7)


@settings(deadline=None)
@given(twists(), twists())
def test_one_after_the_other_is_their_product(first: FloatArray, second: FloatArray) -> None:
    """`after` applies the first transform first, and distances stay."""
    one, two = between(first), between(second, from_frame="1.2.2", to_frame="1.2.3")
    both = two.after(one)
    assert (both.from_frame, both.to_frame) == ("1.2.1", "1.2.3")
    assert both.apply(POINTS) == pytest.approx(two.apply(one.apply(POINTS)), abs=1e-8)
    gaps = np.linalg.norm(POINTS[:, None] - POINTS[None], axis=-1)
    moved = both.apply(POINTS)
    assert np.linalg.norm(moved[:, None] - moved[None], axis=-1) == pytest.approx(gaps, abs=1e-8)


@settings(deadline=None)
@given(twists(), st.floats(0.0, 1.0))
def test_half_a_twist_twice_is_the_whole(twist: FloatArray, share: float) -> None:
    """Along one twist motions add up: what makes their blend a rigid motion where all weights but one are zero."""
    parts = se3.exp(np.stack([share * twist, (1.0 - share) * twist]))
    assert parts[0] @ parts[1] == pytest.approx(se3.exp(twist), abs=1e-8)


def test_frames_must_meet() -> None:
    """Two transforms that do not meet in a frame are not put together, however plausible the numbers."""
    one = between(np.zeros(6))
    with pytest.raises(ValueError, match="does not end where"):
        one.after(one)
    with pytest.raises(ValueError, match="from which frame"):
        RigidTransform.identity(from_frame="", to_frame="1")


@pytest.mark.parametrize("matrix", [np.diag([-1.0, 1, 1, 1]), np.diag([1.01, 1, 1, 1]), np.full((4, 4), np.nan)])
def test_what_is_not_rigid_is_refused(matrix: FloatArray) -> None:
    """A mirror, a scale or no number at all never becomes a rigid transform."""
    with pytest.raises(ValueError, match="rigid transform"):
        RigidTransform.from_matrix(matrix, from_frame="1", to_frame="2")
