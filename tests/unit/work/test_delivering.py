"""What the deliver flow promises."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from bmnode.domain.objects import ResultKind, SegEncoding
from bmnode.domain.records import DeliveryRecord, ResultRecord
from bmnode.domain.states import DeliveryEvent, DeliveryState, JobEvent
from bmnode.storage import AuditTrail, Deliveries, Jobs
from bmnode.testing.sender import COERCED, OUT_OF_RESOURCES, REFUSED
from bmnode.work.client import EngineClient
from bmnode.work.encodings import Owed
from bmnode.work.engine import FlowName, FlowRequest
from tests.unit.work.conftest import Node

AT = datetime(2026, 1, 2, tzinfo=UTC)


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


def _taken(node: Node, destination: str) -> list[str]:
    """The encoding of each attempt's object that was recorded for the destination."""
    with node.database.read() as connection:
        entries = AuditTrail(connection).entries()
    return [
        str(detail["encoding"])
        for detail in (json.loads(entry.detail) for entry in entries if entry.event == "object_delivered")
        if detail["destination"] == destination
    ]


def test_a_destination_gets_the_encoding_that_it_prefers(node: Node) -> None:
    """One debt, paid once, in the encoding of each destination; the audit trail says in which."""
    node.encodings = {"new": (SegEncoding.LABELMAP, SegEncoding.BINARY)}
    _succeed(node, destinations=("new", "pacs"))
    for request in node.engine.requests():
        node.do(request)
    assert {item.destination: item.state for item in node.deliveries()} == {
        "new": DeliveryState.DELIVERED,
        "pacs": DeliveryState.DELIVERED,
    }
    assert (_taken(node, "new"), _taken(node, "pacs")) == (["labelmap"], ["binary"])
    assert [len(node.sender.taken[name]) for name in ("new", "pacs")] == [1, 1]


def test_what_a_destination_refuses_goes_in_its_next_encoding(node: Node) -> None:
    """A peer that accepts no context for the label map gets the binary set at the same attempt, and nothing twice."""
    node.encodings = {"pacs": (SegEncoding.LABELMAP, SegEncoding.BINARY)}
    node.sender.refuses = {("pacs", "labelmap")}
    _succeed(node)
    _attempt(node)
    (delivery,) = node.deliveries()
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 1)
    assert _taken(node, "pacs") == ["binary"]


def test_the_last_encoding_is_offered_even_if_it_is_refused(node: Node) -> None:
    """A destination that is to have label maps alone and takes none has its refusal on record."""
    node.encodings = {"pacs": (SegEncoding.LABELMAP,)}
    node.sender.refuses = {("pacs", "labelmap")}
    _succeed(node)
    for _ in range(3):
        _attempt(node)
    (delivery,) = node.deliveries()
    assert (delivery.state, delivery.last_error) == (DeliveryState.DEAD, "refused: SOP class")


def test_a_peer_that_is_down_is_asked_again_for_its_encodings(node: Node) -> None:
    """No association is no refusal of an encoding."""
    node.encodings = {"pacs": (SegEncoding.LABELMAP, SegEncoding.BINARY)}
    node.sender.down = {"pacs"}
    _succeed(node)
    _attempt(node)
    node.sender.down = set()
    _attempt(node)
    assert _taken(node, "pacs") == ["labelmap"]


def test_nothing_is_exchanged_once_a_part_has_arrived() -> None:
    """A destination that has the report in one encoding gets no segmentation in the other."""
    results = [
        ResultRecord(
            sop_instance_uid=f"1.{number}",
            sop_class_uid="1.2",
            series_uid="1.3",
            job_id="j",
            kind=kind,
            path=path,
            sha256="",
            created_at=AT,
        )
        for number, (kind, path) in enumerate(
            [("sr", "j/attempt-1/sr.dcm"), ("seg", "j/attempt-1/seg-1.dcm"), ("seg", "j/attempt-1/labelmap/seg-1.dcm")]
        )
    ]

    def owed(*states: DeliveryState) -> Owed:
        deliveries = [
            DeliveryRecord(
                sop_instance_uid=f"1.{number}",
                destination="pacs",
                job_id="j",
                state=state,
                attempts=0,
                last_status=None,
                last_error=None,
                next_attempt_at=None,
                delivered_at=None,
            )
            for number, state in enumerate(states)
        ]
        return Owed.from_rows(results, deliveries=deliveries, results_dir=Path("/r"))

    whole = owed(DeliveryState.PENDING, DeliveryState.PENDING)
    assert whole.exchanged == {Path("/r/j/attempt-1/sr.dcm"), Path("/r/j/attempt-1/seg-1.dcm")}
    assert whole.instead == {SegEncoding.LABELMAP: {Path("/r/j/attempt-1/labelmap/seg-1.dcm"): ResultKind.SEG}}
    assert owed(DeliveryState.DELIVERED, DeliveryState.PENDING) == Owed()
