"""What storage commitment promises: nothing counts as delivered before it is committed, and no answer is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmnode.domain.commitment import CommitmentReport
from bmnode.domain.objects import SegEncoding
from bmnode.domain.records import DeliveryRecord
from bmnode.domain.states import DeliveryEvent, DeliveryState
from bmnode.storage import AuditTrail, Commitments, Database, Deliveries, disposable
from bmnode.work.commitments import ask_for_settlements
from bmnode.work.engine import FlowName
from bmnode.work.requeue import requeue_unfinished
from tests.unit.work.conftest import Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node whose destination commits itself, with a result that it was sent."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    made = Node(folder=tmp_path, database=database, committing={"pacs"})
    made.queued_job()
    made.do(made.next(FlowName.RUN))
    _step(made, FlowName.DELIVER)
    return made


def _step(node: Node, flow: FlowName) -> float:
    """Wait for the next flow of this kind and run it; how long that was."""
    request = node.next(flow)
    node.clock.advance(request.delay_s)
    node.do(request)
    return request.delay_s


def _delivery(node: Node) -> DeliveryRecord:
    (delivery,) = node.deliveries()
    return delivery


def _answer(node: Node, report: CommitmentReport, *, from_ae: str = "PACS") -> bool:
    """As the listener does, in another process."""
    with node.database.write() as connection:
        return Commitments(connection).answer(report, from_ae=from_ae, at=node.clock.now())


def test_what_is_taken_is_not_delivered_before_it_is_committed(node: Node) -> None:
    """The object waits as stored, its images are not to be deleted, and the answer delivers it."""
    assert _delivery(node).state is DeliveryState.STORED
    with node.database.read() as connection:
        assert disposable(connection, at=node.clock.now()) == []
    _step(node, FlowName.COMMIT)
    assert (_delivery(node).state, _delivery(node).attempts) == (DeliveryState.DELIVERED, 1)
    assert _delivery(node).delivered_at == node.clock.now()
    assert node.audited()[-3:] == ["object_delivered", "commitment_requested", "object_committed"]
    ((_, references),) = node.commitment.asked
    assert [item.sop_instance_uid for item in references] == [_delivery(node).sop_instance_uid]


def test_a_report_on_another_association_delivers(node: Node) -> None:
    """What the listener writes down is acted on by the worker, once, and a repeated report changes nothing."""
    node.commitment.silent = True
    _step(node, FlowName.COMMIT)
    assert _delivery(node).state is DeliveryState.STORED
    report = node.commitment.report(node.commitment.asked[0][0])
    assert _answer(node, report)
    assert ask_for_settlements(node.database, engine=node.engine) == 1
    (settle,) = [item for item in node.engine.requests() if item.flow is FlowName.COMMIT and not item.delay_s]
    node.do(settle)
    assert _delivery(node).state is DeliveryState.DELIVERED
    assert _answer(node, report)
    assert ask_for_settlements(node.database, engine=node.engine) == 0
    _step(node, FlowName.COMMIT)  # overdue, of what has its answer
    assert len(node.commitment.asked) == 1


def test_nobody_else_can_answer(node: Node) -> None:
    """A report of another AE title, or of a transaction that nobody began, is not taken and changes nothing."""
    node.commitment.silent = True
    _step(node, FlowName.COMMIT)
    report = node.commitment.report(node.commitment.asked[0][0])
    assert not _answer(node, report, from_ae="OTHER")
    assert not _answer(node, CommitmentReport(transaction_uid="1.2.3", committed=report.committed))
    assert ask_for_settlements(node.database, engine=node.engine) == 0
    assert _delivery(node).state is DeliveryState.STORED


def test_what_is_not_committed_is_sent_again(node: Node) -> None:
    """The object that the archive does not have goes once more, and is delivered when that is committed."""
    uid = _delivery(node).sop_instance_uid
    node.commitment.fails[uid] = 0x0112
    _step(node, FlowName.COMMIT)
    failed = _delivery(node)
    assert (failed.state, failed.last_error) == (DeliveryState.PENDING, "not committed: 0x0112, no such object")
    node.commitment.fails.clear()
    assert _step(node, FlowName.DELIVER) == 30
    assert len(node.sender.taken["pacs"]) == 2
    (again,) = [item for item in node.engine.requests() if item.flow is FlowName.COMMIT and not item.delay_s]
    node.do(again)
    assert _delivery(node).state is DeliveryState.DELIVERED
    assert len({uid for uid, _ in node.commitment.asked}) == 2


def test_a_failure_that_time_does_not_mend_is_given_up_after_three(node: Node) -> None:
    """An archive that never commits itself to a class leaves a dead delivery, not an endless circle."""
    node.commitment.fails[_delivery(node).sop_instance_uid] = 0x0122
    for _ in range(2):
        node.do(next(item for item in node.engine.requests() if item.flow is FlowName.COMMIT and not item.delay_s))
        _step(node, FlowName.DELIVER)
    node.do(next(item for item in node.engine.requests() if item.flow is FlowName.COMMIT and not item.delay_s))
    assert (_delivery(node).state, _delivery(node).attempts) == (DeliveryState.DEAD, 3)
    assert len(node.sender.taken["pacs"]) == 3


def test_an_answer_that_does_not_come_is_asked_for_anew(node: Node) -> None:
    """After an hour another request is made, under another UID; the late answer to the first still counts."""
    node.commitment.silent = True
    _step(node, FlowName.COMMIT)
    first, _ = node.commitment.asked[0]
    assert _step(node, FlowName.COMMIT) == 3600
    _step_now = next(item for item in node.engine.requests() if item.flow is FlowName.COMMIT and not item.delay_s)
    node.do(_step_now)
    assert [uid == first for uid, _ in node.commitment.asked] == [True, False]
    assert _answer(node, node.commitment.report(first))
    ask_for_settlements(node.database, engine=node.engine)
    for request in list(node.engine.requests()):
        if not request.delay_s:
            node.do(request)
    assert _delivery(node).state is DeliveryState.DELIVERED
    assert node.audited().count("commitment_not_answered") == 1


def test_a_late_failure_of_an_earlier_request_is_not_believed(node: Node) -> None:
    """What the archive missed when it was asked first may have come since: the later request decides."""
    node.commitment.silent = True
    _step(node, FlowName.COMMIT)
    first, _ = node.commitment.asked[0]
    _step(node, FlowName.COMMIT)
    node.do(next(item for item in node.engine.requests() if item.flow is FlowName.COMMIT and not item.delay_s))
    node.commitment.fails[_delivery(node).sop_instance_uid] = 0x0112
    assert _answer(node, node.commitment.report(first))
    ask_for_settlements(node.database, engine=node.engine)
    node.do(next(item for item in node.engine.requests() if item.flow is FlowName.COMMIT and not item.delay_s))
    assert _delivery(node).state is DeliveryState.STORED


def test_silence_for_three_days_ends_in_a_dead_delivery(node: Node) -> None:
    """72 hours without an answer are waited for; then a person must look, and can start it again."""
    node.commitment.silent = True
    start = node.clock.now()
    while _delivery(node).state is DeliveryState.STORED:
        _step(node, FlowName.COMMIT)
    waited_h = (node.clock.now() - start).total_seconds() / 3600
    assert 72 <= waited_h <= 75
    assert _delivery(node).last_error == "stored, but nobody answered the requests for commitment"


def test_an_archive_that_is_down_is_asked_later(node: Node) -> None:
    """Waits double, and nothing is sent a second time."""
    node.commitment.down = True
    waits = [_step(node, FlowName.COMMIT) for _ in range(7)]
    assert waits == [0, 30, 0, 60, 0, 120, 0]
    node.commitment.down = False
    _step(node, FlowName.COMMIT)
    _step(node, FlowName.COMMIT)
    assert _delivery(node).state is DeliveryState.DELIVERED
    assert len(node.sender.taken["pacs"]) == 1


def test_an_archive_without_the_service_is_told_of(node: Node) -> None:
    """Three refusals, and the delivery says what is wrong."""
    node.commitment.refuses = True
    while _delivery(node).state is DeliveryState.STORED:
        _step(node, FlowName.COMMIT)
    assert "does not offer storage commitment" in (_delivery(node).last_error or "")
    assert node.audited().count("commitment_requested") == 3


def test_a_report_that_leaves_an_object_out_is_no_answer(node: Node) -> None:
    """What is not named is asked for again."""
    node.commitment.leaves_out = {_delivery(node).sop_instance_uid}
    _step(node, FlowName.COMMIT)
    assert _delivery(node).state is DeliveryState.STORED
    node.commitment.leaves_out = set()
    node.do(next(item for item in node.engine.requests() if item.flow is FlowName.COMMIT and item.delay_s == 30))
    assert _delivery(node).state is DeliveryState.DELIVERED


def test_commitment_that_is_switched_off_delivers(node: Node) -> None:
    """Where the configuration asks no more, what was taken is delivered, and the trail says why."""
    node.committing.clear()
    _step(node, FlowName.COMMIT)
    assert _delivery(node).state is DeliveryState.DELIVERED
    assert node.commitment.asked == []
    assert node.audited()[-1] == "commitment_waived"


def test_a_lost_flow_is_asked_for_again(node: Node) -> None:
    """The rows know what waits: an engine that lost its state is told."""
    (lost,) = [item for item in node.engine.requests() if item.flow is FlowName.COMMIT]
    node.engine.cancel(lost.key)
    requeue_unfinished(node.database, engine=node.engine, at=node.clock.now())
    node.clock.advance(1)
    requeue_unfinished(node.database, engine=node.engine, at=node.clock.now())
    _step(node, FlowName.COMMIT)
    assert _delivery(node).state is DeliveryState.DELIVERED


def test_a_retry_by_hand_begins_anew(node: Node) -> None:
    """What is sent again on request is asked for again; the request before is dropped."""
    node.commitment.silent = True
    _step(node, FlowName.COMMIT)
    with node.database.write() as connection:
        Deliveries(connection).apply(_delivery(node), DeliveryEvent.RETRIED, at=node.clock.now())
    _step(node, FlowName.COMMIT)
    assert len(node.commitment.asked) == 1
    assert _delivery(node).state is DeliveryState.PENDING


def test_no_line_of_the_trail_tells_of_a_failure_as_a_success(node: Node) -> None:
    """A request that found nobody and a failed commitment are failures in the audit trail."""
    node.commitment.down = True
    _step(node, FlowName.COMMIT)
    with node.database.read() as connection:
        (line,) = [item for item in AuditTrail(connection).entries() if item.event == "commitment_requested"]
    assert line.outcome == "failure"


def test_label_maps_are_what_is_committed(tmp_path: Path) -> None:
    """Where another encoding was sent, commitment is asked for the objects of that encoding."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    made = Node(
        folder=tmp_path,
        database=database,
        committing={"pacs"},
        pipeline="encodes",
        encodings={"pacs": (SegEncoding.LABELMAP, SegEncoding.BINARY)},
    )
    made.queued_job(pipeline="encodes")
    made.do(made.next(FlowName.RUN))
    _step(made, FlowName.DELIVER)
    _step(made, FlowName.COMMIT)
    owed = {item.sop_instance_uid for item in made.deliveries()}
    ((_, references),) = made.commitment.asked
    assert {item.sop_instance_uid for item in references}.isdisjoint(owed)
    assert {item.state for item in made.deliveries()} == {DeliveryState.DELIVERED}
