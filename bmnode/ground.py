"""What the processes of a node stand on: the file of its database."""

from __future__ import annotations

from bmnode.app import open_database
from bmnode.config import Settings

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
            for leftover in ("-wal", "-shm"):  # of another file: SQLite would read it into the new one
                file.with_name(file.name + leftover).unlink(missing_ok=True)
        open_database(self._settings).dispose()
        self._known = self._inode()

    def _inode(self) -> int | None:
        file = self._settings.database_file
        try:
            return None if file is None else file.stat().st_ino
        except FileNotFoundError:
            return _NO_FILE
