"""One working process a node: the same node started twice would run the same flows twice."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from bmnode.errors import NodeLockedError

LOCK_FILE = "node.lock"
"""Of the process that works."""
SERVE_LOCK_FILE = "serve.lock"
"""Of the process that supervises the others."""


class NodeLock:
    """A lock on the node's data directory that ends with the process, however that ends.

    Args:
        data_dir: made where it is missing.
        file: which of its locks.
    """

    def __init__(self, data_dir: Path, *, file: str = LOCK_FILE) -> None:
        self._path = data_dir / file
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises NodeLockedError, naming the process that has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise NodeLockedError(
                f"process {holder} works on {self._path.parent} already; stop it, or use another [node] data_dir"
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def holder(self) -> int | None:
        """The process that has the lock; None where nobody has it."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(descriptor, 32).decode(errors="replace").strip()
            return int(text) if text.isdigit() else None
        else:
            return None
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Let the lock go; more than once is harmless. The file stays: removing it would race."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()
