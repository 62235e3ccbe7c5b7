"""Solids and grids: depth, volume, filters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bmnode.testing.patients.grid import Grid, double_resolution, gaussian_blur
from bmnode.testing.patients.solids import Capsule, Cylinder, Ellipsoid, Plate, Solid, Within, Without

_GRID = Grid.axial((81, 81, 81), spacing_mm=(1.0, 1.0, 1.0), bottom_mm=-40.0, center_y_mm=0.0)
_BALL = Ellipsoid(center=(0, 0, 0), radii=(20, 20, 20))
_BALL_VOLUME = 4 / 3 * math.pi * 20**3


@pytest.mark.parametrize(
    ("solid", "volume_mm3"),
    [
        (_BALL, _BALL_VOLUME),
        (Ellipsoid(center=(3, -2, 5), radii=(10, 15, 25)), 4 / 3 * math.pi * 10 * 15 * 25),
        (Cylinder(center=(0, 0, 0.2), radius_x=24, radius_y=17, half_height=13.5), math.pi * 24 * 17 * 27),
        (
            Capsule(start=(-15, 0, 0), end=(15, 5, 10), radius_start=8, radius_end=8),
            math.pi * 64 * math.dist((-15, 0, 0), (15, 5, 10)) + 4 / 3 * math.pi * 512,
        ),
        (
            Plate(center=(0, 0, 0), u=(1, 1, 0), w=(0, 0, 1), half_length_u=30, half_length_w=25, half_thickness=6),
            4 / 3 * math.pi * 30 * 25 * 6,
        ),
        (
            Without(solid=_BALL, removed=(Ellipsoid(center=(0, 0, 0), radii=(10, 10, 10)),)),
            _BALL_VOLUME * (1 - 0.5**3),
        ),
        (
            Within(solids=(_BALL, Ellipsoid(center=(0, 0, 0), radii=(10, 10, 10)))),
            _BALL_VOLUME * 0.5**3,
        ),
    ],
)
def test_solids_fill_their_analytic_volume_inside_their_bounds(solid: Solid, volume_mm3: float) -> None:
    """What lies inside a solid has its textbook volume, and nothing of it leaves the bounds."""
    at = _GRID.coordinates()
    inside = solid.depth(at) > 0
    assert inside.sum() == pytest.approx(volume_mm3, rel=0.02)
    lower, upper = solid.bounds
    for axis, (low, high) in enumerate(zip(lower, upper, strict=True)):
        centres = (at.x, at.y, at.z)[axis].ravel()
        used = centres[inside.any(axis=tuple(a for a in range(3) if a != 2 - axis))]
        assert low - 1e-3 <= used.min()
        assert used.max() <= high + 1e-3


def test_depth_is_the_distance_to_the_surface_of_a_ball() -> None:
    """Depth in a ball is its radius less the distance from the centre, inside and outside."""
    at = _GRID.coordinates()
    distance = np.sqrt(at.x**2 + at.y**2 + at.z**2)
    assert np.allclose(_BALL.depth(at), 20 - distance, atol=1e-2)


def test_a_grid_is_where_its_geometry_says() -> None:
    """The coordinates used for painting are those of the affine that goes into the headers."""
    grid = Grid.axial((4, 5, 6), spacing_mm=(3.0, 2.0, 1.5), bottom_mm=-7.0, center_y_mm=10.0)
    at = grid.coordinates()
    geometry = grid.geometry("1.2.3")
    for index in ((0, 0, 0), (3, 4, 5), (1, 2, 3)):
        painted = (at.x[0, 0, index[2]], at.y[0, index[1], 0], at.z[index[0], 0, 0])
        assert geometry.position_lps(index) == pytest.approx(painted)
    assert geometry.position_lps((2, 0, 0)) == pytest.approx(grid.slice_position(2))
    assert geometry.voxel_volume_ml == pytest.approx(grid.voxel_volume_ml)


def test_blur_spreads_a_point_to_its_full_width_at_half_maximum() -> None:
    """A blurred point keeps its sum and falls to half its peak at half the FWHM."""
    image = np.zeros((1, 1, 101), dtype=np.float32)
    image[0, 0, 50] = 1.0
    profile = gaussian_blur(image, fwhm=(0.0, 0.0, 12.0))[0, 0]
    assert profile.sum() == pytest.approx(1.0, abs=1e-5)
    assert profile[56] / profile[50] == pytest.approx(0.5, abs=0.01)


def test_doubling_the_resolution_keeps_counts_and_centroid() -> None:
    """A pixel split in four keeps its counts and its place."""
    image = np.zeros((9, 7))
    image[3, 4] = 8.0
    fine = double_resolution(image)
    rows, columns = np.indices(fine.shape)
    assert fine.shape == (18, 14)
    assert fine.sum() == pytest.approx(8.0)
    assert (fine * rows).sum() / fine.sum() == pytest.approx(3 * 2 + 0.5)
    assert (fine * columns).sum() / fine.sum() == pytest.approx(4 * 2 + 0.5)


def test_a_box_outside_the_grid_is_none() -> None:
    """A bone beyond the field of view takes part in nothing."""
    assert _GRID.box((200.0, 0.0, 0.0), (210.0, 1.0, 1.0)) is None
