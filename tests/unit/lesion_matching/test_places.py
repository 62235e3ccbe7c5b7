"""Masks of the earlier scan in the present one's frame: where the field says, on whatever grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.lesion_matching.places import centroid, mapped_mask, share_within, voxel_places

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """The earlier scan lies `by` millimetres further."""

    by: tuple[float, float, float]

    def apply(self, points_mm: npt.ArrayLike) -> FloatArray:
        return np.asarray(np.asarray(points_mm, dtype=np.float64) + np.array(self.by))

    def apply_inverse(self, points_mm: npt.ArrayLike) -> FloatArray:
        return np.asarray(np.asarray(points_mm, dtype=np.float64) - np.array(self.by))


def grid(spacing: float, *, size: int = 30, origin: float = 0.0) -> VolumeGeometry:
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]] = spacing
    matrix[:3, 3], matrix[3, 3] = origin, 1.0
    return VolumeGeometry.from_matrix(matrix, shape=(size, size, size), frame_of_reference_uid="1.2")


def box(first: tuple[int, int, int], size: tuple[int, int, int], *, shape: int = 30) -> CroppedMask:
    return CroppedMask(grid_shape=(shape,) * 3, origin=first, values=np.ones(size, dtype=np.bool_))


steps = st.integers(-6, 6)


@given(by=st.tuples(steps, steps, steps))
@settings(max_examples=25, deadline=None)
def test_a_shift_by_whole_voxels_moves_the_very_voxels(by: tuple[int, int, int]) -> None:
    """On one grid, a mask that is moved by whole voxels keeps its form and lies where the field says."""
    x, y, z = by
    mask, geometry = box((12, 11, 10), (3, 4, 5)), grid(2.0)
    found = mapped_mask(mask, Shift(by=(2.0 * x, 2.0 * y, 2.0 * z)), source=geometry, target=geometry)
    assert found is not None
    expected = box((12 - z, 11 - y, 10 - x), (3, 4, 5))
    np.testing.assert_array_equal(found.to_array(), expected.to_array())


def test_a_finer_grid_keeps_the_volume() -> None:
    """A lesion of 4 mm voxels on a grid of 2 mm has its volume, to the corners that linear sampling rounds off."""
    mask, coarse, fine = box((5, 5, 5), (4, 4, 4)), grid(4.0), grid(2.0, size=60, origin=-1.0)
    found = mapped_mask(mask, Shift(by=(0.0, 0.0, 0.0)), source=coarse, target=fine)
    assert found is not None
    volume_ml, expected_ml = found.voxel_count * fine.voxel_volume_ml, mask.voxel_count * coarse.voxel_volume_ml
    assert expected_ml - 8 * fine.voxel_volume_ml <= volume_ml <= expected_ml


def test_a_lesion_smaller_than_a_voxel_is_not_lost() -> None:
    """A single voxel of 1 mm falls between the centres of an 8 mm grid and keeps the nearest of them."""
    mask = box((13, 13, 13), (1, 1, 1))
    found = mapped_mask(mask, Shift(by=(0.0, 0.0, 0.0)), source=grid(1.0), target=grid(8.0, size=5))
    assert found is not None
    assert (found.voxel_count, found.origin) == (1, (1, 1, 1)) or found.to_array()[2, 2, 2]


def test_a_lesion_beyond_the_field_has_no_mask() -> None:
    """What lies beside the present scan's grid is not cut to its edge: there is no mask."""
    geometry = grid(2.0)
    far = Shift(by=(400.0, 0.0, 0.0))
    assert mapped_mask(box((5, 5, 5), (3, 3, 3)), far, source=geometry, target=geometry) is None


def test_a_place_that_is_not_known_is_not_shown() -> None:
    """NaN, which the way back of a field may give, counts as outside; half inside is half."""
    geometry = grid(2.0)
    places = np.array([[10.0, 10.0, 10.0], [np.nan] * 3])
    assert share_within(places, geometry) == 0.5
    assert share_within(np.empty((0, 3)), geometry) == 0.0


def test_the_middle_of_a_box_is_its_centre() -> None:
    """Positions are (x, y, z), the array is (slice, row, column)."""
    assert centroid(voxel_places(box((1, 2, 3), (1, 1, 3)), grid(2.0))) == (8.0, 4.0, 2.0)
    with pytest.raises(ValueError, match="no middle"):
        centroid(np.empty((0, 3)))
