"""What deleting images by themselves promises: none that is needed, the oldest first, and nothing half."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.records import StoredInstance
from bmnode.domain.states import JobEvent, StudyState
from bmnode.errors import NotFoundError
from bmnode.priors.reading import Site
from bmnode.spool import Spool
from bmnode.storage import (
    AuditTrail,
    Disposable,
    Examinations,
    Instances,
    Jobs,
    PriorSearches,
    Studies,
    dispose,
)
from bmnode.storage.studies import IMAGES_DELETED
from bmnode.work.engine import FlowName
from bmnode.work.prior_places import NodeStore
from bmnode.work.requests import study_request
from bmnode.work.retaining import Because, ImageRetention, RetentionRule, choose
from tests.unit.work.conftest import STUDY, Node

AT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR_S = 3600.0
RULE = RetentionRule(assessed_s=HOUR_S, unassessed_s=2 * HOUR_S)


def _retention(node: Node, rule: RetentionRule = RULE) -> ImageRetention:
    spool = Spool(node.folder / "spool", min_free_bytes=0)
    return ImageRetention(database=node.database, spool=spool, rule=rule, clock=node.clock)


def _file(node: Node, number: int) -> Path:
    return node.folder / "spool" / "studies" / STUDY / f"{STUDY}.{number}.dcm"


def _receive(node: Node, *numbers: int) -> None:
    """Images with their files, and what selection makes of them."""
    for number in numbers:
        _file(node, number).parent.mkdir(parents=True, exist_ok=True)
        _file(node, number).write_bytes(b"image")
        study = node.receive(number)
    node.do(study_request(study))


def _deliver(node: Node) -> None:
    node.do(node.next(FlowName.RUN))
    while "deliver" in node.asked():
        node.do(next(item for item in node.engine.requests() if item.flow is FlowName.DELIVER))


def _assess(node: Node) -> None:
    _receive(node, 1, 2)
    _deliver(node)


def _run(node: Node, rule: RetentionRule = RULE) -> list[tuple[str, Because]]:
    """What was deleted; what a dry run had said."""
    planned = _retention(node, rule).plan()
    deleted = _retention(node, rule).run(actor="worker")
    assert deleted == planned
    return [(item.item.study_uid, item.because) for item in deleted]


def test_images_go_an_hour_after_every_destination_has_the_results(node: Node) -> None:
    """Not a second before the time is over; rows, jobs and results stay, and the trail tells."""
    node.destinations = ("pacs", "archive")
    _assess(node)
    node.clock.advance(HOUR_S - 1)
    assert _run(node) == []
    node.clock.advance(1)
    assert _run(node) == [(STUDY, Because.AGE)]
    assert not _file(node, 1).parent.exists()
    results = node.folder / "results" / node.job().job_id
    assert any(path.is_file() for path in results.rglob("*"))
    with node.database.read() as connection:
        images = Instances(connection).of_study(STUDY)
        line = AuditTrail(connection).entries()[-1]
        assert Studies(connection).get(STUDY).state is StudyState.COMPLETE
    assert [item.deleted_at for item in images] == [node.clock.now()] * 2
    assert (line.event, line.subject, '"images": 2' in line.detail) == ("images_deleted", STUDY, True)
    assert _run(node) == [], "once"


def test_nothing_is_deleted_unless_it_is_configured(node: Node) -> None:
    """Without a rule images stay for ever."""
    _assess(node)
    node.clock.advance(1e6 * HOUR_S)
    assert _run(node, RetentionRule()) == []
    assert _run(node, RetentionRule(unassessed_s=1.0)) == []
    assert _file(node, 1).is_file()


def test_images_stay_until_the_last_destination_has_the_results(node: Node) -> None:
    """A destination that is down keeps them, whatever their age and the disk's; so does one that was given up."""
    node.destinations = ("pacs", "archive")
    node.sender.down = {"archive"}
    _receive(node, 1)
    node.do(node.next(FlowName.RUN))
    for request in [item for item in node.engine.requests() if item.flow is FlowName.DELIVER]:
        node.do(request)
    node.clock.advance(1000 * HOUR_S)
    assert _run(node, RetentionRule(assessed_s=1.0, below_free_bytes=float("inf"))) == []
    assert _file(node, 1).is_file()


