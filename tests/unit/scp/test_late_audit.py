"""Audit lines that nobody waits for are written all the same, in the order in which they were told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from bmnode.scp.late_audit import LateAudit
from bmnode.storage import AuditLine, AuditTrail, Database
from tests.support.polling import eventually

AT = datetime(2026, 1, 1, tzinfo=UTC)


class BlockableDatabase(Database):
    """Takes nothing while it is told so, and counts what it takes."""

    is_blocked = False
    writes = 0

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction, unless it is blocked."""
        if self.is_blocked:
            raise OperationalError("BEGIN", None, Exception("database is locked"))
        self.writes += 1
        with super().write() as connection:
            yield connection


@pytest.fixture
def database(tmp_path: Path) -> Iterator[BlockableDatabase]:
    """An empty database."""
    database = BlockableDatabase(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    database.writes = 0
    yield database
    database.dispose()


@pytest.fixture
def audit(database: BlockableDatabase) -> Iterator[LateAudit]:
    """At work."""
    audit = LateAudit(database)
    audit.start()
    yield audit
    database.is_blocked = False
    audit.stop()


def _line(number: int) -> AuditLine:
    return AuditLine(event="association_accepted", at=AT, actor="CT1", subject=str(number))


def _subjects(database: Database) -> list[str]:
    with database.read() as connection:
        trail = AuditTrail(connection)
        assert trail.first_broken() is None
        return [entry.subject for entry in trail.entries()]


def test_lines_share_a_transaction_and_keep_their_order(audit: LateAudit, database: BlockableDatabase) -> None:
    """Ten associations in a moment cost one write."""
    for number in range(10):
        audit.add(_line(number))
    assert audit.settle(20)
    assert _subjects(database) == [str(number) for number in range(10)]
    assert database.writes <= 2  # the first may have been on its way


def test_a_line_that_is_written_at_once_does_not_overtake(audit: LateAudit, database: BlockableDatabase) -> None:
    """That somebody was refused stands behind that he came."""
    audit.add(_line(1))
    audit.write(_line(2))
    assert _subjects(database) == ["1", "2"]


def test_what_the_database_did_not_take_is_tried_again(audit: LateAudit, database: BlockableDatabase) -> None:
    """No gap stays where the database was away for a while."""
    database.is_blocked = True
    audit.add(_line(1))
    assert not audit.settle(0.2)
    with pytest.raises(OperationalError):
        audit.write(_line(2))
    database.is_blocked = False
    eventually(lambda: _subjects(database) == ["1"], timeout_s=20)


def test_a_flood_waits_and_takes_no_memory(audit: LateAudit, database: BlockableDatabase) -> None:
    """Beyond what may wait, whoever tells is told in turn that the database fails; before, nobody is."""
    database.is_blocked = True
    told: list[AuditLine] = []

    def flood() -> None:
        for number in range(10_000):
            audit.add(_line(number))
            told.append(_line(number))

    with pytest.raises(OperationalError):
        flood()
    assert 1000 <= len(told) < 10_000
    database.is_blocked = False
    audit.stop()
    assert len(_subjects(database)) == len(told)
