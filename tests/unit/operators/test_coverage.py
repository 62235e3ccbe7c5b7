"""What the images show of the body stands beside every total."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.bones import Bone
from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.results import Verdict
from operators.kernels.skeleton_sites.sites import SkeletonMap
from pipelines.volumetric import COVERAGE, coverage_check

SHAPE = (60, 20, 30)


def geometry(*, slice_mm: float = 5.0, is_from_the_head: bool = False, tilt: float = 0.0) -> VolumeGeometry:
    """Axial slices, tilted about the left-right axis by an angle in radians."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    matrix[:3, 0] = slice_mm * np.array([0.0, -np.sin(tilt), np.cos(tilt)]) * (-1.0 if is_from_the_head else 1.0)
    matrix[:3, 1] = 2.0 * np.array([0.0, np.cos(tilt), np.sin(tilt)])
    matrix[:3, 2] = (2.0, 0.0, 0.0)
    return VolumeGeometry.from_matrix(matrix, shape=SHAPE, frame_of_reference_uid="1.2.3")


def skeleton(*bones: Bone) -> SkeletonMap:
    """A map with a voxel of each bone."""
    values = np.zeros(SHAPE, dtype=np.uint8)
    values.flat[: len(bones)] = bones
    return SkeletonMap(
        bones=values, sides=np.zeros(SHAPE, dtype=np.int8), matrix=geometry().matrix, certain=frozenset(), method="M"
    )


def test_shown_and_missing_parts_are_named() -> None:
    """Numbers of vertebrae and ribs are no parts; what has no name is not evaluable, and is said to be."""
    check = coverage_check(geometry(), skeleton(Bone.T12, Bone.L1, Bone.L2, Bone.RIB_11, Bone.HIP))
    assert (check.name, check.verdict) == (COVERAGE, Verdict.PASS)
    shown, missing = check.explanation.split("Not named, and not evaluable: ")
    assert "reach over 300 mm from head to feet" in shown
    for word in ("Thoracic spine", "Lumbar spine", "Rib", "Pelvis"):
        assert word in shown
        assert word not in missing
    for word in ("Skull", "Sternum", "Femur"):
        assert word in missing
        assert word not in shown


def test_without_names_nothing_is_claimed() -> None:
    """No map, and a map in which nothing has a name, are not evaluable; the length is told all the same."""
    for names in (None, skeleton()):
        check = coverage_check(geometry(), names)
        assert check.verdict is Verdict.NOT_EVALUABLE
        assert "reach over 300 mm" in check.explanation
        assert "not known" in check.explanation


def test_a_whole_skeleton_misses_nothing() -> None:
    """Every bone of the list."""
    assert "not evaluable: nothing." in coverage_check(geometry(), skeleton(*Bone)).explanation


@given(slice_mm=st.floats(1.0, 10.0), is_from_the_head=st.booleans())
def test_the_order_of_slices_is_no_matter(slice_mm: float, *, is_from_the_head: bool) -> None:
    """The length is that of all slices, with their thickness."""
    check = coverage_check(geometry(slice_mm=slice_mm, is_from_the_head=is_from_the_head), None)
    assert f"reach over {60 * slice_mm:.0f} mm" in check.explanation


def test_tilted_slices_reach_further() -> None:
    """By what the rows rise."""
    tilt = 0.3
    expected = 300.0 * np.cos(tilt) + 40.0 * np.sin(tilt)
    found = float(coverage_check(geometry(tilt=tilt), None).explanation.split(" mm")[0].split()[-1])
    assert found == pytest.approx(expected, abs=0.51)
