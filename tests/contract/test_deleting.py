"""Rejection and retention do the same on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bmnode.domain.states import JobState, StudyState
from bmnode.spool import Spool
from bmnode.storage import Database, Instances, Studies
from bmnode.work.engine import FlowName
from bmnode.work.rejecting import StudyRejection
from bmnode.work.requests import study_request
from bmnode.work.retaining import ImageRetention, RetentionRule
from tests.contract.postgres import postgres_server
from tests.unit.work.conftest import STUDY, Node


@pytest.fixture(params=["sqlite", "postgresql"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    """An empty node on either database."""
    if request.param == "sqlite":
        yield from _node(tmp_path, f"sqlite:///{tmp_path / 'node.sqlite'}")
    else:
        with postgres_server() as new_database:
            yield from _node(tmp_path, new_database())


def _node(folder: Path, url: str) -> Iterator[Node]:
    database = Database(url)
    database.migrate()
    yield Node(folder=folder, database=database)
    database.dispose()


def _receive(node: Node, spool: Spool) -> None:
    spool.prepare()
    path = spool.path(STUDY, f"{STUDY}.1")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"image")
    node.do(study_request(node.receive(1)))


def test_a_study_is_deleted_bit_by_bit(node: Node) -> None:
    """Its images by themselves once its results are delivered; the rest when it is rejected; then it comes anew."""
    spool = Spool(node.folder / "spool", min_free_bytes=0)
    rejection = StudyRejection(
        database=node.database, spool=spool, results_dir=node.folder / "results", clock=node.clock
    )
    retention = ImageRetention(
        database=node.database, spool=spool, rule=RetentionRule(assessed_s=60.0), clock=node.clock
    )
    _receive(node, spool)
    node.do(node.next(FlowName.RUN))
    node.clock.advance(61.0)
    assert retention.run(actor="a") == (), "a result is not delivered"
    node.do(node.next(FlowName.DELIVER))
    assert retention.run(actor="a") == (), "it was delivered just now"
    node.clock.advance(60.0)
    assert [item.item.study_uid for item in retention.run(actor="a")] == [STUDY]
    assert not spool.has(STUDY, f"{STUDY}.1")
    with node.database.read() as connection:
        assert [item.deleted_at for item in Instances(connection).of_study(STUDY)] == [node.clock.now()]

    deleted = rejection.reject(STUDY, actor="a").deleted
    assert (deleted.images, deleted.results, deleted.deliveries) == (1, 1, 1)
    with node.database.read() as connection:
        assert Studies(connection).get(STUDY).state is StudyState.REJECTED
    _receive(node, spool)
    assert [job.state for job in node.jobs()] == [JobState.SUCCEEDED, JobState.QUEUED]
    assert retention.plan() == ()
