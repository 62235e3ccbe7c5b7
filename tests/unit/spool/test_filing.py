"""The filer waits for a lull, and for no longer than it may."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bmnode.domain.records import StudyRecord
from bmnode.spool import InstanceIdentity, Spool, inspect_data_set
from bmnode.spool.filing import LONGEST_S, LULL_S, Filer
from bmnode.spool.journal import Journal, JournalEntry, JournalOptions
from bmnode.storage import Database, Instances
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
