"""One data set while it arrives: in memory while it is small, in a file of the spool when it is not."""

from __future__ import annotations

from bmnode.errors import SpoolFullError
from bmnode.spool.writer import GrowingFile, Spool

IN_MEMORY_BYTES = 1 << 21
"""[P] Larger data sets go to the disk as they arrive: whole-body bone scans and CT slices stay below, and 32
associations at their largest stay below 64 MiB."""
LONGEST_DATA_SET = 1 << 32
"""[P] A data set longer than any real one never ends."""
_FIRST_BYTES = 1 << 16


class IncomingDataSet:
    """Takes one data set after the other; its memory serves them all.

    What goes wrong with the disk meanwhile is kept for `trouble`: the sender is in the middle of
    its message and learns of it by the status.

    Args:
        spool: where large ones go.
        in_memory_bytes: the largest that is kept in memory.
        longest_bytes: what is longer is `is_endless`.
    """

    def __init__(
        self, spool: Spool, *, in_memory_bytes: int = IN_MEMORY_BYTES, longest_bytes: int = LONGEST_DATA_SET
    ) -> None:
        self._spool = spool
        self._in_memory_bytes = in_memory_bytes
        self._longest_bytes = longest_bytes
        self._buffer = memoryview(bytearray(min(_FIRST_BYTES, in_memory_bytes)))
        self._head = b""
        self._used = 0
        self._written = 0
        self._file: GrowingFile | None = None
        self.trouble: OSError | SpoolFullError | None = None
        """Why the disk did not take it."""

    def begin(self, head: bytes) -> None:
        """Forget what there was; `head` is what a file begins with before the data set."""
        self.clear()
        self._head = head

    def room(self, wanted: int) -> memoryview:
        """Where the next bytes go: at least one, at most so many. Tell `taken` how many there are."""
        if self._used == len(self._buffer):
            self._make_room()
        return self._buffer[self._used : self._used + wanted]

    def taken(self, count: int) -> None:
        """So many bytes are in the room."""
        self._used += count

    @property
    def size_bytes(self) -> int:
        """How long it is so far."""
        return self._written + self._used

    @property
    def is_endless(self) -> bool:
        """Whether it is longer than a data set can be."""
        return self.size_bytes > self._longest_bytes

    @property
    def file(self) -> GrowingFile | None:
        """The file that holds all of it, after `view`; None where it is in memory."""
        return self._file

    def view(self) -> memoryview:
        """All bytes of it. Raises OSError or SpoolFullError where the disk did not take them."""
        if self._file is not None and self.trouble is None:
            self._write_out()
        if self.trouble is not None:
            raise self.trouble
        return self._buffer[: self._used] if self._file is None else self._file.view()[len(self._head) :]

    def clear(self) -> None:
        """Forget the data set, and remove its file unless that was staged."""
        if self._file is not None:
            self._file.discard()
        self._file, self.trouble = None, None
        self._used = self._written = 0

    def _make_room(self) -> None:
        if len(self._buffer) < self._in_memory_bytes:
            larger = memoryview(bytearray(min(len(self._buffer) * 4, self._in_memory_bytes)))
            larger[: self._used] = self._buffer[: self._used]
            self._buffer = larger
        else:
            self._write_out()

    def _write_out(self) -> None:
        """Move what is in memory to the file, or drop it after trouble."""
        try:
            if self.trouble is None:
                if self._file is None:
                    self._file = self._spool.open_file()
                    self._file.append(memoryview(self._head))
                self._file.append(self._buffer[: self._used])
        except (OSError, SpoolFullError) as error:
            self.trouble = error
        self._written += self._used
        self._used = 0
