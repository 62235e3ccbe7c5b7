"""What an evaluation of lesion matching against known truth gives. Found by entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bmnode.domain.evaluations import EvaluationRequest, Masks, Verdict
from bmnode.domain.pair_evaluations import PairReport
from bmnode.domain.pipelines import ReportProgress


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchingRow:
    """One rule of matching on one kind of masks, over all pairs of scans of a modality. Everything in it is SIMULATED.

    A link is a prior and a current lesion that belong to one group: one lesion that goes on, or parts of one that split
    or merged.

    Args:
        scans, refused: how many pairs of scans were tried, and how many of them gave no registration.
        true, proposed, right: links that there are, that were made, and that were made and are true.
        precision, recall, f1: of these; None where it would be a share of nothing.
        events: of every lesion of either time: what became of it, then what was said, and how many.
        not_evaluable: what is in no figure, by reason.
        target: in words; empty where there is none.
    """

    modality: str
    masks: Masks
    method: str
    scans: int
    refused: int
    true: int
    proposed: int
    right: int
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    events: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    not_evaluable: Mapping[str, int] = field(default_factory=dict)
    target: str = ""
    verdict: Verdict = Verdict.REPORTED

    def __post_init__(self) -> None:
        if (self.verdict is Verdict.REPORTED) != (not self.target):
            raise ValueError("a row is judged if and only if it has a target")
        if not 0 <= self.right <= min(self.true, self.proposed) or not 0 <= self.refused <= self.scans:
            raise ValueError("what is right is true and proposed; no more scans are refused than there are")

    @property
    def right_events(self) -> float | None:
        """Share of the lesions whose event was said rightly; None without a lesion."""
        total = sum(count for said in self.events.values() for count in said.values())
        return sum(said.get(event, 0) for event, said in self.events.items()) / total if total else None


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchingReport(PairReport[MatchingRow]):
    """Lesion matching on one SIMULATED cohort; `version` is that of the rule that was judged."""

    @property
    def summary(self) -> str:
        """One line of figures."""
        scores = "; ".join(
            f"{row.modality}, {row.masks} masks: F1 {row.f1:.3f} of {row.true} links"
            for row in self.judged
            if row.f1 is not None
        )
        return f"{self.verdicts}; {scores or 'no F1'}"


class MatchingEvaluation(Protocol):
    """Matches the lesions of simulated pairs of scans and compares with their truth."""

    def __call__(self, request: EvaluationRequest, report: ReportProgress) -> MatchingReport:
        """Evaluate. Raises ConfigError on a bad cohort, SimulationError where a run could not go on."""
        ...
