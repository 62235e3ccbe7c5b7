"""The diameter of a long bone's shaft, whatever its grid, place and tilt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import BoolArray
from operators.kernels.morphology import Spacing
from operators.kernels.stability.shaft import ShaftLimits, shaft_diameter_mm

LIMITS = ShaftLimits(end_mm=25.0, length_mm=100.0, roundness=0.7, thinnest_mm=15.0, thickest_mm=45.0)


def femur(
    *,
    diameter_mm: float = 28.0,
    spacing_mm: Spacing = (3.0, 2.0, 2.0),
    length_mm: float = 240.0,
    lean: float = 0.0,
) -> BoolArray:
    """A shaft that leaves the field below, with a thick head above; `lean` is the sideways run a millimetre up."""
    shape = tuple(round(size / step) for size, step in zip((length_mm, 100.0, 160.0), spacing_mm, strict=True))
    z, y, x = (np.indices(shape).transpose(1, 2, 3, 0) * np.asarray(spacing_mm)).transpose(3, 0, 1, 2)
    beside = x - 60.0 - lean * z
    shaft = np.hypot(y - 50.0, beside / np.hypot(1.0, lean)) <= diameter_mm / 2.0
    head = (z - (length_mm - 40.0)) ** 2 + (y - 50.0) ** 2 + beside**2 <= 24.0**2
    bone: BoolArray = (shaft & (z < length_mm - 40.0)) | head
    return bone


def diameter(bone: BoolArray, spacing_mm: Spacing = (3.0, 2.0, 2.0)) -> float:
    """The diameter, where there must be one."""
    found = shaft_diameter_mm(bone, spacing_mm=spacing_mm, limits=LIMITS)
    assert found is not None
    return found


@settings(max_examples=15)
@given(
    diameter_mm=st.floats(18.0, 40.0),
    step=st.sampled_from([1.5, 2.0, 2.5]),
    slice_mm=st.sampled_from([1.5, 3.0, 5.0]),
    lean=st.floats(-0.2, 0.2),
)
def test_the_diameter_does_not_depend_on_grid_or_tilt(
    diameter_mm: float, step: float, slice_mm: float, lean: float
) -> None:
    """Scaled, resampled or oblique: the shaft's own diameter within 4 % or a pixel."""
    spacing = (slice_mm, step, step)
    found = diameter(femur(diameter_mm=diameter_mm, spacing_mm=spacing, lean=lean), spacing)
    assert found == pytest.approx(diameter_mm, rel=0.04, abs=step)


def test_flips_and_quarter_turns_change_nothing() -> None:
    """Side, front and back, and a turn about the patient's axis."""
    bone = femur()
    straight = diameter(bone)
    assert diameter(bone[:, ::-1, ::-1]) == pytest.approx(straight, abs=1e-9)
    assert diameter(np.rot90(bone, axes=(1, 2)).copy()) == pytest.approx(straight, abs=1e-9)


@pytest.mark.parametrize(
    "bone",
    [
        femur(length_mm=120.0),
        femur(lean=2.0),
        femur(diameter_mm=9.0)[:60],
        femur(diameter_mm=60.0)[:60],
        np.zeros((50, 20, 20), dtype=np.bool_),
    ],
    ids=["short", "across the slices", "too thin", "too thick", "none"],
)
def test_what_is_no_shaft_has_no_diameter(bone: BoolArray) -> None:
    """Too short a piece, a bone along the slices, and what is no long bone's size are not evaluable."""
    assert shaft_diameter_mm(bone, spacing_mm=(3.0, 2.0, 2.0), limits=LIMITS) is None


def test_a_bone_that_the_field_cuts_sideways_is_no_measure() -> None:
    """Half a shaft at the image's border would look thin."""
    assert shaft_diameter_mm(femur()[:, :, 30:], spacing_mm=(3.0, 2.0, 2.0), limits=LIMITS) is None


def test_limits_out_of_order_are_refused() -> None:
    """A shaft thicker than it may be has no meaning."""
    with pytest.raises(ValueError, match="in order"):
        ShaftLimits(end_mm=25.0, length_mm=100.0, roundness=0.7, thinnest_mm=45.0, thickest_mm=15.0)
