"""A listener as `bmnode serve` starts it, impatient, in a process of its own; and a good peer that is never done."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bmnode.clock import SystemClock
from bmnode.spool.journal import JOURNAL
from bmnode.storage import AuditTrail, Database
from bmnode.testing.node import NodePlan
from bmnode.testing.ports import LOOPBACK, listens
from tests.support.acceptor import store
from tests.support.certificates import Authority
from tests.support.encoded import EncodedInstance, encoded_ct
from tests.support.polling import eventually
from tests.support.raw_peer import RawPeer, RejectedError

SERVED_WITHIN_S = 1.0
TIMES_AS_LONG = 10.0
"""A second, or as many times as long as without hostile peers: a busy machine is slow by itself."""
TIMEOUT_S = 2.0
MAX_ASSOCIATIONS = 32
MORE_MEMORY_MB = 100
CLOCK = SystemClock()


@dataclass(kw_only=True)
class Listener:
    """A running listener, and a good peer that is never done."""

    plan: NodePlan
    process: psutil.Process
    authority: Authority
    instances: list[EncodedInstance]
    idle_threads: int = 0
    idle_memory: int = 0
    undisturbed_s: float = 0.0

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.plan.port

    def connect(self) -> socket.socket:
        """A connection that says nothing."""
        return socket.create_connection((LOOPBACK, self.port), timeout=30)

    def peer(self, calling_ae: str) -> RawPeer:
        """An association."""
        item = self.instances[0]
        return RawPeer(self.port, contexts=[(item.sop_class_uid, (item.transfer_syntax_uid,))], calling_ae=calling_ae)

    def serve_good_peer(self) -> float:
        """Associate, store the next image, release; the seconds that it took. One asked to retry does so.

        The last image is sent again and again: the same bytes change nothing.
        """
        started = CLOCK.monotonic_s()
        image = self.instances.pop() if len(self.instances) > 1 else self.instances[0]
        while True:
            try:
                with self.peer("GOOD") as peer:
                    assert store(peer, image) == 0x0000
                    peer.release()
            except RejectedError as error:
                if error.codes[0] != 2:  # not transient
                    raise
                CLOCK.sleep_s(0.05)
            else:
                return CLOCK.monotonic_s() - started

    @property
    def limit_s(self) -> float:
        """How long a good peer may take now."""
        return max(SERVED_WITHIN_S, TIMES_AS_LONG * self.undisturbed_s)

    def check_it_serves(self) -> None:
        """A good peer does not wait, and threads and memory are bounded, while something goes on."""
        took_s = statistics.median(self.serve_good_peer() for _ in range(3))
        assert took_s < self.limit_s, f"a good peer took {took_s:.1f} s, undisturbed {self.undisturbed_s:.1f} s"
        assert self.process.num_threads() <= self.idle_threads + 3 * (MAX_ASSOCIATIONS + 16)
        assert self.process.memory_info().rss < self.idle_memory + MORE_MEMORY_MB * 1024 * 1024

    def check_it_forgot(self) -> None:
        """Threads, descriptors of peers and half files are gone once the peers are."""
        eventually(lambda: self.process.num_threads() <= self.idle_threads + 2, timeout_s=30)
        eventually(lambda: self.open_connections() == 0, timeout_s=30)
        incoming = [path for path in (self.plan.folder / "data" / "spool").rglob("*") if path.suffix == ".part"]
        assert incoming == []

    def most_threads(self, seconds: float) -> int:
        """The most threads that it has at any moment of the next seconds."""
        until_s, most = CLOCK.monotonic_s() + seconds, 0
        while CLOCK.monotonic_s() < until_s:
            most = max(most, self.process.num_threads())
            CLOCK.sleep_s(0.01)
        return most

    def open_connections(self) -> int:
        """Connections that peers have to it."""
        return sum(1 for item in self.process.net_connections("tcp") if item.status == "ESTABLISHED" and item.raddr)

    def refusals(self) -> Counter[str]:
        """Refusals in the audit trail by reason, repeated ones counted."""
        database = Database(self.plan.settings.database_url)
        with database.read() as connection:
            entries = [entry for entry in AuditTrail(connection).entries() if entry.outcome == "failure"]
        database.dispose()
        told: Counter[str] = Counter()
        for detail in (json.loads(entry.detail) for entry in entries):
            told[str(detail.get("reason"))] += int(detail.get("repeated", 1))
        return told

    def log(self) -> str:
        """Everything that it wrote for people."""
        return "".join(
            path.read_text(encoding="utf-8") for path in (self.plan.folder / "node.log", self.plan.folder / "out")
        )

    def files(self) -> list[Path]:
        """Every file in the spool, temporaries included; the journal's segments are there for good."""
        spool = self.plan.folder / "data" / "spool"
        return [path for path in spool.rglob("*") if path.is_file() and path.parent.name != JOURNAL]


@contextmanager
def running_listener(folder: Path, *, images: int) -> Iterator[Listener]:
    """Start it, with so many images for the good peer to send; it takes clear text and TLS."""
    authority = Authority(folder=folder / "pki")
    files = authority.issue("bmnode")
    tls = {"certificate": str(files.certificate), "key": str(files.key), "authorities": str(files.authorities)}
    plan = NodePlan(
        folder=folder / "node",
        peers=(),
        sections={
            "receive": {
                "request_timeout_s": TIMEOUT_S,
                "network_timeout_s": TIMEOUT_S,
                "max_associations": MAX_ASSOCIATIONS,
                "max_waiting_per_address": 256,
            },
            "tls": {"listen": "optional", **tls},
        },
    )
    plan.write_config()
    text = plan.config_file.read_text(encoding="utf-8").split("[[routes]]")[0]
    plan.config_file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "bmnode", "--config", str(plan.config_file), "serve", "--part", "listener"]
    with (plan.folder / "out").open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        running = Listener(
            plan=plan,
            process=psutil.Process(process.pid),
            authority=authority,
            instances=encoded_ct(folder / "ct", count=images),
        )
        try:
            eventually(lambda: listens(plan.port), timeout_s=60)
            running.serve_good_peer()
            eventually(lambda: running.open_connections() == 0, timeout_s=10)
            running.idle_threads = running.process.num_threads()
            running.idle_memory = running.process.memory_info().rss
            yield running
        finally:
            process.terminate()
