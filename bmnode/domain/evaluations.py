"""What the command line asks of an evaluation against known truth, and what it gets. Found by entry point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bmnode.domain.pipelines import ReportProgress

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """How measured values differ from true ones, in the unit of the differences.

    `bias` is the mean difference (measured minus true), `sd` the standard deviation of the differences (n - 1),
    `limits` lie 1.96 `sd` on either side of the bias. Intervals are of 95 % confidence and take the differences
    for independent and normal. Of one difference nothing but bias and median is known; the rest is None.
    """

    n: int
    bias: float
    median: float
    sd: float | None = None
    limits: Interval | None = None
    bias_interval: Interval | None = None
    low_limit_interval: Interval | None = None
    high_limit_interval: Interval | None = None

    def __post_init__(self) -> None:
        if self.n < 1 or (self.sd is None) != (self.n < 2):
            raise ValueError("an agreement rests on one difference or more, its spread on two or more")


class Masks(StrEnum):
    """On whose masks was measured."""

    TRUE = "true"
    """The true ones: what is left is the error of image and measurement."""
    FOUND = "found"
    """Those that the branch found, of lesions that it found."""


class Verdict(StrEnum):
    """How a row stands against its target."""

    MET = "met"
    MISSED = "missed"
    NOT_EVALUABLE = "not evaluable"
    """There is a target and nothing to hold against it."""
    REPORTED = "reported"
    """No target: shown for the reader's judgement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccuracyRow:
    """One quantity of one modality against truth. Everything in it is SIMULATED.

    Args:
        group: which lesions.
        absolute: in `unit`; None where no lesion could be compared.
        percent: of the true value; None likewise, and for a quantity whose zero does not mean none.
        not_evaluable: how many could not be compared, by reason; never part of the figures.
        target: in words; empty where there is none.
    """

    modality: str
    quantity: str
    unit: str
    masks: Masks
    group: str
    absolute: Agreement | None
    percent: Agreement | None
    not_evaluable: Mapping[str, int] = field(default_factory=dict)
    target: str = ""
    verdict: Verdict = Verdict.REPORTED

    def __post_init__(self) -> None:
        if (self.verdict is Verdict.REPORTED) != (not self.target):
            raise ValueError("a row is judged if and only if it has a target")

    @property
    def n(self) -> int:
        """How many were compared."""
        return 0 if self.absolute is None else self.absolute.n


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionRow:
    """How many lesions of one size a branch found, by one-to-one overlap. Everything in it is SIMULATED.

    Args:
        size: class of the lesions' diameter.
        lesions: with a voxel or pixel of their own in the image.
        interval: of the sensitivity, 95 %; None without lesions.
        studies, refused: of the modality.
        false: candidates of the modality that overlap no lesion; of all sizes, so it stands in the row `all` alone.
        parts: candidates that overlap a lesion that is another one's partner; likewise.
    """

    modality: str
    size: str
    lesions: int
    found: int
    interval: Interval | None
    studies: int
    refused: int
    false: int | None = None
    parts: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.found <= self.lesions:
            raise ValueError("no more lesions are found than there are")

    @property
    def sensitivity(self) -> float | None:
        """Share of the lesions that were found; None without lesions."""
        return self.found / self.lesions if self.lesions else None

    @property
    def false_per_study(self) -> float | None:
        """False candidates for each study that was assessed; None where none was, or in a row of one size."""
        assessed = self.studies - self.refused
        return self.false / assessed if self.false is not None and assessed else None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationRequest:
    """What to evaluate on.

    Args:
        cohort: a TOML file, or the name of a cohort that comes along; None is the evaluation's own.
        quick: its small fixed subset; not with a cohort.
        out: keeps studies and records: what is whole in it is not done again.
        cache_dir: keeps anatomies.
        workers: processes; the figures do not depend on it.
    """

    out: Path
    cache_dir: Path
    cohort: str | None = None
    quick: bool = False
    workers: int = 1

    def __post_init__(self) -> None:
        if self.quick and self.cohort is not None:
            raise ValueError("the quick subset is a cohort of its own")
        if not 1 <= self.workers <= 256:
            raise ValueError(f"workers is {self.workers}, allowed is 1 to 256")


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasurementReport:
    """The accuracy of measurements on one SIMULATED cohort; `pipeline` is the version that was measured."""

    cohort: str
    seed: int
    patients: int
    pipeline: str
    rows: tuple[AccuracyRow, ...]
    detection: tuple[DetectionRow, ...]

    def count(self, verdict: Verdict) -> int:
        """How many rows have this verdict."""
        return sum(row.verdict is verdict for row in self.rows)

    @property
    def is_met(self) -> bool:
        """Whether no target was missed, and one at least was met."""
        return self.count(Verdict.MISSED) == 0 and self.count(Verdict.MET) > 0

    @property
    def summary(self) -> str:
        """One line of figures."""
        overall = [row for row in self.detection if row.false is not None]
        lesions, found = (sum(getattr(row, name) for row in overall) for name in ("lesions", "found"))
        judged = self.count(Verdict.MET) + self.count(Verdict.MISSED) + self.count(Verdict.NOT_EVALUABLE)
        return (
            f"SIMULATED, patients {self.patients}; targets {judged}: met {self.count(Verdict.MET)}, missed "
            f"{self.count(Verdict.MISSED)}, not evaluable {self.count(Verdict.NOT_EVALUABLE)}; lesions found {found} "
            f"of {lesions}; false candidates {sum(row.false or 0 for row in overall)}; studies refused "
            f"{sum(row.refused for row in overall)} of {sum(row.studies for row in overall)}"
        )


class MeasurementEvaluation(Protocol):
    """Measures simulated patients and compares with their truth."""

    def __call__(self, request: EvaluationRequest, report: ReportProgress) -> MeasurementReport:
        """Evaluate. Raises ConfigError on a bad cohort, SimulationError where a run could not go on."""
        ...
