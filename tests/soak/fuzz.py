"""Fuzzing of a running node, with a good peer beside it that has to be served all the time."""

from __future__ import annotations

import random
import socket
import statistics
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bmnode.domain.states import DeliveryState, StudyState
from bmnode.storage import AuditTrail, Database, Deliveries, Instances, Jobs, Studies
from bmnode.storage.jobs import UNFINISHED
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.node import NodePlan, NodeProcess
from bmnode.testing.ports import LOOPBACK
from tests.soak.mutated_data_sets import DataSetMutator, seeds
from tests.soak.mutated_pdus import Conversation, PduMutator
from tests.support.acceptor import store
from tests.support.certificates import Authority
from tests.support.encoded import EncodedInstance, encoded_ct
from tests.support.listener import CLOCK, MAX_ASSOCIATIONS, MORE_MEMORY_MB, Listener, running_listener
from tests.support.polling import eventually
from tests.support.raw_peer import PeerClosedError, RawPeer

PEERS = 4
"""Who talk nonsense at the same time."""
GOOD_PEER_EVERY_S = 0.25
STUDY_EVERY = 40
"""So many broken data sets make a study: enough to meet each other in a volume."""
MORE_WORKER_MEMORY_MB = 200
THROUGH_WITHIN_S = 1800.0
_GOOD_IMAGES = 400
_UNDISTURBED_SAMPLES = 5
_ANSWER_S = 1.0
_REJECTED, _TRANSIENT_BY_PROVIDER = b"\x03", b"\x02\x03"
"""A-ASSOCIATE-RJ, result and source (PS3.8 Table 9-21): more came at a time than is let in."""
_TIMES_TO_COME, _COME_AGAIN_S = 100, 0.05
_MB = 1024 * 1024
_TRACEBACK_LINES = 30
_TRACEBACKS = ("Traceback (most recent call last)", '"frames"')


@dataclass(frozen=True, kw_only=True, slots=True)
class FuzzFigures:
    """What came of a run."""

    seed: int
    what: str
    count: int
    seconds: float
    answers: Mapping[str, int]
    good_peer_s: Sequence[float]
    """How long the good peer took, each time."""
    undisturbed_s: float
    more_memory_mb: Mapping[str, float]
    """Greatest growth by process."""
    more_threads: int
    detail: str = ""

    def __str__(self) -> str:
        """A few lines."""
        times = sorted(self.good_peer_s)
        memory = ", ".join(f"{name} {value:.0f} MB" for name, value in self.more_memory_mb.items())
        return (
            f"seed {self.seed}: {self.count} {self.what} in {self.seconds:.0f} s; answers {dict(self.answers)}\n"
            f"a good peer was served {len(times)} times: median {statistics.median(times) * 1000:.0f} ms, "
            f"greatest {times[-1] * 1000:.0f} ms (undisturbed {self.undisturbed_s * 1000:.0f} ms); "
            f"memory grew by at most {memory}; threads by at most {self.more_threads}{self.detail}"
        )


@dataclass(kw_only=True)
class Watch:
    """A good peer that comes again and again, and what the node takes meanwhile. A context manager.

    Args:
        listener: who is watched.
        others: further processes by name.
    """

    listener: Listener
    others: Mapping[str, str] = field(default_factory=dict)
    good_peer_s: list[float] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    threads: int = 0
    failure: BaseException | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Watch:
        """Begin."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, and let whoever watches know what went wrong with the good peer."""
        self._over.set()
        self._thread.join(60)
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self.good_peer_s.append(self.listener.serve_good_peer())
                self._sample("listener", self.listener.process)
                self.threads = max(self.threads, self.listener.process.num_threads())
                self._over.wait(GOOD_PEER_EVERY_S)
        except BaseException as error:  # noqa: BLE001 - another thread's: raised again where the watch ends
            self.failure = error

    def sample_others(self, supervisor: psutil.Process) -> None:
        """Note the memory of the node's other processes."""
        for process in supervisor.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                command = " ".join(process.cmdline())
                for name, mark in self.others.items():
                    if mark in command:
                        self._sample(name, process)

    def _sample(self, name: str, process: psutil.Process) -> None:
        self.memory[name] = max(self.memory.get(name, 0), process.memory_info().rss)

    def check(self) -> None:
        """The good peer never waited, memory and threads stayed within bounds."""
        limit_s = self.listener.limit_s
        slow = [statistics.median(self.good_peer_s[at : at + 3]) for at in range(len(self.good_peer_s) - 2)]
        assert max(slow, default=0.0) < limit_s, f"a good peer took {max(slow):.1f} s, the limit is {limit_s:.1f} s"
        assert self.memory["listener"] < self.listener.idle_memory + MORE_MEMORY_MB * _MB, self.memory
        assert self.threads <= self.listener.idle_threads + 3 * (MAX_ASSOCIATIONS + 16), self.threads


