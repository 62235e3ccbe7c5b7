"""Bone's surface beside a lesion, and what lies outside bone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from operators.kernels.cortex import CortexLimits, open_cortex_share, outside_bone

LIMITS = CortexLimits(reach_mm=4.0, depth_mm=3.0, cortex_hu=150.0)
SHAPE = (40, 40, 40)
HOLE_MM = 8.0


def grid(shape: tuple[int, ...] = SHAPE, step_mm: float = 1.0) -> VolumeGeometry:
    """Cubic voxels."""
    matrix = np.diag([step_mm, step_mm, step_mm, 1.0])
    return VolumeGeometry.from_matrix(matrix, shape=(shape[0], shape[1], shape[2]), frame_of_reference_uid="1.2")


def bone_with_lesion(*, hole_mm: float, depth_mm: float = 2.0) -> tuple[np.ndarray, BoolArray, BoolArray]:
    """A cube of bone of 24 mm with 2 mm of cortex, and a lytic ball under its upper face, whose cortex has a hole."""
    z, y, x = np.indices(SHAPE) - 19.5
    bone = np.maximum(np.maximum(abs(z), abs(y)), abs(x)) < 12.0
    cortex = bone & (np.maximum(np.maximum(abs(z), abs(y)), abs(x)) > 10.0)
    lesion = bone & (z**2 + (y - (6.0 - depth_mm + 2.0)) ** 2 + x**2 < 25.0)
    hole = (z**2 + x**2 < (hole_mm / 2.0) ** 2) & (y > 0) & bone
    hu = np.where(cortex, 600.0, np.where(bone, 100.0, 40.0))
    hu[lesion | hole] = 40.0
    return hu.astype(np.float32), bone, lesion


def share(hu: np.ndarray, bone: BoolArray, lesion: BoolArray, *, step_mm: float = 1.0) -> float | None:
    """Of one lesion."""
    return open_cortex_share(hu, bone, CroppedMask.from_array(lesion), grid(bone.shape, step_mm), limits=LIMITS)


def test_whole_cortex_is_closed_and_a_hole_opens_it() -> None:
    """A hole of 14 mm opens part of the surface, one of 4 mm is within what counts as cortex."""
    assert share(*bone_with_lesion(hole_mm=0.0)) == 0.0
    assert share(*bone_with_lesion(hole_mm=4.0)) == 0.0
    opened = share(*bone_with_lesion(hole_mm=14.0))
    assert opened is not None
    assert 0.1 < opened < 1.0


def test_a_lesion_deep_in_bone_has_no_cortex_to_judge() -> None:
    """Not evaluable is not closed."""
    hu, bone, _ = bone_with_lesion(hole_mm=0.0)
    z, y, x = np.indices(SHAPE) - 19.5
    assert share(hu, bone, z**2 + y**2 + x**2 < 9.0) is None


@settings(max_examples=12, deadline=None)
@given(flips=st.sets(st.sampled_from([0, 1, 2])), order=st.permutations([0, 1, 2]))
def test_flips_and_turns_change_nothing(flips: set[int], order: list[int]) -> None:
    """The share is the image's own: mirrored and turned by right angles it is the same."""
    parts = bone_with_lesion(hole_mm=14.0)
    turned = [np.flip(part, tuple(flips)).transpose(order) for part in parts]
    assert share(*turned) == share(*parts)


def test_finer_voxels_give_nearly_the_same_share() -> None:
    """The same body on voxels of half the size."""
    parts = bone_with_lesion(hole_mm=14.0)
    fine = [part.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2) for part in parts]
    coarse_share, fine_share = share(*parts), share(*fine, step_mm=0.5)
    assert coarse_share is not None
    assert fine_share == pytest.approx(coarse_share, abs=0.1)


def test_what_lies_outside_bone_is_measured() -> None:
    """4 by 6 by 11 voxels beside the bone: 0.264 ml, long axis in the axial plane between the corners' centres."""
    bone = np.zeros(SHAPE, dtype=np.bool_)
    bone[10:20, 10:20, 10:20] = True
    lesion = np.zeros(SHAPE, dtype=np.bool_)
    lesion[12:16, 12:18, 15:31] = True
    axial = VolumeGeometry.from_matrix(np.eye(4)[:, [2, 1, 0, 3]], shape=SHAPE, frame_of_reference_uid="1.2")
    found = outside_bone(lesion, bone, axial)
    assert found is not None
    assert found.volume_ml == pytest.approx(0.264)
    assert found.long_axis_mm == pytest.approx(float(np.hypot(5.0, 10.0)))
    assert outside_bone(bone, bone, axial) is None
