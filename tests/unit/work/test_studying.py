"""What the study flow promises."""

from __future__ import annotations

import asyncio

from bmnode.domain.states import JobState, StudyState
from bmnode.storage import Studies
from bmnode.work.engine import FlowName
from bmnode.work.requests import selection_request, study_request
from tests.unit.work.conftest import STUDY, Node


def _study_state(node: Node) -> tuple[StudyState, int]:
    with node.database.read() as connection:
        study = Studies(connection).get(STUDY)
    return study.state, study.revision


def test_a_complete_study_becomes_a_revision_a_decision_and_a_job(node: Node) -> None:
    """Freeze, decision, job, its run and the audit line appear together."""
    node.do(study_request(node.receive(1)))
    job = node.job()
    assert _study_state(node) == (StudyState.COMPLETE, 1)
    assert (job.state, job.pipeline_version, job.priority, job.destinations) == (JobState.QUEUED, "1", 5, ("pacs",))
    assert len(job.job_id) == 16
    request = node.next(FlowName.RUN)
    assert (request.subject, request.priority) == ((job.job_id,), 5)
    with node.database.read() as connection:
        (revision,) = Studies(connection).revisions(STUDY)
    assert (revision.decision, revision.branch, revision.input_digest) == ("selected", "ct", job.input_digest)
    assert node.audited() == ["study_selected"]


def test_a_second_run_of_the_flow_changes_nothing(node: Node) -> None:
    """A flow that is run again after a kill finds its work done."""
    request = study_request(node.receive(1))
    node.do(request)
    node.do(request)
    assert len(node.jobs()) == 1
    assert node.audited() == ["study_selected"]
    assert len(node.selected) == 1


def test_an_image_that_arrives_first_puts_the_study_off(node: Node) -> None:
    """A study that has changed since it was judged is left for its next time."""
    request = study_request(node.receive(1))
    node.receive(2)
    node.do(request)
    assert _study_state(node) == (StudyState.RECEIVING, 0)
    assert node.asked() == []


def test_an_image_that_arrives_during_selection_puts_the_study_off(node: Node) -> None:
    """Headers are read outside the transaction: what they said of an older version is thrown away."""
    request = study_request(node.receive(1))
    select = node.handlers[FlowName.STUDY].select  # type: ignore[attr-defined]  # the flow's own field

    def select_while_receiving(*arguments: object) -> object:
        node.receive(2)
        return select(*arguments)

    object.__setattr__(node.handlers[FlowName.STUDY], "select", select_while_receiving)
    node.do(request)
    assert _study_state(node) == (StudyState.RECEIVING, 0)
    assert list(node.jobs()) == []


def test_a_late_image_makes_a_new_revision_and_a_new_job(node: Node) -> None:
    """More images are other work: revision 2 has its own job."""
    first = node.queued_job()
    node.do(study_request(node.receive(2)))
    jobs = node.jobs()
    assert [job.revision for job in jobs] == [1, 2]
    assert jobs[1].job_id != first.job_id


def test_a_result_that_comes_back_starts_no_job(node: Node) -> None:
    """A PACS that routes our own result to us makes a revision, and no new work."""
    node.queued_job()
    node.results_that_came_back = {f"{STUDY}.9"}
    node.do(study_request(node.receive(9)))
    assert _study_state(node) == (StudyState.COMPLETE, 2)
    assert len(node.jobs()) == 1


def test_a_pipeline_that_is_not_installed_still_gets_its_job(node: Node) -> None:
    """The job is made and will fail with a result: the study does not end silently."""
    job = node.queued_job(pipeline="missing")
    assert job.pipeline_version == "not_loaded"


def test_selection_can_be_asked_for_again(node: Node) -> None:
    """A complete study for which no job was made gets one by the routes of today."""
    node.queued_job(pipeline="assesses")
    node.pipeline = "refuses"
    with node.database.read() as connection:
        study = Studies(connection).get(STUDY)
    node.do(selection_request(study, at=node.clock.now()))
    assert [job.pipeline for job in node.jobs()] == ["assesses", "refuses"]
    assert _study_state(node) == (StudyState.COMPLETE, 1)


def test_a_selection_that_always_fails_is_written_down(node: Node) -> None:
    """After the last try the study is frozen with the error, for `study show` to tell."""
    request = study_request(node.receive(1))
    asyncio.run(node.handlers[FlowName.STUDY].give_up(request.subject, error="OSError at headers.py:1"))
    with node.database.read() as connection:
        (revision,) = Studies(connection).revisions(STUDY)
    assert (revision.decision, revision.explanation) == (
        "processing_failed",
        "selection failed: OSError at headers.py:1",
    )
