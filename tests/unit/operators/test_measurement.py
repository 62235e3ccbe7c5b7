"""Regional measurements against the worked cases of the clinical reference, section 4.4."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.components import components
from operators.kernels.measurement import long_axis_mm, peak, sphere_offsets, statistics, volume_ml
from operators.kernels.morphology import dilate, erode, fill_slices, open_parts
from operators.kernels.orientation import PatientAxes
from operators.kernels.uptake import UptakeLimits, find_uptake
from tests.unit.operators.series import geometry_of

Array = npt.NDArray[np.float64]


def isotropic(shape: tuple[int, int, int], step_mm: float) -> VolumeGeometry:
    """A cubic grid."""
    return geometry_of(shape, spacing_mm=(step_mm, step_mm, step_mm))


def ball(radius_mm: float, step_mm: float) -> npt.NDArray[np.bool_]:
    """A voxelised sphere centred on a voxel, with two voxels of air around it."""
    reach = int(radius_mm / step_mm) + 2
    axis = np.arange(-reach, reach + 1) * step_mm
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    inside: npt.NDArray[np.bool_] = z**2 + y**2 + x**2 <= radius_mm**2
    return inside


def gaussian() -> tuple[Array, VolumeGeometry]:
    """FWHM 20 mm, maximum 10, 1 mm grid of +-40 mm."""
    axis = np.arange(-40, 41, dtype=np.float64)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    sigma = 20.0 / 2.3548  # the rounded factor that the reference values were made with
    return 10.0 * np.exp(-(z**2 + y**2 + x**2) / (2.0 * sigma**2)), isotropic((81, 81, 81), 1.0)


@pytest.mark.parametrize(
    ("spacing_mm", "count"),
    [
        ((1.0, 1.0, 1.0), 1021),
        ((2.0, 2.0, 2.0), 123),
        ((4.0, 4.0, 4.0), 19),
        ((3.0, 4.07283, 4.07283), 21),
        ((5.0, 4.07283, 4.07283), 11),
        ((3.0, 2.0364, 2.0364), 73),
    ],
)
def test_voxels_in_the_peak_sphere(spacing_mm: tuple[float, float, float], count: int) -> None:
    """The 1 ml sphere holds the voxels that the reference counts."""
    assert len(sphere_offsets(geometry_of((3, 3, 3), spacing_mm=spacing_mm))) == count


def test_the_12_mm_sphere_is_another_one() -> None:
    """On the grid where the 1 ml sphere has 73 voxels, one of 6.0 mm has 69."""
    geometry = geometry_of((3, 3, 3), spacing_mm=(3.0, 2.0364, 2.0364))
    assert len(sphere_offsets(geometry, radius_mm=6.0)) == 69


@pytest.mark.parametrize(
    ("radius_mm", "step_mm", "voxels", "millilitres"),
    [(10.0, 2.0, 515, 4.120), (10.0, 1.0, 4169, 4.169), (15.0, 2.0, 1791, 14.328), (15.0, 4.0, 251, 16.064)],
)
def test_voxelised_spheres(radius_mm: float, step_mm: float, voxels: int, millilitres: float) -> None:
    """Volume is voxel count times voxel volume."""
    mask = ball(radius_mm, step_mm)
    region = CroppedMask.from_array(mask)
    geometry = isotropic((mask.shape[0],) * 3, step_mm)
    assert region.voxel_count == voxels
    assert volume_ml(region, geometry) == pytest.approx(millilitres)
    assert long_axis_mm(region, geometry) == pytest.approx(2.0 * radius_mm, abs=step_mm)


@pytest.mark.parametrize(
    ("limits", "millilitres", "glycolysis"),
    [
        (UptakeLimits(seed=4.0, floor=4.0, fraction=0.41, minimum_ml=0.0), 6.043, 36.52226),
        (UptakeLimits(seed=4.0, floor=4.0, fraction=0.0, minimum_ml=0.0), 6.403, 37.98236),
        (UptakeLimits(seed=3.0, floor=3.0, fraction=0.0, minimum_ml=0.0), 9.627, 49.11487),
        (UptakeLimits(seed=4.0, floor=4.0, fraction=0.5, minimum_ml=0.0), 4.169, None),
    ],
)
def test_thresholds_on_a_gaussian(limits: UptakeLimits, millilitres: float, glycolysis: float | None) -> None:
    """41 %, 50 % and fixed thresholds give the reference's volumes, means and glycolysis."""
    array, geometry = gaussian()
    (region,) = find_uptake(array, None, geometry, limits=limits)
    size = volume_ml(region, geometry)
    assert size == pytest.approx(millilitres)
    if glycolysis is not None:
        assert statistics(array, region).mean * size == pytest.approx(glycolysis, rel=1e-6)


