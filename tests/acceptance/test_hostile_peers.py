"""Peers that are broken or mean no good: while they are at it, a good one is served, and nothing of them is left."""

from __future__ import annotations

import json
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import psutil
import pytest

from bmnode.clock import SystemClock
from bmnode.spool.journal import JOURNAL
from bmnode.storage import AuditTrail, Database
from bmnode.testing.node import NodePlan
from bmnode.testing.ports import LOOPBACK, listens
from bmnode.tls import client_context
from tests.support.acceptor import store
from tests.support.certificates import Authority
from tests.support.encoded import EncodedInstance, encoded_ct
from tests.support.polling import eventually
from tests.support.raw_peer import PeerClosedError, RawPeer, RejectedError

SERVED_WITHIN_S = 1.0
TIMES_AS_LONG = 10.0
"""A second, or as many times as long as without hostile peers: a busy machine is slow by itself."""
TIMEOUT_S = 2.0
MAX_ASSOCIATIONS = 32
MORE_MEMORY_MB = 100
CLOCK = SystemClock()

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]


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
        """Associate, store the next image, release; the seconds that it took. One asked to retry does so."""
        started = CLOCK.monotonic_s()
        while True:
            try:
                with self.peer("GOOD") as peer:
                    assert store(peer, self.instances.pop()) == 0x0000
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


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """A listener as `bmnode serve` starts it, that takes clear text and TLS and is impatient."""
    folder = tmp_path_factory.mktemp("hostile")
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
            instances=encoded_ct(folder / "ct", count=200),
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


@pytest.fixture(autouse=True)
def _measure(listener: Listener) -> None:
    """How fast the machine is just now."""
    listener.undisturbed_s = listener.serve_good_peer()


@contextmanager
def _many(connect: Callable[[], socket.socket], count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect()) for _ in range(count)]


def _request_head(length: int = 300) -> bytes:
    return struct.pack(">BxL", 0x01, length) + struct.pack(">H2x16s16s", 1, b"BMNODE".ljust(16), b"HALF".ljust(16))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(b"", "no_request_in_time", id="silent"),
        pytest.param(_request_head()[:1], "no_request_in_time", id="one byte"),
        pytest.param(_request_head(), "no_request_in_time", id="half a request"),
        pytest.param(b"\x16\x03\x01\x01\x00\x01\x00", "no_request_in_time", id="half a ClientHello"),
        pytest.param(struct.pack(">BxL", 0x01, 1 << 30), "request_too_long", id="request of a gigabyte"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n" * 20, "not_dicom", id="garbage"),
    ],
)
def test_who_never_asks_costs_no_thread_and_keeps_nobody_out(listener: Listener, sent: bytes, reason: str) -> None:
    """A hundred connections that do not ask are outlived; they cost no thread, and end in time by themselves."""
    with _many(listener.connect, 100) as connections:
        for connection in connections:
            with suppress(OSError):  # the first ones may be closed by now, to make room
                connection.sendall(sent)
        listener.check_it_serves()
        assert listener.process.num_threads() <= listener.idle_threads + 3
        for connection in connections:
            with suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
    assert listener.refusals()[reason] > 0
    listener.check_it_forgot()


def test_half_an_image_ends_in_time(listener: Listener) -> None:
    """Associations that stop in the middle of a P-DATA hold their place for a while, and no other's."""
    with ExitStack() as stack:
        peers = [stack.enter_context(listener.peer("HALF")) for _ in range(12)]
        for peer in peers:
            peer.send_raw(struct.pack(">BxL", 0x04, 16_000) + bytes(100))
        listener.check_it_serves()
        listener.check_it_forgot()


def test_an_image_of_a_gigabyte_is_refused_at_its_head(listener: Listener) -> None:
    """A P-DATA longer than was agreed on ends its association before memory is taken for it."""
    with ExitStack() as stack:
        for peer in [stack.enter_context(listener.peer("GIGA")) for _ in range(8)]:
            peer.send_raw(struct.pack(">BxL", 0x04, 1 << 30) + bytes(100))
        listener.check_it_serves()
        listener.check_it_forgot()


def test_silence_within_a_handshake_blocks_nobody(listener: Listener) -> None:
    """Clients that stop after their ClientHello have a few threads for a short while; others get in, by TLS too."""
    files = listener.authority.issue("client")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        client_context(files).wrap_bio(incoming, outgoing, server_hostname=LOOPBACK).do_handshake()
    hello = outgoing.read()
    with _many(listener.connect, 60) as connections:
        for connection in connections:
            connection.sendall(hello)
        listener.check_it_serves()
        assert listener.process.num_threads() <= listener.idle_threads + 8 + 3
    listener.check_it_forgot()
    with client_context(files).wrap_socket(listener.connect(), server_hostname=LOOPBACK) as secured:
        assert secured.version() == "TLSv1.3"


def test_two_hundred_associations_at_once_are_answered_at_once(listener: Listener) -> None:
    """Some are accepted, all others are told to come again, at once; none is left waiting, and a good peer gets in."""
    together = threading.Barrier(201)
    answers: list[tuple[float, object]] = []

    def associate() -> None:
        together.wait()
        started = CLOCK.monotonic_s()
        answer: object = "accepted"
        try:
            with listener.peer("FLOOD"):
                CLOCK.sleep_s(1.0)
        except RejectedError as error:
            answer = error.codes
        except PeerClosedError:
            answer = "closed"
        answers.append((CLOCK.monotonic_s() - started, answer))

    threads = [threading.Thread(target=associate) for _ in range(200)]
    for thread in threads:
        thread.start()
    together.wait()
    listener.check_it_serves()
    for thread in threads:
        thread.join(30)
    told = Counter(answer for _, answer in answers)
    assert len(answers) == 200
    assert set(told) <= {"accepted", (2, 3, 1), (2, 3, 2)}, (told, listener.refusals())
    assert told["accepted"] <= 200 - 100, "the limit for one peer does not hold"
    assert max(took_s for took_s, _ in answers) < 5 * listener.limit_s
    listener.check_it_forgot()


def test_nothing_of_it_is_left(listener: Listener) -> None:
    """After a wave of everything: no traceback in the log, no file but the good peer's images, few audit lines."""
    before = sum(listener.refusals().values())
    for sent in (b"\xff" * 64, _request_head(68) + b"\xff" * 32, b"\x04\0\0\0\0\4abcd", b"\x01"):
        with _many(listener.connect, 50) as connections:
            for connection in connections:
                with suppress(OSError):
                    connection.sendall(sent)
    listener.check_it_serves()
    listener.check_it_forgot()
    assert '"frames"' not in listener.log()
    assert "Traceback" not in listener.log()
    spool = listener.plan.folder / "data" / "spool"

    def files() -> int:
        """How many there are, temporaries included; the journal's segments are there for good."""
        found = [path for path in spool.rglob("*") if path.is_file()]
        return sum(path.parent.name != JOURNAL for path in found)

    eventually(lambda: files() == 200 - len(listener.instances), timeout_s=20)
    assert sum(listener.refusals().values()) >= before
    assert len(listener.log().splitlines()) < 2_000
