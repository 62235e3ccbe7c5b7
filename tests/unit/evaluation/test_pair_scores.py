"""Precision, recall and F1 of matched lesions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.pair_scores import PairScores, pair_scores

NAMES = st.sampled_from([f"L{number}" for number in range(5)])
PAIRS = st.lists(st.tuples(NAMES, NAMES), unique=True, max_size=12)


def test_m_3() -> None:
    """M-3: of 10 true pairs 9 are proposed and 8 right: P 0.8889, R 0.8000, F1 0.8421."""
    true = [(f"P{number}", f"C{number}") for number in range(10)]
    found = pair_scores([*true[:8], ("P8", "C9")], true=true)
    assert (found.true, found.proposed, found.right) == (10, 9, 8)
    assert (found.precision, found.recall, found.f1) == pytest.approx((0.8889, 0.8000, 0.8421), abs=5e-5)


@given(proposed=PAIRS, true=PAIRS)
def test_the_right_pairs_are_those_of_both(proposed: list[tuple[str, str]], true: list[tuple[str, str]]) -> None:
    """Recall is the precision of the exchanged lists, F1 lies between both, and what is not right costs."""
    found, exchanged = pair_scores(proposed, true=true), pair_scores(true, true=proposed)
    assert (found.precision, found.recall, found.f1) == (exchanged.recall, exchanged.precision, exchanged.f1)
    if found.precision is not None and found.recall is not None and found.f1 is not None:
        assert min(found.precision, found.recall) <= found.f1 + 1e-12
        assert found.f1 <= max(found.precision, found.recall) + 1e-12
        assert (found.f1 == 1.0) is (set(proposed) == set(true))


@given(proposed=PAIRS, true=PAIRS, data=st.data())
def test_neither_order_nor_names_count(
    proposed: list[tuple[str, str]], true: list[tuple[str, str]], data: st.DataObject
) -> None:
    """Pairs in another order, and lesions that all have other names, give the same scores."""
    new = {name: f"other {name}" for pair in [*proposed, *true] for name in pair}
    renamed = [(new[one], new[other]) for one, other in data.draw(st.permutations(proposed))]
    assert pair_scores(renamed, true=[(new[one], new[other]) for one, other in true]) == pair_scores(
        proposed, true=true
    )


def test_a_share_of_nothing_is_not_evaluable() -> None:
    """Nothing proposed has no precision, nothing to find no recall; both together no F1."""
    assert pair_scores([], true=[("a", "b")]).precision is None
    assert pair_scores([("a", "b")], true=[]).recall is None
    assert pair_scores([("a", "b")], true=[]).f1 == 0.0
    assert pair_scores([], true=[]).f1 is None


def test_impossible_counts_are_refused() -> None:
    """More right pairs than were proposed, or a pair twice, is a mistake of whoever counts."""
    with pytest.raises(ValueError, match="cannot be right"):
        PairScores(true=3, proposed=1, right=2)
    with pytest.raises(ValueError, match="once"):
        pair_scores([("a", "b"), ("a", "b")], true=[])
