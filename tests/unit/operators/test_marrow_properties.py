"""Marrow candidates: what they must not depend on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.marrow import find_marrow_candidates
from pipelines.mri.branch import profile

FEW = settings(max_examples=10, deadline=None)
SHAPE, SPACING_MM = (40, 20, 20), (3.0, 3.0, 3.0)
Array = npt.NDArray[np.float32]


def geometry(order: tuple[int, ...] = (0, 1, 2), flips: frozenset[int] = frozenset()) -> VolumeGeometry:
    """A grid whose slices, rows and columns run up, to the back and to the left; or in another order and direction."""
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]], matrix[3, 3] = SPACING_MM, 1.0
    for axis in flips:
        matrix[:3, 3] += matrix[:3, axis] * (SHAPE[axis] - 1)
        matrix[:3, axis] *= -1.0
    matrix[:3, :3] = matrix[:3, list(order)]
    shape = (SHAPE[order[0]], SHAPE[order[1]], SHAPE[order[2]])
    return VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid="1.2.3")


def spine(seed: int) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """ADC and high b-value signal with two lesions of 45 and 36 mm in a column of fatty marrow, and the column."""
    random = np.random.default_rng(seed)
    z, y, x = np.indices(SHAPE) * 3.0
    region = np.hypot(y - 30.0, x - 30.0) <= 18.0
    lesion = region & (np.hypot(np.hypot((z - 30.0) / 1.5, y - 28.0), x - 33.0) <= 15.0)
    lesion |= region & (np.hypot(np.hypot((z - 90.0) / 1.2, y - 34.0), x - 27.0) <= 15.0)
    adc = np.where(lesion, 1000.0, 400.0) + random.normal(scale=40.0, size=SHAPE)
    high_b = np.where(lesion, 300.0, 100.0) + random.normal(scale=5.0, size=SHAPE)
    return adc.astype(np.float32), high_b.astype(np.float32), region


def found(adc: Array, high_b: Array | None, region: npt.NDArray[np.bool_], grid: VolumeGeometry) -> list[CroppedMask]:
    """The candidates with the branch's thresholds, in the order of their first voxel."""
    limits = profile().marrow
    return sorted(find_marrow_candidates(adc, region, grid, limits=limits, high_b=high_b), key=lambda item: item.origin)


def union(masks: list[CroppedMask], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """All candidates together."""
    whole = np.zeros(shape, dtype=np.bool_)
    for mask in masks:
        whole |= mask.to_array()
    return whole


@FEW
@given(
    seed=st.integers(0, 20),
    order=st.permutations((0, 1, 2)),
    flips=st.frozensets(st.sampled_from([0, 1, 2])),
    with_high_b=st.booleans(),
)
def test_however_the_map_is_stored_the_same_voxels_are_meant(
    seed: int, order: list[int], flips: frozenset[int], *, with_high_b: bool
) -> None:
    """Axial, coronal or sagittal, from either end: as many candidates, of the same voxels."""
    adc, high_b, region = spine(seed)
    plain = found(adc, high_b if with_high_b else None, region, geometry())
    turned_adc, turned_b = (
        np.ascontiguousarray(np.flip(item, tuple(flips)).transpose(order)) for item in (adc, high_b)
    )
    turned_region = np.ascontiguousarray(np.flip(region, tuple(flips)).transpose(order))
    grid = geometry(tuple(order), flips)
    turned = found(turned_adc, turned_b if with_high_b else None, turned_region, grid)
    assert len(turned) == len(plain) == 2
    expected = np.flip(union(plain, SHAPE), tuple(flips)).transpose(order)
    assert np.mean(union(turned, expected.shape)[expected]) > 0.99
    assert np.count_nonzero(union(turned, expected.shape)) == pytest.approx(np.count_nonzero(expected), rel=0.01)


@FEW
@given(seed=st.integers(0, 20), factor=st.floats(0.01, 1000.0))
def test_the_scanners_scale_of_the_signal_changes_nothing(seed: int, factor: float) -> None:
    """Signal has no unit: only its ratio to the region's median counts."""
    adc, high_b, region = spine(seed)
    one, other = (
        union(found(adc, (high_b * scale).astype(np.float32), region, geometry()), SHAPE) for scale in (1.0, factor)
    )
    assert np.mean(one == other) > 0.9999


@FEW
@given(seed=st.integers(0, 20), axis=st.sampled_from([0, 1, 2]))
def test_finer_sampling_keeps_the_volume(seed: int, axis: int) -> None:
    """Every voxel twice along an axis: the same candidates, of nearly the same volume."""
    adc, _, region = spine(seed)
    plain = geometry()
    matrix = plain.matrix
    matrix[:3, 3] -= matrix[:3, axis] / 4.0
    matrix[:3, axis] /= 2.0
    size = [2 * count if number == axis else count for number, count in enumerate(SHAPE)]
    fine = VolumeGeometry.from_matrix(matrix, shape=(size[0], size[1], size[2]), frame_of_reference_uid="1.2.3")
    coarse = found(adc, None, region, plain)
    finer = found(np.repeat(adc, 2, axis=axis), None, np.repeat(region, 2, axis=axis), fine)
    assert len(finer) == len(coarse)
    volumes = [sum(mask.voxel_count for mask in masks) for masks in (coarse, finer)]
    assert volumes[1] / 2.0 == pytest.approx(volumes[0], rel=0.05)
