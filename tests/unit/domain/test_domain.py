"""Identifiers, geometry and state tables."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain import states
from bmnode.domain.codes import Code
from bmnode.domain.geometry import CroppedMask, ImagePolygon, VolumeGeometry
from bmnode.domain.ids import derive_uid, digest, is_safe_uid, is_uid


@given(st.lists(st.text()))
def test_derived_uids_are_uids(parts: list[str]) -> None:
    """Whatever the parts, the UID keeps the grammar of PS3.5, and is the same each time."""
    uid = derive_uid(*parts)
    assert is_uid(uid)
    assert is_safe_uid(uid)
    assert uid == derive_uid(*parts)


def test_no_two_lists_of_parts_share_a_digest() -> None:
    """Where one part ends and the next begins is part of the digest."""
    assert digest(["ab", "c"]) != digest(["a", "bc"]) != digest(["abc"])


@pytest.mark.parametrize("text", ["", "1..2", ".1", "1.2/../3", "1.2 ", "a.b", "1" * 65])
def test_unsafe_uids_are_refused(text: str) -> None:
    """Nothing but digits and single dots becomes a file name."""
    assert not is_safe_uid(text)


def test_leading_zeros_are_safe_but_not_a_uid() -> None:
    """A component with a leading zero is accepted on input and never written."""
    assert is_safe_uid("1.02.3")
    assert not is_uid("1.02.3")


def _grid(**changes: object) -> VolumeGeometry:
    matrix = np.array([[0, 0, 2.0, -10], [0, 3.0, 0, -20], [4.0, 0, 0, 30], [0, 0, 0, 1]])
    values: dict[str, object] = {"shape": (5, 6, 7), "frame_of_reference_uid": "1.2", **changes}
    return VolumeGeometry.from_matrix(matrix, **values)  # type: ignore[arg-type]  # keyword values of a test


def test_a_grid_knows_where_its_voxels_are() -> None:
    """Spacing follows the array's axes (slice, row, column), volume their product, position the affine."""
    grid = _grid()
    assert grid.spacing_mm == (4.0, 3.0, 2.0)
    assert grid.voxel_volume_ml == pytest.approx(0.024)
    assert grid.position_lps((1, 2, 3)) == (-4.0, -14.0, 34.0)


def test_grids_are_the_same_by_content() -> None:
    """Same grid means the same frame of reference, shape and positions."""
    assert _grid().is_same_grid(_grid())
    assert not _grid().is_same_grid(_grid(frame_of_reference_uid="1.3"))
    assert not _grid().is_same_grid(_grid(shape=(5, 6, 8)))


def test_a_flat_grid_is_refused() -> None:
    """A grid whose axes coincide has no volume and cannot be made."""
    with pytest.raises(ValueError, match="no volume"):
        VolumeGeometry.from_matrix(np.zeros((4, 4)), shape=(1, 1, 1), frame_of_reference_uid="1.2")


@given(st.integers(0, 2**32 - 1))
def test_a_cropped_mask_is_the_mask(seed: int) -> None:
    """Cropping loses no voxel and moves none."""
    mask = np.random.default_rng(seed).random((4, 5, 6)) > 0.9
    mask[1, 2, 3] = True
    cropped = CroppedMask.from_array(mask)
    assert np.array_equal(cropped.to_array(), mask)
    assert cropped.voxel_count == np.count_nonzero(mask)


def test_an_open_polygon_is_refused() -> None:
    """A polygon's last point repeats its first."""
    with pytest.raises(ValueError, match="closed"):
        ImagePolygon(sop_instance_uid="1.2", frame_number=1, points=((0, 0), (1, 0), (1, 1), (0, 1)))


def test_a_code_fits_its_value_representations() -> None:
    """A meaning longer than LO's 64 characters cannot be made."""
    with pytest.raises(ValueError, match="not a code"):
        Code("1", "SCT", "x" * 65)


@pytest.mark.parametrize("table", [states.STUDY_TRANSITIONS, states.JOB_TRANSITIONS, states.DELIVERY_TRANSITIONS])
def test_every_state_can_be_reached_and_every_event_used(table: Mapping[tuple[StrEnum, StrEnum], StrEnum]) -> None:
    """A table has no orphan: each state but the first is entered, each event of its enum moves something."""
    first_state, first_event = next(iter(table))
    entered = set(table.values()) | {first_state}
    assert entered == set(type(first_state))
    assert {event for _, event in table} == set(type(first_event))
