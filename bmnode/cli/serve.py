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


PROCESSES = (Part.LISTENER, Part.WORKER)
"""What `all` is made of."""


def serve(
    context: typer.Context,
    part: Annotated[
        Part,
        typer.Option("--part", help="`all`: the whole node; else one process of it."),
    ] = Part.ALL,
) -> None:
    """Receive studies, assess them and deliver the results, until SIGTERM or Ctrl-C. Logs; writes nothing else.

    SIGHUP has the configuration read again, as `bmnode config apply` does. Exits 4 if another process works on the
    same data folder.
    """
    from bmnode.observe.logging import configure_logging

    session = session_of(context)
    signals = _Signals()  # before the file is read: a change that is announced from now on is not missed
    settings = session.settings
    configure_logging(level=settings.log.level, json_lines=settings.log.format == "json", file=settings.log.file)
    _PARTS[part](session, signals)


def _supervise(session: Session, _: _Signals) -> None:
    from bmnode.ground import DatabaseGround
    from bmnode.models.choice import chosen_models
    from bmnode.supervisor import Supervisor
    from bmnode.work.nodes import SERVE_LOCK_FILE, NodeLock

    chosen_models(session.settings)  # a model that cannot be used is told now, not by a worker that never comes up
    with NodeLock(session.settings.node.data_dir, file=SERVE_LOCK_FILE):
        ground = DatabaseGround(session.settings)
        ground.renew()  # one process migrates, before the others start
        program = [sys.executable, "-m", "bmnode"]
        if session.settings.file is not None:
            program += ["--config", str(session.settings.file)]
        supervisor = Supervisor(
            commands={part.value: [*program, "serve", "--part", part.value] for part in PROCESSES},
            clock=session.services.clock,
            ground=ground,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, supervisor.request_stop)
        signal.signal(signal.SIGHUP, supervisor.request_reload)
        supervisor.run()


def _listen(session: Session, signals: _Signals) -> None:
    from bmnode.app import admission_policy, build_acceptor, open_database
    from bmnode.reload import LiveSettings

    clock = session.services.clock
    database = open_database(session.settings)
    live = LiveSettings(session.settings, part=Part.LISTENER.value, database=database, clock=clock)
    acceptor = build_acceptor(session.settings, database=database, clock=clock)
    acceptor.start()
    while signals.wait():
        if live.reload():
            acceptor.reconfigure(admission_policy(live.current))
    acceptor.stop(grace_s=GRACE_S)
    database.dispose()


def _work(session: Session, signals: _Signals) -> None:
    from bmnode.app import build_exporters, build_worker, open_database
    from bmnode.reload import LiveSettings

    clock = session.services.clock
    database = open_database(session.settings)
    live = LiveSettings(session.settings, part=Part.WORKER.value, database=database, clock=clock)
    worker = build_worker(live, database=database, clock=clock)
    exporters = build_exporters(session.settings, database=database)
    worker.start()
    for exporter in exporters:
        exporter.start()
    while signals.wait():
        live.reload()
    worker.stop(grace_s=GRACE_S)
    for exporter in exporters:
        exporter.stop()
    database.dispose()


class _Signals:
    """What an administrator wants of a process: SIGTERM and Ctrl-C end it, SIGHUP makes it read its configuration."""

    def __init__(self) -> None:
        self._stop = self._reload = False
        self._woken = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def wait(self) -> bool:
        """Return when the configuration is to be read again: True; or when it is to end: False."""
        while not (self._stop or self._reload):
            self._woken.wait()
            self._woken.clear()
        self._reload = False
        return not self._stop

    def _on_stop(self, *_: object) -> None:
        self._stop = True
        self._woken.set()

    def _on_reload(self, *_: object) -> None:
        self._reload = True
        self._woken.set()


_PARTS = {Part.ALL: _supervise, Part.LISTENER: _listen, Part.WORKER: _work}
