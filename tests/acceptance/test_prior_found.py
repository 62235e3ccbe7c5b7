"""A follow-up is sent alone to a running node: it finds the prior, also when it is killed while it waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from bmnode.archive.association import Caller
from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.records import JobRecord
from bmnode.domain.states import JobState
from bmnode.priors.handover import PriorInput, read_prior_input
from bmnode.storage import AuditTrail, Database, Jobs, Ledger, PriorSearches, Studies
from bmnode.testing.archive import ArchiveFaults, EmbeddedArchive
from bmnode.testing.node import NodePlan, NodeProcess, is_delivered
from bmnode.testing.orthanc import OrthancPeer
from bmnode.testing.patients import PatientSpec, write_bone_scan
from bmnode.testing.patients.spec import SyntheticStudy
from bmnode.work.ledger_rebuild import LedgerRebuild
from bmnode.work.ledger_sources import ArchiveReports
from bmnode.work.studying import FETCHED_PRIOR
from tests.support.polling import eventually

CLOCK = SystemClock()
STARTS_S, COMPLETES_S = 90.0, 180.0
NOW = PatientSpec(seed=5, patient_id="SYN-FOLLOW", age_years=68, study_start=datetime(2025, 3, 10, 9, 0, tzinfo=UTC))
THEN = PatientSpec(seed=5, patient_id="SYN-FOLLOW", age_years=67, study_start=datetime(2024, 3, 10, 9, 0, tzinfo=UTC))


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A running node, an archive with the prior, and a follow-up that was not sent yet."""

    node: NodeProcess
    archive: EmbeddedArchive | OrthancPeer
    prior: SyntheticStudy
    follow_up: SyntheticStudy
    database: Database

    def send(self) -> None:
        """Send the follow-up, alone."""
        sent = CStoreSender("SCANNER", clock=CLOCK).send(self.node.plan.as_peer, self.follow_up.files)
        assert all(item.accepted for item in sent)

    def job(self) -> JobRecord | None:
        """Its job, once there is one."""
        with self.database.read() as connection:
            return next(iter(Jobs(connection).of_study(self.follow_up.study_uid)), None)

    def waits(self) -> bool:
        """Whether the job waits for its prior."""
        job = self.job()
        return job is not None and job.state is JobState.AWAITING_PRIOR

    def is_delivered(self) -> bool:
        """Whether it succeeded and the archive has its result."""
        return self.job() is not None and is_delivered(self.database, self.follow_up.study_uid)

    def told(self) -> PriorInput:
        """What the job was told."""
        job = self.job()
        assert job is not None
        with self.database.read() as connection:
            search = PriorSearches(connection).get(job.job_id)
        assert search.folder is not None
        assert search.used == search.compared
        return read_prior_input(self.node.plan.settings.node.data_dir / "results" / search.folder)


@pytest.fixture(params=["embedded", "orthanc"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A node that asks an archive for priors and delivers to it."""
    prior = write_bone_scan(tmp_path / "then", spec=THEN)
    follow_up = write_bone_scan(tmp_path / "now", spec=NOW)
    plan = NodePlan(folder=tmp_path / "node", peers=())
    archive: EmbeddedArchive | OrthancPeer
    if request.param == "embedded":
        archive = EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", known_peers=[plan.as_peer])
    else:
        configuration = request.getfixturevalue("orthanc_configuration")
        overrides: dict[str, object] = {"LuaScripts": []}  # the archive routes nothing: what it sends, it was asked for
        archive = OrthancPeer(
            tmp_path / "archive", configuration=configuration, known_peers=[plan.as_peer], overrides=overrides
        )
    with archive:
        peer = archive.as_peer("archive")
        assert all(item.accepted for item in CStoreSender("SCANNER", clock=CLOCK).send(peer, prior.files))
        sections = {"priors": {"archives": ["archive"], "retry_s": 1.0, "wait_s": 120.0, "answer_s": 5.0}}
        plan = NodePlan(folder=plan.folder, peers=(peer,), port=plan.port, sections=sections)
        with NodeProcess(plan, clock=CLOCK) as node:
            database = Database(plan.settings.database_url)
            yield Stage(node=node, archive=archive, prior=prior, follow_up=follow_up, database=database)
            database.dispose()


def _kill(node: NodeProcess) -> None:
    """Kill -9 of the whole node, and a start by hand."""
    family = psutil.Process(node.pid).children(recursive=True)
    node.kill()
    eventually(lambda: not any(process.is_running() for process in family), timeout_s=20.0)
    node.start()


def _check(stage: Stage) -> None:
    """The result was made with the prior, and the prior started no job."""
    (prior,) = stage.told().priors
    assert prior.study_uid == stage.prior.study_uid
    assert len(prior.images) == len(stage.prior.files)
    with stage.database.read() as connection:
        assert list(Jobs(connection).of_study(stage.prior.study_uid)) == []
        assert AuditTrail(connection).first_broken() is None


def _check_ledger(stage: Stage, empty: Database) -> None:
    """From an empty database and the archive comes the ledger that the node has."""
    with stage.database.read() as connection:
        known = list(Ledger(connection).current())
    assert [item.study_uid for item in known] == [stage.follow_up.study_uid]
    assert known[0].observations
    empty.migrate()
    source = ArchiveReports(peer=stage.archive.as_peer(), caller=Caller(ae_title="BMNODE", clock=CLOCK))
    done = LedgerRebuild(database=empty, clock=CLOCK, actor="test").run(source, lambda _: None)
    assert done.failures == ()
    with empty.read() as connection:
        assert list(Ledger(connection).current()) == known
    empty.dispose()


@pytest.mark.acceptance
def test_a_follow_up_that_is_sent_alone_is_run_with_its_prior(stage: Stage, tmp_path: Path) -> None:
    """The prior is found by C-FIND, comes by C-MOVE, and starts no job of its own; the ledger of it can be made again
    of what the archive got."""
    stage.send()
    eventually(stage.is_delivered, timeout_s=COMPLETES_S)
    _check(stage)
    _check_ledger(stage, Database(f"sqlite:///{tmp_path / 'empty.sqlite'}"))

    def is_decided() -> bool:
        with stage.database.read() as connection:
            return [item.decision for item in Studies(connection).revisions(stage.prior.study_uid)] == [FETCHED_PRIOR]

    eventually(is_decided, timeout_s=STARTS_S)


@pytest.mark.acceptance
@pytest.mark.parametrize("stage", ["embedded"], indirect=True)
def test_the_wait_survives_a_kill(stage: Stage) -> None:
    """The node is killed while the archive is silent; after its start the job still waits, and gets its prior."""
    assert isinstance(stage.archive, EmbeddedArchive)
    stage.archive.inject(ArchiveFaults(query_delay_s=60.0))
    stage.send()
    eventually(stage.waits, timeout_s=STARTS_S)
    _kill(stage.node)
    assert stage.waits()
    stage.archive.inject(ArchiveFaults())
    eventually(stage.is_delivered, timeout_s=COMPLETES_S)
    _check(stage)
