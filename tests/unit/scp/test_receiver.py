"""The order of file, row and acknowledgement, without a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from bmnode.domain.records import StudyRecord
from bmnode.domain.states import StudyState
from bmnode.errors import ConflictingInstanceError, MalformedInstanceError, MismatchedInstanceError
from bmnode.scp.receiver import Receipt, Receiver, StoreRequest
from bmnode.spool import Spool, replay
from bmnode.storage import AuditTrail, Database, Instances, Studies, dispose
from bmnode.testing.clock import FakeClock
from bmnode.testing.filesystem import SimulatedFileSystem
from tests.support.encoded import EncodedInstance, ct_slices, encode_instance, encoded_ct


class FailingDatabase(Database):
    """A database whose next commits fail at the very end, after all was written."""

    failures = 0

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that is rolled back where a failure is due."""
        with super().write() as connection:
            yield connection
            if self.failures:
                self.failures -= 1
                raise OperationalError("COMMIT", None, Exception("disk I/O error"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[FailingDatabase]:
    """An empty database on disk, migrated."""
    database = FailingDatabase(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    return Spool(tmp_path / "spool", min_free_bytes=0)


@pytest.fixture
def receiver(spool: Spool, database: Database) -> Receiver:
    """A receiver on both."""
    return Receiver(spool, database=database, clock=FakeClock(), due_at=_due_at)


@pytest.fixture
def ct(tmp_path: Path) -> EncodedInstance:
    """One CT slice."""
    return encoded_ct(tmp_path / "source")[0]


def _due_at(_study: StudyRecord | None, at: datetime) -> datetime:
    return at + timedelta(seconds=30)


def _request(instance: EncodedInstance) -> StoreRequest:
    return StoreRequest(
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        source_ae="CT1",
        data_set=instance.data_set,
    )


def _changed(tmp_path: Path) -> EncodedInstance:
    """The slice with other pixels under the same identifiers."""
    dataset = ct_slices(tmp_path / "source")[0]
    dataset.PixelData = bytes(len(dataset.PixelData))
    return encode_instance(dataset)


def _study(database: Database, instance: EncodedInstance) -> StudyRecord | None:
    with database.read() as connection:
        return Studies(connection).find(instance.study_uid)


def _events(database: Database) -> list[str]:
    with database.read() as connection:
        return [entry.event for entry in AuditTrail(connection).entries()]


def test_an_instance_is_file_row_and_audit_line(
    receiver: Receiver, spool: Spool, database: Database, ct: EncodedInstance
) -> None:
    """What may be acknowledged has its file, its row, its study and its audit line."""
    assert receiver.receive(_request(ct)) is Receipt.STORED
    with database.read() as connection:
        row = Instances(connection).get(ct.sop_instance_uid)
    assert (row.study_uid, row.series_uid, row.source_ae) == (ct.study_uid, ct.series_uid, "CT1")
    assert spool.path(row.study_uid, row.sop_instance_uid).read_bytes().endswith(ct.data_set)
    study = _study(database, ct)
    assert study is not None
    assert (study.state, study.instance_count) == (StudyState.RECEIVING, 1)
    assert study.due_at == FakeClock().now() + timedelta(seconds=30)
    assert _events(database) == ["instance_stored"]


def test_the_file_is_durable_before_the_commit(tmp_path: Path, ct: EncodedInstance) -> None:
    """At the moment of the commit, a power cut would leave the file whole and under its name."""
    files = SimulatedFileSystem(tmp_path)
    spool = Spool(tmp_path / "spool", min_free_bytes=0, file_system=files)
    at_commit: list[dict[Path, bytes]] = []

    class WatchedDatabase(Database):
        @contextmanager
        def write(self) -> Iterator[sa.Connection]:
            with super().write() as connection:
                yield connection
                at_commit.append(files.surviving(names_are_kept=False))

    database = WatchedDatabase(f"sqlite:///{tmp_path / 'watched.sqlite'}")
    database.migrate()
    at_commit.clear()
    Receiver(spool, database=database, clock=FakeClock(), due_at=_due_at).receive(_request(ct))
    database.dispose()
    path = spool.path(ct.study_uid, ct.sop_instance_uid)
    assert [content[path].endswith(ct.data_set) for content in at_commit] == [True]


def test_the_same_again_changes_nothing(receiver: Receiver, database: Database, ct: EncodedInstance) -> None:
    """A repeated instance is success, adds no row, and neither counts in its study nor puts it off."""
    receiver.receive(_request(ct))
    before = _study(database, ct)
    with database.write() as connection:
        Studies(connection).freeze(ct.study_uid, at=FakeClock().now())
    assert receiver.receive(_request(ct)) is Receipt.REPEATED
    after = _study(database, ct)
    assert before is not None
    assert after == replace(before, state=StudyState.COMPLETE, revision=1, due_at=None)
    assert _events(database) == ["instance_stored"]


def test_other_bytes_under_a_known_identifier_are_refused(
    receiver: Receiver, spool: Spool, ct: EncodedInstance, tmp_path: Path
) -> None:
    """The first instance stays as it is, and of the second nothing is left."""
    receiver.receive(_request(ct))
    with pytest.raises(ConflictingInstanceError):
        receiver.receive(_request(_changed(tmp_path)))
    assert spool.path(ct.study_uid, ct.sop_instance_uid).read_bytes().endswith(ct.data_set)
    assert list(spool.incoming_directory.iterdir()) == []


def test_a_file_that_was_taken_away_is_restored_by_the_same_again(
    receiver: Receiver, spool: Spool, database: Database, ct: EncodedInstance
) -> None:
    """A sender that repeats an instance whose file is gone brings it back."""
    receiver.receive(_request(ct))
    spool.path(ct.study_uid, ct.sop_instance_uid).unlink()
    assert receiver.receive(_request(ct)) is Receipt.REPEATED
    assert spool.path(ct.study_uid, ct.sop_instance_uid).read_bytes().endswith(ct.data_set)
    assert _events(database) == ["instance_stored", "instance_file_restored"]


def test_a_failed_commit_is_not_acknowledged_and_loses_nothing(
    receiver: Receiver, spool: Spool, database: FailingDatabase, ct: EncodedInstance, tmp_path: Path
) -> None:
    """After a commit that failed there is no row; the sender's next try succeeds, even with other bytes."""
    database.failures = 1
    with pytest.raises(OperationalError):
        receiver.receive(_request(ct))
    assert _study(database, ct) is None
    changed = _changed(tmp_path)
    assert receiver.receive(_request(changed)) is Receipt.STORED
    assert spool.path(ct.study_uid, ct.sop_instance_uid).read_bytes().endswith(changed.data_set)


def test_a_failed_commit_is_made_good_by_replay(
    receiver: Receiver, spool: Spool, database: FailingDatabase, ct: EncodedInstance
) -> None:
    """Where the sender never tries again, the next start adopts the file."""
    database.failures = 1
    with pytest.raises(OperationalError):
        receiver.receive(_request(ct))
    report = replay(spool, database=database, clock=FakeClock(), due_at=_due_at)
    assert report.adopted == (ct.sop_instance_uid,)
    assert _study(database, ct) is not None


def test_command_set_and_data_set_must_agree(receiver: Receiver, spool: Spool, ct: EncodedInstance) -> None:
    """An instance under a wrong flag is refused before a file is written."""
    for wrong in ({"sop_instance_uid": "1.2.3"}, {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.4"}):
        with pytest.raises(MismatchedInstanceError):
            receiver.receive(replace(_request(ct), **wrong))  # type: ignore[arg-type]  # one field each
    assert not spool.directory.exists()


def test_a_request_without_a_data_set_is_malformed(receiver: Receiver, ct: EncodedInstance) -> None:
    """A C-STORE that announces no data set is answered, not crashed on."""
    with pytest.raises(MalformedInstanceError, match="no data set"):
        receiver.receive(replace(_request(ct), data_set=b""))


def test_an_image_that_was_deleted_for_its_age_is_kept_when_it_comes_again(
    receiver: Receiver, spool: Spool, database: Database, ct: EncodedInstance
) -> None:
    """Its row says again that the file is there, so that the next pass leaves it; the study stays as it was."""
    receiver.receive(_request(ct))
    with database.write() as connection:
        Studies(connection).freeze(ct.study_uid, at=FakeClock().now())
        Studies(connection).decide(ct.study_uid, 1, branch=None, decision="not_for_us", explanation="")
        assert dispose(connection, ct.study_uid, at=FakeClock().now())
    before = _study(database, ct)
    receiver.receive(_request(ct))
    assert spool.has(ct.study_uid, ct.sop_instance_uid)
    with database.read() as connection:
        assert Instances(connection).get(ct.sop_instance_uid).deleted_at is None
    assert _study(database, ct) == before
    assert _events(database)[-1] == "instance_file_restored"
