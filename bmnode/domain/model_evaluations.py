"""What an evaluation of learned models against known truth gives. Found by entry point."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bmnode.domain.evaluations import EvaluationRequest, Interval, Verdict
from bmnode.domain.pipelines import ReportProgress


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelEvaluationRequest(EvaluationRequest):
    """What to evaluate, and on what.

    Args:
        bundle: folder of a model; None measures the branch by its thresholds alone.
    """

    bundle: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFigure:
    """One figure on one SIMULATED cohort.

    Args:
        value: None where nothing could be evaluated; never 0 for that.
        interval: of 95 % confidence; None where there is none.
        n: patients, views or lesions that it rests on.
    """

    value: float | None
    interval: Interval | None
    n: int

    def __post_init__(self) -> None:
        if self.n < 0 or (self.value is not None and self.n == 0):
            raise ValueError("a figure rests on something")
        if self.value is None and self.interval is not None:
            raise ValueError("what has no value has no interval")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRow:
    """One quantity of a cohort: by thresholds, by the model, and as published. The first two are SIMULATED.

    Args:
        view: `ANT`, `POST`, or `both`.
        group: which lesions or which part of the skeleton.
        model: None where none was evaluated.
        published: the survey's figure for this modality, in words; of other patients and other definitions.
        target: in words; empty where there is none.
    """

    cohort: str
    quantity: str
    view: str
    group: str
    unit: str
    thresholds: ModelFigure
    model: ModelFigure | None = None
    published: str = ""
    target: str = ""
    verdict: Verdict = Verdict.REPORTED

    def __post_init__(self) -> None:
        if (self.verdict is Verdict.REPORTED) != (not self.target):
            raise ValueError("a row is judged if and only if it has a target")


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortCount:
    """A SIMULATED cohort that was evaluated: its patients, the scans refused, and those measured without the model."""

    name: str
    seed: int
    patients: int
    refused: int
    not_used: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelReport:
    """A model beside the branch's thresholds on SIMULATED patients; `model` is empty where there was none."""

    model: str
    pipeline: str
    cohorts: tuple[CohortCount, ...]
    rows: tuple[ModelRow, ...]

    def count(self, verdict: Verdict) -> int:
        """How many rows have this verdict."""
        return sum(row.verdict is verdict for row in self.rows)

    @property
    def is_met(self) -> bool:
        """Whether no target was missed or left open, and one at least was met."""
        open_rows = self.count(Verdict.MISSED) + self.count(Verdict.NOT_EVALUABLE)
        return open_rows == 0 and self.count(Verdict.MET) > 0

    @property
    def summary(self) -> str:
        """One line of figures."""
        judged = [row for row in self.rows if row.target]
        shown = "; ".join(
            f"{row.quantity}, {row.view} {_shown(row.model)} ({_shown(row.thresholds)})" for row in judged
        )
        return (
            f"SIMULATED, patients {sum(item.patients for item in self.cohorts)}; {self.model or 'no model'}; targets "
            f"{len(judged)}: met {self.count(Verdict.MET)}, missed {self.count(Verdict.MISSED)}, not evaluable "
            f"{self.count(Verdict.NOT_EVALUABLE)}; model (thresholds): {shown or 'none'}"
        )


def _shown(figure: ModelFigure | None) -> str:
    return "-" if figure is None or figure.value is None else f"{figure.value:.2f}"


class ModelEvaluation(Protocol):
    """Has simulated patients assessed by thresholds and by a model, and compares both with the truth."""

    def __call__(self, request: ModelEvaluationRequest, report: ReportProgress) -> ModelReport:
        """Evaluate. Raises ConfigError, BundleRefusedError, SimulationError where a run could not go on."""
        ...
