"""Takes the trail's entries, in their order and without a gap, to one place outside the database.

The position is kept in a file and moved on only when the place has taken the entries. So an entry may come twice,
after a crash or a broken connection, and none is left out, however long the place was away.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bmnode.config.edit import write_atomically
from bmnode.domain.records import AuditEntry
from bmnode.errors import ConfigError
from bmnode.storage import AuditTrail, Database

BATCH = 500
_EVERY_S = 1.0
_LONGEST_WAIT_S = 300.0
_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How far a place has the trail."""

    sequence: int = 0
    mark: str = ""
    """What the place needs to go on, the hash of its last line for instance."""

    @classmethod
    def from_file(cls, file: Path) -> Position:
        """The position that was kept; the beginning where none was. Raises ConfigError where it cannot be read."""
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            return cls(sequence=int(content["sequence"]), mark=str(content["mark"]))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError) as error:
            raise ConfigError(f"{file} cannot be read; remove it to export the audit trail from its start") from error

    def keep(self, file: Path) -> None:
        """Write it down as a whole."""
        write_atomically(file, json.dumps({"sequence": self.sequence, "mark": self.mark}) + "\n")


class Place(Protocol):
    """Where entries are taken."""

    @property
    def name(self) -> str:
        """In logs and as the name of the position's file."""
        ...

    def resume(self, position: Position) -> Position:
        """Where to go on, by what the place has itself."""
        ...

    def take(self, entries: Sequence[AuditEntry], mark: str) -> str:
        """Take the entries for good; the new mark. Raises OSError where it did not."""
        ...


@dataclass(kw_only=True)
class AuditExporter:
    """One place's own thread, so that one that is away delays no other.

    Args:
        database: holds the trail.
        place: takes it.
        position_file: how far it has it.
    """

    database: Database
    place: Place
    position_file: Path
    every_s: float = _EVERY_S
    _position: Position | None = field(init=False, default=None)
    _stop: threading.Event = field(init=False, default_factory=threading.Event)
    _thread: threading.Thread | None = field(init=False, default=None)

    def start(self) -> None:
        """Export from a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._work, name=f"bmnode-audit-{self.place.name}", daemon=True)
        self._thread.start()

    def stop(self, *, grace_s: float = 5.0) -> None:
        """End the thread; what is left is taken at the next start."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(grace_s)

    def export_batch(self) -> int:
        """Take the next entries there, at most `BATCH`; how many. Raises OSError, SQLAlchemyError, ConfigError."""
        if self._position is None:
            self._position = self.place.resume(Position.from_file(self.position_file))
        with self.database.read() as connection:
            entries = AuditTrail(connection).following(self._position.sequence, limit=BATCH)
        if entries:
            mark = self.place.take(entries, self._position.mark)
            self._position = Position(sequence=entries[-1].sequence, mark=mark)
            self._position.keep(self.position_file)
        return len(entries)

    def _work(self) -> None:
        wait_s = self.every_s
        while not self._stop.is_set():
            try:
                count = self.export_batch()
            except (OSError, SQLAlchemyError, ConfigError) as error:
                self._position = None  # what the place has, it says itself
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
                _LOG.warning(
                    "audit_export_failed", place=self.place.name, error=type(error).__name__, retry_in_s=wait_s
                )
            else:
                wait_s = self.every_s
                if count == BATCH:
                    continue
            self._stop.wait(wait_s)
