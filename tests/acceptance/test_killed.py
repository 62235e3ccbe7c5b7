"""Kill -9 of any part of the node in the middle of a job: the job completes once, the results exist once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.records import JobRecord
from bmnode.domain.states import JobState
from bmnode.storage import AuditTrail, Database, Jobs, Results
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.node import NodePlan, NodeProcess, is_delivered
from bmnode.testing.patients import PatientSpec, write_ct
from bmnode.testing.patients.spec import SyntheticStudy
from tests.support.polling import eventually

STARTS_S = 90.0
COMPLETES_S = 180.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A running node, the archive that it delivers to, and the study that it is sent."""

    node: NodeProcess
    archive: EmbeddedArchive
    study: SyntheticStudy
    database: Database

    def job(self) -> JobRecord | None:
        """The study's job, once there is one."""
        with self.database.read() as connection:
            return next(iter(Jobs(connection).of_study(self.study.study_uid)), None)

    def is_running(self) -> bool:
        """Whether the job is being computed: its first step was reported."""
        job = self.job()
        return job is not None and job.state is JobState.RUNNING and job.progress > 0.0

    def is_delivered(self) -> bool:
        """Whether the job succeeded and the archive has all of it."""
        job = self.job()
        if job is None or job.state is not JobState.SUCCEEDED:
            return False
        return is_delivered(self.database, self.study.study_uid)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A node with an archive, and a study that takes seconds to assess."""
    study = write_ct(tmp_path / "ct", spec=PatientSpec(seed=11, patient_id="SYN-KILL"))
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        plan = NodePlan(folder=tmp_path / "node", peers=(archive.as_peer(),))
        with NodeProcess(plan, clock=SystemClock()) as node:
            database = Database(plan.settings.database_url)
            yield Stage(node=node, archive=archive, study=study, database=database)
            database.dispose()


def _of(stage: Stage, mark: str) -> int:
    """The process of the node whose command line carries the mark."""
    family = psutil.Process(stage.node.pid).children(recursive=True)
    return next(int(process.pid) for process in family if mark in " ".join(process.cmdline()))


def kill_worker(stage: Stage) -> None:
    """Kill -9 of the worker: the supervisor starts another."""
    os.kill(_of(stage, "worker"), signal.SIGKILL)


def kill_child(stage: Stage) -> None:
    """Kill -9 of the process that computes: a retry."""
    os.kill(_of(stage, "bmnode.child"), signal.SIGKILL)


def kill_node(stage: Stage) -> None:
    """Kill -9 of the whole node, and a start by hand."""
    family = psutil.Process(stage.node.pid).children(recursive=True)
    stage.node.kill()
    eventually(lambda: not any(process.is_running() for process in family), timeout_s=20.0)
    stage.node.start()


@pytest.mark.acceptance
@pytest.mark.parametrize("kill", [kill_worker, kill_child, kill_node])
def test_a_killed_job_completes_once(stage: Stage, kill: Callable[[Stage], None]) -> None:
    """After the kill one job has succeeded, every object is in the archive once, and nothing was lost."""
    sent = CStoreSender("SCANNER", clock=SystemClock()).send(stage.node.plan.as_peer, stage.study.files)
    assert all(item.accepted for item in sent)
    eventually(stage.is_running, timeout_s=STARTS_S)
    kill(stage)
    eventually(stage.is_delivered, timeout_s=COMPLETES_S)
    with stage.database.read() as connection:
        (job,) = Jobs(connection).of_study(stage.study.study_uid)
        results = Results(connection).of_job(job.job_id)
        events = [item.event for item in Jobs(connection).events(job.job_id)]
        assert AuditTrail(connection).first_broken() is None
    assert events.count("succeeded") == 1
    assert events.count("started") == 2
    assert sorted(item.kind for item in results) == ["roi_sr", "seg", "sr"]
    held = [item.sop_instance_uid for item in stage.archive.instances()]
    assert sorted(held) == sorted(item.sop_instance_uid for item in results)
    folders = {Path(item.path).parent for item in results}
    results_dir = stage.node.plan.settings.node.data_dir / "results"
    (told,) = results_dir.glob("*/priors-*")  # what was found before the first attempt, and by the second again
    assert {path.relative_to(results_dir) for path in results_dir.glob("*/*") if path != told} == folders