@pytest.mark.parametrize("state", ["queued", "failed", "cancelled"])
def test_images_of_a_job_without_result_stay(node: Node, state: str) -> None:
    """Whoever retries the job finds them."""
    _receive(node, 1)
    if state != "queued":
        with node.database.write() as connection:
            Jobs(connection).apply(node.job().job_id, JobEvent(state), at=node.clock.now())
    node.clock.advance(1000 * HOUR_S)
    assert _run(node, RetentionRule(assessed_s=1.0, unassessed_s=1.0, below_free_bytes=float("inf"))) == []


def _add_neighbour(node: Node, *, patient: str) -> str:
    """A queued job of another study, and whose both studies are."""
    with node.database.write() as connection:
        Examinations(connection).put(STUDY, patient_digest="p")
        Studies(connection).image_arrived("1.2.4", source_ae="CT", at=node.clock.now(), due_at=node.clock.now())
        Instances(connection).add(_instance("1.2.4"))
        Studies(connection).freeze("1.2.4", at=node.clock.now())
        Examinations(connection).put("1.2.4", patient_digest=patient)
        job = Jobs(connection).of_study(STUDY)[0]
        changes = {"job_id": "waiting", "study_uid": "1.2.4", "revision": 1, "state": "queued"}
        values = {name: getattr(job, name) for name in job.__slots__} | changes
        Jobs(connection).add(type(job)(**values))
    return "waiting"


def _instance(study_uid: str) -> StoredInstance:
    return StoredInstance(
        sop_instance_uid=f"{study_uid}.1",
        sop_class_uid="1.2",
        transfer_syntax_uid="1.2",
        study_uid=study_uid,
        series_uid="1.3",
        sha256="0" * 64,
        size_bytes=10,
        source_ae="CT",
        received_at=AT,
    )


def test_a_prior_that_a_waiting_job_needs_stays(node: Node) -> None:
    """While a job of the same patient is unfinished no image of that patient goes; another's job keeps nothing."""
    _assess(node)
    job_id = _add_neighbour(node, patient="p")
    node.clock.advance(2 * HOUR_S)
    assert _run(node) == []
    with node.database.write() as connection:
        Jobs(connection).apply(job_id, JobEvent.CANCELLED, at=node.clock.now())
    assert _run(node) == [(STUDY, Because.AGE)]


def test_another_patients_job_keeps_nothing(node: Node) -> None:
    """The busy node still gives its disk back."""
    _assess(node)
    _add_neighbour(node, patient="q")
    node.clock.advance(2 * HOUR_S)
    assert _run(node) == [(STUDY, Because.AGE)]


def test_images_stay_while_a_prior_may_still_come(node: Node) -> None:
    """A comparison that is made late reads the present study's images again."""
    _assess(node)
    until = node.clock.now() + timedelta(hours=24)
    with node.database.write() as connection:
        PriorSearches(connection).begin(node.job().job_id, run_by=node.clock.now(), search_until=until)
    node.clock.advance(23 * HOUR_S)
    assert _run(node) == []
    node.clock.advance(2 * HOUR_S)
    assert _run(node) == [(STUDY, Because.AGE)]


def test_a_pass_that_was_killed_is_finished_by_the_next(node: Node) -> None:
    """Rows that say deleted, files that are there: the files go."""
    _assess(node)
    with node.database.write() as connection:
        assert dispose(connection, STUDY, at=node.clock.now())
    assert _run(node) == []
    assert not _file(node, 1).parent.exists()


def test_a_study_that_became_needed_meanwhile_is_left(node: Node) -> None:
    """Between plan and deletion an image arrived: nothing is deleted."""
    _assess(node)
    node.receive(3)
    with node.database.write() as connection:
        assert not dispose(connection, STUDY, at=node.clock.now())


