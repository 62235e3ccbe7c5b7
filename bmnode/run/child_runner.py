"""Runs jobs in one warm child process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from bmnode.clock import Clock
from bmnode.domain.pipelines import Progress
from bmnode.errors import ChildCrashedError, RunError
from bmnode.run.attempts import read_attempt
from bmnode.run.messages import FAILURES, Kind, Message, request_to_json
from bmnode.run.process import ChildOptions, ChildProcess
from bmnode.run.runner import Report, RunOutcome, RunRequest

_log = structlog.get_logger(__name__)
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLimits:
    """What one run may take."""

    timeout_s: float
    jobs_per_child: int
    """A child is replaced after so many jobs: what leaks in it has an end."""


@dataclass(kw_only=True, slots=True)
class _Warm:
    """A child that is ready."""

    child: ChildProcess
    versions: Mapping[str, str]
    jobs: int = 0


@dataclass(kw_only=True)
class LocalChildRunner:
    """A `Runner` with one child at a time, started at the first need and kept.

    The child is started, asked and ended on one thread that lives as long as the runner: the
    kernel ends a child when the thread that started it ends. A crash or a time-out ends the
    child; the next job gets a new one.
    """

    options: ChildOptions
    limits: RunLimits
    clock: Clock
    _thread: ThreadPoolExecutor = field(
        init=False, default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="child")
    )
    _warm: _Warm | None = field(init=False, default=None)
    _versions: Mapping[str, str] | None = field(init=False, default=None)

    def warm_up(self) -> Future[None]:
        """Have a child ready before it is needed; the future holds the error where that fails."""
        return self._thread.submit(self._warm_up)

    async def run(self, request: RunRequest, report: Report) -> RunOutcome:
        """Compute one attempt; see `Runner`."""
        abandoned = threading.Event()
        return await self._on_thread(lambda: self._run(request, report, abandoned), abandoned)

    async def versions(self) -> Mapping[str, str]:
        """Version by name of the pipelines that the child could load; see `Runner`."""
        if self._versions is None:  # else it would wait for the job that runs
            self._versions = await self._on_thread(lambda: self._ready().versions, threading.Event())
        return self._versions

    def close(self) -> None:
        """End the child and the thread."""
        self._kill()
        self._thread.submit(self._discard).result()
        self._thread.shutdown()

    async def _on_thread(self, work: Callable[[], _Answer], abandoned: threading.Event) -> _Answer:
        """Do it on the child's thread. Cancelling kills the child, so that the thread comes free."""
        future = self._thread.submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            abandoned.set()
            if not future.cancel() and not future.done():
                self._kill()
            raise

    def _kill(self) -> None:
        warm = self._warm
        if warm is not None:
            warm.child.kill()

    # --- on the child's thread ---------------------------------------------------------

    def _warm_up(self) -> None:
        self._ready()

    def _run(self, request: RunRequest, report: Report, abandoned: threading.Event) -> RunOutcome:
        warm = self._ready()
        if abandoned.is_set():  # while the child was starting, when there was nothing to kill
            raise ChildCrashedError("the run was cancelled")
        try:
            outcome = self._ask(warm, request, report)
        except RunError as error:
            if error.retryable:
                self._discard()
            raise
        finally:
            warm.jobs += 1
        if warm.jobs >= self.limits.jobs_per_child:
            self._discard()
            self._thread.submit(self._warm_up)
        return outcome

    def _ask(self, warm: _Warm, request: RunRequest, report: Report) -> RunOutcome:
        deadline_s = self.clock.monotonic_s() + self.limits.timeout_s
        warm.child.send(Message(kind=Kind.RUN, body=request_to_json(request)))
        while True:
            message = warm.child.receive(deadline_s=deadline_s)
            if message.kind is Kind.PROGRESS:
                report(Progress(fraction=message.body["fraction"], step=message.body["step"]))
            elif message.kind is Kind.DONE:
                return read_attempt(request.output_dir, request.attempt)
            elif message.kind is Kind.FAILED:
                raise FAILURES.get(message.body["code"], ChildCrashedError)(message.body["detail"])

    def _ready(self) -> _Warm:
        if self._warm is not None:
            return self._warm
        started_s = self.clock.monotonic_s()
        child = ChildProcess(self.options, clock=self.clock)
        try:
            message = child.receive(deadline_s=started_s + self.options.ready_timeout_s)
        except RunError:
            child.kill()
            child.close()
            raise
        self._warm = _Warm(child=child, versions=message.body["pipelines"])
        self._versions = self._warm.versions
        for name, error in message.body["failed"].items():
            _log.error("pipeline_not_loaded", pipeline=name, error=error)
        _log.info("child_ready", pid=child.pid, seconds=round(self.clock.monotonic_s() - started_s, 2))
        return self._warm

    def _discard(self) -> None:
        if self._warm is not None:
            warm, self._warm = self._warm, None
            warm.child.kill()
            warm.child.close()
