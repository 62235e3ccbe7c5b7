"""A node's database with one study in every situation, and a command line whose outside is in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from bmnode.cli.entry import main
from bmnode.cli.session import Session
from bmnode.cli.wiring import Services
from bmnode.config import Settings
from bmnode.delivery.orthanc_rest import OrthancHealth
from bmnode.delivery.sender import EchoResult
from bmnode.domain.models import SidesReport
from bmnode.domain.peers import Peer
from bmnode.domain.pipelines import Progress, ReportProgress
from bmnode.domain.records import JobRecord, ResultRecord, StoredInstance
from bmnode.domain.states import DeliveryEvent, JobEvent, JobState
from bmnode.errors import BmnodeError, PeerUnreachableError
from bmnode.storage import AuditTrail, Database, Deliveries, Instances, Jobs, Results, Studies
from bmnode.testing.clock import FakeClock
from bmnode.work.ledger_sources import ReportSource

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
STUDY = "1.2.840.99.1"
IGNORED = "1.2.840.99.2"
JOB = "job-1"
REPORT = "1.2.840.99.1.9"
CONFIGURATION = """
[peers.pacs]
ae_title = "PACS"
host = "127.0.0.1"
port = 104

[peers.orthanc]
ae_title = "ORTHANC"
host = "127.0.0.1"
port = 4242
rest_url = "http://127.0.0.1:8042"

[[routes]]
name = "ct"
modalities = ["CT"]
destinations = ["pacs"]

