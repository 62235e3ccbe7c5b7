"""What the run flow promises: a job ends once, with a result, whatever happened on the way."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bmnode.domain.codes import Code
from bmnode.domain.objects import OutputOptions, ResultKind, SegEncoding, encoding_of
from bmnode.domain.states import DeliveryState, JobEvent, JobState
from bmnode.errors import ChildCrashedError, PipelineFailedError, RunTimedOutError
from bmnode.storage import Database, Jobs, Results
from bmnode.work.engine import FlowName
from bmnode.work.requests import study_request
from tests.unit.work.conftest import Node


def _events(database: Database, job_id: str) -> list[str]:
    with database.read() as connection:
        return [event.event for event in Jobs(connection).events(job_id)]


def _result_text(node: Node) -> str:
    with node.database.read() as connection:
        (result,) = Results(connection).of_job(node.job().job_id)
    return (node.folder / "results" / result.path).read_text()


def _run_all(node: Node) -> int:
    """Run what is asked for until no run is left; returns how many there were."""
    count = 0
    while "run" in node.asked():
        request = node.next(FlowName.RUN)
        node.clock.advance(request.delay_s)
        node.do(request)
        count += 1
    return count


def test_a_job_succeeds_with_results_and_deliveries(node: Node) -> None:
    """Results, deliveries and the flow of each destination appear with the success."""
    job = node.queued_job(destinations=("pacs", "archive"))
    node.do(node.next(FlowName.RUN))
    assert (node.job().state, node.job().outcome, node.job().attempt) == (JobState.SUCCEEDED, "assessed", 1)
    assert _result_text(node).startswith("assessed")
    assert {item.destination for item in node.deliveries()} == {"archive", "pacs"}
    requests = [item for item in node.engine.requests() if item.flow is FlowName.DELIVER]
    assert [(item.lane, item.subject[:2]) for item in requests] == [
        ("pacs", (job.job_id, "pacs")),
        ("archive", (job.job_id, "archive")),
    ]
    assert node.audited() == ["study_selected", "job_started", "job_succeeded"]
    assert node.job().progress == 1.0


def test_a_destination_gets_the_objects_that_it_takes(node: Node) -> None:
    """Pictures are written because one destination takes them, and go to that one alone."""
    node.objects = {"viewer": (ResultKind.SR, ResultKind.SC), "album": (ResultKind.SC,)}
    job = node.queued_job(destinations=("pacs", "viewer", "album", "unknown"))
    node.do(node.next(FlowName.RUN))
    with node.database.read() as connection:
        kinds = {item.sop_instance_uid: item.kind for item in Results(connection).of_job(job.job_id)}
    owed = sorted((item.destination, kinds[item.sop_instance_uid]) for item in node.deliveries())
    assert owed == [("album", "sc"), ("pacs", "sr"), ("unknown", "sr"), ("viewer", "sc"), ("viewer", "sr")]


def test_a_destination_that_takes_nothing_of_a_result_is_not_called(node: Node) -> None:
    """Where no object is owed, no delivery is asked for."""
    node.objects = {"album": (ResultKind.SEG,)}
    node.queued_job(destinations=("album",))
    node.do(node.next(FlowName.RUN))
    assert node.deliveries() == []
    assert node.asked() == []


def test_pictures_that_nobody_takes_are_not_written(node: Node) -> None:
    """The usual destinations take reports and segmentations only."""
    job = node.queued_job(destinations=("pacs",))
    node.do(node.next(FlowName.RUN))
    with node.database.read() as connection:
        assert [item.kind for item in Results(connection).of_job(job.job_id)] == ["sr"]


def _written(node: Node) -> dict[int, tuple[str, str]]:
    """By revision: the report's UID and text, of a job that has one."""
    found = {}
    with node.database.read() as connection:
        for job in node.jobs():
            for result in Results(connection).of_job(job.job_id):
                text = (node.folder / "results" / result.path).read_text()
                found[job.revision] = (result.sop_instance_uid, text)
    return found


def test_a_late_image_makes_a_report_that_names_the_one_before(node: Node) -> None:
    """The next revision's report takes the place of the last one; the first has no predecessor."""
    node.queued_job()
    node.do(node.next(FlowName.RUN))
    node.do(study_request(node.receive(2)))
    node.do(node.next(FlowName.RUN))
    (first, first_text), (_, second_text) = (_written(node)[revision] for revision in sorted(_written(node)))
    assert "after" not in first_text
    assert [line for line in second_text.splitlines() if line.startswith("after")] == [f"after {first}"]


