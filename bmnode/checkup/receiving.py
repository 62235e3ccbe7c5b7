"""What was acknowledged and has no file yet, and what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from bmnode.checkup.words import counted, span
from bmnode.config.finding import Finding
from bmnode.spool import Spool
from bmnode.spool.journal import Journal

FILED_WITHIN = timedelta(seconds=30)
"""[P] What is filed takes a second or so; a database that another program has locked makes it wait."""
NEEDS_A_HAND_AFTER = timedelta(minutes=5)
"""[P] No backup or repair of a database that runs beside a node takes longer."""


def check_receiving(spool_directory: Path, *, now: datetime) -> Iterator[Finding]:
    """Look at journal and quarantine, beside a node that may be writing."""
    spool = Spool(spool_directory, min_free_bytes=0)
    try:
        received = [record.received_at for record in Journal(spool).recover()]
        aside = len(spool.files.list(spool.quarantine_directory, ""))
    except OSError as error:
        yield Finding.error("journal", f"the spool cannot be read ({error.strerror}); look at its disk and its rights")
        return
    yield _journal(received, now)
    if aside:
        yield Finding.warning(
            "quarantine",
            f"{counted(aside, 'file')} in {spool.quarantine_directory} could not be read at a start; "
            "send those images again, then remove them",
        )


def _journal(received: list[datetime], now: datetime) -> Finding:
    if not received:
        return Finding.ok("journal", "every image that was acknowledged has its file and its row")
    age = now - min(received)
    waiting = f"{counted(len(received), 'acknowledged image')} in the journal not filed yet, the oldest {span(age)} old"
    if age < FILED_WITHIN:
        return Finding.ok("journal", f"{waiting}; this takes seconds")
    remedy = "they are safe, and filed as soon as the database and the spool's disk take them"
    if age < NEEDS_A_HAND_AFTER:
        return Finding.warning("journal", f"{waiting}; {remedy}")
    return Finding.error("journal", f"{waiting}; {remedy}: see `filing_failed` in the log, or start the node")
