"""The spine's course and slices seen from it: what they must not depend on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.skeleton_sites.atlas import PATH_LIMITS
from operators.kernels.skeleton_sites.frame import Coarse, SpinePath, seen_from_spine, spine_path, upright_below

FEW = settings(max_examples=8, deadline=None)
GRID_MM = PATH_LIMITS.grid_mm
BLOCK_MM = 12.0
"""Whole blocks of 4 mm and of voxels of 2, 3 and 4 mm: grids of all three have the same edges."""


def person(voxel_mm: float, *, up_mm: float = 0.0, left_mm: float = 0.0) -> Coarse:
    """A trunk of 300 by 216 mm and 120 mm of a spine that leans to the left, in a field of 480 by 360 mm."""
    z, y, x = np.meshgrid(
        *((np.arange(round(size / voxel_mm)) + 0.5) * voxel_mm for size in (120.0, 360.0, 480.0)), indexing="ij"
    )
    y, x = y - 180.0 + up_mm, x - 240.0 - left_mm
    outline = (x / 150.0) ** 2 + (y / 108.0) ** 2 <= 1.0
    bone = np.hypot(y - 50.0, x - 0.1 * (z - 60.0)) <= 16.0
    bone |= np.hypot(y + 90.0, x) <= 9.0  # a sternum, in front
    return Coarse.of(bone, outline, spacing_mm=(voxel_mm,) * 3, grid_mm=GRID_MM)


def course(coarse: Coarse) -> npt.NDArray[np.float64]:
    """Middles of the spine from the field's edge, mm (n, 2): blocks' centres lie half a block inside it."""
    half = np.array([coarse.spacing_mm[1], coarse.spacing_mm[2]]) / 2.0
    return np.asarray(spine_path(coarse, limits=PATH_LIMITS).middle_mm + half)


def turned_over(coarse: Coarse, axis: int) -> Coarse:
    """The same blocks in the opposite order along an axis."""
    return Coarse(
        share=np.ascontiguousarray(np.flip(coarse.share, axis)),
        outline=np.ascontiguousarray(np.flip(coarse.outline, axis)),
        spacing_mm=coarse.spacing_mm,
        factors=coarse.factors,
    )


def test_the_course_is_that_of_the_spine() -> None:
    """In every slice it lies in the middle of the body, at most half its radius from its centre."""
    found = course(person(4.0))
    z = (np.arange(len(found)) + 0.5) * GRID_MM
    true = np.stack([np.full_like(z, 230.0), 240.0 + 0.1 * (z - 60.0)], axis=1)
    assert np.hypot(*(found - true).T).max() <= 8.0


@FEW
@given(up=st.integers(-3, 3), left=st.integers(-3, 3))
def test_a_moved_patient_has_the_moved_course(up: int, left: int) -> None:
    """Moved in the field by whole blocks, the course moves alike."""
    moved = course(person(4.0, up_mm=up * BLOCK_MM, left_mm=left * BLOCK_MM))
    assert moved == pytest.approx(course(person(4.0)) + np.array([-up, left]) * BLOCK_MM, abs=1.5 * GRID_MM)


@FEW
@given(voxel=st.sampled_from([2.0, 3.0, 6.0]))
def test_finer_voxels_give_the_same_course(voxel: float) -> None:
    """A CT of other voxels shows the spine at the same millimetres, slice by slice of the patient."""
    plain, other = course(person(4.0)), course(person(voxel))
    along = np.linspace(10.0, 110.0, 11)
    for axis in (0, 1):
        one, two = (
            np.interp(along, (np.arange(len(item)) + 0.5) * 120.0 / len(item), item[:, axis]) for item in (plain, other)
        )
        assert one == pytest.approx(two, abs=max(GRID_MM, voxel))


@FEW
@given(up=st.integers(-3, 3), left=st.integers(-3, 3))
def test_mirrored_and_reversed_patients_have_mirrored_and_reversed_courses(up: int, left: int) -> None:
    """No side is preferred, and no end of the body."""
    plain = person(4.0, up_mm=up * BLOCK_MM, left_mm=left * BLOCK_MM)
    found = course(plain)
    width = plain.share.shape[2] * plain.spacing_mm[2]
    mirrored, reversed_ = course(turned_over(plain, 2)), course(turned_over(plain, 0))
    assert mirrored == pytest.approx(np.stack([found[:, 0], width - found[:, 1]], axis=1), abs=1.5 * GRID_MM)
    assert reversed_ == pytest.approx(found[::-1], abs=1.5 * GRID_MM)


def noisy(seed: int) -> Coarse:
    """Blocks without any order."""
    random = np.random.default_rng(seed)
    share = random.random((6, 20, 24)).astype(np.float32)
    return Coarse(share=share, outline=share > 0.3, spacing_mm=(4.0, 4.0, 4.0), factors=(1, 1, 1))


@FEW
@given(seed=st.integers(0, 50), turn=st.floats(-40.0, 40.0))
def test_a_mirrored_patient_is_seen_mirrored(seed: int, turn: float) -> None:
    """Image, middle and turn mirrored, the slices seen from the spine are mirrored, and so is what lies beyond."""
    coarse = noisy(seed)
    middle = np.tile([36.0, 40.0], (6, 1))
    width = (coarse.share.shape[2] - 1) * 4.0
    v, u = np.arange(-24.0, 25.0, 4.0), np.arange(-32.0, 33.0, 4.0)
    share, inside = seen_from_spine(coarse, middle, v_mm=v, u_mm=u, turn_deg=turn)
    other = np.stack([middle[:, 0], width - middle[:, 1]], axis=1)
    mirrored, there = seen_from_spine(turned_over(coarse, 2), other, v_mm=v, u_mm=u, turn_deg=-turn)
    assert mirrored[:, :, ::-1] == pytest.approx(share, abs=1e-4)
    assert np.mean(there[:, :, ::-1] != inside) < 0.01


@FEW
@given(seed=st.integers(0, 50), factor=st.floats(0.3, 3.0), turn=st.floats(-40.0, 40.0))
def test_units_do_not_change_what_is_seen(seed: int, factor: float, turn: float) -> None:
    """Every length times the same factor shows the same picture."""
    coarse, middle = noisy(seed), np.tile([36.0, 44.0], (6, 1))
    v, u = np.arange(-22.0, 23.0, 4.0), np.arange(-30.0, 31.0, 4.0)
    sized = Coarse(share=coarse.share, outline=coarse.outline, spacing_mm=(4.0 * factor,) * 3, factors=coarse.factors)
    plain, _ = seen_from_spine(coarse, middle, v_mm=v, u_mm=u, turn_deg=turn)
    other, _ = seen_from_spine(sized, middle * factor, v_mm=v * factor, u_mm=u * factor, turn_deg=turn)
    assert other == pytest.approx(plain, abs=1e-3)


@FEW
@given(seed=st.integers(0, 50), at=st.floats(0.0, 39.0))
def test_upright_below_changes_only_what_lies_below(seed: int, at: float) -> None:
    """Above the slice the course stays, below it is straight, and done twice it is the same."""
    random = np.random.default_rng(seed)
    path = SpinePath(middle_mm=random.random((40, 2)) * 100.0, evidence=random.random(40))
    once = upright_below(path, slice_index=at, step_mm=4.0)
    first = round(at)
    assert np.array_equal(once.middle_mm[first:], path.middle_mm[first:])
    assert np.all(once.middle_mm[:first] == once.middle_mm[:1])
    assert np.array_equal(upright_below(once, slice_index=at, step_mm=4.0).middle_mm, once.middle_mm)