def test_other_output_has_other_uids() -> None:
    """An option that changes reports or segmentations changes every UID; pictures beside them change none."""
    options = (
        OutputOptions(fictitious_planar_geometry=True),
        OutputOptions(algorithm_purpose=Code("1", "99X", "Processing Algorithm")),
    )
    assert OutputOptions(pictures=True).distinguish("digest") == "digest"
    assert OutputOptions(seg_encodings=tuple(SegEncoding)).distinguish("digest") == "digest"
    assert len({item.distinguish("digest") for item in options} | {"digest"}) == 3


def test_a_finished_job_is_not_run_again(node: Node) -> None:
    """A flow that is run again after a kill finds the job done."""
    node.queued_job()
    request = node.next(FlowName.RUN)
    node.do(request)
    node.do(request)
    assert len(node.runner.requests) == 1
    assert len(node.deliveries()) == 1


def test_a_job_of_a_killed_worker_starts_again(node: Node) -> None:
    """A job that is running when its flow begins was lost with its worker: it costs an attempt and ends once."""
    job = node.queued_job()
    with node.database.write() as connection:
        Jobs(connection).apply(job.job_id, JobEvent.STARTED, at=node.clock.now())
    node.do(node.next(FlowName.RUN))
    assert (node.job().state, node.job().attempt) == (JobState.SUCCEEDED, 2)
    assert len(node.deliveries()) == 1


@pytest.mark.parametrize("loss", [ChildCrashedError("signal SIGKILL"), RunTimedOutError("no answer in time")])
def test_a_lost_attempt_is_tried_again_later(node: Node, loss: ChildCrashedError) -> None:
    """A crash or time-out costs an attempt, and the next is asked for with a wait."""
    job = node.queued_job()
    node.runner.losses = [loss]
    node.do(node.next(FlowName.RUN))
    assert node.job().state is JobState.QUEUED
    assert node.next(FlowName.RUN).delay_s > 0
    assert _run_all(node) == 1
    assert _events(node.database, job.job_id) == ["created", "started", "attempt_lost", "started", "succeeded"]


def test_no_study_ends_silently_when_attempts_are_exhausted(node: Node) -> None:
    """After three crashes the job has failed, with a "not assessable" result that is delivered."""
    node.queued_job()
    node.runner.losses = [ChildCrashedError("the child process ended (signal SIGKILL)")] * 3
    assert _run_all(node) == 4
    job = node.job()
    assert (job.state, job.outcome, job.attempt) == (JobState.FAILED, "not_assessable", 3)
    assert job.reason == ("Processing failed in 3 attempts; the last one: the child process ended (signal SIGKILL).")
    assert _result_text(node).startswith("not_assessable processing_failed")
    assert [item.state for item in node.deliveries()] == [DeliveryState.PENDING]


@pytest.mark.parametrize(
    ("pipeline", "reason"), [("raises", "processing_failed"), ("finds_unreadable", "unreadable_input")]
)
def test_what_would_fail_again_fails_at_once_with_a_result(node: Node, pipeline: str, reason: str) -> None:
    """A pipeline that raises is not tried again; its study gets a result with the reason."""
    node.queued_job(pipeline=pipeline)
    assert _run_all(node) == 1
    assert (node.job().state, node.job().outcome, node.job().attempt) == (JobState.FAILED, "not_assessable", 1)
    assert _result_text(node).startswith(f"not_assessable {reason}")
    assert "Doe" not in (node.job().reason or "")


def test_a_failure_whose_report_cannot_be_written_still_ends(node: Node) -> None:
    """Where not even the refusal can be written, the job says so and is over."""
    node.queued_job()
    node.runner.losses = [PipelineFailedError("raised X"), PipelineFailedError("the SR failed its checks")]
    node.do(node.next(FlowName.RUN))
    assert node.job().state is JobState.FAILED
    assert node.job().reason == ("Processing failed: raised X. No report could be written: the SR failed its checks")
    assert list(node.deliveries()) == []


