"""The few operations of a file system that the spool's promise rests on, behind a Protocol.

`bmnode.testing.filesystem.SimulatedFileSystem` implements the same Protocol with power cuts,
short writes and full disks, and passes the same contract tests.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

_LIBC = ctypes.CDLL(None, use_errno=True)


class FileSystem(Protocol):
    """What the spool asks of a disk. Every method raises OSError as the system call does."""

    def create(self, path: Path) -> int:
        """Open a new file for writing and return its handle. FileExistsError where the name is taken."""
        ...

    def write(self, handle: int, data: memoryview) -> int:
        """Append; returns how many bytes were taken, which may be fewer than given."""
        ...

    def sync(self, handle: int) -> None:
        """Return when the file's content is on the disk."""
        ...

    def close(self, handle: int) -> None:
        """Give the handle back."""
        ...

    def replace(self, source: Path, target: Path) -> None:
        """Rename, replacing a target that exists, in one step."""
        ...

    def make_directory(self, path: Path) -> bool:
        """Make one directory; False where it exists already."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Return when the directory's entries are on the disk."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether a file or directory of this name is there."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def read(self, path: Path) -> memoryview:
        """A file's content, without holding it in memory where the machine can do that."""
        ...

    def open_segment(self, path: Path, size: int) -> int:
        """Open a file to read and write anywhere, made where it is missing, with room for so many bytes reserved."""
        ...

    def write_at(self, handle: int, parts: Sequence[memoryview], offset: int) -> int:
        """Write the parts one behind the other from an offset; may take fewer bytes than given."""
        ...

    def read_at(self, handle: int, offset: int, length: int) -> bytes:
        """So many bytes from an offset, fewer at the end of the file."""
        ...

    def sync_data(self, handle: int) -> None:
        """Return when the file's content is on the disk, and what is needed to read it."""
        ...

    def sync_all(self, directory: Path) -> None:
        """Return when everything that was written to the directory's file system before is on the disk, names too."""
        ...

    def list(self, directory: Path, suffix: str) -> Sequence[Path]:
        """Files of a directory whose names end so; none where it is missing."""
        ...

    def free_bytes(self, path: Path) -> int:
        """What an unprivileged process may still write on the file system that holds the directory."""
        ...


class OsFileSystem:
    """The machine's own file system. Patient data is readable by the node's user alone."""

    def create(self, path: Path) -> int:
        """Open a new file for writing."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, handle: int, data: memoryview) -> int:
        """Append; may take fewer bytes than given."""
        return os.write(handle, data)

    def sync(self, handle: int) -> None:
        """Flush content and size."""
        os.fsync(handle)

    def close(self, handle: int) -> None:
        """Close the descriptor."""
        os.close(handle)

    def replace(self, source: Path, target: Path) -> None:
        """Rename atomically."""
        source.replace(target)

    def make_directory(self, path: Path) -> bool:
        """Make one directory; False where it exists already."""
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            return False
        return True

    def sync_directory(self, path: Path) -> None:
        """Flush the directory's entries: a renamed file may be gone after a power cut without it."""
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def exists(self, path: Path) -> bool:
        """Whether the name is taken."""
        return path.exists()

    def remove(self, path: Path) -> None:
        """Remove a file if it is there."""
        path.unlink(missing_ok=True)

    def read(self, path: Path) -> memoryview:
        """Map the file."""
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def open_segment(self, path: Path, size: int) -> int:
        """Open or make a file whose room is reserved: no later write into it finds the disk full."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if size:
                os.posix_fallocate(handle, 0, size)
        except OSError:
            os.close(handle)
            raise
        return handle

    def write_at(self, handle: int, parts: Sequence[memoryview], offset: int) -> int:
        """Write from an offset; may take fewer bytes than given."""
        return os.pwritev(handle, parts, offset)

    def read_at(self, handle: int, offset: int, length: int) -> bytes:
        """Read from an offset."""
        return os.pread(handle, length, offset)

    def sync_data(self, handle: int) -> None:
        """Flush content, and size where it changed."""
        os.fdatasync(handle)

    def sync_all(self, directory: Path) -> None:
        """Flush the file system: for many new files at once far cheaper than each by itself."""
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _LIBC.syncfs(handle):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(directory))
        finally:
            os.close(handle)

    def list(self, directory: Path, suffix: str) -> Sequence[Path]:
        """Files of a directory whose names end so."""
        return tuple(directory.glob(f"*{suffix}"))

    def free_bytes(self, path: Path) -> int:
        """Free space for an unprivileged process."""
        return shutil.disk_usage(path).free
