"""The filer waits for a lull, and for no longer than it may."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bmnode.domain.records import StudyRecord
from bmnode.spool import InstanceIdentity, Spool, inspect_data_set
from bmnode.spool.filing import LONGEST_S, LULL_S, Filer, file_records
from bmnode.spool.journal import Journal, JournalEntry, JournalOptions
from bmnode.spool.records import JournalRecord
from bmnode.storage import Database, Instances, Studies, delete_content
from bmnode.testing.clock import FakeClock
from tests.support.encoded import EncodedInstance, encoded_ct

AT = datetime(2026, 1, 1, tzinfo=UTC)


class CountingDatabase(Database):
    """Counts the transactions that write."""

    writes = 0

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction, counted."""
        self.writes += 1
        with super().write() as connection:
            yield connection


def _due_at(_study: StudyRecord | None, at: datetime) -> datetime:
    return at + timedelta(seconds=30)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[CountingDatabase]:
    """An empty database."""
    database = CountingDatabase(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    database.writes = 0
    yield database
    database.dispose()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool."""
    return Spool(tmp_path / "spool", min_free_bytes=0)


@pytest.fixture
def journal(spool: Spool) -> Iterator[Journal]:
    """Its journal, empty."""
    journal = Journal(spool, options=JournalOptions(segment_bytes=1 << 20, segments=2))
    yield journal
    journal.close()


@pytest.fixture
def filed() -> list[JournalEntry]:
    """What the filer said is filed."""
    return []


@pytest.fixture
def filer(spool: Spool, journal: Journal, database: CountingDatabase, filed: list[JournalEntry]) -> Filer:
    """A filer at work."""

    def keep(entries: Sequence[JournalEntry]) -> None:
        filed.extend(entries)

    filer = Filer(journal, spool=spool, database=database, clock=FakeClock(), due_at=_due_at, filed=keep)
    filer.start()
    return filer


def _entry(journal: Journal, instance: EncodedInstance) -> JournalEntry:
    identity: InstanceIdentity = inspect_data_set(instance.data_set, transfer_syntax_uid=instance.transfer_syntax_uid)
    entry = journal.append(identity, source_ae="CT1", received_at=AT, file=(b"", memoryview(instance.data_set)))
    journal.commit(entry)
    return entry


def test_what_comes_together_shares_a_transaction(
    filer: Filer, filed: list[JournalEntry], journal: Journal, database: CountingDatabase, tmp_path: Path
) -> None:
    """Instances that follow each other closely are filed at once, in the order in which they came."""
    instances = encoded_ct(tmp_path / "source", count=5)
    entries = [_entry(journal, instance) for instance in instances]
    for entry in entries:
        filer.add(entry)
    assert filer.stop(20)
    assert filed == entries
    assert database.writes == 1
    with database.read() as connection:
        assert len(Instances(connection).uids()) == len(instances)


def test_one_who_never_pauses_does_not_keep_the_others_waiting(
    filer: Filer, filed: list[JournalEntry], journal: Journal, tmp_path: Path
) -> None:
    """A sender without a lull does not put filing off for longer than the longest wait."""
    first = _entry(journal, encoded_ct(tmp_path / "source")[0])
    filer.add(first)
    pause = threading.Event()
    for _ in range(round(3 * LONGEST_S / (LULL_S / 2))):
        if filed:
            break
        filer.add(first)  # the same again: filed already, so nothing comes of it
        pause.wait(LULL_S / 2)
    assert filed
    filer.stop(20)


def test_a_segment_that_cannot_be_made_ready_does_not_end_filing(
    spool: Spool, database: CountingDatabase, tmp_path: Path
) -> None:
    """Whatever goes wrong beforehand: what comes later is filed."""

    class Unready(Journal):
        def make_ready(self) -> bool:
            raise KeyError("nobody foresaw it")

    journal = Unready(spool, options=JournalOptions(segment_bytes=1 << 20, segments=2))
    filer = Filer(journal, spool=spool, database=database, clock=FakeClock(), due_at=_due_at, filed=lambda _: None)
    filer.start()
    filer.add(_entry(journal, encoded_ct(tmp_path / "source")[0]))
    assert filer.stop(20)
    journal.close()


def _record(instance: EncodedInstance, *, received_at: datetime = AT) -> JournalRecord:
    identity = inspect_data_set(instance.data_set, transfer_syntax_uid=instance.transfer_syntax_uid)
    content = memoryview(instance.data_set)
    return JournalRecord(identity=identity, source_ae="CT1", received_at=received_at, head_bytes=0, content=content)


def _reject(database: Database, spool: Spool, study_uid: str) -> None:
    with database.write() as connection:
        Studies(connection).reject(study_uid)
        delete_content(connection, study_uid)
    for path in spool.everything_of(study_uid, ()):
        shutil.rmtree(path)


def test_a_journal_does_not_bring_a_rejected_study_back(
    spool: Spool, database: CountingDatabase, tmp_path: Path
) -> None:
    """A record that was filed before its study was rejected is not filed again; the same image sent anew is."""
    (instance,) = encoded_ct(tmp_path / "source")
    parts = {"spool": spool, "database": database, "clock": FakeClock()}
    file_records([_record(instance)], due_at=_due_at, **parts)  # type: ignore[arg-type]  # each is of its kind
    _reject(database, spool, instance.study_uid)
    file_records([_record(instance)], due_at=_due_at, **parts)  # type: ignore[arg-type]  # as above
    assert not spool.has(instance.study_uid, instance.sop_instance_uid)
    again = _record(instance, received_at=AT + timedelta(seconds=1))
    file_records([again], due_at=_due_at, **parts)  # type: ignore[arg-type]  # as above
    assert spool.has(instance.study_uid, instance.sop_instance_uid)
    with database.read() as connection:
        assert Studies(connection).get(instance.study_uid).instance_count == 1


def test_a_file_that_a_rejection_took_gets_no_row(spool: Spool, tmp_path: Path) -> None:
    """A rejection between file and row costs nothing: the next try files the image as one that came afterwards."""
    first, second = encoded_ct(tmp_path / "source", count=2)

    class Overtaken(CountingDatabase):
        @contextmanager
        def write(self) -> Iterator[sa.Connection]:
            """The first write of the filer comes second."""
            if self.writes == 0:
                self.writes = 1
                _reject(plain, spool, first.study_uid)
            with super().write() as connection:
                yield connection

    plain, database = (kind(f"sqlite:///{tmp_path / 'node.sqlite'}") for kind in (Database, Overtaken))
    plain.migrate()
    file_records([_record(first)], spool=spool, database=plain, clock=FakeClock(), due_at=_due_at)
    with pytest.raises(FileNotFoundError):
        file_records([_record(second)], spool=spool, database=database, clock=FakeClock(), due_at=_due_at)
    with plain.read() as connection:
        assert Instances(connection).uids() == []
    file_records([_record(second)], spool=spool, database=database, clock=FakeClock(), due_at=_due_at)
    assert spool.has(second.study_uid, second.sop_instance_uid)
    with plain.read() as connection:
        assert Studies(connection).get(first.study_uid).instance_count == 1
