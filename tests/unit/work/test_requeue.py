"""What rebuilding the engine's state promises, and what the command line may ask for."""

from __future__ import annotations

import pytest

from bmnode.domain.states import JobEvent, JobState
from bmnode.errors import TransitionError
from bmnode.storage import Jobs
from bmnode.testing.engine import InMemoryEngine
from bmnode.work.client import EngineClient
from bmnode.work.engine import FlowName
from bmnode.work.requeue import requeue_unfinished
from tests.unit.work.conftest import STUDY, Node


def test_a_lost_engine_is_rebuilt_from_the_tables(node: Node) -> None:
    """With an empty engine, every unfinished job and delivery is asked for; asking again adds nothing."""
    job = node.queued_job()
    fresh = InMemoryEngine(clock=node.clock)
    requeued = requeue_unfinished(node.database, engine=fresh, at=node.clock.now())
    assert requeued.jobs == (job.job_id,)
    again = requeue_unfinished(node.database, engine=fresh, at=node.clock.now())
    assert (again.jobs, again.deliveries) == ((), ())
    assert [request.flow for request in fresh.requests()] == [FlowName.RUN]


def test_a_delivery_keeps_its_time(node: Node) -> None:
    """A delivery that waits for its next attempt is not hurried by a restart."""
    node.queued_job()
    node.do(node.next(FlowName.RUN))
    node.sender.down = {"pacs"}
    node.do(node.next(FlowName.DELIVER))
    node.clock.advance(10)
    fresh = InMemoryEngine(clock=node.clock)
    requeued = requeue_unfinished(node.database, engine=fresh, at=node.clock.now())
    assert requeued.deliveries == ((node.job().job_id, "pacs"),)
    (request,) = fresh.requests()
    assert request.delay_s == 20


def test_what_lives_is_let_be(node: Node) -> None:
    """Jobs and deliveries whose flows live are not asked for twice."""
    node.queued_job()
    assert requeue_unfinished(node.database, engine=node.engine, at=node.clock.now()).jobs == ()
    node.do(node.next(FlowName.RUN))
    assert requeue_unfinished(node.database, engine=node.engine, at=node.clock.now()).deliveries == ()


def test_a_job_whose_flow_ended_without_it_can_be_run(node: Node) -> None:
    """The key of a flow that died is used up: the job gets another."""
    job = node.queued_job()
    node.engine.cancel(node.next(FlowName.RUN).key)
    assert requeue_unfinished(node.database, engine=node.engine, at=node.clock.now()).jobs == (job.job_id,)
    node.do(node.next(FlowName.RUN))
    assert node.job().state is JobState.SUCCEEDED


def test_cancelling_a_job_ends_its_flow(node: Node) -> None:
    """`job cancel` ends the run that the job waits for or is in."""
    job = node.queued_job()
    with node.database.write() as connection:
        Jobs(connection).apply(job.job_id, JobEvent.CANCELLED, at=node.clock.now())
    EngineClient(engine=node.engine, clock=node.clock).cancel_job(job.job_id)
    assert node.asked() == []


def test_only_a_complete_study_is_selected_again(node: Node) -> None:
    """A study that still receives will be selected anyway."""
    node.receive(1)
    client = EngineClient(engine=node.engine, clock=node.clock)
    with node.database.write() as connection, pytest.raises(TransitionError, match="receiving"):
        client.select_study(STUDY, connection=connection)
