"""What the child process promises: no crash, time-out or kill reaches the parent, and none outlives it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from bmnode.clock import SystemClock
from bmnode.domain.pipelines import Progress
from bmnode.domain.results import Outcome
from bmnode.errors import ChildCrashedError, RunTimedOutError
from bmnode.run.child_runner import LocalChildRunner, RunLimits
from bmnode.run.process import STACK_BYTES, ChildOptions
from bmnode.run.runner import RunRequest
from bmnode.testing.runner import CHILD_COMMAND, FOLDER_VARIABLE

CLOCK = SystemClock()


def wait_for(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Until the condition holds; fails the test after so many seconds."""
    deadline = CLOCK.monotonic_s() + seconds
    while not condition():
        if CLOCK.monotonic_s() > deadline:
            pytest.fail(f"not seen within {seconds} s")
        CLOCK.sleep_s(0.02)


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalChildRunner]:
    """A runner with the fake pipelines, without a child yet."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    made = LocalChildRunner(
        options=ChildOptions(command=CHILD_COMMAND, log_path=tmp_path / "child.log"),
        limits=RunLimits(timeout_s=30, jobs_per_child=50),
        clock=CLOCK,
    )
    yield made
    made.close()


def _request(folder: Path, *, pipeline: str, attempt: int = 1) -> RunRequest:
    return RunRequest(
        job_id="job-1",
        job_digest="d" * 64,
        attempt=attempt,
        study_uid="1.2.3",
        pipeline=pipeline,
        files=(folder / "image.dcm",),
        output_dir=folder / "results",
        created_at=datetime(2026, 3, 1, 8, 0, tzinfo=UTC),
    )


def _ignore(_: Progress) -> None:
    """A report nobody reads."""


def _run(runner: LocalChildRunner, request: RunRequest) -> Outcome:
    return asyncio.run(runner.run(request, _ignore)).outcome


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "bmnode.testing.runner" in child.cmdline()]


def _started(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("started-")) for path in folder.glob("started-*")]


def test_the_child_stays_warm(runner: LocalChildRunner, tmp_path: Path) -> None:
    """Two jobs use one process."""
    runner.warm_up().result()
    (first,) = _children()
    for attempt in (1, 2):
        assert _run(runner, _request(tmp_path, pipeline="assesses", attempt=attempt)) is Outcome.ASSESSED
    assert [child.pid for child in _children()] == [first.pid]


def test_a_crash_costs_the_attempt_and_not_the_runner(runner: LocalChildRunner, tmp_path: Path) -> None:
    """A child that is killed is an error that may be tried again, and the next run has a new child."""
    with pytest.raises(ChildCrashedError, match="SIGKILL"):
        _run(runner, _request(tmp_path, pipeline="crashes_once"))
    assert _run(runner, _request(tmp_path, pipeline="crashes_once", attempt=2)) is Outcome.ASSESSED


def test_a_run_that_takes_too_long_is_killed(runner: LocalChildRunner, tmp_path: Path) -> None:
    """After the limit the child is gone, and the next run has a new one."""
    runner.limits = replace(runner.limits, timeout_s=0.5)
    with pytest.raises(RunTimedOutError):
        _run(runner, _request(tmp_path, pipeline="waits_for_go"))
    (pid,) = _started(tmp_path)
    wait_for(lambda: not psutil.pid_exists(pid))
    (tmp_path / "go").touch()
    assert _run(runner, _request(tmp_path, pipeline="waits_for_go", attempt=2)) is Outcome.ASSESSED


def test_cancelling_kills_the_child(runner: LocalChildRunner, tmp_path: Path) -> None:
    """A run that is cancelled leaves no process computing, and the runner free for the next."""

    async def cancelled() -> None:
        task = asyncio.create_task(runner.run(_request(tmp_path, pipeline="waits_for_go"), _ignore))
        await asyncio.to_thread(wait_for, lambda: bool(_started(tmp_path)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    (pid,) = _started(tmp_path)
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert _run(runner, _request(tmp_path, pipeline="assesses", attempt=2)) is Outcome.ASSESSED


def test_a_child_is_replaced_after_its_jobs(runner: LocalChildRunner, tmp_path: Path) -> None:
    """What leaks in a child has an end."""
    runner.limits = replace(runner.limits, jobs_per_child=1)
    runner.warm_up().result()
    (first,) = _children()
    assert _run(runner, _request(tmp_path, pipeline="assesses")) is Outcome.ASSESSED
    wait_for(lambda: [child.pid for child in _children()] not in ([], [first.pid]))


def test_a_child_that_cannot_start_is_an_error(runner: LocalChildRunner, tmp_path: Path) -> None:
    """A command that does not exist, and one that ends at once, are errors and no hang."""
    for command in (("/nonexistent",), (sys.executable, "-c", "raise SystemExit(3)")):
        runner.options = replace(runner.options, command=command)
        with pytest.raises(ChildCrashedError):
            _run(runner, _request(tmp_path, pipeline="assesses"))


def test_a_memory_limit_ends_the_run_and_not_the_machine(runner: LocalChildRunner, tmp_path: Path) -> None:
    """A pipeline that asks for more memory than it may have fails in a way that can be tried again."""
    runner.options = replace(runner.options, memory_mb=4096)
    with pytest.raises(ChildCrashedError, match="MemoryError"):
        _run(runner, _request(tmp_path, pipeline="exhausts_memory"))


def test_the_child_has_the_stack_that_the_graph_needs(runner: LocalChildRunner) -> None:
    """The child's stack limit is 32 MB or what the machine allows, and the parent's is as before."""
    before = resource.getrlimit(resource.RLIMIT_STACK)
    runner.warm_up().result()
    (child,) = _children()
    soft, hard = child.rlimit(psutil.RLIMIT_STACK)
    assert soft == resource.RLIM_INFINITY or soft >= min(STACK_BYTES, hard if hard > 0 else STACK_BYTES)
    assert resource.getrlimit(resource.RLIMIT_STACK) == before


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_killed_parent_leaves_no_child(tmp_path: Path) -> None:
    """Kill -9 of the worker ends its child in the middle of a run."""
    code = f"""
        import asyncio
        from pathlib import Path
        from tests.integration.test_child_runner import *
        from tests.integration.test_child_runner import _ignore, _request
        folder = Path({str(tmp_path)!r})
        runner = LocalChildRunner(
            options=ChildOptions(command=CHILD_COMMAND, log_path=folder / "child.log"),
            limits=RunLimits(timeout_s=60, jobs_per_child=50),
            clock=CLOCK,
        )
        asyncio.run(runner.run(_request(folder, pipeline="waits_for_go"), _ignore))
    """
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=root, env={**os.environ, FOLDER_VARIABLE: str(tmp_path)}
    )
    try:
        wait_for(lambda: bool(_started(tmp_path)))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    (pid,) = _started(tmp_path)
    wait_for(lambda: not psutil.pid_exists(pid))
