"""Diameters in the axial plane."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.axial_size import AxialSize, axial_size

SHAPE = (4, 9, 9)
masks = arrays.arrays(np.bool_, SHAPE).filter(lambda mask: bool(mask.any()))
spacings = st.tuples(*(st.sampled_from([0.7, 1.0, 2.5]) for _ in range(3)))


def geometry(spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0), *, turn_deg: float = 0.0) -> VolumeGeometry:
    """Axial slices, turned about the patient's long axis."""
    angle = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * np.array(spacing_mm)
    return VolumeGeometry.from_matrix(matrix, shape=SHAPE, frame_of_reference_uid="1.2")


def size(mask: npt.NDArray[np.bool_], grid: VolumeGeometry | None = None) -> tuple[float, float]:
    """Both axes."""
    found = axial_size(CroppedMask.from_array(mask), grid or geometry())
    return found.long_mm, found.short_mm


def test_a_rectangle_has_its_diagonal_and_what_lies_across_it() -> None:
    """8 by 3 mm between centres: the diagonal, and twice the height of the triangle on it."""
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[1, 2:6, 0:9] = True
    diagonal = float(np.hypot(8.0, 3.0))
    assert size(mask) == pytest.approx((diagonal, 2.0 * 8.0 * 3.0 / diagonal))


def test_the_slice_with_the_longest_axis_counts() -> None:
    """A long thin slice goes before a round one; slices are never joined."""
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[0, 2:6, 2:6] = True
    mask[1, 4, 0:8] = True
    assert size(mask) == pytest.approx((7.0, 0.0))


def test_one_voxel_has_no_extent() -> None:
    """Centres are measured, so one voxel has none."""
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[2, 3, 3] = True
    assert axial_size(CroppedMask.from_array(mask), geometry()) == AxialSize(long_mm=0.0, short_mm=0.0)


def test_sagittal_slices_are_measured_across_the_patient() -> None:
    """The plane is the patient's, not the acquisition's: the same body, stored slice by slice from the right."""
    axial = np.zeros((9, 9, 9), dtype=np.bool_)
    axial[4, 2:5, 1:8] = True
    upright = np.eye(4)[:, [2, 1, 0, 3]]
    sagittal = np.eye(4)
    found = [
        axial_size(
            CroppedMask.from_array(mask),
            VolumeGeometry.from_matrix(matrix, shape=(9, 9, 9), frame_of_reference_uid="1.2"),
        )
        for mask, matrix in ((axial, upright), (axial.transpose(2, 1, 0), sagittal))
    ]
    assert found[0] == found[1]


@settings(max_examples=60, deadline=None)
@given(mask=masks, spacing=spacings, factor=st.sampled_from([0.5, 3.0]), turn=st.floats(-30.0, 30.0))
def test_scale_scales_and_a_turn_changes_nothing(
    mask: npt.NDArray[np.bool_], spacing: tuple[float, float, float], factor: float, turn: float
) -> None:
    """Larger voxels give diameters larger by as much; the patient turned about the long axis has the same."""
    plain = size(mask, geometry(spacing))
    z, y, x = (step * factor for step in spacing)
    assert size(mask, geometry((z, y, x))) == pytest.approx([factor * value for value in plain], abs=1e-6)
    assert size(mask, geometry(spacing, turn_deg=turn)) == pytest.approx(plain, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(mask=masks, flips=st.sets(st.sampled_from([0, 1, 2])), spacing=spacings)
def test_a_mirror_changes_nothing_and_the_long_axis_is_the_longer(
    mask: npt.NDArray[np.bool_], flips: set[int], spacing: tuple[float, float, float]
) -> None:
    """Flips of any axis give the same diameters; the extent across is never the longer one."""
    long_mm, short_mm = size(mask, geometry(spacing))
    assert size(np.flip(mask, tuple(flips)), geometry(spacing)) == pytest.approx((long_mm, short_mm), abs=1e-6)
    assert 0.0 <= short_mm <= long_mm + 1e-9


@settings(max_examples=30, deadline=None)
@given(mask=masks)
def test_finer_sampling_of_the_same_region_differs_by_less_than_two_voxels(mask: npt.NDArray[np.bool_]) -> None:
    """Each voxel split in two by two: centres move outwards by a quarter of a voxel at each end."""
    fine = mask.repeat(2, axis=1).repeat(2, axis=2)
    grid = VolumeGeometry.from_matrix(geometry((1.0, 0.5, 0.5)).matrix, shape=fine.shape, frame_of_reference_uid="1.2")
    coarse_long, _ = size(mask)
    fine_long, _ = size(fine, grid)
    assert 0.0 <= fine_long - coarse_long <= 0.75
