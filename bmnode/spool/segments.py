"""Files of the journal: made, and written before they are needed."""

from __future__ import annotations

import errno
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bmnode.spool.filesystem import FileSystem
from bmnode.spool.writer import Spool, full_disk_named

DRAFT_SUFFIX = ".new"
_ZEROS = memoryview(bytes(1 << 20))


def draft_of(path: Path) -> Path:
    """A name under which nobody else makes the file."""
    return path.with_name(f"{secrets.token_hex(8)}{DRAFT_SUFFIX}")


def make_segment(spool: Spool, path: Path, size: int) -> int:
    """The handle of a file with its room reserved and its name durable. Raises SpoolFullError or OSError."""
    spool.prepare()
    spool.check_space(size)
    with full_disk_named():
        spool.make_directory(path.parent)
        try:
            handle = spool.files.open_segment(path, size)
            spool.files.sync_directory(path.parent)
        except OSError:
            with suppress(OSError):
                spool.files.remove(path)
            raise
    return handle


def make_written_segment(spool: Spool, draft: Path, size: int) -> int:
    """The same, with zeros in all of it, on the disk.

    A flush of what lies where nothing was ever written also writes the file system's own journal, and waits for
    everybody who uses that.
    """
    handle = make_segment(spool, draft, size)
    try:
        with full_disk_named():
            for offset in range(0, size, len(_ZEROS)):
                write_parts(spool.files, handle, (_ZEROS[: size - offset],), offset=offset)
            spool.files.sync_data(handle)
    except OSError:
        spool.files.close(handle)
        with suppress(OSError):
            spool.files.remove(draft)
        raise
    return handle


def write_parts(files: FileSystem, handle: int, parts: Sequence[bytes | memoryview], *, offset: int) -> None:
    """Write all parts one behind the other, however few bytes each call takes. Raises OSError."""
    left = [memoryview(part) for part in parts if len(part)]
    while left:
        taken = files.write_at(handle, left, offset)
        if not taken:
            raise OSError(errno.EIO, "the journal takes no more bytes")
        offset += taken
        while left and taken >= len(left[0]):
            taken -= len(left.pop(0))
        if left:
            left[0] = left[0][taken:]
