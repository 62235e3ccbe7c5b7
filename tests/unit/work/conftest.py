"""A node without processes or network: database on disk, engine in memory, runner in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from bmnode.delivery.policy import RetryPolicy
from bmnode.domain.objects import DEFAULT_ENCODINGS, DEFAULT_KINDS, ResultKind, SegEncoding
from bmnode.domain.peers import Peer
from bmnode.domain.records import DeliveryRecord, JobRecord, StoredInstance, StudyRecord
from bmnode.errors import NotFoundError
from bmnode.storage import AuditTrail, Database, Deliveries, Instances, Jobs, Studies
from bmnode.testing.clock import FakeClock
from bmnode.testing.commitment import FakeCommitment
from bmnode.testing.engine import InMemoryEngine
from bmnode.testing.runner import InProcessRunner, fake_computation
from bmnode.testing.sender import FakeSender
from bmnode.work.engine import FlowName, FlowRequest, Handlers
from bmnode.work.finding import PriorOptions
from bmnode.work.handlers import WorkParts
from bmnode.work.requests import study_request
from bmnode.work.running import ReadEntry, RunOptions
from bmnode.work.selecting import Decision, PlannedJob

STUDY = "1.2.3"


@dataclass(kw_only=True)
class Node:
    """The parts, and short ways to what tests ask of them."""

    folder: Path
    database: Database
    clock: FakeClock = field(default_factory=FakeClock)
    sender: FakeSender = field(default_factory=FakeSender)
    commitment: FakeCommitment = field(default_factory=FakeCommitment)
    committing: set[str] = field(default_factory=set)
    """Destinations that are asked to commit themselves."""
    destinations: tuple[str, ...] = ("pacs",)
    pipeline: str = "assesses"
    objects: dict[str, tuple[ResultKind, ...]] = field(default_factory=dict)
    """What destinations take that are not usual."""
    encodings: dict[str, tuple[SegEncoding, ...]] = field(default_factory=dict)
    """What destinations prefer that are not usual."""
    selected: list[tuple[Path, ...]] = field(default_factory=list)
    results_that_came_back: set[str] = field(default_factory=set)
    priors: PriorOptions | None = None
    read_entry: ReadEntry | None = None
    branch: str = "ct"
    patient_digest: str | None = None

    def __post_init__(self) -> None:
        self.engine = InMemoryEngine(clock=self.clock)
        self.runner = InProcessRunner(computation=fake_computation(self.folder))
        self.handlers: Handlers = WorkParts(
            database=self.database,
            engine=self.engine,
            runner=self.runner,
            sender=self.sender,
            select=self.select,
            locate=lambda instance: self.folder / f"{instance.sop_instance_uid}.dcm",
            peers=self.peer,
            clock=self.clock,
            run_options=RunOptions(results_dir=self.folder / "results", max_attempts=3),
            retry_policy=RetryPolicy(jitter=0.0),
            commitment=self.commitment,
            priors=self.priors,
            read_entry=self.read_entry,
        ).handlers()

    def select(self, study: StudyRecord, files: Sequence[Path]) -> Decision:
        """Everything goes to one pipeline."""
        self.selected.append(tuple(files))
        planned = PlannedJob(route="all", pipeline=self.pipeline, destinations=self.destinations, priority=5)
        inputs = frozenset(path for path in files if path.stem not in self.results_that_came_back)
        return Decision(
            branch=self.branch,
            decision="selected",
            explanation="",
            jobs=(planned,),
            inputs=inputs,
            patient_digest=self.patient_digest,
        )

    def peer(self, name: str) -> Peer:
        """A destination by name."""
        if name == "unknown":
            raise NotFoundError("there is no peer 'unknown'")
        objects = self.objects.get(name, DEFAULT_KINDS)
        encodings = self.encodings.get(name, DEFAULT_ENCODINGS)
        return Peer(
            name=name,
            ae_title=name.upper(),
            host="127.0.0.1",
            port=104,
            objects=objects,
            seg_encodings=encodings,
            commitment=name in self.committing,
        )

    def receive(self, number: int) -> StudyRecord:
        """One more image of the study, a second after the one before."""
        self.clock.advance(1)
        now = self.clock.now()
        with self.database.write() as connection:
            study = Studies(connection).image_arrived(
                STUDY, source_ae="SCANNER", at=now, due_at=now + timedelta(seconds=30)
            )
            Instances(connection).add(
                StoredInstance(
                    sop_instance_uid=f"{STUDY}.{number}",
                    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
                    transfer_syntax_uid="1.2.840.10008.1.2.1",
                    study_uid=STUDY,
                    series_uid=f"{STUDY}.0",
                    sha256=f"{number:064d}",
                    size_bytes=10,
                    source_ae="SCANNER",
                    received_at=now,
                )
            )
        return study

    def do(self, request: FlowRequest) -> None:
        """Run one flow to its end, and forget that it was asked for."""
        asyncio.run(self.handlers[request.flow].handle(request.subject))
        self.engine.cancel(request.key)

    def next(self, flow: FlowName) -> FlowRequest:
        """The only flow of this kind that was asked for."""
        (request,) = [item for item in self.engine.requests() if item.flow is flow]
        return request

    def asked(self) -> list[str]:
        """The kinds of flow that were asked for and not done."""
        return [request.flow.value for request in self.engine.requests()]

    def queued_job(self, *, pipeline: str = "assesses", destinations: tuple[str, ...] = ("pacs",)) -> JobRecord:
        """Receive one image and go through selection."""
        self.pipeline, self.destinations = pipeline, destinations
        self.do(study_request(self.receive(1)))
        return self.job()

    def job(self) -> JobRecord:
        """The only job."""
        (job,) = self.jobs()
        return job

    def jobs(self) -> Sequence[JobRecord]:
        """Every job."""
        with self.database.read() as connection:
            return Jobs(connection).of_study(STUDY)

    def deliveries(self) -> Sequence[DeliveryRecord]:
        """Every delivery of every job."""
        with self.database.read() as connection:
            return Deliveries(connection).list()

    def audited(self) -> list[str]:
        """The audit trail's events."""
        with self.database.read() as connection:
            return [entry.event for entry in AuditTrail(connection).entries()]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """An empty node."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    yield Node(folder=tmp_path, database=database)
    database.dispose()
