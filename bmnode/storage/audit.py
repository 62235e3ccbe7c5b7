"""The audit trail: written in the transaction of the change it tells of, each line chained to the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bmnode.domain.ids import digest
from bmnode.domain.records import AuditEntry
from bmnode.storage.tables import audit

GENESIS = "0" * 64
"""What the first line is chained to."""
_PAGE_LINES = 10_000
"""Read at once when the chain is proven: a trail may be longer than memory."""


def chain_hash(
    previous_hash: str, *, sequence: int, at: datetime, event: str, outcome: str, rest: tuple[str, str, str]
) -> str:
    """SHA-256 over the line and the hash before it; `rest` is (actor, subject, detail)."""
    return digest((previous_hash, str(sequence), at.isoformat(), event, outcome, *rest))


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditLine:
    """What is to be told. `subject` is a UID, job or peer, `detail` free of patient identity."""

    event: str
    at: datetime
    actor: str
    subject: str
    outcome: str = "success"
    detail: Mapping[str, object] | None = None


def _chained(line: AuditLine, *, sequence: int, previous_hash: str) -> AuditEntry:
    text = json.dumps(line.detail or {}, sort_keys=True)
    rest = (line.actor, line.subject, text)
    line_hash = chain_hash(
        previous_hash, sequence=sequence, at=line.at, event=line.event, outcome=line.outcome, rest=rest
    )
    return AuditEntry(
        sequence=sequence,
        at=line.at,
        event=line.event,
        outcome=line.outcome,
        actor=line.actor,
        subject=line.subject,
        detail=text,
        previous_hash=previous_hash,
        hash=line_hash,
    )


class AuditTrail:
    """The audit table on one connection that writes."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def record(
        self,
        event: str,
        *,
        at: datetime,
        actor: str,
        subject: str,
        outcome: str = "success",
        detail: Mapping[str, object] | None = None,
    ) -> AuditEntry:
        """Append a line. `subject` is a UID, job or peer, `detail` free of patient identity."""
        line = AuditLine(event=event, at=at, actor=actor, subject=subject, outcome=outcome, detail=detail)
        return self.record_all((line,))[0]

    def record_all(self, lines: Sequence[AuditLine]) -> Sequence[AuditEntry]:
        """Append lines in their order, in one statement."""
        query = sa.select(audit.c.sequence, audit.c.hash).order_by(audit.c.sequence.desc()).limit(1)
        last = self._connection.execute(query).first()
        sequence, previous_hash = (0, GENESIS) if last is None else (last.sequence, last.hash)
        entries: list[AuditEntry] = []
        for line in lines:
            sequence += 1
            entries.append(_chained(line, sequence=sequence, previous_hash=previous_hash))
            previous_hash = entries[-1].hash
        rows = [{column.name: getattr(entry, column.name) for column in audit.columns} for entry in entries]
        if rows:
            self._connection.execute(audit.insert(), rows)
        return entries

    def entries(self, *, subject: str | None = None) -> Sequence[AuditEntry]:
        """Lines in order, of one subject or all."""
        query = sa.select(audit).order_by(audit.c.sequence)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        return [AuditEntry(**row) for row in self._connection.execute(query).mappings()]

    def times(self, event: str, *, subjects: Sequence[str]) -> frozenset[tuple[str, datetime]]:
        """(subject, time) of the lines of an event; reads the whole trail."""
        query = sa.select(audit.c.subject, audit.c.at).where(audit.c.event == event, audit.c.subject.in_(subjects))
        return frozenset((row.subject, row.at) for row in self._connection.execute(query))

    def last_sequence(self) -> int:
        """The number of the last line; 0 before the first."""
        return int(self._connection.execute(sa.select(sa.func.max(audit.c.sequence))).scalar() or 0)

    def following(self, sequence: int, *, limit: int) -> Sequence[AuditEntry]:
        """The lines after one, in order, at most so many."""
        query = sa.select(audit).where(audit.c.sequence > sequence).order_by(audit.c.sequence).limit(limit)
        return [AuditEntry(**row) for row in self._connection.execute(query).mappings()]

    def first_broken(self, *, after: int = 0) -> int | None:
        """The sequence number of the first line that was changed, removed or moved; None where the chain holds.

        Args:
            after: lines up to this one are taken as they are; 0 for the proof of all.
        """
        start = self.following(after - 1, limit=1) if after else ()
        if after and (not start or start[0].sequence != after):
            return after
        previous_hash = start[0].hash if start else GENESIS
        expected = after + 1
        while page := self.following(expected - 1, limit=_PAGE_LINES):
            for entry in page:
                if entry.sequence != expected or _told(entry, previous_hash) != entry.hash:
                    return expected
                previous_hash = entry.hash
                expected += 1
        return None


def _told(entry: AuditEntry, previous_hash: str) -> str:
    """The hash that a line has where nobody changed it."""
    return chain_hash(
        previous_hash,
        sequence=entry.sequence,
        at=entry.at,
        event=entry.event,
        outcome=entry.outcome,
        rest=(entry.actor, entry.subject, entry.detail),
    )
