"""One attempt, computed where this is called: pipeline, DICOM objects, folder."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bmnode.domain.pipelines import Pipeline, PipelineRequest, Progress
from bmnode.domain.results import Outcome, ResultSet
from bmnode.errors import BmnodeError, ChildCrashedError, PipelineFailedError, RunError
from bmnode.run.attempts import attempt_name, close_attempt, open_attempt
from bmnode.run.failures import describe_error
from bmnode.run.runner import RunObject, RunOutcome, RunRequest

_UNKNOWN_VERSION = "unknown"


class WriteResults(Protocol):
    """Turns a result set into verified DICOM files."""

    def __call__(
        self, result_set: ResultSet, *, request: RunRequest, pipeline_version: str, out_dir: Path
    ) -> Sequence[RunObject]:
        """Write into `out_dir`; each object's path is relative to that folder. Raises ResultError, OSError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Computation:
    """What a run needs besides its request: the loaded pipelines by name, and the writer."""

    pipelines: Mapping[str, Pipeline]
    write: WriteResults

    def run(self, request: RunRequest, report: Callable[[Progress], None]) -> RunOutcome:
        """Compute the attempt; its folder has its final name when this returns.

        Raises ChildCrashedError where memory or disk gave out (may succeed later), InputError and
        PipelineFailedError where the same request would fail again. Their texts quote no data set.
        """
        try:
            return self._run(request, report)
        except RunError:
            raise
        except BmnodeError as error:
            raise PipelineFailedError(str(error)) from error
        except (OSError, MemoryError) as error:
            raise ChildCrashedError(f"memory or disk gave out: {describe_error(error)}") from error
        except Exception as error:
            # A pipeline's worker loop: whatever it raises is the job's failure, never the child's.
            traceback.print_tb(error.__traceback__)
            raise PipelineFailedError(f"the pipeline raised {describe_error(error)}") from error

    def _run(self, request: RunRequest, report: Callable[[Progress], None]) -> RunOutcome:
        folder = open_attempt(request.output_dir, request.attempt)
        result_set, version = self._result_set(request, report)
        written = self.write(result_set, request=request, pipeline_version=version, out_dir=folder)
        name = attempt_name(request.attempt)
        outcome = RunOutcome(
            outcome=result_set.outcome,
            branch=result_set.branch,
            refusal=result_set.refusal,
            objects=tuple(replace(item, path=f"{name}/{item.path}") for item in written),
        )
        close_attempt(folder, outcome)
        return outcome

    def _result_set(self, request: RunRequest, report: Callable[[Progress], None]) -> tuple[ResultSet, str]:
        """The result set, and the version of the pipeline."""
        pipeline = self.pipelines.get(request.pipeline)
        if request.refusal is not None:
            refused = ResultSet(
                study_uid=request.study_uid,
                outcome=Outcome.NOT_ASSESSABLE,
                branch=None,
                input_series_uids=request.series_uids,
                refusal=request.refusal,
            )
            return refused, _UNKNOWN_VERSION if pipeline is None else pipeline.version
        if pipeline is None:
            raise PipelineFailedError(f"the pipeline {request.pipeline!r} cannot be loaded: see `bmnode pipeline list`")
        asked = PipelineRequest(
            study_uid=request.study_uid,
            files=request.files,
            seed=request.job_digest,
            priors_dir=request.priors_dir,
        )
        return pipeline.run(asked, report), pipeline.version
