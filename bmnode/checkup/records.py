"""The database as a whole: its schema, its clock, its trail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from bmnode.checkup.words import moment, span
from bmnode.config.finding import Finding
from bmnode.storage import AuditTrail, Database, Overview

CLOCKS_AGREE = timedelta(seconds=5)
"""[P] A row is dated before it is written, and machines that share a database differ by less."""
SET_BACK = timedelta(minutes=1)
"""[P] More is no correction by a time server."""
PROVEN_LINES = 100_000
"""[P] Of the trail's end: seconds, where all of it may take an hour."""


def check_records(database: Database, *, now: datetime) -> Iterator[Finding]:
    """Look at a database that answers."""
    yield _schema(database)
    with database.read() as connection:
        yield _clock(Overview(connection).newest_record(), now)
        yield _trail(AuditTrail(connection))


def _schema(database: Database) -> Finding:
    there, newest = database.schema_version(), database.newest_schema()
    if there == newest:
        return Finding.ok("database.schema", "the database has the tables of this version")
    return Finding.error(
        "database.schema",
        f"the database is at {there}, this version of bmnode at {newest}: start the node, which brings an older one "
        "up; for a newer one install the version that made it",
    )


def _clock(newest: datetime | None, now: datetime) -> Finding:
    if newest is None or newest - now <= CLOCKS_AGREE:
        return Finding.ok("clock", f"this machine's clock says {moment(now)}, later than every record")
    told = f"this machine's clock is {span(newest - now)} behind the newest record, of {moment(newest)}"
    if newest - now <= SET_BACK:
        return Finding.warning("clock", f"{told}; look at its time server")
    return Finding.error(
        "clock", f"{told}: one of the two was wrong; set the clock, and see that a time server keeps it"
    )


def _trail(trail: AuditTrail) -> Finding:
    last = trail.last_sequence()
    after = max(0, last - PROVEN_LINES)
    broken = trail.first_broken(after=after)
    if broken is not None:
        return Finding.error(
            "audit",
            f"line {broken} of the audit trail was changed, removed or moved: keep a copy, and find out by whom",
        )
    told = f"all {last} lines of the audit trail hold" if not after else f"the last {PROVEN_LINES} lines of {last} hold"
    return Finding.ok("audit", told if not after else f"{told}; `bmnode audit verify` proves all of them")
