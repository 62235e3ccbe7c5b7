"""Runners for tests: one in this process, and a child of pipelines that do what their name says."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from bmnode.clock import SystemClock
from bmnode.domain.ids import derive_uid
from bmnode.domain.objects import ResultKind
from bmnode.domain.pipelines import Pipeline, PipelineRequest, Progress, ReportProgress
from bmnode.domain.results import Outcome, ResultSet
from bmnode.domain.study import Branch, Reason, Refusal
from bmnode.errors import InputError, RunError
from bmnode.run.child import Child, ChildArguments, guard
from bmnode.run.compute import Computation
from bmnode.run.runner import Report, RunObject, RunOutcome, RunRequest

FOLDER_VARIABLE = "BMNODE_TEST_CHILD_DIR"
"""Environment variable: where the child's pipelines leave their marks and look for `go`."""
CHILD_COMMAND = (sys.executable, "-m", "bmnode.testing.runner")
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"
_LOOK_AGAIN_S = 0.01


@dataclass(kw_only=True)
class InProcessRunner:
    """A `Runner` that computes in this process.

    Args:
        computation: the pipelines and the writer.
        losses: errors that the next runs end with, first things first, before any is computed.
    """

    computation: Computation
    losses: list[RunError] = field(default_factory=list)
    requests: list[RunRequest] = field(default_factory=list)
    """What was asked."""

    def warm_up(self) -> Future[None]:
        """Ready at once."""
        ready: Future[None] = Future()
        ready.set_result(None)
        return ready

    async def run(self, request: RunRequest, report: Report) -> RunOutcome:
        """Compute one attempt; see `Runner`."""
        self.requests.append(request)
        if self.losses:
            raise self.losses.pop(0)
        return await asyncio.to_thread(self.computation.run, request, report)

    async def versions(self) -> Mapping[str, str]:
        """Version by name of the pipelines."""
        return {name: pipeline.version for name, pipeline in self.computation.pipelines.items()}

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FakePipeline:
    """A pipeline whose result says nothing but how it ended."""

    name: str
    act: Callable[[PipelineRequest], Refusal | None]
    version: str = "1"

    def warm_up(self) -> None:
        """Nothing to load."""

    def run(self, request: PipelineRequest, report: ReportProgress) -> ResultSet:
        """Act, and report before and after."""
        report(Progress(fraction=0.5, step=self.name))
        refusal = self.act(request)
        report(Progress(fraction=1.0, step="written"))
        return ResultSet(
            study_uid=request.study_uid,
            outcome=Outcome.ASSESSED if refusal is None else Outcome.NOT_ASSESSABLE,
            branch=Branch.CT,
            input_series_uids=(),
            refusal=refusal,
        )


def write_text_results(
    result_set: ResultSet, *, request: RunRequest, pipeline_version: str, out_dir: Path
) -> Sequence[RunObject]:
    """A `WriteResults` whose objects are texts: the outcome, the reason and the predecessors; and a picture where
    one is asked for, and the report again in each further encoding."""
    reason = "" if result_set.refusal is None else result_set.refusal.reason.value
    after = "".join(f"after {item.sop_instance_uid}\n" for item in request.predecessors)
    text = f"{result_set.outcome.value} {reason} {request.pipeline} {pipeline_version}\n{after}".encode()
    kinds = [ResultKind.SR, *([ResultKind.SC] if request.output.pictures else [])]
    names = {f"{kind}.dcm": kind for kind in kinds}
    names |= {f"{encoding}/{ResultKind.SR}.dcm": ResultKind.SR for encoding in request.output.seg_encodings[1:]}
    for name in names:
        (out_dir / name).parent.mkdir(exist_ok=True)
        (out_dir / name).write_bytes(text)
    return tuple(
        RunObject(
            kind=kind.value,
            sop_class_uid=_COMPREHENSIVE_3D_SR if kind is ResultKind.SR else _SECONDARY_CAPTURE,
            sop_instance_uid=derive_uid(request.job_digest, name, "0"),
            series_uid=derive_uid(request.job_digest, "series", "0"),
            path=name,
            sha256=hashlib.sha256(text).hexdigest(),
        )
        for name, kind in names.items()
    )


def fake_computation(folder: Path) -> Computation:
    """Pipelines named for what they do: see the table in the code. `folder` holds their marks."""
    clock = SystemClock()

    def crash(_: PipelineRequest) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def crash_once(request: PipelineRequest) -> None:
        mark = folder / "crashed"
        if not mark.exists():
            mark.touch()
            crash(request)

    def wait_for_go(_: PipelineRequest) -> None:
        (folder / f"started-{os.getpid()}").touch()
        while not (folder / "go").exists():
            clock.sleep_s(_LOOK_AGAIN_S)

    def raise_defect(_: PipelineRequest) -> None:
        raise ZeroDivisionError("the heart rate of Mr Doe")

    def find_unreadable(_: PipelineRequest) -> None:
        raise InputError("two slices lie at one position")

    def exhaust_memory(_: PipelineRequest) -> None:
        bytearray(64 * 1024**3)

    def refuse(_: PipelineRequest) -> Refusal:
        return Refusal(reason=Reason.MISSING_GEOMETRY, explanation="The slices have no position.")

    acts: Mapping[str, Callable[[PipelineRequest], Refusal | None]] = {
        "assesses": lambda _: None,
        "refuses": refuse,
        "raises": raise_defect,
        "finds_unreadable": find_unreadable,
        "exhausts_memory": exhaust_memory,
        "crashes": crash,
        "crashes_once": crash_once,
        "waits_for_go": wait_for_go,
    }
    pipelines: dict[str, Pipeline] = {name: FakePipeline(name=name, act=act) for name, act in acts.items()}
    return Computation(pipelines=pipelines, write=write_text_results)


def main() -> None:
    """A child of the fake pipelines, for `ChildOptions.command`."""
    arguments = ChildArguments.from_argv(sys.argv[1:])
    guard(arguments)
    computation = fake_computation(Path(os.environ[FOLDER_VARIABLE]))
    Child(computation=computation, failed={}, reply_fd=arguments.reply_fd).serve()


if __name__ == "__main__":
    main()
