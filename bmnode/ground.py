"""What the processes of a node stand on: the file of its database."""

from __future__ import annotations

from pathlib import Path

from bmnode.app import open_database
from bmnode.config import Settings
from bmnode.storage import Database

_NO_FILE = -1
"""No inode has this number."""


class DatabaseGround:
    """The file of a node's database: processes that have it open go on writing to one that was removed.

    A database of a server is no file and always holds. Images need none: the spool has them, and replay puts them
    into the new one.

    Args:
        settings: the node's.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: int | None = None

    def holds(self) -> bool:
        """Whether the file is the one of the last `renew`."""
        return self._known == self._inode()

    def renew(self) -> None:
        """Open the database, or make it where it is missing, with this version's schema. Raises StorageError."""
        file = self._settings.database_file
        if file is not None and not file.exists():
            _make(file)
        open_database(self._settings).dispose()
        self._known = self._inode()

    def _inode(self) -> int | None:
        file = self._settings.database_file
        try:
            return None if file is None else file.stat().st_ino
        except FileNotFoundError:
            return _NO_FILE


def _make(file: Path) -> None:
    """A database whose file appears once it has its tables: whoever looks meanwhile finds none rather than half."""
    making = file.with_name(f"{file.name}.new")
    for leftover in (making, *_beside(making), *_beside(file)):  # SQLite would read another file's into the new one
        leftover.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{making}")
    try:
        database.migrate()
    finally:
        database.dispose()
    making.replace(file)


def _beside(file: Path) -> tuple[Path, ...]:
    return tuple(file.with_name(file.name + leftover) for leftover in ("-wal", "-shm"))
