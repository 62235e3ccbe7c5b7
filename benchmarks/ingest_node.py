"""bmnode's acceptor as a process of its own, to be measured: `python -m benchmarks.ingest_node FOLDER`.

Writes its port to standard output, and for each line of standard input the number of instances that have their file
and their row; ends with its standard input.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bmnode.assembly import QuietTime
from bmnode.clock import SystemClock
from bmnode.observe.logging import configure_logging
from bmnode.scp import Acceptor, AcceptorOptions
from bmnode.spool import Spool, replay
from bmnode.storage import Database, Instances

AE_TITLE = "BMNODE"


def main(directory: Path) -> None:
    """Serve until standard input ends."""
    configure_logging(level="WARNING")
    database = Database(f"sqlite:///{directory / 'node.sqlite'}")
    database.migrate()
    spool, clock = Spool(directory / "spool", min_free_bytes=0), SystemClock()
    due_at = QuietTime(quiet_s=30, ceiling_s=900).due_at
    replay(spool, database=database, clock=clock, due_at=due_at)
    options = AcceptorOptions(ae_title=AE_TITLE, bind="127.0.0.1")
    acceptor = Acceptor(options, spool=spool, database=database, clock=clock, quiet=due_at)
    acceptor.start()
    sys.stdout.write(f"{acceptor.port}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        with database.read() as connection:
            uids = Instances(connection).uids()
        sys.stdout.write(f"{sum(spool.has(study, uid) for study, uid in uids)}\n")
        sys.stdout.flush()
    acceptor.stop(0.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
