"""What evaluations of pairs of scans against known truth have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from bmnode.domain.evaluations import Verdict


class JudgedRow(Protocol):
    """A row of figures, held against a target or only reported."""

    @property
    def target(self) -> str:
        """In words; empty where there is none."""
        ...

    @property
    def verdict(self) -> Verdict:
        """What came of it."""
        ...


Row = TypeVar("Row", bound=JudgedRow)


@dataclass(frozen=True, kw_only=True, slots=True)
class PairReport(Generic[Row]):
    """Pairs of scans of one SIMULATED cohort; `version` is that of the method or rule that was judged."""

    cohort: str
    seed: int
    pairs: int
    version: str
    rows: tuple[Row, ...]

    def count(self, verdict: Verdict) -> int:
        """How many rows have this verdict."""
        return sum(row.verdict is verdict for row in self.rows)

    @property
    def judged(self) -> Sequence[Row]:
        """The rows that have a target."""
        return [row for row in self.rows if row.target]

    @property
    def is_met(self) -> bool:
        """Whether no target was missed or left open, and one at least was met."""
        open_rows = self.count(Verdict.MISSED) + self.count(Verdict.NOT_EVALUABLE)
        return open_rows == 0 and self.count(Verdict.MET) > 0

    @property
    def verdicts(self) -> str:
        """The targets in half a line."""
        return (
            f"SIMULATED, pairs {self.pairs}; targets {len(self.judged)}: met {self.count(Verdict.MET)}, missed "
            f"{self.count(Verdict.MISSED)}, not evaluable {self.count(Verdict.NOT_EVALUABLE)}"
        )
