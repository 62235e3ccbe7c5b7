"""Masks keep their places in the patient when their grids are joined."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.results.regions import Lattice, is_same_mask, move_mask, offset_between
from tests.support.same_results import places
from tests.unit.results.sources import grid

_BASE = grid("1.2.3", oblique=True)


def part(first: int, count: int, *, named: bool = True) -> Lattice:
    """Some slices of one oblique grid, which goes on in both directions; each slice has its name."""
    matrix = _BASE.matrix
    matrix[:3, 3] += first * matrix[:3, 0]
    geometry = VolumeGeometry.from_matrix(
        matrix, shape=(count, *_BASE.shape[1:]), frame_of_reference_uid=_BASE.frame_of_reference_uid
    )
    uids = tuple(f"1.{100 + first + index}" if named else "" for index in range(count))
    return Lattice(geometry=geometry, source_series_uid="1.9", source_instance_uids=uids)


@given(
    first=st.integers(-30, 30),
    count=st.integers(1, 8),
    other=st.integers(-30, 30),
    more=st.integers(1, 8),
    seed=st.integers(0, 999),
)
def test_a_joined_grid_holds_every_voxel_at_its_place(first: int, count: int, other: int, more: int, seed: int) -> None:
    """Whichever slices the two grids have, the masks of both lie where they lay, and slices keep their names."""
    one, two = part(first, count), part(other, more)
    both = one.join(two)
    assert both is not None
    assert both.geometry.shape[0] == max(first + count, other + more) - min(first, other)
    for lattice in (one, two):
        mask = np.random.default_rng(seed).random(lattice.geometry.shape) < 0.05
        mask[0, 0, 0] = True
        cropped = CroppedMask.from_array(np.asarray(mask))
        moved = move_mask(cropped, source=lattice.geometry, target=both.geometry)
        np.testing.assert_allclose(places(moved, both.geometry), places(cropped, lattice.geometry), atol=1e-6)
        assert is_same_mask(moved, moved)
        offset = offset_between(lattice.geometry, both.geometry)
        assert offset is not None
        named = both.source_instance_uids[offset : offset + len(lattice.source_instance_uids)]
        assert named == lattice.source_instance_uids


def test_other_voxels_are_not_joined() -> None:
    """Half a slice apart, another series, another frame of reference: such grids stay apart."""
    one = part(0, 4)
    matrix = _BASE.matrix
    matrix[:3, 3] += 0.5 * matrix[:3, 0]
    between = VolumeGeometry.from_matrix(matrix, shape=one.geometry.shape, frame_of_reference_uid="1.2.3")
    elsewhere = VolumeGeometry.from_matrix(_BASE.matrix, shape=one.geometry.shape, frame_of_reference_uid="1.2.4")
    for geometry in (between, elsewhere):
        other = Lattice(geometry=geometry, source_series_uid="1.9", source_instance_uids=("",) * 4)
        assert one.join(other) is None
    same = Lattice(geometry=one.geometry, source_series_uid="1.8", source_instance_uids=("",) * 4)
    assert one.join(same) is None
