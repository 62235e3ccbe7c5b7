"""What the command line asks of a simulator. It is found by entry point (`bmnode.tools`, `simulate`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bmnode.domain.pipelines import ReportProgress


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulationRequest:
    """One cohort to simulate.

    Args:
        cohort: a TOML file, or the name of a cohort that the simulator brings along.
        out: folder of the studies; what is whole in it stays, what is half done is done again.
        cache_dir: where anatomies are kept between runs.
        seed: of everything that is drawn; None takes the cohort's own.
        workers: processes; the bytes do not depend on it.
        preview: whether a page of pictures is drawn.
    """

    cohort: str
    out: Path
    cache_dir: Path
    seed: int | None = None
    workers: int = 1
    preview: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= 256:
            raise ValueError(f"workers is {self.workers}, allowed is 1 to 256")


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedStudy:
    """One study on disk: `dicom` holds the instances and nothing else, `truth` what is known of them."""

    patient: str
    timepoint: str
    name: str
    modality: str
    study_uid: str
    dicom: Path
    truth: Path
    instances: int
    lesions: int
    made_now: bool
    """False where an earlier run had finished it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulationReport:
    """What came of a request: the index that lists everything, the studies, the page of pictures."""

    cohort: str
    seed: int
    index: Path
    studies: tuple[SimulatedStudy, ...]
    preview: Path | None = None


class FidelityRow(Protocol):
    """One measured quantity beside what its source says."""

    @property
    def quantity(self) -> str:
        """What was measured."""
        ...

    @property
    def value(self) -> float:
        """As measured."""
        ...

    @property
    def unit(self) -> str:
        """Of the value; "" for a ratio."""
        ...

    @property
    def low(self) -> float | None:
        """Lower end of the range, or None."""
        ...

    @property
    def high(self) -> float | None:
        """Upper end of the range, or None."""
        ...

    @property
    def source(self) -> str:
        """Where the range is from."""
        ...

    @property
    def known_gap(self) -> str:
        """Why the value leaves its range, where that is known."""
        ...

    @property
    def verdict(self) -> str:
        """`in range`, `out of range` or `reported`."""
        ...


class Simulator(Protocol):
    """A simulator of patients. Bad input raises ConfigError; SimulationError is a run that could not go on."""

    def simulate(self, request: SimulationRequest, report: ReportProgress) -> SimulationReport:
        """Write a cohort's studies."""
        ...

    def check(self, *, cache_dir: Path, workers: int, report: ReportProgress) -> tuple[FidelityRow, ...]:
        """Simulate small fixed patients and measure them."""
        ...
