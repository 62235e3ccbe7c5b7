"""What the canal and contrast medium on CT must not depend on: direction, place, density, sampling and their names."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import BoolArray
from operators.kernels.canal import find_canal
from operators.kernels.contrast import find_contrast
from operators.kernels.morphology import Spacing
from pipelines.ct.branch import profile

CANAL = profile().skeleton.canal
CONTRAST = profile().skeleton.contrast
SIZE_MM = (60.0, 140.0, 120.0)
BONE_HU, HOLE_HU = 300.0, 20.0
axes = st.sets(st.sampled_from([0, 1, 2]))
steps = st.sampled_from([1.5, 2.0, 2.5])


def millimetres(spacing_mm: Spacing) -> tuple[npt.NDArray[np.float64], ...]:
    """Places along (z, y, x) of a block of `SIZE_MM`, ready to broadcast."""
    along = [np.arange(round(size / step)) * step for size, step in zip(SIZE_MM, spacing_mm, strict=True)]
    return tuple(np.meshgrid(*along, indexing="ij", sparse=True))


def spine(spacing_mm: Spacing, *, lean: float = 0.0) -> tuple[npt.NDArray[np.float32], BoolArray]:
    """HU and filled bone of a vertebral column with a canal of 9 mm radius; it leans `lean` mm back for each mm up."""
    z, y, x = millimetres(spacing_mm)
    middle = 78.0 + lean * (z - 30.0)
    ahead = middle - y
    bone: BoolArray = (np.abs(x - 60.0) <= 24.0) & (ahead <= 50.0) & (ahead >= -16.0)
    hole: BoolArray = (ahead**2 + (x - 60.0) ** 2) <= 81.0
    hu = np.where(hole, HOLE_HU, np.where(bone, BONE_HU, 40.0)).astype(np.float32)
    return hu, bone


def canal(hu: npt.NDArray[np.float32], bone: BoolArray, *, spacing_mm: Spacing) -> BoolArray:
    """By the branch's own limits, in a patient that fills the image."""
    return find_canal(hu, bone, np.ones_like(bone), spacing_mm=spacing_mm, limits=CANAL)


@settings(max_examples=15, deadline=None)
@given(spacing=st.tuples(steps, steps, steps), lean=st.floats(-0.3, 0.3), flips=st.sets(st.sampled_from([0, 2])))
def test_a_mirrored_spine_has_the_mirrored_canal(spacing: Spacing, lean: float, flips: set[int]) -> None:
    """Left and right, head and feet may change places: the canal goes with them, block by block."""
    hu, bone = spine(spacing, lean=lean)
    turned = tuple(flips)
    found = canal(hu, bone, spacing_mm=spacing)
    mirrored = canal(np.flip(hu, turned), np.flip(bone, turned), spacing_mm=spacing)
    assert found.any()
    assert np.array_equal(np.flip(mirrored, turned), found)


@settings(max_examples=10, deadline=None)
@given(spacing=st.tuples(steps, steps, steps), lean=st.floats(-0.3, 0.3))
def test_the_canal_turned_back_to_front_is_none(spacing: Spacing, lean: float) -> None:
    """It is the bone before it that makes a hole a canal: behind a spinous process alone there is none."""
    hu, bone = spine(spacing, lean=lean)
    cut = bone & (np.cumsum(bone[:, ::-1], axis=1)[:, ::-1] * spacing[1] <= 35.0)  # the body is lost, the arch stays
    hu = np.where(cut, hu, np.float32(40.0)).astype(np.float32)
    assert not canal(hu, cut, spacing_mm=spacing).any()


@settings(max_examples=15, deadline=None)
@given(bone_hu=st.floats(71.0, 2000.0), hole_hu=st.floats(-100.0, 69.0))
def test_the_canal_depends_on_one_limit_of_attenuation(bone_hu: float, hole_hu: float) -> None:
    """However dense the bone above the limit and however the sac's fat and fluid below it, the canal is the same."""
    spacing = (2.0, 2.0, 2.0)
    hu, bone = spine(spacing)
    other = np.where(hu == BONE_HU, bone_hu, np.where(hu == HOLE_HU, hole_hu, hu)).astype(np.float32)
    assert np.array_equal(canal(other, bone, spacing_mm=spacing), canal(hu, bone, spacing_mm=spacing))


@settings(max_examples=15, deadline=None)
@given(spacing=st.tuples(steps, steps, steps), lean=st.floats(-0.3, 0.3))
def test_the_canal_has_its_size_on_every_grid(spacing: Spacing, lean: float) -> None:
    """A radius of 9 mm and the margin of 2 mm are 380 mm2 a slice, within what a pixel's edge can add."""
    found = canal(*spine(spacing, lean=lean), spacing_mm=spacing)
    area_mm2 = found.sum(axis=(1, 2)) * spacing[1] * spacing[2]
    outline_mm = 2.0 * np.pi * (9.0 + CANAL.margin_mm)
    assert area_mm2.mean() == pytest.approx(np.pi * (9.0 + CANAL.margin_mm) ** 2, abs=outline_mm * max(spacing[1:]))


