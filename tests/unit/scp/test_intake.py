"""Instances in the journal are told apart as exactly as those in the database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from bmnode.domain.records import StudyRecord
from bmnode.errors import ConflictingInstanceError, SpoolFullError
from bmnode.scp.intake import Intake
from bmnode.scp.receiver import Receipt, Receiver, StoreRequest
from bmnode.spool import JournalOptions, Spool
from bmnode.storage import AuditTrail, Database, Instances, Studies
from bmnode.testing.clock import FakeClock
from tests.support.encoded import EncodedInstance, ct_slices, encode_instance, encoded_ct


class BlockedDatabase(Database):
    """A database that takes no rows while it is told so."""

    is_blocked = False

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction, unless it is blocked."""
        if self.is_blocked:
            raise OperationalError("BEGIN", None, Exception("database is locked"))
        with super().write() as connection:
            yield connection


@pytest.fixture
def database(tmp_path: Path) -> Iterator[BlockedDatabase]:
    """An empty database on disk, migrated."""
    database = BlockedDatabase(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    return Spool(tmp_path / "spool", min_free_bytes=0)


@pytest.fixture
def intake(spool: Spool, database: BlockedDatabase) -> Iterator[Intake]:
    """A running intake on both."""
    intake = _intake(spool, database)
    intake.start()
    yield intake
    database.is_blocked = False
    intake.stop(20)


@pytest.fixture
def ct(tmp_path: Path) -> EncodedInstance:
    """One CT slice."""
    return encoded_ct(tmp_path / "source")[0]


def _intake(spool: Spool, database: Database) -> Intake:
    clock = FakeClock()
    receiver = Receiver(spool, database=database, clock=clock, due_at=_due_at)
    return Intake(receiver, spool=spool, database=database, clock=clock, options=JournalOptions(segment_bytes=1 << 20))


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


def _changed(tmp_path: Path, value: int = 0) -> EncodedInstance:
    """The slice with other pixels under the same identifiers."""
    dataset = ct_slices(tmp_path / "source")[0]
    dataset.PixelData = bytes([value]) * len(dataset.PixelData)
    return encode_instance(dataset)


def _assert_kept_once(intake: Intake, spool: Spool, database: Database, instance: EncodedInstance) -> None:
    assert intake.settle(20)
    with database.read() as connection:
        row = Instances(connection).get(instance.sop_instance_uid)
        assert Studies(connection).get(instance.study_uid).instance_count == 1
        stored = [entry for entry in AuditTrail(connection).entries() if entry.event == "instance_stored"]
    assert len(stored) == 1
    assert spool.path(row.study_uid, row.sop_instance_uid).read_bytes().endswith(instance.data_set)


def test_duplicates_are_told_apart_before_and_after_filing(
    intake: Intake, spool: Spool, database: BlockedDatabase, ct: EncodedInstance, tmp_path: Path
) -> None:
    """The same again is success, other bytes are refused, whether the first has its row or not."""
    database.is_blocked = True
    assert intake.receive(_request(ct)) is Receipt.STORED
    assert intake.receive(_request(ct)) is Receipt.REPEATED
    with pytest.raises(ConflictingInstanceError):
        intake.receive(_request(_changed(tmp_path)))
    database.is_blocked = False
    _assert_kept_once(intake, spool, database, ct)
    assert intake.receive(_request(ct)) is Receipt.REPEATED
    with pytest.raises(ConflictingInstanceError):
        intake.receive(_request(_changed(tmp_path)))
    _assert_kept_once(intake, spool, database, ct)


def test_of_many_at_once_one_is_the_first(
    intake: Intake, spool: Spool, database: BlockedDatabase, ct: EncodedInstance, tmp_path: Path
) -> None:
    """Senders of different bytes under one identifier: exactly one is told of success, and its bytes are kept."""
    variants = [_changed(tmp_path, value) for value in range(8)]
    stored: list[EncodedInstance] = []
    barrier = threading.Barrier(len(variants))

    def send(variant: EncodedInstance) -> None:
        barrier.wait()
        try:
            intake.receive(_request(variant))
        except ConflictingInstanceError:
            return
        stored.append(variant)

    threads = [threading.Thread(target=send, args=(variant,)) for variant in variants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored) == 1
    _assert_kept_once(intake, spool, database, stored[0])


def test_what_was_not_filed_is_filed_at_the_next_start(
    spool: Spool, database: BlockedDatabase, ct: EncodedInstance
) -> None:
    """A node that stopped while its database was away gives the instance its file and row when it comes back."""
    first = _intake(spool, database)
    first.start()
    database.is_blocked = True
    assert first.receive(_request(ct)) is Receipt.STORED
    assert not first.stop(0.0)
    database.is_blocked = False
    again = _intake(spool, database)
    again.start()
    _assert_kept_once(again, spool, database, ct)
    assert again.receive(_request(ct)) is Receipt.REPEATED
    again.stop(20)
    third = _intake(spool, database)
    third.start()
    _assert_kept_once(third, spool, database, ct)
    third.stop(20)


def test_below_the_watermark_nothing_is_taken_and_later_it_is(
    database: BlockedDatabase, ct: EncodedInstance, tmp_path: Path
) -> None:
    """A disk that is nearly full refuses; the identifier is free again for the next try."""
    nearly_full = Spool(tmp_path / "full", min_free_bytes=1 << 60)
    refusing = _intake(nearly_full, database)
    refusing.start()
    for _ in range(2):
        with pytest.raises(SpoolFullError):
            refusing.receive(_request(ct))
    refusing.stop(20)
