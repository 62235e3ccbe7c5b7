"""What an evaluation of registration against known truth gives. Found by entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bmnode.domain.evaluations import EvaluationRequest, Verdict
from bmnode.domain.pair_evaluations import PairReport
from bmnode.domain.pipelines import ReportProgress


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrationRow:
    """One way of registering, over all pairs of a modality. Everything in it is SIMULATED.

    Args:
        pairs, refused: how many were tried, and how many of them gave no registration.
        not_evaluable: pairs and bones without figures, by reason; never part of them.
        error_mm: mean over the pairs of the mean distance between where a point in bone was brought and where it is.
        worst_error_mm: of the pair with the largest mean error.
        error_p95_mm: mean over the pairs of the 95th percentile.
        dice: mean over bones and pairs; 1 is complete overlap.
        hausdorff_mm: likewise, 95th percentile of the distances between the surfaces.
        folded: largest share of the field's cells with a Jacobian determinant of zero or less.
        seconds: of processor time, mean over the pairs; without finding bones and their names.
        memory_mb: peak of the process with both images read, largest; None where it was not measured apart.
        worse_than_rigid: pairs with a larger mean error than one rigid motion.
        target: in words; empty where there is none.
    """

    modality: str
    method: str
    pairs: int
    refused: int
    not_evaluable: Mapping[str, int] = field(default_factory=dict)
    error_mm: float | None = None
    worst_error_mm: float | None = None
    error_p95_mm: float | None = None
    dice: float | None = None
    hausdorff_mm: float | None = None
    folded: float | None = None
    seconds: float | None = None
    memory_mb: float | None = None
    worse_than_rigid: int | None = None
    target: str = ""
    verdict: Verdict = Verdict.REPORTED

    def __post_init__(self) -> None:
        if (self.verdict is Verdict.REPORTED) != (not self.target):
            raise ValueError("a row is judged if and only if it has a target")
        if not 0 <= self.refused <= self.pairs:
            raise ValueError("no more pairs are refused than there are")


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrationReport(PairReport[RegistrationRow]):
    """Registration on one SIMULATED cohort; `version` is that of the method that was judged."""

    @property
    def summary(self) -> str:
        """One line of figures."""
        errors = "; ".join(
            f"{row.modality}: {row.method} {row.error_mm:.2f} mm" for row in self.judged if row.error_mm is not None
        )
        return f"{self.verdicts}; mean error in bone {errors or 'not evaluable'}"


class RegistrationEvaluation(Protocol):
    """Registers simulated pairs and compares with their truth."""

    def __call__(self, request: EvaluationRequest, report: ReportProgress) -> RegistrationReport:
        """Evaluate. Raises ConfigError on a bad cohort, SimulationError where a run could not go on."""
        ...