def run_pdus(folder: Path, *, seed: int, count: int) -> FuzzFigures:
    """So many broken conversations. Raises AssertionError where the node suffered."""
    started = CLOCK.monotonic_s()
    with running_listener(folder, images=_GOOD_IMAGES) as listener:
        listener.undisturbed_s = _undisturbed_s(listener)
        mutator = PduMutator(instances=encoded_ct(folder / "seeds", seed="fuzz", count=5), random=random.Random(seed))
        answers: Counter[str] = Counter()
        with Watch(listener=listener) as watch:
            _talk_together(listener, mutator, count=count, answers=answers)
        listener.undisturbed_s = max(listener.undisturbed_s, _undisturbed_s(listener))
        _check_logs(listener.plan.folder)
        watch.check()
        listener.check_it_forgot()
        assert listener.process.is_running()
        _check_spool(listener.plan, known={item.sop_instance_uid for item in mutator.instances})
        return FuzzFigures(
            seed=seed,
            what="broken conversations",
            count=count,
            seconds=CLOCK.monotonic_s() - started,
            answers=answers,
            good_peer_s=watch.good_peer_s,
            undisturbed_s=listener.undisturbed_s,
            more_memory_mb={"listener": (watch.memory["listener"] - listener.idle_memory) / _MB},
            more_threads=watch.threads - listener.idle_threads,
        )


def _undisturbed_s(listener: Listener) -> float:
    """The longest that a good peer waits on this machine just now, with nobody beside it."""
    return max(listener.serve_good_peer() for _ in range(_UNDISTURBED_SAMPLES))


