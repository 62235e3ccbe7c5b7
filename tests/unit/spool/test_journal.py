"""The journal: what was committed is there after a power cut, whole and once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.errors import SpoolFullError
from bmnode.spool import InstanceIdentity, JournalOptions, Spool
from bmnode.spool.journal import Journal, JournalEntry
from bmnode.spool.records import PAGE_BYTES, JournalRecord
from bmnode.testing.filesystem import PowerCutError, SimulatedFileSystem

ROOT = Path("/spool")
AT = datetime(2026, 1, 1, tzinfo=UTC)
SMALL = JournalOptions(segment_bytes=16 * PAGE_BYTES, segments=3, room_wait_s=0.0)
HEAD = b"head"


def _identity(number: int) -> InstanceIdentity:
    return InstanceIdentity(
        sop_class_uid="1.2.3",
        sop_instance_uid=f"1.2.3.{number + 1}",
        study_uid="1.2.4",
        series_uid="1.2.5",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )


def _data(number: int, size: int = 5000) -> bytes:
    return bytes((number * 7 + at) % 251 for at in range(size))


def _journal(files: SimulatedFileSystem) -> Journal:
    return Journal(Spool(ROOT / "spool", min_free_bytes=0, file_system=files), options=SMALL)


def _put(journal: Journal, number: int, data: bytes | None = None) -> JournalEntry:
    data = _data(number) if data is None else data
    entry = journal.append(_identity(number), source_ae="CT1", received_at=AT, file=(HEAD, memoryview(data)))
    journal.commit(entry)
    return entry


def _after_cut(files: SimulatedFileSystem, *, names_are_kept: bool) -> SimulatedFileSystem:
    """A machine that starts with what the power cut left."""
    left: Mapping[Path, bytes] = files.surviving(names_are_kept=names_are_kept)
    started = SimulatedFileSystem(ROOT)
    Spool(ROOT / "spool", min_free_bytes=0, file_system=started).prepare()
    started.make_directory(ROOT / "spool" / "journal")
    for path, content in left.items():
        if path.parent.name == "journal":
            handle = started.open_segment(path, len(content))
            started.write_at(handle, (memoryview(content),), 0)
    return started


def _recovered(files: SimulatedFileSystem) -> list[JournalRecord]:
    return list(_journal(files).recover())


def test_a_record_comes_back_as_it_was_written() -> None:
    """Identifiers, sender, time and every byte."""
    files = SimulatedFileSystem(ROOT, largest_write=1000)
    journal = _journal(files)
    entry = _put(journal, 0)
    record = journal.read(entry)
    assert (record.identity, record.source_ae, record.received_at) == (_identity(0), "CT1", AT)
    assert record.content == HEAD + _data(0)
    assert record.data_set == _data(0)
    assert _recovered(files) == [record]


@settings(max_examples=60, deadline=None)
@given(
    cut_after=st.integers(1, 60),
    names_are_kept=st.booleans(),
    filed_every=st.integers(1, 5),
    ready_every=st.integers(1, 9),
)
def test_what_was_committed_survives_a_power_cut(
    cut_after: int, names_are_kept: bool, filed_every: int, ready_every: int
) -> None:
    """Cut anywhere, with segments used again and again: every record that was committed and not filed is there."""
    files = SimulatedFileSystem(ROOT, cut_after=cut_after + 12)
    committed: dict[str, bytes] = {}
    filed: set[str] = set()
    waiting: list[JournalEntry] = []
    try:
        journal = _journal(files)
        for number in range(40):
            if number % ready_every == 0:
                journal.make_ready()
            entry = _put(journal, number)
            committed[entry.identity.sop_instance_uid] = _data(number)
            waiting.append(entry)
            if len(waiting) == filed_every:
                filed |= {item.identity.sop_instance_uid for item in waiting}
                journal.filed(waiting)
                waiting.clear()
    except PowerCutError:
        pass
    found = {
        record.identity.sop_instance_uid: bytes(record.data_set)
        for record in _recovered(_after_cut(files, names_are_kept=names_are_kept))
    }
    for uid, data in committed.items():
        assert uid in filed or found[uid] == data


def test_what_is_filed_does_not_come_back() -> None:
    """Otherwise a study that was deleted would return at the next start."""
    files = SimulatedFileSystem(ROOT)
    journal = _journal(files)
    entries = [_put(journal, number) for number in range(3)]
    journal.filed(entries[:2])
    left = _recovered(_after_cut(files, names_are_kept=False))
    assert [record.identity for record in left] == [_identity(2)]


def test_a_journal_that_was_cleared_is_empty_and_goes_on() -> None:
    """After recovery nothing of before is read again, and new records are."""
    files = SimulatedFileSystem(ROOT)
    journal = _journal(files)
    for number in range(3):
        _put(journal, number)
        journal = _journal(files)
        assert [record.identity for record in journal.recover()] == [_identity(number)]
        journal.clear()
        assert _recovered(files) == []


def test_a_full_journal_says_so_and_recovers() -> None:
    """Where nothing is filed, the sender is asked to come again; once something is, there is room."""
    journal = _journal(SimulatedFileSystem(ROOT))
    entries: list[JournalEntry] = []

    def fill() -> None:
        for number in range(1000):
            entries.append(_put(journal, number))  # noqa: PERF401 - it ends by an error

    with pytest.raises(SpoolFullError, match="journal is full"):
        fill()
    assert len(entries) == 3 * 7  # segments, and records of two pages behind the first
    journal.filed(entries)
    assert journal.read(_put(journal, 2000)).data_set == _data(2000)


def test_segments_wait_for_records_and_are_written_beforehand() -> None:
    """As many as are to be ready are on the disk, with their names, before a record needs them; and no more."""
    files = SimulatedFileSystem(ROOT)
    journal = Journal(
        Spool(ROOT / "spool", min_free_bytes=0, file_system=files),
        options=JournalOptions(segment_bytes=16 * PAGE_BYTES, segments=3, ready=2),
    )
    assert [journal.make_ready() for _ in range(3)] == [True, True, False]
    ready = files.surviving(names_are_kept=False)
    assert {path.name: len(content) for path, content in ready.items()} == {
        "00.seg": 16 * PAGE_BYTES,
        "01.seg": 16 * PAGE_BYTES,
    }
    entry = _put(journal, 0)
    assert entry.segment.path in ready
    assert journal.make_ready()
    entries = [entry, *(_put(journal, number) for number in range(1, 3 * 7))]
    assert len({item.segment.path for item in entries}) == 3
    assert not journal.make_ready()


def test_a_segment_that_was_begun_before_the_journal_was_closed_disturbs_nobody() -> None:
    """Another journal has the folder then: its segments keep their names and their records."""

    class Slow(SimulatedFileSystem):
        before_sync: Callable[[], None] | None = None

        def sync_data(self, handle: int) -> None:
            super().sync_data(handle)
            act, self.before_sync = self.before_sync, None
            if act is not None:
                act()

    files = Slow(ROOT)
    first = _journal(files)
    again = _journal(files)

    def hand_over() -> None:
        first.close()
        _put(again, 7)

    files.before_sync = hand_over
    assert not first.make_ready()
    assert [record.identity for record in _recovered(_after_cut(files, names_are_kept=False))] == [_identity(7)]


def test_a_flush_that_fails_acknowledges_nothing() -> None:
    """Those whose flush failed are told so, and what comes after goes to another segment."""

    class Unflushable(SimulatedFileSystem):
        is_broken = False

        def sync_data(self, handle: int) -> None:
            if self.is_broken:
                raise OSError(5, "Input/output error")
            super().sync_data(handle)

    files = Unflushable(ROOT)
    journal = _journal(files)
    good = _put(journal, 0)
    files.is_broken = True
    with pytest.raises(OSError, match="flushed"):
        _put(journal, 1)
    files.is_broken = False
    after = _put(journal, 2)
    assert after.segment is not good.segment
    found = {record.identity for record in _recovered(_after_cut(files, names_are_kept=False))}
    assert {_identity(0), _identity(2)} <= found


def test_many_at_once_share_a_flush_and_lose_nothing() -> None:
    """Group commit: what each thread committed is on the disk when its call returns."""
    files = SimulatedFileSystem(ROOT)
    journal = Journal(
        Spool(ROOT / "spool", min_free_bytes=0, file_system=files),
        options=JournalOptions(segment_bytes=1 << 20, segments=4),
    )
    lost: list[int] = []

    def send(start: int) -> None:
        for number in range(start, start + 20):
            entry = _put(journal, number)
            durable = files.surviving(names_are_kept=False)[entry.segment.path]
            if _data(number) not in durable:
                lost.append(number)

    threads = [threading.Thread(target=send, args=(start,)) for start in range(0, 80, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    assert len(_recovered(_after_cut(files, names_are_kept=False))) == 80
