"""A file system in memory that can lose power, run full and take short writes."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


class PowerCutError(Exception):
    """The simulated machine lost its power; nothing more happens on it."""


@dataclass(slots=True)
class _File:
    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


class SimulatedFileSystem:
    """A `bmnode.spool.filesystem.FileSystem` that knows what is on the disk and what only in memory.

    A file's content is on the disk once it was synced, a name once its directory was. What is
    not synced may or may not survive a power cut: `surviving` gives both extremes.

    Args:
        root: directory that is there, durably, from the start.
        capacity_bytes: a write beyond it raises ENOSPC after taking what fits.
        largest_write: a single write takes at most this many bytes.
        cut_after: number of operations after which the power goes; None for never.
    """

    def __init__(
        self,
        root: Path,
        *,
        capacity_bytes: int = 1 << 40,
        largest_write: int = 1 << 30,
        cut_after: int | None = None,
    ) -> None:
        self.capacity_bytes = capacity_bytes
        self.operations = 0
        """How many operations that change something were done."""
        self._largest_write = largest_write
        self._cut_after = cut_after
        self._files: dict[Path, _File] = {}
        self._directories: set[Path] = {root}
        self._durable_files: dict[Path, _File] = {}
        self._durable_directories: set[Path] = {root}
        self._handles: dict[int, _File] = {}
        self._next_handle = 3

    def create(self, path: Path) -> int:
        """Open a new file for writing."""
        self._operate()
        self._need_directory(path.parent)
        if self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        self._files[path] = _File()
        handle = self._next_handle
        self._next_handle += 1
        self._handles[handle] = self._files[path]
        return handle

    def write(self, handle: int, data: memoryview) -> int:
        """Append as much as the limits allow."""
        self._operate()
        taken = min(len(data), self._largest_write, self.capacity_bytes - self._used())
        if taken <= 0 < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._handles[handle].content += data[:taken]
        return taken

    def sync(self, handle: int) -> None:
        """Put the content on the disk."""
        self._operate()
        file = self._handles[handle]
        file.durable = bytes(file.content)

    def close(self, handle: int) -> None:
        """Give the handle back."""
        if self._handles.pop(handle, None) is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def replace(self, source: Path, target: Path) -> None:
        """Rename in one step."""
        self._operate()
        self._need_directory(target.parent)
        if source not in self._files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(source))
        self._files[target] = self._files.pop(source)

    def make_directory(self, path: Path) -> bool:
        """Make one directory; False where it exists already."""
        self._operate()
        self._need_directory(path.parent)
        if path in self._directories:
            return False
        self._directories.add(path)
        return True

    def sync_directory(self, path: Path) -> None:
        """Put the directory's entries on the disk."""
        self._operate()
        self._need_directory(path)
        kept = {name: file for name, file in self._durable_files.items() if name.parent != path}
        self._durable_files = kept | {name: file for name, file in self._files.items() if name.parent == path}
        self._durable_directories |= {name for name in self._directories if name.parent == path}

    def exists(self, path: Path) -> bool:
        """Whether the name is taken."""
        return path in self._files or path in self._directories

    def remove(self, path: Path) -> None:
        """Remove a file if it is there."""
        self._operate()
        self._files.pop(path, None)

    def read(self, path: Path) -> memoryview:
        """A file's content as it is now."""
        if path not in self._files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return memoryview(bytes(self._files[path].content))

    def open_segment(self, path: Path, size: int) -> int:
        """Open a file of this size, made where it is missing."""
        self._operate()
        self._need_directory(path.parent)
        file = self._files.setdefault(path, _File())
        missing = size - len(file.content)
        if missing > self.capacity_bytes - self._used():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file.content += bytes(max(missing, 0))
        handle = self._next_handle
        self._next_handle += 1
        self._handles[handle] = file
        return handle

    def write_at(self, handle: int, parts: Sequence[memoryview], offset: int) -> int:
        """Write as much as a single write takes."""
        self._operate()
        data = b"".join(parts)[: self._largest_write]
        self._handles[handle].content[offset : offset + len(data)] = data
        return len(data)

    def read_at(self, handle: int, offset: int, length: int) -> bytes:
        """What was written, on the disk or not."""
        return bytes(self._handles[handle].content[offset : offset + length])

    def sync_data(self, handle: int) -> None:
        """Put the content on the disk."""
        self.sync(handle)

    def sync_all(self, directory: Path) -> None:
        """Put everything on the disk."""
        self._operate()
        self._need_directory(directory)
        for file in self._files.values():
            file.durable = bytes(file.content)
        self._durable_files = dict(self._files)
        self._durable_directories |= self._directories

    def list(self, directory: Path, suffix: str) -> Sequence[Path]:
        """Files of a directory whose names end so."""
        return tuple(path for path in self._files if path.parent == directory and path.name.endswith(suffix))

    def free_bytes(self, path: Path) -> int:
        """What is left of the capacity."""
        self._need_directory(path)
        return self.capacity_bytes - self._used()

    def surviving(self, *, names_are_kept: bool) -> dict[Path, bytes]:
        """Files and their content after a power cut now.

        Args:
            names_are_kept: True: every rename reached the disk although no directory was
                synced; False: only what was synced did. Content is always only what was synced.
        """
        if names_are_kept:
            return {path: file.durable for path, file in self._files.items()}
        return {path: file.durable for path, file in self._durable_files.items() if self._is_reachable(path.parent)}

    def _is_reachable(self, directory: Path) -> bool:
        known = [path for path in (directory, *directory.parents) if path in self._directories]
        return all(path in self._durable_directories for path in known)

    def _used(self) -> int:
        return sum(len(file.content) for file in self._files.values())

    def _need_directory(self, path: Path) -> None:
        if path not in self._directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

    def _operate(self) -> None:
        if self._cut_after is not None and self.operations >= self._cut_after:
            raise PowerCutError
        self.operations += 1
