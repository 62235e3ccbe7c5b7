"""A receiver in a process of its own, to be killed: `python -m tests.support.receiving_process FOLDER [journal|files]`.

Writes the port to standard output and serves until its standard input ends.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

from bmnode.clock import SystemClock
from bmnode.domain.records import StudyRecord
from bmnode.observe.logging import configure_logging
from bmnode.scp import Acceptor, AcceptorOptions
from bmnode.spool import JournalOptions, Spool
from bmnode.storage import Database


def database_of(directory: Path) -> Database:
    """The database of the receiver that runs in a folder."""
    return Database(f"sqlite:///{directory / 'node.sqlite'}")


def spool_of(directory: Path) -> Spool:
    """The spool of the receiver that runs in a folder."""
    return Spool(directory / "spool", min_free_bytes=0)


def due_at(_study: StudyRecord | None, at: datetime) -> datetime:
    """A quiet time of 30 s."""
    return at + timedelta(seconds=30)


def main(directory: Path, *, mode: str = "journal") -> None:
    """Serve until standard input ends."""
    configure_logging(level="WARNING")
    database = database_of(directory)
    database.migrate()
    journal = JournalOptions() if mode == "journal" else None
    options = AcceptorOptions(ae_title="BMNODE", bind="127.0.0.1", journal=journal)
    acceptor = Acceptor(options, spool=spool_of(directory), database=database, clock=SystemClock(), quiet=due_at)
    acceptor.start()
    sys.stdout.write(f"{acceptor.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    acceptor.stop(0.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), mode=sys.argv[2] if len(sys.argv) > 2 else "journal")
