"""The names of a patient's bones: what they must not depend on, with fewer turns and sizes tried than in the branch."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from bmnode.domain.bones import Bone
from operators.kernels.skeleton_sites.atlas_namer import AtlasNamer
from operators.kernels.skeleton_sites.sites import SkeletonMap
from pipelines.ct.branch import profile
from tests.unit.skeleton_sites.test_atlas_namer import Bool, typical, work_of

LOW_MM, HIGH_MM = -180.0, 180.0
FEW = settings(max_examples=3, deadline=None)


@cache
def namer() -> AtlasNamer:
    """With the branch's limits but one turn and one width."""
    limits = profile().sites.atlas
    alignment = replace(limits.alignment, turns_deg=(0.0,), widths=(1.0,))
    return AtlasNamer(limits=replace(limits, alignment=alignment))


def names_of(bone: Bool, *, spacing: float | None = None) -> SkeletonMap:
    """The map of a mask, of voxels of 4 mm where no other spacing is given."""
    work, geometry = work_of(bone)
    return namer()(work if spacing is None else replace(work, spacing_mm=(spacing,) * 3), geometry)


@cache
def pelvis_and_loins() -> tuple[Bool, SkeletonMap]:
    """Bone from the thighs to the lower chest, and its names."""
    bone, _ = typical(low_mm=LOW_MM, high_mm=HIGH_MM)
    return bone, names_of(bone)


@FEW
@given(up=st.integers(-4, 4), left=st.integers(-6, 6))
def test_a_moved_patient_has_the_moved_names(up: int, left: int) -> None:
    """Moved in the field, the bones keep their names and their sides."""
    bone, plain = pelvis_and_loins()
    room = ((0, 0), (6, 6), (8, 8))
    moved = names_of(np.roll(np.pad(bone, room), (up, left), axis=(1, 2)))
    bones, sides = (np.roll(np.pad(item, room), (up, left), axis=(1, 2)) for item in (plain.bones, plain.sides))
    inside = bones > 0
    assert np.mean(moved.bones[inside] == bones[inside]) > 0.93
    assert np.all(moved.sides[inside] * sides[inside] >= 0)
    assert moved.certain == plain.certain


@FEW
@given(head=st.integers(0, 8), feet=st.integers(0, 6))
def test_a_shorter_field_keeps_the_names_of_what_it_shows(head: int, feet: int) -> None:
    """Slices cut off at either end change few names of the others, and never add a trusted one."""
    bone, plain = pelvis_and_loins()
    kept = slice(feet, len(bone) - head)
    part = names_of(np.ascontiguousarray(bone[kept]))
    inside = plain.bones[kept] > 0
    assert np.mean(part.bones[inside] == plain.bones[kept][inside]) > 0.93
    assert part.certain <= plain.certain


@pytest.mark.parametrize("spacing", [2.0, 3.0])
def test_finer_voxels_give_the_same_names(spacing: float) -> None:
    """The same person in voxels of another size has the same bones at the same places."""
    bone, plain = pelvis_and_loins()
    fine = ndimage.zoom(bone.astype(np.float32), 4.0 / spacing, order=1, grid_mode=True, mode="nearest") > 0.5
    found = names_of(fine, spacing=spacing)
    back = ndimage.zoom(found.bones, spacing / 4.0, order=0, grid_mode=True, mode="nearest")
    both = (plain.bones > 0) & (back > 0)
    assert np.count_nonzero(both) > 0.6 * np.count_nonzero(plain.bones)
    assert np.mean(back[both] == plain.bones[both]) > 0.9
    assert found.certain == plain.certain


def test_a_mirrored_patient_has_every_side_changed() -> None:
    """Mirrored, left is right everywhere and the bones are the same."""
    bone, plain = pelvis_and_loins()
    mirrored = names_of(np.ascontiguousarray(bone[:, :, ::-1]))
    inside = plain.bones > 0
    assert np.mean(mirrored.bones[:, :, ::-1][inside] == plain.bones[inside]) > 0.95
    assert np.all(mirrored.sides[:, :, ::-1][inside] * plain.sides[inside] <= 0)
    assert {Bone.HIP, Bone.FEMUR} <= {Bone(int(value)) for value in np.unique(plain.bones[plain.sides == 1]) if value}
