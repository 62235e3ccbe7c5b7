"""What every runner promises: the one with a child process and its twin in this process pass the same tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bmnode.clock import SystemClock
from bmnode.domain.pipelines import Progress
from bmnode.domain.results import Outcome
from bmnode.domain.study import Reason, Refusal
from bmnode.errors import InputError, PipelineFailedError
from bmnode.run.child_runner import LocalChildRunner, RunLimits
from bmnode.run.process import ChildOptions
from bmnode.run.runner import Runner, RunOutcome, RunRequest
from bmnode.testing.runner import CHILD_COMMAND, FOLDER_VARIABLE, InProcessRunner, fake_computation


@pytest.fixture(params=["child", "in_process"])
def runner(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    """Each implementation with the fake pipelines."""
    made: Runner
    if request.param == "in_process":
        made = InProcessRunner(computation=fake_computation(tmp_path))
    else:
        monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
        made = LocalChildRunner(
            options=ChildOptions(command=CHILD_COMMAND, log_path=tmp_path / "child.log"),
            limits=RunLimits(timeout_s=30, jobs_per_child=50),
            clock=SystemClock(),
        )
    yield made
    made.close()


def _request(folder: Path, *, pipeline: str, attempt: int = 1, refusal: Refusal | None = None) -> RunRequest:
    return RunRequest(
        job_id="job-1",
        job_digest="d" * 64,
        attempt=attempt,
        study_uid="1.2.3",
        pipeline=pipeline,
        files=(folder / "image.dcm",),
        output_dir=folder / "results" / "job-1",
        created_at=datetime(2026, 3, 1, 8, 0, tzinfo=UTC),
        refusal=refusal,
    )


def _run(runner: Runner, request: RunRequest) -> tuple[RunOutcome, list[Progress]]:
    reports: list[Progress] = []
    return asyncio.run(runner.run(request, reports.append)), reports


def _folders(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "results" / "job-1").iterdir())


def test_a_run_ends_with_its_objects_in_place(runner: Runner, tmp_path: Path) -> None:
    """The outcome names every object, its file stands under the final name, and progress was told on the way."""
    outcome, reports = _run(runner, _request(tmp_path, pipeline="assesses"))
    assert outcome.outcome is Outcome.ASSESSED
    assert outcome.refusal is None
    (item,) = outcome.objects
    assert item.path == "attempt-1/sr.dcm"
    assert (tmp_path / "results" / "job-1" / item.path).read_text().startswith("assessed")
    assert _folders(tmp_path) == ["attempt-1"]
    assert [report.step for report in reports] == ["assesses", "written"]


def test_what_cannot_be_assessed_is_a_result(runner: Runner, tmp_path: Path) -> None:
    """A pipeline's refusal comes back as an outcome with its reason, not as an error."""
    outcome, _ = _run(runner, _request(tmp_path, pipeline="refuses"))
    assert outcome.outcome is Outcome.NOT_ASSESSABLE
    assert outcome.refusal is not None
    assert outcome.refusal.reason is Reason.MISSING_GEOMETRY
    assert len(outcome.objects) == 1


def test_a_refusal_runs_no_pipeline(runner: Runner, tmp_path: Path) -> None:
    """A request that brings its own refusal yields that result, whatever the pipeline would do, or if there is none."""
    refusal = Refusal(reason=Reason.PROCESSING_FAILED, explanation="Processing failed.")
    for attempt, pipeline in enumerate(("raises", "unknown"), start=1):
        outcome, _ = _run(runner, _request(tmp_path, pipeline=pipeline, attempt=attempt, refusal=refusal))
        assert outcome.refusal == refusal
        assert len(outcome.objects) == 1


def test_a_defect_is_told_by_type_and_place(runner: Runner, tmp_path: Path) -> None:
    """A pipeline that raises fails for good; the error quotes nothing of the data."""
    with pytest.raises(PipelineFailedError, match=r"ZeroDivisionError at runner\.py:\d+") as caught:
        _run(runner, _request(tmp_path, pipeline="raises"))
    assert "Doe" not in str(caught.value)


def test_unreadable_input_keeps_its_reason(runner: Runner, tmp_path: Path) -> None:
    """What the pipeline says of its input reaches the caller."""
    with pytest.raises(InputError, match="two slices lie at one position"):
        _run(runner, _request(tmp_path, pipeline="finds_unreadable"))


def test_an_unknown_pipeline_fails(runner: Runner, tmp_path: Path) -> None:
    """A pipeline that is not installed is named, with what to do."""
    with pytest.raises(PipelineFailedError, match="'unknown' cannot be loaded: see `bmnode pipeline list`"):
        _run(runner, _request(tmp_path, pipeline="unknown"))


def test_a_failure_leaves_no_result_and_the_next_run_cleans_up(runner: Runner, tmp_path: Path) -> None:
    """A failed attempt's folder never gets its final name, and is gone after the next attempt."""
    with pytest.raises(PipelineFailedError):
        _run(runner, _request(tmp_path, pipeline="raises"))
    assert _folders(tmp_path) == ["attempt-1.tmp"]
    _run(runner, _request(tmp_path, pipeline="assesses", attempt=2))
    assert _folders(tmp_path) == ["attempt-2"]


def test_the_same_attempt_again_replaces_the_first(runner: Runner, tmp_path: Path) -> None:
    """An attempt whose result nobody took over is done again under its name, with the same bytes."""
    first, _ = _run(runner, _request(tmp_path, pipeline="assesses"))
    second, _ = _run(runner, _request(tmp_path, pipeline="assesses"))
    assert first == second
    assert _folders(tmp_path) == ["attempt-1"]


def test_versions_name_what_can_be_run(runner: Runner) -> None:
    """Each pipeline's version is known before a run."""
    versions = asyncio.run(runner.versions())
    assert versions["assesses"] == "1"
    assert "unknown" not in versions
