"""A node's working process with the fake pipelines, to be killed: `python -m tests.integration.working_node FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bmnode.clock import SystemClock
from bmnode.delivery.policy import RetryPolicy
from bmnode.domain.peers import Peer
from bmnode.domain.records import StudyRecord
from bmnode.run.child_runner import LocalChildRunner, RunLimits
from bmnode.run.process import ChildOptions
from bmnode.spool import Spool
from bmnode.storage import Database, Studies
from bmnode.testing.commitment import FakeCommitment
from bmnode.testing.runner import CHILD_COMMAND, FOLDER_VARIABLE
from bmnode.testing.sender import FakeSender
from bmnode.work.engine import FLOW_POLICIES
from bmnode.work.flows import DbosEngine
from bmnode.work.handlers import WorkParts
from bmnode.work.rejecting import StudyRejection
from bmnode.work.running import RunOptions
from bmnode.work.selecting import Decision, PlannedJob
from bmnode.work.worker import Worker

CLOCK = SystemClock()
POLICIES = {name: replace(policy, poll_s=0.1, first_retry_s=0.1) for name, policy in FLOW_POLICIES.items()}


def database_of(folder: Path) -> Database:
    """The node's database."""
    return Database(f"sqlite:///{folder / 'node.sqlite'}")


def engine_of(database: Database) -> DbosEngine:
    """The node's engine."""
    return DbosEngine(database, node_id="node-1", clock=CLOCK, policies=POLICIES)


def worker_of(folder: Path, *, pipeline: str, timeout_s: float, max_attempts: int = 3) -> Worker:
    """A worker that sends every study through one pipeline."""

    def select(_study: StudyRecord, _files: Sequence[Path]) -> Decision:
        job = PlannedJob(route="all", pipeline=pipeline, destinations=("pacs",), priority=10)
        return Decision(branch="ct", decision="selected", explanation="", jobs=(job,))

    def complete() -> Sequence[StudyRecord]:
        with database.read() as connection:
            return Studies(connection).due(CLOCK.now())

    database = database_of(folder)
    engine = engine_of(database)
    runner = LocalChildRunner(
        options=ChildOptions(command=CHILD_COMMAND, log_path=folder / "child.log"),
        limits=RunLimits(timeout_s=timeout_s, jobs_per_child=50),
        clock=CLOCK,
    )
    parts = WorkParts(
        database=database,
        engine=engine,
        runner=runner,
        sender=FakeSender(),
        select=select,
        locate=lambda instance: folder / f"{instance.sop_instance_uid}.dcm",
        peers=lambda name: Peer(name=name, ae_title="PACS", host="127.0.0.1", port=104),
        clock=CLOCK,
        run_options=RunOptions(results_dir=folder / "results", max_attempts=max_attempts, retry_wait_s=0.05),
        retry_policy=RetryPolicy(),
        commitment=FakeCommitment(),
    )
    return Worker(
        data_dir=folder,
        results_dir=folder / "results",
        database=database,
        engine=engine,
        handlers=parts.handlers(),
        runner=runner,
        complete_studies=complete,
        clock=CLOCK,
        settle_rejections=StudyRejection(
            database=database,
            spool=Spool(folder / "spool", min_free_bytes=0),
            results_dir=folder / "results",
            clock=CLOCK,
        ).settle,
        delete_images=lambda: None,
        assembly_every_s=0.1,
    )


def main() -> None:
    """Work until SIGTERM."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    worker = worker_of(folder, pipeline=sys.argv[1], timeout_s=float(sys.argv[2]), max_attempts=int(sys.argv[3]))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker.start()
    stop.wait()
    worker.stop(grace_s=0)


if __name__ == "__main__":
    main()
