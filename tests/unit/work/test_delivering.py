"""What the deliver flow promises."""

from __future__ import annotations

from bmnode.domain.states import DeliveryEvent, DeliveryState, JobEvent
from bmnode.storage import Deliveries, Jobs
from bmnode.testing.sender import COERCED, OUT_OF_RESOURCES, REFUSED
from bmnode.work.client import EngineClient
from bmnode.work.engine import FlowName, FlowRequest
from tests.unit.work.conftest import Node


def _succeed(node: Node, *, destinations: tuple[str, ...] = ("pacs",)) -> None:
    node.queued_job(destinations=destinations)
    node.do(node.next(FlowName.RUN))


def _attempt(node: Node) -> FlowRequest:
    """Wait for the next attempt and make it."""
    request = node.next(FlowName.DELIVER)
    node.clock.advance(request.delay_s)
    node.do(request)
    return request


def test_objects_are_delivered_once(node: Node) -> None:
    """What the peer took is delivered; the flow again sends nothing."""
    _succeed(node)
    request = _attempt(node)
    node.do(request)
    (delivery,) = node.deliveries()
    assert (delivery.state, delivery.last_status, delivery.attempts) == (DeliveryState.DELIVERED, 0, 1)
    assert delivery.delivered_at == node.clock.now()
    assert len(node.sender.taken["pacs"]) == 1
    assert node.asked() == []
    assert node.audited()[-1] == "object_delivered"


def test_a_warning_is_a_delivery(node: Node) -> None:
    """A peer that coerces took the object; its status is kept."""
    _succeed(node)
    node.sender.statuses["pacs", "sr.dcm"] = COERCED
    _attempt(node)
    (delivery,) = node.deliveries()
    assert (delivery.state, delivery.last_status) == (DeliveryState.DELIVERED, COERCED)


def test_a_peer_that_is_down_is_tried_again_with_longer_waits(node: Node) -> None:
    """Each failure doubles the wait; when the peer is back, everything arrives once."""
    _succeed(node)
    node.sender.down = {"pacs"}
    waits = [_attempt(node).delay_s for _ in range(5)]
    assert waits == [0, 30, 60, 120, 240]
    (delivery,) = node.deliveries()
    assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, 5)
    assert delivery.last_error == "no association with peer pacs"
    node.sender.down = set()
    _attempt(node)
    assert node.deliveries()[0].state is DeliveryState.DELIVERED
    assert len(node.sender.taken["pacs"]) == 1


def test_an_outage_of_three_days_loses_nothing(node: Node) -> None:
    """After 72 hours without an answer the result is still offered."""
    _succeed(node)
    node.sender.down = {"pacs"}
    start = node.clock.now()
    while (node.clock.now() - start).total_seconds() < 72 * 3600 - 1800:
        _attempt(node)
    node.sender.down = set()
    _attempt(node)
    assert node.deliveries()[0].state is DeliveryState.DELIVERED


def test_a_refusal_for_good_is_given_up_after_three(node: Node) -> None:
    """An object that the peer cannot take is dead after three offers, with its status, and asks for no more."""
    _succeed(node)
    node.sender.statuses["pacs", "sr.dcm"] = REFUSED
    for _ in range(3):
        _attempt(node)
    (delivery,) = node.deliveries()
    assert (delivery.state, delivery.last_status, delivery.attempts) == (DeliveryState.DEAD, REFUSED, 3)
    assert node.asked() == []
    assert node.audited()[-1] == "delivery_given_up"


def test_a_full_peer_is_waited_for(node: Node) -> None:
    """Out of resources is a deferral."""
    _succeed(node)
    node.sender.statuses["pacs", "sr.dcm"] = OUT_OF_RESOURCES
    for _ in range(4):
        _attempt(node)
    assert node.deliveries()[0].state is DeliveryState.PENDING


def test_each_destination_has_its_own_flow(node: Node) -> None:
    """A dead destination leaves the other's delivery alone."""
    _succeed(node, destinations=("dead", "pacs"))
    node.sender.down = {"dead"}
    for request in list(node.engine.requests()):
        node.do(request)
    states = {item.destination: item.state for item in node.deliveries()}
    assert states == {"dead": DeliveryState.PENDING, "pacs": DeliveryState.DELIVERED}
    assert [request.lane for request in node.engine.requests()] == ["dead"]


def test_a_destination_that_was_removed_from_the_configuration_is_waited_for(node: Node) -> None:
    """A peer that nobody knows is an error that the administrator can correct."""
    _succeed(node, destinations=("unknown",))
    _attempt(node)
    (delivery,) = node.deliveries()
    assert (delivery.state, delivery.last_error) == (DeliveryState.PENDING, "there is no peer 'unknown'")


def test_an_attempt_that_is_not_due_leaves_the_work_to_the_planned_one(node: Node) -> None:
    """Two chains of attempts become one: what comes too early by the rows sends nothing."""
    _succeed(node)
    node.sender.down = {"pacs"}
    early = _attempt(node)
    assert len(node.sender.attempts) == 1
    node.do(early)
    assert len(node.sender.attempts) == 1
    assert node.asked() == ["deliver"]


def test_an_administrator_need_not_wait(node: Node) -> None:
    """A delivery that is asked for by hand is tried now, dead or waiting."""
    _succeed(node)
    node.sender.statuses["pacs", "sr.dcm"] = REFUSED
    for _ in range(3):
        _attempt(node)
    node.sender.statuses.clear()
    with node.database.write() as connection:
        (dead,) = Deliveries(connection).list()
        Deliveries(connection).apply(dead, DeliveryEvent.RETRIED, at=node.clock.now())
        EngineClient(engine=node.engine, clock=node.clock).enqueue_delivery(dead.job_id, "pacs", connection=connection)
    assert _attempt(node).delay_s == 0
    assert node.deliveries()[0].state is DeliveryState.DELIVERED


def test_a_second_success_of_a_job_delivers_nothing_twice(node: Node) -> None:
    """A job that is run again by hand makes the same objects; who has them is not sent them again."""
    _succeed(node)
    _attempt(node)
    node.clock.advance(5)
    with node.database.write() as connection:
        job = Jobs(connection).apply(node.job().job_id, JobEvent.RETRIED, at=node.clock.now())
        EngineClient(engine=node.engine, clock=node.clock).enqueue_job(job, connection=connection)
    node.do(node.next(FlowName.RUN))
    _attempt(node)
    assert len(node.sender.taken["pacs"]) == 1