def test_peak_of_a_gaussian() -> None:
    """The 1 ml mean around the maximum; local and best agree on a symmetric spot."""
    array, geometry = gaussian()
    found = peak(array, CroppedMask.from_array(array >= 4.1), geometry)
    assert found.best == pytest.approx(8.523866, rel=1e-6)
    assert found.local == pytest.approx(found.best)


def test_peak_takes_what_lies_outside_the_region_and_not_what_lies_off_the_grid() -> None:
    """A hot voxel in a corner of a constant image has the mean of the part of the sphere that exists."""
    array = np.full((9, 9, 9), 2.0)
    geometry = isotropic((9, 9, 9), 2.0)
    mask = np.zeros((9, 9, 9), dtype=np.bool_)
    mask[0, 0, 0] = True
    assert peak(array, CroppedMask.from_array(mask), geometry).best == pytest.approx(2.0)


def test_the_best_peak_may_lie_away_from_the_hottest_voxel() -> None:
    """A single noisy voxel holds the local peak, a broad plateau the best one."""
    array = np.ones((21, 21, 41))
    array[5:16, 5:16, 25:36] = 5.0
    array[10, 10, 6] = 9.0
    mask = array > 4.0
    mask[10, 10, 6:26] = True
    found = peak(array, CroppedMask.from_array(mask), isotropic((21, 21, 41), 2.0))
    assert found.local < 2.0
    assert found.best == pytest.approx(5.0)


def test_statistics_are_of_the_mask_alone() -> None:
    """Mean, maximum, minimum, median and population deviation."""
    array = np.arange(27, dtype=np.float64).reshape(3, 3, 3)
    mask = np.zeros((3, 3, 3), dtype=np.bool_)
    mask[1, 1] = True
    values = statistics(array, CroppedMask.from_array(mask))
    assert (values.mean, values.maximum, values.minimum, values.median) == (13.0, 14.0, 12.0, 13.0)
    assert values.standard_deviation == pytest.approx(np.sqrt(2.0 / 3.0))


def test_equal_maxima_give_the_highest_local_peak() -> None:
    """Of several hottest voxels the one with the highest mean around it counts, so that a flip changes nothing."""
    array = np.ones((9, 9, 40))
    array[4, 4, 5] = array[4, 4, 30] = 9.0
    array[3:6, 3:6, 29:32] = np.maximum(array[3:6, 3:6, 29:32], 6.0)
    geometry = isotropic((9, 9, 40), 2.0)
    forward = peak(array, CroppedMask.from_array(array == 9.0), geometry)
    backward = peak(array[:, :, ::-1], CroppedMask.from_array(array[:, :, ::-1] == 9.0), geometry)
    assert forward.local == pytest.approx(backward.local)
    assert forward.local == pytest.approx(forward.best)


@pytest.mark.parametrize("count", [1, 2, 90])
def test_a_straight_region_has_the_length_between_its_ends(count: int) -> None:
    """One voxel, two, and a line longer than the hull's threshold."""
    mask = np.zeros((3, 3, 100), dtype=np.bool_)
    mask[1, 1, 4 : 4 + count] = True
    geometry = geometry_of((3, 3, 100), spacing_mm=(3.0, 2.0, 1.5))
    assert long_axis_mm(CroppedMask.from_array(mask), geometry) == pytest.approx(1.5 * (count - 1))


def test_a_flat_region_has_its_diagonal() -> None:
    """A plate of one slice, too flat for a hull in three dimensions."""
    mask = np.zeros((3, 30, 40), dtype=np.bool_)
    mask[1, 2:28, 3:38] = True
    geometry = geometry_of((3, 30, 40), spacing_mm=(3.0, 2.0, 1.0))
    assert long_axis_mm(CroppedMask.from_array(mask), geometry) == pytest.approx(np.hypot(25 * 2.0, 34 * 1.0))


