"""How well proposed pairs of lesions agree with the true ones: precision, recall and F1 (clinical reference 8.4).

A pair is a name of a lesion in the earlier scan and one in the present scan. A lesion that split has one true pair for
each of its parts. New and disappeared lesions are no pairs: they are counted by their events.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class PairScores:
    """Counts of pairs, and what follows from them; a share of nothing is None, never 0 or 1.

    Args:
        true: pairs that are there.
        proposed: pairs that were said.
        right: pairs that are both.
    """

    true: int
    proposed: int
    right: int

    def __post_init__(self) -> None:
        if not 0 <= self.right <= min(self.true, self.proposed):
            raise ValueError(f"{self.right} of {self.proposed} proposed and {self.true} true pairs cannot be right")

    @property
    def precision(self) -> float | None:
        """Share of the proposed pairs that are right."""
        return self.right / self.proposed if self.proposed else None

    @property
    def recall(self) -> float | None:
        """Share of the true pairs that were proposed."""
        return self.right / self.true if self.true else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both, 2 * right / (true + proposed); None where there is no pair of either kind."""
        return 2.0 * self.right / (self.true + self.proposed) if self.true + self.proposed else None


def pair_scores(proposed: Collection[Pair], *, true: Collection[Pair]) -> PairScores:
    """The scores of one patient's pairs. Raises ValueError where a pair is given twice."""
    if len(set(proposed)) != len(proposed) or len(set(true)) != len(true):
        raise ValueError("a pair is given once")
    return PairScores(true=len(true), proposed=len(proposed), right=len(set(proposed) & set(true)))