@settings(max_examples=15, deadline=None)
@given(spacing=st.tuples(steps, steps, steps), length_mm=st.sampled_from([30.0, 50.0]))
def test_a_short_row_is_no_canal_however_many_slices_show_it(spacing: Spacing, length_mm: float) -> None:
    """40 mm decide, not the number of slices."""
    hu, bone = spine(spacing)
    slices = int(length_mm / spacing[0])
    assert canal(hu[:slices], bone[:slices], spacing_mm=spacing).any() == (length_mm > CANAL.minimum_length_mm)


def pools(spacing_mm: Spacing, *, seed: int) -> tuple[npt.NDArray[np.float32], BoolArray]:
    """HU and dense voxels of an aorta of 12 mm radius, of a chamber of the heart of 27 mm, and of a vertebra."""
    z, y, x = millimetres(spacing_mm)
    vessel: BoolArray = ((y - 30.0) ** 2 + (x - 20.0) ** 2 <= 144.0) & (z >= 0.0)
    heart: BoolArray = (y - 36.0) ** 2 + (x - 80.0) ** 2 + (z - 30.0) ** 2 <= 27.0**2
    around = (y - 105.0) ** 2 + (x - 60.0) ** 2 + 0.0 * z
    cortex, marrow = (around <= 24.0**2) & (around > 20.0**2), around <= 20.0**2
    hu = np.where(vessel | heart, 320.0, np.where(cortex, 700.0, np.where(marrow, 280.0, 40.0)))
    noisy = hu + np.random.default_rng(seed).normal(scale=15.0, size=hu.shape)
    return noisy.astype(np.float32), vessel | heart | cortex | marrow


def contrast(hu: npt.NDArray[np.float32], dense: BoolArray, *, spacing_mm: Spacing) -> BoolArray:
    """By the branch's own limits."""
    return find_contrast(hu, dense, spacing_mm=spacing_mm, limits=CONTRAST)


def differ(one: BoolArray, other: BoolArray) -> float:
    """Share of voxels in one alone: running sums in single precision leave a voxel here or there on either side."""
    return float(np.mean(one != other))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**16), flips=axes, turns=st.integers(0, 3))
def test_contrast_follows_the_image(seed: int, flips: set[int], turns: int) -> None:
    """A vessel is told by what it is, not by where it lies: flipped or turned, the same voxels are taken."""
    spacing = (2.0, 2.0, 2.0)
    hu, dense = pools(spacing, seed=seed)
    found = contrast(hu, dense, spacing_mm=spacing)

    def there(part: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.ascontiguousarray(np.rot90(np.flip(part, tuple(flips)), k=turns, axes=(1, 2)))

    moved = contrast(there(hu).astype(np.float32), there(dense).astype(np.bool_), spacing_mm=spacing)
    assert found.any()
    assert differ(moved, there(found).astype(np.bool_)) < 1e-3


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**16), shift=st.floats(-150.0, 400.0))
def test_contrast_is_told_by_evenness_not_by_density(seed: int, shift: float) -> None:
    """All attenuation raised or lowered together takes the same voxels: limits are differences."""
    spacing = (2.0, 2.0, 2.0)
    hu, dense = pools(spacing, seed=seed)
    found = contrast(hu, dense, spacing_mm=spacing)
    assert differ(contrast((hu + np.float32(shift)), dense, spacing_mm=spacing), found) < 1e-3


@settings(max_examples=8, deadline=None)
@given(spacing=st.tuples(steps, steps, steps), seed=st.integers(0, 2**16))
def test_contrast_is_found_on_every_grid_and_the_vertebra_is_not(spacing: Spacing, seed: int) -> None:
    """Nine tenths of vessel and heart are taken, and nothing of the bone, which has cortex around it."""
    hu, dense = pools(spacing, seed=seed)
    found = contrast(hu, dense, spacing_mm=spacing)
    _, y, _ = millimetres(spacing)
    blood = np.broadcast_to(y < 75.0, dense.shape) & dense
    assert np.count_nonzero(found & blood) >= 0.9 * np.count_nonzero(blood)
    assert not (found & ~blood).any()


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_without_a_large_pool_there_is_no_contrast_medium(seed: int) -> None:
    """What is small, even and dense stays bone: 30 ml of blood are the proof that contrast was given."""
    spacing = (2.0, 2.0, 2.0)
    hu, dense = pools(spacing, seed=seed)
    short = slice(0, 6)  # 12 mm of vessel are 5 ml, and the heart has 20 ml there
    assert not contrast(hu[short], dense[short], spacing_mm=spacing).any()
