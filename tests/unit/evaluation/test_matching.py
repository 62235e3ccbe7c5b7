"""Which candidate is which lesion."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipelines.evaluation.matching import Matches, match

TABLES = hnp.arrays(np.int64, st.tuples(st.integers(0, 4), st.integers(0, 4)), elements=st.integers(0, 9))


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ([[5]], Matches(partner=(0,), parts=(), false=())),
        ([[0]], Matches(partner=(None,), parts=(), false=(0,))),
        ([[5, 3]], Matches(partner=(0,), parts=(1,), false=())),
        ([[5], [3]], Matches(partner=(0, None), parts=(), false=())),
        ([[5, 4], [4, 0]], Matches(partner=(1, 0), parts=(), false=())),
        ([[0, 0, 2]], Matches(partner=(2,), parts=(), false=(0, 1))),
    ],
    ids=["one", "elsewhere", "in two parts", "two merged", "most shared in all", "two false"],
)
def test_worked_cases(overlap: list[list[int]], expected: Matches) -> None:
    """A lesion in parts is found once, two merged ones count as one found, and what touches nothing is false."""
    assert match(np.array(overlap, dtype=np.int64)) == expected


def test_nothing_to_pair() -> None:
    """Without lesions every candidate is false; without candidates no lesion is found."""
    assert match(np.zeros((0, 2), dtype=np.int64)) == Matches(partner=(), parts=(), false=(0, 1))
    assert match(np.zeros((2, 0), dtype=np.int64)) == Matches(partner=(None, None), parts=(), false=())


@given(TABLES)
def test_every_candidate_has_one_part_to_play(overlap: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> None:
    """Partner, part or false, each candidate once; partners share a voxel, false ones none."""
    found = match(overlap)
    partners = [item for item in found.partner if item is not None]
    assert sorted([*partners, *found.parts, *found.false]) == list(range(overlap.shape[1]))
    assert all(overlap[lesion, item] > 0 for lesion, item in enumerate(found.partner) if item is not None)
    assert all(overlap[:, item].sum() == 0 for item in found.false)
    assert all(overlap[:, item].sum() > 0 for item in found.parts)


@given(TABLES)
def test_no_other_pairing_shares_more(overlap: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> None:
    """Tried one by one, no one-to-one pairing has more shared voxels."""
    shared = sum(overlap[lesion, item] for lesion, item in enumerate(match(overlap).partner) if item is not None)
    rows, columns = overlap.shape
    padded = np.zeros((rows, max(rows, columns)), dtype=np.int64)
    padded[:, :columns] = overlap
    best = max(
        (
            sum(padded[row, column] for row, column in enumerate(order))
            for order in permutations(range(padded.shape[1]), rows)
        ),
        default=0,
    )
    assert shared == best


def test_a_negative_count_is_refused() -> None:
    """A table that is no table of counts is a defect, not a match."""
    with pytest.raises(ValueError, match="counts"):
        match(np.array([[-1]]))