[[routes]]
name = "everything"
destinations = ["pacs", "orthanc"]
"""


@dataclass(kw_only=True)
class Outside:
    """What the commands asked of the engine and of peers, and what those answer."""

    clock: FakeClock = field(default_factory=FakeClock)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    peer_errors: dict[str, BmnodeError] = field(default_factory=dict)
    refused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    report: FolderOutcome | None = None
    defect: Exception | None = None
    sides: SidesReport | None = None
    reports: dict[str, ReportSource] = field(default_factory=dict)

    def services(self) -> Services:
        """As the command line takes it."""
        return Services(
            clock=self.clock,
            open_client=self._client,
            run_folder=self._run_folder,
            check_sides=self._check_sides,
            echo=lambda _settings, _clock: self,
            mover=lambda _settings: self,
            rest=lambda peer: _Rest(outside=self, peer=peer),
            own_reports=lambda _settings, _database: self.reports["node"],
            archive_reports=lambda _settings, peer: self.reports[peer.name],
        )

    def echo(self, peer: Peer) -> EchoResult:
        """Answer, unless the peer is to fail."""
        if peer.name in self.peer_errors:
            raise self.peer_errors[peer.name]
        return EchoResult(peer=peer.name, round_trip_s=0.012)

    def refused_classes(self, peer: Peer, sop_class_uids: Sequence[str]) -> tuple[str, ...]:
        """Those that the peer is to refuse."""
        return tuple(uid for uid in sop_class_uids if uid in self.refused.get(peer.name, ()))

    def move(self, peer: Peer, study_uid: str) -> int:
        """Say that three instances were sent."""
        self.asked.append(("move", peer.name, study_uid))
        return 3

    def enqueue_job(self, job: JobRecord, *, connection: sa.Connection) -> None:
        """The row has to be there, in the same transaction."""
        assert Jobs(connection).get(job.job_id).state in {JobState.QUEUED, JobState.RUNNING}
        self.asked.append(("job", job.job_id))

    def enqueue_delivery(self, job_id: str, destination: str, *, connection: sa.Connection) -> None:
        """Note it."""
        assert connection.in_transaction()
        self.asked.append(("delivery", job_id, destination))

    def select_study(self, study_uid: str, *, connection: sa.Connection) -> None:
        """Note it."""
        assert connection.in_transaction()
        self.asked.append(("select", study_uid))

    def seek_prior(self, job: JobRecord, *, connection: sa.Connection) -> None:
        """Note it."""
        assert connection.in_transaction()
        self.asked.append(("prior", job.job_id))

    def cancel_job(self, job_id: str) -> None:
        """Note it."""
        self.asked.append(("cancel", job_id))

    @contextmanager
    def _client(self, _settings: Settings) -> Iterator[Outside]:
        yield self

    def _run_folder(
        self,
        settings: Settings,
        input_dir: Path,
        out_dir: Path,
        report: ReportProgress,
        *,
        prior_dir: Path | None = None,
    ) -> FolderOutcome:
        if self.defect is not None:
            raise self.defect
        if prior_dir is not None:
            self.asked.append(("prior_dir", prior_dir.name))
        structlog.get_logger("bmnode.app").warning("folder_read")
        report(Progress(fraction=0.5, step="half"))
        assert self.report is not None
        return self.report

    def _check_sides(self, folder: Path, *, cache_dir: Path) -> SidesReport:
        assert (folder / "configs").is_dir()
        assert cache_dir.is_absolute()
        assert self.sides is not None
        return self.sides


@dataclass(frozen=True, kw_only=True)
class FolderOutcome:
    """What `run` is told."""

    outcome: str
    branch: str | None = None
    reason: str | None = None
    objects: tuple[Path, ...] = ()
    pictures: tuple[Path, ...] = ()
    comparison: str | None = None
    priors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Rest:
    outside: Outside
    peer: Peer

    def health(self) -> OrthancHealth:
        if "rest" in self.outside.peer_errors:
            raise self.outside.peer_errors["rest"]
        return OrthancHealth(
            version="1.12.1",
            ae_title="ORTHANC",
            dicom_port=4242,
            study_count=7,
            instance_count=70,
            disk_bytes=1000,
            has_labels=True,
        )

    def send_study(self, study_uid: str, *, to_ae_title: str) -> int:
        if self.peer.name in self.outside.peer_errors:
            raise PeerUnreachableError("down")
        self.outside.asked.append(("send", self.peer.name, study_uid, to_ae_title))
        return 2


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command wrote, and what it exited with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which holds one document and nothing else."""
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in list(os.environ):
        if name.startswith("BMNODE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def outside() -> Outside:
    """The world without network."""
    return Outside()


@pytest.fixture
def run(outside: Outside, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run(*arguments: str) -> Answer:
        with pytest.raises(SystemExit) as ended:
            main(arguments, session=Session(outside=outside.services()))
        told = capsys.readouterr()
        return Answer(code=int(ended.value.code or 0), out=told.out, err=told.err)

    return run


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A node's database: a failed job with a dead delivery, and a study that is not for us."""
    (tmp_path / "bmnode.toml").write_text(CONFIGURATION, encoding="utf-8")
    folder = tmp_path / "bmnode-data"
    (folder / "spool" / "studies").mkdir(parents=True)
    database = Database(f"sqlite:///{folder / 'node.sqlite'}")
    database.migrate()
    with database.write() as connection:
        _receive(connection, STUDY, instances=3)
        _receive(connection, IGNORED, instances=1)
        Studies(connection).freeze(IGNORED, at=NOW)
        Studies(connection).decide(IGNORED, 1, branch=None, decision="not_for_us", explanation="no route")
        revision = Studies(connection).freeze(STUDY, at=NOW)
        Studies(connection).decide(STUDY, 1, branch="ct", decision="selected", explanation="")
        Jobs(connection).add(_job(revision.input_digest))
        for event in (JobEvent.STARTED, JobEvent.FAILED):
            Jobs(connection).apply(JOB, event, at=NOW)
        Results(connection).replace(JOB, [_result()])
        _give_up(connection)
        AuditTrail(connection).record("study_completed", at=NOW, actor="node", subject=STUDY)
        AuditTrail(connection).record("job_failed", at=NOW, actor="node", subject=JOB)
    yield database
    database.dispose()


def _receive(connection: sa.Connection, study_uid: str, *, instances: int) -> None:
    for number in range(instances):
        Studies(connection).image_arrived(study_uid, source_ae="SCANNER", at=NOW, due_at=NOW)
        Instances(connection).add(
            StoredInstance(
                sop_instance_uid=f"{study_uid}.{number + 1}",
                sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
                transfer_syntax_uid="1.2.840.10008.1.2.1",
                study_uid=study_uid,
                series_uid=f"{study_uid}.0",
                sha256="a" * 64,
                size_bytes=10,
                source_ae="SCANNER",
                received_at=NOW,
            )
        )


def _job(input_digest: str) -> JobRecord:
    return JobRecord(
        job_id=JOB,
        study_uid=STUDY,
        revision=1,
        pipeline="bone_metastasis",
        pipeline_version="1",
        input_digest=input_digest,
        route="everything",
        destinations=("pacs",),
        label_in=(),
        priority=10,
        state=JobState.QUEUED,
        attempt=0,
        progress=0.0,
        step="",
        outcome=None,
        reason=None,
        created_at=NOW,
        started_at=None,
        ended_at=None,
    )


def _result() -> ResultRecord:
    return ResultRecord(
        sop_instance_uid=REPORT,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
        series_uid=f"{STUDY}.8",
        job_id=JOB,
        kind="SR",
        path="sr.dcm",
        sha256="b" * 64,
        created_at=NOW,
    )


def _give_up(connection: sa.Connection) -> None:
    deliveries = Deliveries(connection)
    deliveries.add(REPORT, destination="pacs", job_id=JOB, at=NOW)
    owed: Sequence[Any] = deliveries.of_job(JOB)
    deliveries.apply(owed[0], DeliveryEvent.GIVEN_UP, at=NOW, status=0xA700, error="out of resources")
