"""What the worker promises under kill -9: every job ends once, with one result that is delivered once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from bmnode.clock import SystemClock
from bmnode.domain.records import JobRecord, StoredInstance
from bmnode.domain.states import DeliveryState, JobEvent, JobState
from bmnode.errors import NodeLockedError
from bmnode.storage import AuditTrail, Database, Deliveries, Instances, Jobs, Results, Studies
from bmnode.storage.jobs import UNFINISHED
from bmnode.testing.runner import FOLDER_VARIABLE
from bmnode.work.client import EngineClient
from tests.integration.working_node import database_of, engine_of, worker_of

CLOCK = SystemClock()
ROOT = Path(__file__).parents[2]


def wait_for(condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Until the condition holds; fails the test after so many seconds."""
    deadline = CLOCK.monotonic_s() + seconds
    while not condition():
        if CLOCK.monotonic_s() > deadline:
            pytest.fail(f"not seen within {seconds} s")
        CLOCK.sleep_s(0.02)


@dataclass(kw_only=True)
class Node:
    """A data directory, and the processes that work on it one after the other."""

    folder: Path
    database: Database
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, pipeline: str, *, timeout_s: float = 60.0, max_attempts: int = 3) -> subprocess.Popen[bytes]:
        """Start the worker process."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.working_node", pipeline, str(timeout_s), str(max_attempts)],
            cwd=ROOT,
            env={**os.environ, FOLDER_VARIABLE: str(self.folder)},
        )
        self.processes.append(process)
        return process

    def kill(self) -> None:
        """Kill -9 of the worker process."""
        self.processes[-1].kill()
        self.processes[-1].wait()

    def receive(self, *numbers: int) -> None:
        """Studies of one image each, complete at once."""
        now = CLOCK.now()
        for number in numbers:
            study_uid = f"1.2.{number}"
            with self.database.write() as connection:
                Studies(connection).image_arrived(study_uid, source_ae="SCANNER", at=now, due_at=now)
                Instances(connection).add(
                    StoredInstance(
                        sop_instance_uid=f"{study_uid}.1",
                        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
                        transfer_syntax_uid="1.2.840.10008.1.2.1",
                        study_uid=study_uid,
                        series_uid=f"{study_uid}.0",
                        sha256="a" * 64,
                        size_bytes=10,
                        source_ae="SCANNER",
                        received_at=now,
                    )
                )

    def jobs(self) -> Sequence[JobRecord]:
        with self.database.read() as connection:
            return Jobs(connection).list()

    def job(self) -> JobRecord:
        """The only job."""
        (job,) = self.jobs()
        return job

    def running(self) -> list[int]:
        """Process numbers of children that wait for `go`."""
        marks = [int(path.name.removeprefix("started-")) for path in self.folder.glob("started-*")]
        return [pid for pid in marks if psutil.pid_exists(pid)]

    def go(self) -> None:
        """Let the pipelines that wait go on, now and later."""
        (self.folder / "go").touch()

    def all_delivered(self, count: int) -> bool:
        with self.database.read() as connection:
            return len(Deliveries(connection).list(state=DeliveryState.DELIVERED)) == count

    def audited(self) -> Counter[tuple[str, str]]:
        """How often each subject met each event."""
        with self.database.read() as connection:
            assert AuditTrail(connection).first_broken() is None
            return Counter((entry.event, entry.subject) for entry in AuditTrail(connection).entries())

    def folders_of(self, job_id: str) -> list[str]:
        """The attempts that lie on disk."""
        return [path.name for path in (self.folder / "results" / job_id).iterdir()]

    def assert_done_once(self, state: JobState = JobState.SUCCEEDED) -> None:
        """Every job ended once, in this state, with one result that lies on disk and was delivered once."""
        audited = self.audited()
        with self.database.read() as connection:
            for job in Jobs(connection).list():
                events = [event.event for event in Jobs(connection).events(job.job_id)]
                assert job.state is state
                assert events.count(state.value) == 1
                (result,) = Results(connection).of_job(job.job_id)
                assert (self.folder / "results" / result.path).is_file()
                # The worker tidies after its commit, and a result may be delivered by then.
                kept = [Path(result.path).parts[1]]
                wait_for(lambda: self.folders_of(job.job_id) == kept)  # noqa: B023 - called in its own turn
                (delivery,) = Deliveries(connection).of_job(job.job_id)
                assert delivery.state is DeliveryState.DELIVERED
                assert audited["object_delivered", result.sop_instance_uid] == 1


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """An empty data directory."""
    database = database_of(tmp_path)
    database.migrate()
    made = Node(folder=tmp_path, database=database)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
    database.dispose()


def test_a_killed_worker_loses_nothing(node: Node) -> None:
    """Kill -9 of the worker in the middle of a job: its child goes with it, and the next worker ends the job once."""
    node.receive(1)
    node.start("waits_for_go")
    wait_for(lambda: bool(node.running()))
    node.kill()
    wait_for(lambda: not node.running())
    assert node.job().state is JobState.RUNNING
    node.start("waits_for_go")
    wait_for(lambda: bool(node.running()))
    node.go()
    wait_for(lambda: node.all_delivered(1))
    assert node.job().attempt == 2
    node.assert_done_once()


def test_what_a_kill_left_beside_a_result_is_removed(node: Node) -> None:
    """A worker that is killed before it tidies leaves an attempt; the next one removes it, and only that."""
    node.receive(1)
    node.start("assesses")
    wait_for(lambda: node.all_delivered(1))
    node.kill()
    job_folder = node.folder / "results" / node.job().job_id
    (job_folder / "attempt-9").mkdir()
    (job_folder / "attempt-10.tmp").mkdir()
    unknown = node.folder / "results" / "no-such-job" / "attempt-1"
    unknown.mkdir(parents=True)
    node.start("assesses")
    wait_for(lambda: node.folders_of(node.job().job_id) == ["attempt-1"])
    node.assert_done_once()
    assert unknown.is_dir()


def test_a_killed_child_costs_one_attempt(node: Node) -> None:
    """Kill -9 of the child in the middle of a job: the worker goes on, and the job ends once."""
    node.receive(1)
    node.start("waits_for_go")
    wait_for(lambda: bool(node.running()))
    (child,) = node.running()
    node.go()
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: node.all_delivered(1))
    assert node.processes[-1].poll() is None
    node.assert_done_once()


def test_a_worker_that_is_stopped_finishes_later(node: Node) -> None:
    """SIGTERM in the middle of a job ends worker and child; the next worker ends the job once."""
    node.receive(1)
    process = node.start("waits_for_go")
    wait_for(lambda: bool(node.running()))
    process.terminate()
    assert process.wait(timeout=20) == 0
    wait_for(lambda: not node.running())
    node.go()
    node.start("waits_for_go")
    wait_for(lambda: node.all_delivered(1))
    node.assert_done_once()


def test_a_job_that_always_crashes_ends_with_a_result(node: Node) -> None:
    """Three crashes, then a "not assessable" result that is delivered: no study ends silently."""
    node.receive(1)
    node.start("crashes")
    wait_for(lambda: node.all_delivered(1))
    job = node.job()
    assert (job.outcome, job.attempt) == ("not_assessable", 3)
    assert "SIGKILL" in (job.reason or "")
    node.assert_done_once(JobState.FAILED)


def test_a_job_that_never_ends_is_stopped(node: Node) -> None:
    """A job that takes too long is killed each time, and ends with a result that says so."""
    node.receive(1)
    node.start("waits_for_go", timeout_s=0.4)
    wait_for(lambda: node.all_delivered(1))
    assert "no answer in time" in (node.job().reason or "")
    assert node.running() == []
    node.assert_done_once(JobState.FAILED)


def test_a_running_job_can_be_cancelled_from_another_process(node: Node) -> None:
    """The command line ends a job that runs: its child is killed, and the next job runs."""
    node.receive(1)
    node.start("waits_for_go")
    wait_for(lambda: bool(node.running()))
    job_id = node.job().job_id
    engine = engine_of(node.database)
    try:
        with node.database.write() as connection:
            Jobs(connection).apply(job_id, JobEvent.CANCELLED, at=CLOCK.now())
        EngineClient(engine=engine, clock=CLOCK).cancel_job(job_id)
    finally:
        engine.stop(grace_s=0)
    wait_for(lambda: not node.running())
    node.go()
    node.receive(2)
    wait_for(lambda: node.all_delivered(1))
    assert {job.state for job in node.jobs()} == {JobState.CANCELLED, JobState.SUCCEEDED}


def test_a_second_worker_on_the_same_folder_is_refused(node: Node) -> None:
    """The same node twice would run everything twice."""
    node.receive(1)
    node.start("waits_for_go")
    wait_for(lambda: bool(node.running()))
    second = worker_of(node.folder, pipeline="waits_for_go", timeout_s=1)
    with pytest.raises(NodeLockedError):
        second.start()
    second.stop(grace_s=0)


def test_kills_at_any_moment_lose_nothing_and_repeat_nothing(node: Node) -> None:
    """Twelve studies and five kills of the worker, wherever they fall: twelve results, delivered once each.

    A job that every kill hits is started a sixth time.
    """
    when = random.Random(20260301)
    node.receive(*range(12))
    for _ in range(5):
        before = node.audited().total()
        node.start("assesses", max_attempts=6)
        step = when.randint(1, 8)
        wait_for(lambda: node.audited().total() >= before + step)  # noqa: B023 - called in its own turn
        node.kill()
    node.start("assesses", max_attempts=6)
    wait_for(lambda: node.all_delivered(12) and not any(job.state in UNFINISHED for job in node.jobs()), seconds=60)
    node.assert_done_once()
