"""What the node asks of a pipeline. Pipelines are found by entry point (`bmnode.pipelines`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bmnode.domain.results import ResultSet


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a job is: `fraction` from 0 to 1 and the step's name."""

    fraction: float
    step: str


ReportProgress = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineRequest:
    """One study to assess."""

    study_uid: str
    files: tuple[Path, ...]
    """Every DICOM file of the revision."""
    seed: str
    """The job's digest: whatever the pipeline makes up (Tracking UIDs) is derived from it."""
    priors_dir: Path | None = None
    """What is known of earlier examinations: a folder as `bmnode.priors.handover` has it. None: nobody looked."""


class Pipeline(Protocol):
    """A pipeline that can be run. It raises only on a defect: what cannot be assessed is a result."""

    @property
    def name(self) -> str:
        """The entry point's name."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same input may give another result."""
        ...

    def warm_up(self) -> None:
        """Import and load what every run needs, so that the first run does not wait for it."""
        ...

    def run(self, request: PipelineRequest, report: ReportProgress) -> ResultSet:
        """Assess one study."""
        ...