def test_deleted_images_are_not_worked_on(node: Node) -> None:
    """A retry says what is missing, and the study is no prior from the node's own store any more."""
    _assess(node)
    with node.database.write() as connection:
        Examinations(connection).put(STUDY, patient_digest="p")
    node.clock.advance(HOUR_S)
    _run(node)
    with node.database.write() as connection, pytest.raises(NotFoundError, match="sent again"):
        Jobs(connection).apply(node.job().job_id, JobEvent.RETRIED, at=node.clock.now())
    store = NodeStore(database=node.database, locate=lambda _: node.folder / "none", site=Site(zone=UTC))
    assert store.look_at(STUDY) == (None, None)


def test_a_late_image_alone_is_not_assessed_as_the_study(node: Node) -> None:
    """It makes a revision that says what is missing; when the others are sent again the study is assessed."""
    _assess(node)
    node.clock.advance(HOUR_S)
    _run(node)
    _receive(node, 3)
    with node.database.write() as connection:
        revision = Studies(connection).get_revision(STUDY, 2)
        assert (revision.decision, revision.branch, len(node.jobs())) == (IMAGES_DELETED, None, 1)
        for number in (1, 2):
            Instances(connection).restore(f"{STUDY}.{number}")
            Studies(connection).image_restored(
                STUDY, source_ae="CT", at=node.clock.now(), due_at=lambda _, at: at + timedelta(seconds=30)
            )
        study = Studies(connection).get(STUDY)
    assert (study.state, study.instance_count) == (StudyState.RECEIVING, 3)
    node.do(study_request(study))
    assert [job.revision for job in node.jobs()] == [1, 2]


def test_images_of_no_job_go_by_their_own_time(node: Node) -> None:
    """A study that no route takes costs disk for as long as its key says."""
    node.receive(1)
    with node.database.write() as connection:
        Studies(connection).freeze(STUDY, at=node.clock.now())
    node.clock.advance(3 * HOUR_S)
    assert _run(node) == [], "nothing was decided yet"
    with node.database.write() as connection:
        Studies(connection).decide(STUDY, 1, branch=None, decision="not_for_us", explanation="")
    assert _run(node, RetentionRule(assessed_s=1.0)) == []
    assert _run(node) == [(STUDY, Because.AGE)]


_ITEMS = st.lists(
    st.tuples(st.integers(1, 100), st.booleans(), st.integers(0, 10)).map(
        lambda parts: Disposable(
            study_uid=str(parts),
            images=1,
            size_bytes=parts[0],
            is_assessed=parts[1],
            since=AT - timedelta(hours=parts[2]),
        )
    ),
    max_size=8,
).map(lambda items: sorted(items, key=lambda item: item.since))


@given(items=_ITEMS, free=st.integers(0, 300), below=st.integers(1, 300), more=st.integers(0, 100))
def test_the_disk_takes_the_oldest_and_no_more_than_it_needs(
    items: list[Disposable], free: int, below: int, more: int
) -> None:
    """Enough becomes free or nothing is left to delete; without the last one it would not be enough; no younger study
    goes before an older one."""
    rule = RetentionRule(below_free_bytes=below, until_free_bytes=below + more)
    chosen = choose(items, rule=rule, at=AT, free_bytes=free)
    freed = sum(deletion.item.size_bytes for deletion in chosen)
    assert [deletion.item for deletion in chosen] == items[: len(chosen)]
    if free >= below:
        assert chosen == ()
    else:
        assert free + freed >= below + more or len(chosen) == len(items)
        assert not chosen or free + freed - chosen[-1].item.size_bytes < below + more


@given(items=_ITEMS, hours=st.integers(1, 12))
def test_no_image_goes_before_its_time(items: list[Disposable], hours: int) -> None:
    """With a disk that has room, exactly those go whose time is over, each by the key of its kind."""
    rule = RetentionRule(assessed_s=hours * HOUR_S, below_free_bytes=1)
    chosen = {deletion.item.study_uid for deletion in choose(items, rule=rule, at=AT, free_bytes=1)}
    assert chosen == {
        item.study_uid for item in items if item.is_assessed and item.since <= AT - timedelta(hours=hours)
    }
