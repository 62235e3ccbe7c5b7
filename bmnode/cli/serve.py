"""`bmnode serve`: the node. A supervisor keeps two processes running, one that receives and one that works."""

from __future__ import annotations

import signal
import sys
import threading
from enum import StrEnum
from typing import Annotated

import typer

from bmnode.cli.session import Session, session_of

EXAMPLE = "Example: bmnode --config /etc/bmnode/bmnode.toml serve"
GRACE_S = 10.0
"""How long a part may finish what it does after SIGTERM."""


class Part(StrEnum):
    """What one process of the node does."""

    ALL = "all"
    LISTENER = "listener"
    WORKER = "worker"


def serve(
    context: typer.Context,
    part: Annotated[
        Part,
        typer.Option("--part", help="`all`: the whole node; else one process of it."),
    ] = Part.ALL,
) -> None:
    """Receive studies, assess them and deliver the results, until SIGTERM or Ctrl-C. Logs; writes nothing else.

    Exits 4 if another process works on the same data folder.
    """
    from bmnode.observe.logging import configure_logging

    session = session_of(context)
    settings = session.settings
    configure_logging(level=settings.log.level, json_lines=settings.log.format == "json", file=settings.log.file)
    _PARTS[part](session)


def _supervise(session: Session) -> None:
    from bmnode.app import open_database
    from bmnode.supervisor import Supervisor

    open_database(session.settings).dispose()  # one process migrates, before the others start
    program = [sys.executable, "-m", "bmnode"]
    if session.settings.file is not None:
        program += ["--config", str(session.settings.file)]
    parts = (Part.LISTENER, Part.WORKER)
    supervisor = Supervisor(
        commands={part.value: [*program, "serve", "--part", part.value] for part in parts},
        clock=session.services.clock,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.request_stop)
    supervisor.run()


def _listen(session: Session) -> None:
    from bmnode.app import build_acceptor, open_database

    stop = _stop_on_signal()
    database = open_database(session.settings)
    acceptor = build_acceptor(session.settings, database=database, clock=session.services.clock)
    acceptor.start()
    stop.wait()
    acceptor.stop(grace_s=GRACE_S)
    database.dispose()


def _work(session: Session) -> None:
    from bmnode.app import build_exporters, build_worker, open_database

    stop = _stop_on_signal()
    database = open_database(session.settings)
    worker = build_worker(session.settings, database=database, clock=session.services.clock)
    exporters = build_exporters(session.settings, database=database)
    worker.start()
    for exporter in exporters:
        exporter.start()
    stop.wait()
    worker.stop(grace_s=GRACE_S)
    for exporter in exporters:
        exporter.stop()
    database.dispose()


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


_PARTS = {Part.ALL: _supervise, Part.LISTENER: _listen, Part.WORKER: _work}
