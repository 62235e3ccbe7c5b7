"""A study that was rejected is gone, through kills and restarts, until it is sent again; images go once all is done."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.states import JobState, StudyState
from bmnode.storage import AuditTrail, Database, Instances, Jobs, Results, Studies
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.node import NodePlan, NodeProcess, is_delivered
from bmnode.testing.patients import PatientSpec, write_bone_scan
from bmnode.testing.patients.spec import SyntheticStudy
from tests.support.polling import eventually

COMPLETES_S = 240.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A running node, the archive that it delivers to, and the study that it is sent."""

    node: NodeProcess
    archive: EmbeddedArchive
    study: SyntheticStudy
    database: Database

    def send(self) -> None:
        """Send the study and wait until the archive has its results."""
        known = len(self.jobs())
        sent = CStoreSender("SCANNER", clock=SystemClock()).send(self.node.plan.as_peer, self.study.files)
        assert all(item.accepted for item in sent)
        eventually(lambda: len(self.jobs()) == known + 1, timeout_s=COMPLETES_S)
        eventually(lambda: is_delivered(self.database, self.study.study_uid), timeout_s=COMPLETES_S)

    def jobs(self) -> list[str]:
        """The study's jobs."""
        with self.database.read() as connection:
            return [job.job_id for job in Jobs(connection).of_study(self.study.study_uid)]

    def run(self, *arguments: str) -> Any:
        """A command with its JSON."""
        command = [sys.executable, "-m", "bmnode", "--config", str(self.node.plan.config_file), *arguments, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def files(self) -> set[str]:
        """What lies on the disk of the study and its jobs; the trash counts."""
        data = self.node.plan.folder / "data"
        found = [*(data / "spool" / "studies").rglob("*"), *(data / "spool" / "trash").rglob("*")]
        return {path.name for path in (*found, *(data / "results").rglob("*")) if path.is_file()}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A node with an archive, and a bone scan."""
    study = write_bone_scan(tmp_path / "scan", spec=PatientSpec(seed=12, patient_id="SYN-GONE"))
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        sections = {"priors": {"look": False}}
        plan = NodePlan(folder=tmp_path / "node", peers=(archive.as_peer(),), sections=sections)
        with NodeProcess(plan, clock=SystemClock()) as node:
            database = Database(plan.settings.database_url)
            yield Stage(node=node, archive=archive, study=study, database=database)
            database.dispose()


@pytest.mark.acceptance
def test_a_rejected_study_is_gone_until_it_is_sent_again(stage: Stage) -> None:
    """Nothing of it is left, a kill -9 and a start bring nothing back, and the same files make another result. Then
    its images go by themselves, and its results stay."""
    stage.send()
    told = stage.run("study", "reject", stage.study.study_uid)
    assert (told["state"], told["images"]) == ("rejected", len(stage.study.files))
    assert stage.files() == set()
    stage.node.kill()
    stage.node.start()
    with stage.database.read() as connection:
        assert Studies(connection).get(stage.study.study_uid).state is StudyState.REJECTED
        assert Instances(connection).of_study(stage.study.study_uid) == []
    first = {item.sop_instance_uid for item in stage.archive.instances()}

    stage.send()
    second = {item.sop_instance_uid for item in stage.archive.instances()} - first
    assert len(second) == len(first), "the archive keeps what it had and gets as much again"
    with stage.database.read() as connection:
        states = [job.state for job in Jobs(connection).of_study(stage.study.study_uid)]
        assert {item.sop_instance_uid for item in Results(connection).of_job(stage.jobs()[1])} == second
    assert states == [JobState.SUCCEEDED] * 2

    sections = {"retention": {"assessed_after_h": 1e-6}}
    replace(stage.node.plan, sections=sections).write_config()
    eventually(lambda: bool(stage.run("retention", "run")["deleted"]), timeout_s=COMPLETES_S)
    images = {path.name for path in (stage.node.plan.folder / "data" / "spool" / "studies").rglob("*.dcm")}
    assert images == set()
    assert stage.files(), "the results stay"
    with stage.database.read() as connection:
        assert AuditTrail(connection).first_broken() is None
