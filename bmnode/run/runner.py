"""One job's computation, behind an interface: what is asked, what comes back, who computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bmnode.domain.objects import OutputOptions, PredecessorDocument
from bmnode.domain.pipelines import Progress
from bmnode.domain.results import Outcome
from bmnode.domain.study import Branch, Refusal

Report = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """One attempt of one job. Raises ValueError where it cannot be run."""

    job_id: str
    job_digest: str
    """What every UID of the results is derived from."""
    attempt: int
    """Names the output folder; never used twice for results that are kept."""
    study_uid: str
    pipeline: str
    files: tuple[Path, ...]
    """Every DICOM file of the revision, absolute."""
    output_dir: Path
    """The job's folder, absolute; the attempt gets its own folder in it."""
    created_at: datetime
    """Of the job, aware UTC: stands in the results, so that a second attempt writes the same bytes."""
    series_uids: tuple[str, ...] = ()
    """Series Instance UIDs of the revision."""
    refusal: Refusal | None = None
    """With one, no pipeline runs: the result says that the study is not assessable, and why."""
    output: OutputOptions = field(default_factory=OutputOptions)
    """What is written beyond the usual objects."""
    predecessors: tuple[PredecessorDocument, ...] = ()
    """The study's reports by earlier runs, which the new ones name (PS3.3 C.17.2, Predecessor Documents)."""
    priors_dir: Path | None = None
    """What is known of earlier examinations, absolute; see `PipelineRequest`."""

    def __post_init__(self) -> None:
        if self.attempt < 1:
            raise ValueError("attempts are counted from 1")
        if not self.files:
            raise ValueError("a run has at least one file")
        if self.created_at.tzinfo is None:
            raise ValueError("created_at is aware")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunObject:
    """One result object that was written and verified."""

    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str
    path: str
    """Relative to the job's output folder."""
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOutcome:
    """What a run that ended came to."""

    outcome: Outcome
    branch: Branch | None
    objects: tuple[RunObject, ...]
    refusal: Refusal | None = None
    """Why the study is not assessable; None where it was assessed."""


class Runner(Protocol):
    """Who computes."""

    def warm_up(self) -> Future[None]:
        """Get ready before the first run. Returns at once; the future holds the error where that fails."""
        ...

    async def run(self, request: RunRequest, report: Report) -> RunOutcome:
        """Compute one attempt; cancelling ends the computation.

        `report` is called from any thread. Raises ChildCrashedError and RunTimedOutError (may
        succeed later), PipelineFailedError and InputError (will not).
        """
        ...

    async def versions(self) -> Mapping[str, str]:
        """Version by name of every pipeline that can be run. Raises ChildCrashedError, RunTimedOutError."""
        ...

    def close(self) -> None:
        """End what computes."""
        ...
