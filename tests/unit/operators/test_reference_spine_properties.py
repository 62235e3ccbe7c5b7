"""What the normal spine of a SPECT must not depend on: how the image is stored, its sampling, its place, other bone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import BoolArray, VolumeGeometry
from operators.kernels.coarse_ct import CoarseCt
from operators.kernels.reference_spine import vertebral_bodies

CT_SHAPE = (40, 60, 70)
CT_STEP_MM = 4.0
AHEAD_MM, RADIUS_MM = 26.0, 18.0
EXTENT_MM = (180.0, 220.0, 260.0)
steps = st.sampled_from([3.0, 4.4, 5.0])
orders = st.permutations([0, 1, 2])
flips = st.tuples(st.booleans(), st.booleans(), st.booleans())


def ct(*, lean: float, offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> CoarseCt:
    """Blocks with a canal that leans `lean` mm to the left for each mm towards the head; all else is not read."""
    z, y, x = (np.arange(size) * CT_STEP_MM for size in CT_SHAPE)
    middle = 136.0 + lean * (z - 80.0)
    canal: BoolArray = ((y[None, :, None] - 160.0) ** 2 + (x[None, None, :] - middle[:, None, None]) ** 2) <= 8.0**2
    matrix = np.zeros((4, 4))
    matrix[2, 0] = matrix[1, 1] = matrix[0, 2] = CT_STEP_MM
    matrix[:3, 3] = offset_mm
    matrix[3, 3] = 1.0
    nothing = np.zeros(CT_SHAPE, dtype=np.bool_)
    return CoarseCt(
        hu=np.zeros(CT_SHAPE, dtype=np.float32),
        bone=nothing,
        canal=canal,
        lung=nothing,
        spacing_mm=(CT_STEP_MM,) * 3,
        matrix=matrix,
    )


def emission(
    spacing_mm: tuple[float, float, float], *, order: list[int], turned: tuple[bool, bool, bool]
) -> VolumeGeometry:
    """A grid over the CT's field, whose axes run along z, y and x in some order, each forwards or backwards."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    shape = [0, 0, 0]
    for axis, place in enumerate(order):
        step = spacing_mm[place]
        count = int(EXTENT_MM[place] / step)
        patient = (2, 1, 0)[place]
        shape[axis] = count
        matrix[patient, axis] = -step if turned[place] else step
        matrix[patient, 3] = (count - 1) * step if turned[place] else 0.0
    return VolumeGeometry.from_matrix(matrix, shape=(shape[0], shape[1], shape[2]), frame_of_reference_uid="1.2.3")


def places(bodies: BoolArray | None, grid: VolumeGeometry) -> npt.NDArray[np.float64]:
    """Centres of the voxels (LPS, mm), sorted."""
    assert bodies is not None
    found = np.argwhere(bodies) @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]
    return np.asarray(found[np.lexsort(np.round(found, 3).T)])


def bodies_of(grid: VolumeGeometry, blocks: CoarseCt) -> BoolArray | None:
    """Where all is bone."""
    bone = np.ones(grid.shape, dtype=np.bool_)
    return vertebral_bodies(bone, grid, blocks, ahead_mm=AHEAD_MM, radius_mm=RADIUS_MM)


@settings(max_examples=12, deadline=None)
@given(spacing=st.tuples(steps, steps, steps), order=orders, turned=flips, lean=st.floats(-0.4, 0.4))
def test_how_the_image_is_stored_does_not_matter(
    spacing: tuple[float, float, float], order: list[int], turned: tuple[bool, bool, bool], lean: float
) -> None:
    """Axial, coronal or sagittal, head or feet first: the same places of the patient are the spine's."""
    plain = emission(spacing, order=[0, 1, 2], turned=(False, False, False))
    stored = emission(spacing, order=order, turned=turned)
    blocks = ct(lean=lean)
    np.testing.assert_allclose(
        places(bodies_of(stored, blocks), stored), places(bodies_of(plain, blocks), plain), atol=1e-6
    )


@settings(max_examples=12, deadline=None)
@given(spacing=st.tuples(steps, steps, steps), lean=st.floats(-0.4, 0.4))
def test_the_spine_has_one_volume_on_every_grid(spacing: tuple[float, float, float], lean: float) -> None:
    """A tube of 18 mm radius along the canal's 156 mm, as long as it leans, whatever the voxel."""
    grid = emission(spacing, order=[0, 1, 2], turned=(False, False, False))
    found = bodies_of(grid, ct(lean=lean))
    assert found is not None
    expected_ml = np.pi * RADIUS_MM**2 * 156.0 * np.hypot(1.0, lean) / 1000.0
    assert np.count_nonzero(found) * grid.voxel_volume_ml == pytest.approx(expected_ml, rel=0.08)


@settings(max_examples=12, deadline=None)
@given(offset=st.tuples(*[st.floats(-300.0, 300.0)] * 3), lean=st.floats(-0.4, 0.4))
def test_the_origin_of_the_frame_does_not_matter(offset: tuple[float, float, float], lean: float) -> None:
    """CT and emission moved together keep the same voxels."""
    grid = emission((4.4, 4.4, 4.4), order=[0, 1, 2], turned=(False, False, False))
    matrix = grid.matrix
    matrix[:3, 3] += offset
    moved = VolumeGeometry.from_matrix(matrix, shape=grid.shape, frame_of_reference_uid="1.2.3")
    here = bodies_of(grid, ct(lean=lean))
    there = bodies_of(moved, ct(lean=lean, offset_mm=offset))
    assert here is not None
    assert there is not None
    assert np.mean(here != there) < 1e-4  # a centre that lies on the tube's own edge may fall on either side


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**16), lean=st.floats(-0.4, 0.4))
def test_only_bone_is_the_spine(seed: int, lean: float) -> None:
    """With part of the bone alone, the spine is what it was, within that part: other bone adds and hides nothing."""
    grid = emission((4.4, 4.4, 4.4), order=[0, 1, 2], turned=(False, False, False))
    blocks = ct(lean=lean)
    bone = np.random.default_rng(seed).random(grid.shape) < 0.5
    found, whole = (
        vertebral_bodies(part, grid, blocks, ahead_mm=AHEAD_MM, radius_mm=RADIUS_MM)
        for part in (bone, np.ones(grid.shape, dtype=np.bool_))
    )
    assert found is not None
    assert whole is not None
    assert np.array_equal(found, whole & bone)
