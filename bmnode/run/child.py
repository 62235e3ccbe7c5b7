"""The child's side: waits for runs, computes them one by one, answers.

It imports no writer of results and no pipeline: both are given. `bmnode.child` puts them
together.
"""

from __future__ import annotations

import argparse
import os
import queue
import resource
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bmnode.domain.models import ModelChoice
from bmnode.domain.pipelines import Progress
from bmnode.domain.study import Branch
from bmnode.errors import RunError
from bmnode.parent_death import die_with_parent
from bmnode.run.compute import Computation
from bmnode.run.messages import Kind, Message, request_from_json
from bmnode.run.runner import RunRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildArguments:
    """How the child was started."""

    reply_fd: int
    parent_pid: int
    memory_mb: int | None
    models: Mapping[Branch, ModelChoice] = field(default_factory=dict)

    @classmethod
    def from_argv(cls, argv: Sequence[str]) -> ChildArguments:
        """Read the command line that `ChildProcess` makes."""
        parser = argparse.ArgumentParser(prog="bmnode.child", description="Not for use by hand.")
        parser.add_argument("--reply-fd", type=int, required=True)
        parser.add_argument("--parent-pid", type=int, required=True)
        parser.add_argument("--memory-mb", type=int)
        parser.add_argument("--model", action="append", default=[])
        given = parser.parse_args(argv)
        return cls(
            reply_fd=given.reply_fd,
            parent_pid=given.parent_pid,
            memory_mb=given.memory_mb,
            models=dict(_model(text) for text in given.model),
        )


def model_arguments(models: Mapping[Branch, ModelChoice]) -> tuple[str, ...]:
    """The models as a child's command line has them: `--model BRANCH=DIGEST=FOLDER`, for each."""
    return tuple(
        part
        for branch, choice in sorted(models.items())
        for part in ("--model", f"{branch.value}={choice.digest}={choice.folder}")
    )


def _model(text: str) -> tuple[Branch, ModelChoice]:
    branch, digest, folder = text.split("=", 2)
    return Branch(branch), ModelChoice(folder=Path(folder), digest=digest)


@dataclass(kw_only=True)
class Child:
    """One child: serves until its standard input ends.

    Args:
        computation: the loaded pipelines and the writer.
        failed: names of the pipelines that could not be loaded, with the error.
        reply_fd: where answers go.
    """

    computation: Computation
    failed: Mapping[str, str]
    reply_fd: int
    _requests: queue.SimpleQueue[RunRequest] = field(init=False, default_factory=queue.SimpleQueue)

    def serve(self) -> None:
        """Answer until the parent closes standard input or is gone; then end at once, whatever runs."""
        threading.Thread(target=self._listen, daemon=True).start()
        versions = {name: pipeline.version for name, pipeline in self.computation.pipelines.items()}
        self._say(Kind.READY, pipelines=versions, failed=dict(self.failed))
        while True:
            self._answer(self._requests.get())

    def _answer(self, request: RunRequest) -> None:
        try:
            self.computation.run(request, self._report)
        except RunError as error:
            self._say(Kind.FAILED, code=error.code, detail=str(error))
        else:
            self._say(Kind.DONE)

    def _report(self, progress: Progress) -> None:
        self._say(Kind.PROGRESS, fraction=progress.fraction, step=progress.step)

    def _say(self, kind: Kind, **body: object) -> None:
        line = Message(kind=kind, body=body).to_line()
        while line:
            line = line[os.write(self.reply_fd, line) :]

    def _listen(self) -> None:
        """Take requests from standard input. Its end means that the parent has gone or wants no more."""
        for line in sys.stdin.buffer:
            self._requests.put(request_from_json(Message.from_line(line).body))
        os._exit(0)


def guard(arguments: ChildArguments) -> None:
    """Tie the child to its parent and to its limits; ends the process where the parent has gone already."""
    die_with_parent()
    if os.getppid() != arguments.parent_pid:
        sys.exit("the parent process has gone")
    os.set_inheritable(arguments.reply_fd, False)
    if arguments.memory_mb is not None:
        limit = arguments.memory_mb * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
