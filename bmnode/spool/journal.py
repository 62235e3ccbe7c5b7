"""The journal: where an instance is durable before it has its file.

    <spool>/journal/00.seg, 01.seg, ...     segments of a fixed size, used again and again

A segment's first page is its mark: its epoch, which no other turn of any segment has, and up to
which offset everything is filed. Behind it come records, each of the segment's epoch, one
behind the other. Records are written one at a time, and `commit` flushes: whoever comes while a
flush runs waits for the next, which serves all who came meanwhile. So what lies before a record
that was committed is whole, and reading may end at the first place that holds no record.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bmnode.errors import SpoolFullError
from bmnode.spool.filesystem import FileSystem
from bmnode.spool.inspect import InstanceIdentity
from bmnode.spool.records import (
    PAGE_BYTES,
    JournalRecord,
    SegmentMark,
    decode_mark,
    decode_record,
    decode_records,
    encode_mark,
    encode_record,
    padded,
)
from bmnode.spool.segments import DRAFT_SUFFIX, draft_of, make_segment, make_written_segment, write_parts
from bmnode.spool.writer import Spool, full_disk_named

JOURNAL = "journal"
SEGMENT_SUFFIX = ".seg"


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalOptions:
    """How much the journal may take. Raises ValueError where that cannot be used."""

    segment_bytes: int = 1 << 24
    segments: int = 32
    ready: int = 4
    """[P] Segments that wait to be written, where there are not more in use: a burst of 64 MiB finds its place."""
    room_wait_s: float = 20.0
    """[P] How long a receiver waits for a segment to be filed: less than senders wait for their answer."""

    def __post_init__(self) -> None:
        if self.segment_bytes < 2 * PAGE_BYTES or self.segment_bytes % PAGE_BYTES:
            raise ValueError("a segment has whole pages, and more than one")
        if self.segments < 2:
            raise ValueError("one segment is filed while another is written: at least two")
        if self.ready < 0:
            raise ValueError("ready is a number of segments")


@dataclass(slots=True, eq=False)
class _Segment:
    path: Path
    handle: int
    epoch: int = 0
    end: int = PAGE_BYTES
    """Where the next record goes."""
    open_entries: set[int] = field(default_factory=set)
    """Offsets of records that are not filed."""
    synced_to: int = 0
    """Number of the last record that a flush put on the disk."""
    is_failed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class JournalEntry:
    """A record that was written; durable once it is committed."""

    identity: InstanceIdentity
    source_ae: str
    received_at: datetime
    segment: _Segment
    offset: int
    length: int
    number: int


class Journal:
    """The journal of one spool. `recover` comes before the first `append`.

    Args:
        spool: whose directory, disk and watermark it shares.
        options: its size.
    """

    def __init__(self, spool: Spool, *, options: JournalOptions | None = None) -> None:
        self._spool = spool
        self._files: FileSystem = spool.files
        self._options = options or JournalOptions()
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._free: list[_Segment] = []
        self._used: list[_Segment] = []
        self._taken: set[Path] = set()
        """Names of segments that are being made, or are on their way from free to used."""
        self._turn = 0
        """Counts closings: what was begun before one is not finished behind it."""
        self._current: _Segment | None = None
        self._epoch = 0
        self._written = self._synced = 0
        self._is_syncing = False

    @property
    def directory(self) -> Path:
        """Where the segments lie."""
        return self._spool.directory / JOURNAL

    @property
    def largest_bytes(self) -> int:
        """The largest data set that it takes."""
        return self._options.segment_bytes - 4 * PAGE_BYTES

    def recover(self) -> Iterator[JournalRecord]:
        """What is not filed, in the order in which it was received; call `clear` once it is filed."""
        marked = []
        for path in self._paths():
            segment = self._files.read(path)
            mark = decode_mark(segment)
            if mark is not None:
                marked.append((mark.epoch, segment))
        marked.sort(key=lambda pair: pair[0])
        self._epoch = marked[-1][0] if marked else self._epoch
        for _, segment in marked:
            for _, _, record in decode_records(segment):
                yield record

    def clear(self) -> None:
        """Everything that `recover` gave is filed: start with empty segments. Raises OSError."""
        self.close()
        for draft in self._files.list(self.directory, DRAFT_SUFFIX):
            self._files.remove(draft)
        for path in self._paths():
            segment = _Segment(path=path, handle=self._files.open_segment(path, 0))
            self._epoch += 1
            segment.epoch = self._epoch
            self._write_mark(segment, filed_to=self._options.segment_bytes)
            self._files.sync_data(segment.handle)
            self._free.append(segment)

    def close(self) -> None:
        """Give the segments' handles back. What is not filed stays for `recover`."""
        with self._changed:
            self._turn += 1
            segments = (*self._free, *self._used)
            self._free, self._used, self._current = [], [], None
            self._taken.clear()
        for segment in segments:
            self._files.close(segment.handle)

    def make_ready(self) -> bool:
        """Make one of the segments that are to wait for records, if one is missing; whether it was.

        Raises SpoolFullError or OSError.
        """
        with self._changed:
            turn = self._turn
            path = self._new_path() if len(self._free) < self._options.ready else None
        if path is None:
            return False
        draft = draft_of(path)
        segment = self._make(path, draft=draft)
        with self._changed:
            if turn != self._turn:  # closed meanwhile: the name may be another's
                self._files.close(segment.handle)
                self._files.remove(draft)
                return False
            self._files.replace(draft, path)
        # Nobody writes to it before its name is durable.
        self._files.sync_directory(self.directory)
        with self._changed:
            if turn == self._turn:
                self._give(segment)
            else:
                self._files.close(segment.handle)
        return True

    def append(
        self, identity: InstanceIdentity, *, source_ae: str, received_at: datetime, file: tuple[bytes, memoryview]
    ) -> JournalEntry:
        """Write a record; it is durable when `commit` returned.

        Args:
            identity: of the instance.
            source_ae: who sent it.
            received_at: when.
            file: its file: head, and data set as received.

        Raises:
            SpoolFullError: no segment was filed in time, or the disk is full.
            OSError: the disk failed otherwise.
        """
        size = len(file[0]) + len(file[1])
        with self._writing:
            segment = self._segment_for(padded(size + PAGE_BYTES))
            parts = encode_record(
                epoch=segment.epoch, identity=identity, source_ae=source_ae, received_at=received_at, file=file
            )
            length = sum(len(part) for part in parts)
            with full_disk_named():
                write_parts(self._files, segment.handle, parts, offset=segment.end)
            with self._changed:
                self._written += 1
                entry = JournalEntry(
                    identity=identity,
                    source_ae=source_ae,
                    received_at=received_at,
                    segment=segment,
                    offset=segment.end,
                    length=length,
                    number=self._written,
                )
                segment.open_entries.add(entry.offset)
                segment.end += padded(length)
            return entry

    def commit(self, entry: JournalEntry) -> None:
        """Return when the record is on the disk. Raises OSError where the flush failed: it counts as not written."""
        with self._changed:
            while self._is_syncing and self._synced < entry.number:
                self._changed.wait()
            if self._synced < entry.number:
                self._is_syncing = True
                upto = self._written
                segment = self._current
            else:
                upto, segment = 0, None
        if segment is not None:
            self._sync(segment, upto)
        with self._changed:
            if entry.number > entry.segment.synced_to:
                entry.segment.open_entries.discard(entry.offset)
                raise OSError("the journal could not be flushed")

    def read(self, entry: JournalEntry) -> JournalRecord:
        """A record as it was written. Raises OSError where the disk does not give it back."""
        encoded = self._files.read_at(entry.segment.handle, entry.offset, entry.length)
        return decode_record(memoryview(encoded), epoch=entry.segment.epoch)

    def filed(self, entries: Sequence[JournalEntry]) -> None:
        """These have their files and rows, durably: their place may be used again. Raises OSError."""
        by_segment: dict[_Segment, set[int]] = {}
        for entry in entries:
            by_segment.setdefault(entry.segment, set()).add(entry.offset)
        for segment, offsets in by_segment.items():
            # Until its mark is on the disk the segment must not be taken for free.
            with self._changed:
                filed_to = min(segment.open_entries - offsets, default=segment.end)
            self._write_mark(segment, filed_to=filed_to)
            self._files.sync_data(segment.handle)
            with self._changed:
                segment.open_entries -= offsets
                if segment is not self._current:
                    self._retire(segment)
                self._changed.notify_all()

    def _sync(self, segment: _Segment, upto: int) -> None:
        is_synced = False
        with suppress(OSError):
            self._files.sync_data(segment.handle)
            is_synced = True
        with self._changed:
            if not is_synced:
                # What the kernel could not write it forgets: nothing more goes to this segment.
                segment.is_failed = True
            elif not segment.is_failed:
                segment.synced_to = upto
            self._synced = max(self._synced, upto)
            self._is_syncing = False
            self._changed.notify_all()

    def _segment_for(self, size: int) -> _Segment:
        """The segment that has room, another one where the current has not. Called by one thread at a time."""
        current = self._current
        if current is not None and not current.is_failed and current.end + size <= self._options.segment_bytes:
            return current
        with self._changed:
            while self._is_syncing:
                self._changed.wait()
            self._is_syncing = True
            upto = self._written
        if current is None:
            with self._changed:
                self._is_syncing = False
        else:
            self._sync(current, upto)
        segment = self._next()
        with ExitStack() as undo:
            undo.callback(self._give, segment)
            self._epoch += 1
            segment.epoch, segment.end = self._epoch, PAGE_BYTES
            self._write_mark(segment, filed_to=PAGE_BYTES)
            undo.pop_all()
        with self._changed:
            self._used.append(segment)
            self._taken.discard(segment.path)
            self._current = segment
            self._retire(current)
        return segment

    def _give(self, segment: _Segment) -> None:
        """The segment is free."""
        with self._changed:
            self._free.append(segment)
            self._taken.discard(segment.path)
            self._changed.notify_all()

    def _retire(self, segment: _Segment | None) -> None:
        """A segment that is full and filed already is free."""
        if segment is None or segment.open_entries or segment not in self._used:
            return
        self._used.remove(segment)
        if segment.is_failed:
            self._files.close(segment.handle)
        else:
            self._free.append(segment)

    def _next(self) -> _Segment:
        """A segment to write: one that is free, a new one, or the next that becomes free."""
        with self._changed:
            path = None if self._free else self._new_path()
            if path is None:
                self._changed.wait_for(lambda: bool(self._free), timeout=self._options.room_wait_s)
                if not self._free:
                    raise SpoolFullError("the journal is full: the disk or the database does not keep up, or failed")
                segment = self._free.pop(0)
                self._taken.add(segment.path)
                return segment
        return self._make(path)

    def _new_path(self) -> Path | None:
        """A name for another segment, to be given to `_make`; None where there may be no more. Under the lock."""
        taken = {segment.path for segment in (*self._used, *self._free)} | self._taken
        if len(taken) >= self._options.segments:
            return None
        paths = (self.directory / f"{number:02d}{SEGMENT_SUFFIX}" for number in range(len(taken) + 1))
        path = next(path for path in paths if path not in taken)
        self._taken.add(path)
        return path

    def _make(self, path: Path, *, draft: Path | None = None) -> _Segment:
        """Make the segment of a name; with a draft all of it is written, under that name."""
        size = self._options.segment_bytes
        with ExitStack() as undo:
            undo.callback(self._leave, path)
            if draft is None:
                segment = _Segment(path=path, handle=make_segment(self._spool, path, size))
            else:
                segment = _Segment(path=path, handle=make_written_segment(self._spool, draft, size))
            undo.pop_all()
        return segment

    def _leave(self, path: Path) -> None:
        """Nobody has the name."""
        with self._changed:
            self._taken.discard(path)

    def _paths(self) -> Sequence[Path]:
        return sorted(self._files.list(self.directory, SEGMENT_SUFFIX))

    def _write_mark(self, segment: _Segment, *, filed_to: int) -> None:
        mark = encode_mark(SegmentMark(epoch=segment.epoch, filed_to=filed_to))
        write_parts(self._files, segment.handle, (mark,), offset=0)