def test_corner_contact_makes_two_components() -> None:
    """18-connectivity: edges join, corners do not."""
    mask = np.zeros((4, 4, 4), dtype=np.bool_)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert len(list(components(mask))) == 2
    mask[0, 1, 1] = True
    assert len(list(components(mask))) == 1


def test_a_hotter_uptake_takes_what_it_reaches() -> None:
    """Where the isocontour falls under the seed level, the region grows into its surroundings but never overlaps."""
    array = np.ones((3, 3, 40))
    array[1, 1, 5:15] = 5.0
    array[1, 1, 9] = 10.0
    array[1, 1, 12] = 8.0
    array[1, 1, 30] = 9.0
    regions = find_uptake(
        array,
        None,
        isotropic((3, 3, 40), 2.0),
        limits=UptakeLimits(seed=8.0, floor=3.0, fraction=0.4, minimum_ml=0.0),
    )
    assert [region.voxel_count for region in regions] == [10, 1]


bools = arrays.arrays(np.bool_, (5, 6, 7))


@given(mask=bools, radius=st.floats(0.5, 6.0))
def test_opening_stays_inside_and_dilation_outside(mask: npt.NDArray[np.bool_], radius: float) -> None:
    """Erosion is within the mask, the mask within its dilation, and an opening within the mask."""
    spacing = (3.0, 2.0, 1.0)
    assert not (erode(mask, radius_mm=radius, spacing_mm=spacing) & ~mask).any()
    assert not (mask & ~dilate(mask, radius_mm=radius, spacing_mm=spacing)).any()
    assert not (open_parts(mask, radius_mm=radius, spacing_mm=spacing) & ~mask).any()


@given(mask=bools)
def test_shifts_and_distance_transform_dilate_alike(mask: npt.NDArray[np.bool_]) -> None:
    """The fast path for small balls and the one for large balls give the same voxels."""
    spacing = (1.0, 1.0, 1.0)
    direct = np.zeros_like(mask)
    for k, j, i in np.argwhere(mask):
        z, y, x = np.indices(mask.shape)
        direct |= (z - k) ** 2 + (y - j) ** 2 + (x - i) ** 2 <= 9.0 + 1e-9
    assert (dilate(mask, radius_mm=3.0, spacing_mm=spacing) == direct).all()
    assert (dilate(mask, radius_mm=4.0, spacing_mm=(1.0, 1.0, 1.0)) >= direct).all()


@given(mask=bools)
def test_filling_adds_only_enclosed_voxels(mask: npt.NDArray[np.bool_]) -> None:
    """Nothing on a slice's border is filled, and nothing is lost."""
    filled = fill_slices(mask)
    assert not (mask & ~filled).any()
    border = np.ones(mask.shape, dtype=np.bool_)
    border[:, 1:-1, 1:-1] = False
    assert (filled[border] == mask[border]).all()


@given(
    order=st.permutations([0, 1, 2]),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    array=arrays.arrays(np.float64, (3, 4, 5), elements=st.floats(-1.0, 1.0)),
)
def test_turning_to_the_patient_and_back_is_the_identity(
    order: list[int], signs: tuple[float, ...], array: Array
) -> None:
    """Whatever the acquisition's axes and directions, +z, +y and +x run along the turned array."""
    matrix = np.zeros((4, 4))
    for axis, (patient_axis, sign) in enumerate(zip(order, signs, strict=True)):
        matrix[patient_axis, axis] = sign * (axis + 1.0)
    matrix[3, 3] = 1.0
    geometry = VolumeGeometry.from_matrix(matrix, shape=(3, 4, 5), frame_of_reference_uid="1.2")
    axes = PatientAxes.from_geometry(geometry)
    assert (axes.turn_back(axes.turn(array)) == array).all()
    heights = np.array([[[geometry.position_lps((k, j, i))[2] for i in range(5)] for j in range(4)] for k in range(3)])
    assert (np.diff(axes.turn(heights), axis=0) > 0).all()
