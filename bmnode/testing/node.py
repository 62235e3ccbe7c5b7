"""A real node on loopback: `bmnode serve` in a process of its own, for the demo and for acceptance tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import tomlkit

from bmnode.clock import Clock
from bmnode.config import Settings, load_settings
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.peers import Peer
from bmnode.domain.states import DeliveryState
from bmnode.errors import PeerUnreachableError
from bmnode.storage import Database, Deliveries, Jobs
from bmnode.storage.jobs import UNFINISHED
from bmnode.testing.ports import LOOPBACK, free_ports
from bmnode.tls import TlsFiles

AE_TITLE = "BMNODE"
QUIET_S = 2.0
_START_S = 60.0
_STOP_S = 40.0
_POLL_S = 0.1


def is_delivered(database: Database, study_uid: str) -> bool:
    """Whether a study's jobs have ended and every destination has all of their objects."""
    with database.read() as connection:
        jobs = Jobs(connection).of_study(study_uid)
        owed = [item for job in jobs for item in Deliveries(connection).of_job(job.job_id)]
    ended = all(job.state not in UNFINISHED for job in jobs)
    return ended and bool(owed) and all(item.state is DeliveryState.DELIVERED for item in owed)


@dataclass(frozen=True, kw_only=True, slots=True)
class NodePlan:
    """Where a node lives, whom it knows, and one route for everything to all of them."""

    folder: Path
    peers: tuple[Peer, ...]
    port: int = field(default_factory=lambda: free_ports(1)[0])
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings that win over the plan's own, by section and key."""
    label_in: str | None = None

    @property
    def config_file(self) -> Path:
        """Its configuration."""
        return self.folder / "bmnode.toml"

    @property
    def settings(self) -> Settings:
        """Its configuration, read."""
        return load_settings(self.config_file)

    @property
    def as_peer(self) -> Peer:
        """How others declare it."""
        return Peer(name="bmnode", ae_title=AE_TITLE, host=LOOPBACK, port=self.port)

    def write_config(self) -> None:
        """Write the configuration file."""
        content: dict[str, Any] = {
            "node": {"ae_title": AE_TITLE, "bind": LOOPBACK, "port": self.port, "data_dir": "data"},
            "spool": {"min_free_mb": 100},
            "assembly": {"quiet_s": QUIET_S},
            "delivery": {"first_retry_s": 2.0},
            "log": {"file": "node.log"},
        }
        for section, values in self.sections.items():
            content.setdefault(section, {}).update(values)
        content["peers"] = {peer.name: _without_none(peer) for peer in self.peers}
        route: dict[str, Any] = {"name": "everything", "destinations": [peer.name for peer in self.peers]}
        content["routes"] = [route | ({"label_in": self.label_in} if self.label_in else {})]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(tomlkit.dumps(content), encoding="utf-8")


def _without_none(peer: Peer) -> dict[str, Any]:
    values = {item.name: getattr(peer, item.name) for item in fields(peer) if item.name != "name"}
    lists = {key: list(value) for key, value in values.items() if isinstance(value, tuple)}
    return {key: value for key, value in values.items() if value is not None} | lists


class NodeProcess:
    """A running node; a context manager that starts it and ends it as an administrator would.

    Args:
        plan: what to run.
        clock: paces the waiting.
        tls: whose certificate a client shows, for a node that takes TLS alone.
    """

    def __init__(self, plan: NodePlan, *, clock: Clock, tls: TlsFiles | None = None) -> None:
        self.plan = plan
        self._clock = clock
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Write the configuration, start, and wait for an answer to C-ECHO."""
        self.plan.write_config()
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the supervisor. Raises RuntimeError where none runs."""
        if self._process is None:
            raise RuntimeError("the node is not running")
        return self._process.pid

    def start(self) -> None:
        """Start and wait until the node answers C-ECHO. Raises PeerUnreachableError where it does not in time."""
        command = [sys.executable, "-m", "bmnode", "--config", str(self.plan.config_file), "serve"]
        with (self.plan.folder / "serve.out").open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Ask the node to end and wait for it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """Kill -9 of the supervisor; the kernel takes its processes with it."""
        process, self._process = self._process, None
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def _wait_until_it_answers(self) -> None:
        sender = CStoreSender("CHECK", clock=self._clock, tls=self._tls)
        node = replace(self.plan.as_peer, tls=self._tls is not None)
        deadline = self._clock.monotonic_s() + _START_S
        while True:
            try:
                sender.echo(node)
            except PeerUnreachableError as error:
                ended = self._process is None or self._process.poll() is not None
                if ended or self._clock.monotonic_s() > deadline:
                    raise PeerUnreachableError(
                        f"the node did not start: see serve.out in {self.plan.folder}"
                    ) from error
                self._clock.sleep_s(_POLL_S)
            else:
                return