def test_what_the_pipeline_refuses_is_a_success(node: Node) -> None:
    """A study that cannot be assessed is a result like another; the job says why."""
    node.queued_job(pipeline="refuses")
    _run_all(node)
    job = node.job()
    assert (job.state, job.outcome, job.reason) == (
        JobState.SUCCEEDED,
        "not_assessable",
        "The slices have no position.",
    )


def test_a_job_that_was_cancelled_while_it_ran_keeps_no_result(node: Node) -> None:
    """What a cancelled job computed is thrown away."""
    job = node.queued_job()
    run = node.runner.run

    async def run_and_cancel(*arguments: object) -> object:
        outcome = await run(*arguments)  # type: ignore[arg-type]
        with node.database.write() as connection:
            Jobs(connection).apply(job.job_id, JobEvent.CANCELLED, at=node.clock.now())
        return outcome

    object.__setattr__(node.runner, "run", run_and_cancel)
    node.do(node.next(FlowName.RUN))
    assert node.job().state is JobState.CANCELLED
    assert list(node.deliveries()) == []


def test_a_cancelled_job_is_not_run(node: Node) -> None:
    """A flow whose job was cancelled meanwhile does nothing."""
    job = node.queued_job()
    request = node.next(FlowName.RUN)
    with node.database.write() as connection:
        Jobs(connection).apply(job.job_id, JobEvent.CANCELLED, at=node.clock.now())
    node.do(request)
    assert node.runner.requests == []


def test_a_retry_by_hand_writes_another_document_than_the_failure(node: Node) -> None:
    """The failure's report and the later result have different UIDs, and both stay on disk."""
    job = node.queued_job()
    node.runner.losses = [PipelineFailedError("raised X")]
    _run_all(node)
    node.clock.advance(60)
    with node.database.write() as connection:
        retried = Jobs(connection).apply(job.job_id, JobEvent.RETRIED, at=node.clock.now())
        from bmnode.work.client import EngineClient

        EngineClient(engine=node.engine, clock=node.clock).enqueue_job(retried, connection=connection)
    assert _run_all(node) == 1
    assert node.job().state is JobState.SUCCEEDED
    with node.database.read() as connection:
        results = Results(connection).of_job(job.job_id)
    assert len({item.sop_instance_uid for item in results}) == 2
    assert all((node.folder / "results" / item.path).is_file() for item in results)


def test_only_the_last_attempts_folder_stays(node: Node) -> None:
    """Folders of attempts whose results nobody kept are removed after the success."""
    job = node.queued_job()
    (node.folder / "results" / job.job_id / "attempt-7").mkdir(parents=True)
    _run_all(node)
    assert [path.name for path in (node.folder / "results" / job.job_id).iterdir()] == ["attempt-1"]


def test_a_flow_that_is_given_up_fails_its_job(node: Node) -> None:
    """A defect of ours ends the job too, instead of leaving it queued for ever."""
    job = node.queued_job()
    asyncio.run(node.handlers[FlowName.RUN].give_up((job.job_id,), error="KeyError at running.py:1"))
    assert (node.job().state, node.job().outcome) == (JobState.FAILED, "not_assessable")


def test_results_carry_the_time_of_the_job(node: Node) -> None:
    """A second attempt writes the same bytes: the time in the results is the job's."""
    job = node.queued_job()
    node.clock.advance(3600)
    _run_all(node)
    assert node.runner.requests[0].created_at == job.created_at
    assert node.job().ended_at == job.created_at + timedelta(seconds=3600)


def test_an_encoding_that_nobody_asks_for_is_not_written(node: Node) -> None:
    """Label maps are written for the destination that prefers them, beside the binary set and owed to nobody."""
    node.encodings = {"new": (SegEncoding.LABELMAP,)}
    job = node.queued_job(destinations=("pacs", "new"))
    node.do(node.next(FlowName.RUN))
    with node.database.read() as connection:
        results = Results(connection).of_job(job.job_id)
    written = {encoding_of(item.path): item.sop_instance_uid for item in results}
    assert set(written) == set(SegEncoding)
    assert {item.sop_instance_uid for item in node.deliveries()} == {written[SegEncoding.BINARY]}


def test_binary_is_always_written_first() -> None:
    """It is what every debt is recorded by."""
    for wrong in ((), (SegEncoding.LABELMAP,), (SegEncoding.BINARY, SegEncoding.BINARY)):
        with pytest.raises(ValueError, match="BINARY first"):
            OutputOptions(seg_encodings=wrong)
