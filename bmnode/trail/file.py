"""The trail as a file: one JSON line an entry, with its message of PS3.15 A.5, chained line to line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bmnode.domain.ids import digest
from bmnode.domain.records import AuditEntry
from bmnode.observe.audit_messages import AuditSource, render
from bmnode.storage.audit import GENESIS
from bmnode.trail.exporter import Position


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line."""

    sequence: int
    """Of the entry in the trail."""
    hash: str
    """Of the entry in the trail."""
    previous: str
    """The chain of the line before; zeros for the first of all."""
    chain: str
    """SHA-256 over everything else."""
    message: str

    @classmethod
    def after(cls, previous: str, entry: AuditEntry, message: str) -> Line:
        """The line of an entry."""
        chain = digest((previous, str(entry.sequence), entry.hash, message))
        return cls(sequence=entry.sequence, hash=entry.hash, previous=previous, chain=chain, message=message)

    @classmethod
    def from_text(cls, text: str) -> Line:
        """Raises ValueError where it is no line of such a file."""
        try:
            content = json.loads(text)
            return cls(
                sequence=int(content["sequence"]),
                **{key: str(content[key]) for key in ("hash", "previous", "chain", "message")},
            )
        except (KeyError, TypeError) as error:
            raise ValueError("not a line of an exported trail") from error

    @property
    def text(self) -> str:
        """As in the file, without its end."""
        keys = ("sequence", "hash", "previous", "chain", "message")
        return json.dumps({key: getattr(self, key) for key in keys})

    @property
    def is_whole(self) -> bool:
        """Whether it is what was written."""
        return self.chain == digest((self.previous, str(self.sequence), self.hash, self.message))


def first_broken(lines: Iterable[str]) -> int | None:
    """The number, from 1, of the first line that was changed or that does not follow the one before; None: none.

    A file whose older lines were moved away by rotation begins in the middle of the chain, and is judged from there.
    """
    before: Line | None = None
    for number, text in enumerate(lines, start=1):
        try:
            line = Line.from_text(text)
        except ValueError:
            return number
        follows = before is None or (line.previous == before.chain and line.sequence == before.sequence + 1)
        begins = before is not None or line.sequence > 1 or line.previous == GENESIS
        if not (line.is_whole and follows and begins):
            return number
        before = line
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFile:
    """Appends to a file, which logrotate may move away at any time."""

    path: Path
    source: AuditSource
    name: str = "file"

    def resume(self, position: Position) -> Position:
        """By the last whole line; a line that a crash cut short is taken away."""
        if not self.path.exists():
            return position
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self.path, whole)
        lines = content[:whole].splitlines()
        if not lines:
            return position
        last = Line.from_text(lines[-1].decode())
        if last.sequence < position.sequence:
            return position
        return Position(sequence=last.sequence, mark=last.chain)

    def take(self, entries: Sequence[AuditEntry], mark: str) -> str:
        """Append and sync; the chain of the last line."""
        previous = mark or GENESIS
        lines = []
        for entry in entries:
            line = Line.after(previous, entry, render(entry, self.source))
            previous = line.chain
            lines.append(line.text + "\n")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.writelines(lines)
            stream.flush()
            os.fsync(stream.fileno())
        return previous