def _talk_together(listener: Listener, mutator: PduMutator, *, count: int, answers: Counter[str]) -> None:
    """Several peers share the conversations."""
    lock = threading.Lock()
    left = iter(range(count))

    def talk() -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
                conversation = mutator.next()
            answer = _talk(listener, conversation)
            with lock:
                answers[answer] += 1

    threads = [threading.Thread(target=talk) for _ in range(PEERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _talk(listener: Listener, conversation: Conversation) -> str:
    """Say it; what came back last: a kind of PDU, or nothing. One that is asked to come again does so."""
    for _ in range(_TIMES_TO_COME):
        got = _talk_once(listener, conversation)
        if not conversation.waits or got[:1] != _REJECTED or got[7:9] != _TRANSIENT_BY_PROVIDER:
            break
        CLOCK.sleep_s(_COME_AGAIN_S)
    return f"{got[0]:02x}" if got else "none"


def _talk_once(listener: Listener, conversation: Conversation) -> bytes:
    with socket.create_connection((LOOPBACK, listener.port), timeout=_ANSWER_S) as connection:
        if conversation.ends == "resets":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        got = b""
        with suppress(OSError):
            connection.sendall(conversation.request)
            if conversation.waits:
                got = connection.recv(1 << 16)
                if got[:1] == _REJECTED:
                    return got
            connection.sendall(conversation.following)
            if conversation.ends == "half":
                connection.shutdown(socket.SHUT_WR)
            while conversation.ends == "half" and (more := connection.recv(1 << 16)):
                got = more
    return got


def run_data_sets(folder: Path, *, seed: int, count: int) -> FuzzFigures:
    """So many broken data sets through a whole node. Raises AssertionError where it suffered or anything is amiss."""
    started = CLOCK.monotonic_s()
    found = seeds(folder / "seeds")
    mutator = DataSetMutator(seeds=found, random=random.Random(seed), study_every=STUDY_EVERY, name=f"fuzz {seed}")
    with _whole_node(folder) as (node, listener):
        supervisor = psutil.Process(node.pid)
        others = {"worker": "--part worker", "child": "bmnode.child"}
        answers: Counter[str] = Counter()
        kept: dict[str, bytes] = {}
        with Watch(listener=listener, others=others) as watch:
            watch.sample_others(supervisor)
            before = dict(watch.memory)
            for number in range(count):
                instance = mutator.next()
                status = _store(listener, instance)
                answers["aborted" if status is None else f"{status:04x}"] += 1
                if status == 0x0000:
                    kept[instance.sop_instance_uid] = instance.data_set
                if number % 20 == 0:
                    watch.sample_others(supervisor)
            decisions = _await_all_studies(node.plan, watch, supervisor)
        listener.undisturbed_s = max(listener.undisturbed_s, _undisturbed_s(listener))
        _check_logs(node.plan.folder)
        watch.check()
        more = {name: (value - before.get(name, 0)) / _MB for name, value in watch.memory.items() if name in before}
        more["listener"] = (watch.memory["listener"] - listener.idle_memory) / _MB
        assert more["worker"] < MORE_WORKER_MEMORY_MB, more
        _check_spool(node.plan, known=set(kept), data_sets=kept)
        return FuzzFigures(
            seed=seed,
            what=f"broken data sets of {', '.join(item.name for item in found)}",
            count=count,
            seconds=CLOCK.monotonic_s() - started,
            answers=answers,
            good_peer_s=watch.good_peer_s,
            undisturbed_s=listener.undisturbed_s,
            more_memory_mb=more,
            more_threads=watch.threads - listener.idle_threads,
            detail=f"\nstudies by what was decided: {dict(decisions)}",
        )


@contextmanager
def _whole_node(folder: Path) -> Iterator[tuple[NodeProcess, Listener]]:
    with EmbeddedArchive(folder / "archive", ae_title="ARCHIVE") as archive:
        plan = NodePlan(folder=folder / "node", peers=(archive.as_peer(),), sections={"assembly": {"quiet_s": 1.0}})
        with NodeProcess(plan, clock=CLOCK) as node:
            family = psutil.Process(node.pid).children(recursive=True)
            listener = Listener(
                plan=plan,
                process=next(item for item in family if "--part listener" in " ".join(item.cmdline())),
                authority=Authority(folder=folder / "pki"),
                instances=encoded_ct(folder / "ct", count=_GOOD_IMAGES),
            )
            listener.serve_good_peer()
            listener.undisturbed_s = _undisturbed_s(listener)
            listener.idle_threads = listener.process.num_threads()
            listener.idle_memory = listener.process.memory_info().rss
            yield node, listener


def _store(listener: Listener, instance: EncodedInstance) -> int | None:
    """Send one; the status, None where the association was ended instead."""
    contexts = [(instance.sop_class_uid, (instance.transfer_syntax_uid,))]
    try:
        with RawPeer(listener.port, contexts=contexts, calling_ae="FUZZ") as peer:
            status = store(peer, instance)
            peer.release()
            return status
    except PeerClosedError:
        return None


def _await_all_studies(plan: NodePlan, watch: Watch, supervisor: psutil.Process) -> Counter[str]:
    """Until every study has its decision and every job has ended and told its destination; the decisions."""
    database = Database(plan.settings.database_url)
    decisions: Counter[str] = Counter()

    def through() -> bool:
        watch.sample_others(supervisor)
        decisions.clear()
        with database.read() as connection:
            for study in Studies(connection).list(limit=1_000_000):
                revision = Studies(connection).find_revision(study.study_uid, study.revision)
                if revision is None or study.state is not StudyState.COMPLETE:
                    return False
                decisions[str(revision.decision)] += 1
                for job in Jobs(connection).of_study(study.study_uid):
                    owed = Deliveries(connection).of_job(job.job_id)
                    if job.state in UNFINISHED or any(item.state is not DeliveryState.DELIVERED for item in owed):
                        return False
                    decisions[f"{job.outcome}: {(job.reason or '').partition(':')[0]}"] += 1
        return True

    try:
        eventually(through, timeout_s=THROUGH_WITHIN_S)
    finally:
        database.dispose()
    return decisions


def _check_logs(folder: Path) -> None:
    """No traceback in anything that was written for people."""
    for path in (folder / "node.log", folder / "out", folder / "serve.out", folder / "data" / "child.log"):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
        found = [at for at, line in enumerate(lines) if any(mark in line for mark in _TRACEBACKS)]
        told = "\n".join(lines[found[-1] :][:_TRACEBACK_LINES]) if found else ""
        assert not found, f"{len(found)} tracebacks in {path.name}, the last:\n{told}"


def _check_spool(plan: NodePlan, *, known: set[str], data_sets: Mapping[str, bytes] | None = None) -> None:
    """Files are those of the rows, with the bytes that were acknowledged; nothing is left in between."""
    database = Database(plan.settings.database_url)
    studies = plan.settings.spool_directory / "studies"
    good = {item.sop_instance_uid for item in encoded_ct(plan.folder.parent / "ct", count=_GOOD_IMAGES)}

    def agree() -> bool:
        with database.read() as connection:
            rows = set(Instances(connection).uids())
        return {(path.parent.name, path.stem) for path in studies.glob("*/*")} == rows

    try:
        eventually(agree, timeout_s=30.0)
        with database.read() as connection:
            rows = {uid: study for study, uid in Instances(connection).uids()}
            assert AuditTrail(connection).first_broken() is None
    finally:
        database.dispose()
    assert set(rows) <= known | good, f"{len(set(rows) - known - good)} images that nobody sent are kept"
    for uid, data_set in (data_sets or {}).items():
        assert (studies / rows[uid] / f"{uid}.dcm").read_bytes().endswith(data_set)
    for name in ("incoming", "quarantine"):
        folder = plan.settings.spool_directory / name
        assert not folder.is_dir() or list(folder.iterdir()) == []
