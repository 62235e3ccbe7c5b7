"""What happens to the spool when the node starts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bmnode.domain.records import StudyRecord
from bmnode.domain.states import StudyState
from bmnode.spool import ReplayReport, Spool, SpooledFile, inspect_data_set, record_arrival, replay, stored_instance
from bmnode.storage import AuditTrail, Database, Instances, Studies, dispose
from bmnode.testing.clock import FakeClock
from tests.support.encoded import EncodedInstance, encoded_ct

QUIET = timedelta(seconds=30)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database on disk, migrated."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    return Spool(tmp_path / "spool", min_free_bytes=0)


@pytest.fixture
def slices(tmp_path: Path) -> list[EncodedInstance]:
    """Three slices of one study."""
    return encoded_ct(tmp_path / "source", count=3)


def _due_at(_study: StudyRecord | None, at: datetime) -> datetime:
    return at + QUIET


def _replay(spool: Spool, database: Database, clock: FakeClock | None = None) -> ReplayReport:
    return replay(spool, database=database, clock=clock or FakeClock(), due_at=_due_at)


def _write(spool: Spool, instance: EncodedInstance) -> SpooledFile:
    identity = inspect_data_set(instance.data_set, transfer_syntax_uid=instance.transfer_syntax_uid)
    return spool.write(instance.data_set, identity=identity, source_ae="CT1")


def _record(database: Database, instance: EncodedInstance, *, sha256: str) -> None:
    identity = inspect_data_set(instance.data_set, transfer_syntax_uid=instance.transfer_syntax_uid)
    stored = stored_instance(
        identity, sha256=sha256, size_bytes=len(instance.data_set), source_ae="CT1", received_at=FakeClock().now()
    )
    with database.write() as connection:
        record_arrival(connection, stored, due_at=_due_at, event="instance_stored")


def _events(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        return [(entry.event, entry.subject) for entry in AuditTrail(connection).entries()]


def test_an_empty_spool_is_in_order(spool: Spool, database: Database) -> None:
    """The first start of a node finds nothing and says so."""
    assert _replay(spool, database) == ReplayReport(temporaries_removed=0, adopted=(), missing=(), quarantined=())


def test_temporaries_are_cleared(spool: Spool, database: Database, slices: list[EncodedInstance]) -> None:
    """What was being written when the node died is removed: nobody was told that it was kept."""
    identity = inspect_data_set(slices[0].data_set, transfer_syntax_uid=slices[0].transfer_syntax_uid)
    staged = spool.stage(slices[0].data_set, identity=identity, source_ae="CT1")
    assert _replay(spool, database).temporaries_removed == 1
    assert not staged.temporary.exists()


def test_a_file_without_a_row_is_adopted(spool: Spool, database: Database, slices: list[EncodedInstance]) -> None:
    """A file whose commit was lost gets the row that it would have had, its study waits for it, and it is audited."""
    clock = FakeClock()
    known, orphan, _ = slices
    _record(database, known, sha256=_write(spool, known).sha256)
    written = _write(spool, orphan)
    report = _replay(spool, database, clock)
    assert report.adopted == (orphan.sop_instance_uid,)
    with database.read() as connection:
        row = Instances(connection).get(orphan.sop_instance_uid)
        study = Studies(connection).get(orphan.study_uid)
    assert (row.sha256, row.size_bytes) == (written.sha256, written.size_bytes)
    assert (row.source_ae, row.series_uid, row.transfer_syntax_uid) == (
        "CT1",
        orphan.series_uid,
        orphan.transfer_syntax_uid,
    )
    assert (study.state, study.instance_count, study.due_at) == (StudyState.RECEIVING, 2, clock.now() + QUIET)
    assert ("instance_adopted", orphan.sop_instance_uid) in _events(database)


def test_a_second_replay_changes_nothing(spool: Spool, database: Database, slices: list[EncodedInstance]) -> None:
    """What was adopted is known from then on."""
    _write(spool, slices[0])
    assert _replay(spool, database).adopted
    before = _events(database)
    assert _replay(spool, database) == ReplayReport(temporaries_removed=0, adopted=(), missing=(), quarantined=())
    assert _events(database) == before


def test_a_row_without_a_file_is_reported_and_kept(
    spool: Spool, database: Database, slices: list[EncodedInstance]
) -> None:
    """A file that somebody took away is audited as missing; its row stays."""
    written = _write(spool, slices[0])
    _record(database, slices[0], sha256=written.sha256)
    written.path.unlink()
    assert _replay(spool, database).missing == (slices[0].sop_instance_uid,)
    assert ("instance_file_missing", slices[0].sop_instance_uid) in _events(database)
    with database.read() as connection:
        assert Instances(connection).find(slices[0].sop_instance_uid) is not None


def test_an_image_that_was_deleted_for_its_age_is_not_missing(
    spool: Spool, database: Database, slices: list[EncodedInstance]
) -> None:
    """A start does not report what the node itself deleted."""
    written = _write(spool, slices[0])
    _record(database, slices[0], sha256=written.sha256)
    with database.write() as connection:
        Studies(connection).freeze(slices[0].study_uid, at=FakeClock().now())
        Studies(connection).decide(slices[0].study_uid, 1, branch=None, decision="not_for_us", explanation="")
        assert dispose(connection, slices[0].study_uid, at=FakeClock().now())
    written.path.unlink()
    assert _replay(spool, database).missing == ()


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "renamed"])
def test_an_unreadable_file_is_set_aside(
    spool: Spool, database: Database, slices: list[EncodedInstance], damage: str
) -> None:
    """A file that is not what its name says is kept in quarantine and audited; the others are adopted."""
    bad, good, other = (_write(spool, instance).path for instance in slices)
    content = {"cut": bad.read_bytes()[:-20], "noise": bytes(range(256)) * 4, "empty": b""}
    bad.write_bytes(content.get(damage, other.read_bytes()))
    report = _replay(spool, database)
    assert [path.parent for path in report.quarantined] == [spool.quarantine_directory]
    assert set(report.adopted) == {good.stem, other.stem}
    assert not bad.exists()
    assert report.quarantined[0].exists()
    assert ("spool_file_quarantined", bad.stem) in _events(database)
