"""A hospital of one node and one archive: what a study that is sent to the node makes it do, flow by flow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pydicom import Dataset, dcmread

from bmnode.archive import ArchiveLimits, FindScu, QidoFinder, StudyMover, WadoGetter, WebCaller
from bmnode.archive.association import Caller
from bmnode.clock import SystemClock
from bmnode.delivery.policy import RetryPolicy
from bmnode.delivery.sender import CStoreSender
from bmnode.dicomweb import WebSessions
from bmnode.domain.peers import Peer
from bmnode.domain.records import JobRecord, StoredInstance, StudyRecord
from bmnode.priors.asking import ArchiveQuestion, Find
from bmnode.priors.handover import PriorInput, read_prior_input
from bmnode.priors.reading import Site
from bmnode.scp.receiver import Receiver
from bmnode.selection.rules import RouteRule
from bmnode.storage import AuditTrail, Jobs, Studies
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.commitment import FakeCommitment
from bmnode.testing.engine import InMemoryEngine
from bmnode.testing.orthanc import OrthancPeer
from bmnode.testing.ports import LOOPBACK
from bmnode.testing.runner import InProcessRunner, fake_computation
from bmnode.testing.sender import FakeSender
from bmnode.work.engine import FlowName, FlowRequest
from bmnode.work.finding import PriorOptions
from bmnode.work.handlers import WorkParts
from bmnode.work.prior_getting import ReceivedByGet, study_getter
from bmnode.work.prior_places import Mover, MovingArchive
from bmnode.work.rejecting import StudyRejection
from bmnode.work.requests import study_request
from bmnode.work.running import RunOptions
from bmnode.work.selecting import RuleSelector
from tests.support.acceptor import ReceivingNode, after_quiet
from tests.support.objects import StudyMaker

NODE = "BMNODE"
CLOCK = SystemClock()
SITE = Site(zone=UTC)
LIMITS = ArchiveLimits(connect_s=2.0, answer_s=1.0, total_s=3.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """A bone scan of one small image: what the look-alikes differ in."""

    name: str
    date: str
    patient: str = "4711"
    issuer: str = "HOSPITAL"
    tracer: str = "MDP"
    body_part: str = "WHOLEBODY"

    def write(self, folder: Path) -> tuple[Path, str]:
        """(file, Study Instance UID)."""
        maker = StudyMaker(directory=folder / self.name, seed=f"{folder} {self.name}", study_date=self.date)
        path = maker.nm()
        image = dcmread(path)
        image.PatientID, image.IssuerOfPatientID = self.patient, self.issuer
        image.ImageType, image.BodyPartExamined = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"], self.body_part
        agent = Dataset()
        agent.Radiopharmaceutical = self.tracer
        image.RadiopharmaceuticalInformationSequence = [agent]
        image.SeriesDescription = "BONE SCAN"
        image.save_as(path)
        return path, maker.study_uid


CURRENT = Scan(name="current", date="20260115")
PRIOR = Scan(name="prior", date="20250915")
LOOK_ALIKES = (
    Scan(name="other tracer", date="20251215", tracer="FDG"),
    Scan(name="other issuer", date="20251201", issuer="CLINIC"),
    Scan(name="other part", date="20251110", body_part="HEAD"),
    Scan(name="too old", date="20231010"),
    Scan(name="same day", date="20260115"),
)
LOWER_PART = Scan(name="current", date="20260115", body_part="PELVIS")


@dataclass(frozen=True, kw_only=True, slots=True)
class NodesClock:
    """The day and hour of the receiving node, which stand still, and waits that are real."""

    node: ReceivingNode

    def now(self) -> datetime:
        return self.node.clock.now()

    def monotonic_s(self) -> float:
        return CLOCK.monotonic_s()

    def sleep_s(self, seconds: float) -> None:
        CLOCK.sleep_s(seconds)


@dataclass(kw_only=True)
class Hospital:
    """A node that receives for itself, an archive, and what becomes of a study sent to the node."""

    node: ReceivingNode
    archive: EmbeddedArchive | OrthancPeer
    folder: Path
    wait_s: float = 300.0
    way: str = "move"
    """`move`, `get`, or `web` for DICOMweb."""
    engine: InMemoryEngine = field(init=False)

    def __post_init__(self) -> None:
        clock = NodesClock(node=self.node)
        self.engine = InMemoryEngine(clock=clock)
        caller = Caller(ae_title=NODE, clock=clock, limits=LIMITS)
        self.runner = InProcessRunner(computation=fake_computation(self.folder))
        receiver = Receiver(self.node.spool, database=self.node.database, clock=clock, due_at=after_quiet)
        web = WebCaller(sessions=WebSessions(), clock=clock, limits=LIMITS)
        peer = self.archive.as_peer()
        if self.way == "web":
            peer = replace(peer, dicomweb_url=f"{peer.rest_url}/dicom-web")
        movers: dict[str, Mover] = {
            "move": StudyMover(caller),
            "get": study_getter(caller, receiver=receiver),
            "web": WadoGetter(caller=web, keep=ReceivedByGet(receiver=receiver)),
        }
        find: Find = QidoFinder(caller=web) if self.way == "web" else FindScu(caller=caller)
        place = MovingArchive(
            question=ArchiveQuestion(find=find, peer=peer, site=SITE),
            mover=movers[self.way],
            database=self.node.database,
            clock=clock,
        )
        rule = RouteRule(name="all", pipeline="assesses", destinations=("pacs",))
        self.parts = WorkParts(
            database=self.node.database,
            engine=self.engine,
            runner=self.runner,
            sender=FakeSender(),
            select=RuleSelector(rules=(rule,)),
            locate=self.locate,
            peers=lambda name: Peer(name=name, ae_title="PACS", host=LOOPBACK, port=104),
            clock=clock,
            run_options=RunOptions(results_dir=self.folder / "results"),
            retry_policy=RetryPolicy(),
            commitment=FakeCommitment(),
            priors=PriorOptions(site=SITE, archives=lambda: (place,), wait_s=self.wait_s, most_fetched=6),
        )

    def locate(self, instance: StoredInstance) -> Path:
        return self.node.spool.path(instance.study_uid, instance.sop_instance_uid)

    def archive_holds(self, scans: Sequence[Scan]) -> dict[str, str]:
        """Study Instance UIDs by name, once the archive has the scans."""
        written = {scan.name: scan.write(self.folder) for scan in scans}
        paths = [path for path, _ in written.values()]
        assert all(item.accepted for item in CStoreSender("SCANNER", clock=CLOCK).send(self.archive.as_peer(), paths))
        return {name: uid for name, (_, uid) in written.items()}

    def send(self, scan: Scan) -> str:
        """Send a scan to the node; its Study Instance UID."""
        path, study_uid = scan.write(self.folder)
        own = Peer(name="node", ae_title=NODE, host=LOOPBACK, port=self.node.port)
        assert all(item.accepted for item in CStoreSender("SCANNER", clock=CLOCK).send(own, [path]))
        self.node.settle()
        return study_uid

    def select(self, study_uid: str) -> StudyRecord:
        """The study is complete: have it selected."""
        study = self.study(study_uid)
        self.do(study_request(study))
        return self.study(study_uid)

    def do(self, request: FlowRequest) -> None:
        asyncio.run(self.parts.handlers()[request.flow].handle(request.subject))
        self.engine.cancel(request.key)

    def do_next(self, flow: FlowName) -> None:
        """Run the flow of this kind that was asked for."""
        (request,) = self.asked(flow)
        self.do(request)

    def reject(self, study_uid: str) -> None:
        """An administrator deletes a study."""
        StudyRejection(
            database=self.node.database, spool=self.node.spool, results_dir=self.folder / "results", clock=CLOCK
        ).reject(study_uid, actor="administrator")

    def asked(self, flow: FlowName) -> list[FlowRequest]:
        return [item for item in self.engine.requests() if item.flow is flow]

    def study(self, study_uid: str) -> StudyRecord:
        with self.node.database.read() as connection:
            return Studies(connection).get(study_uid)

    def job(self, study_uid: str) -> JobRecord:
        with self.node.database.read() as connection:
            (job,) = Jobs(connection).of_study(study_uid)
        return job

    def told(self) -> PriorInput:
        """What the last run was told."""
        folder = self.runner.requests[-1].priors_dir
        assert folder is not None
        return read_prior_input(folder)

    def audited(self, event: str) -> list[str]:
        """Outcomes of an event."""
        with self.node.database.read() as connection:
            return [entry.outcome for entry in AuditTrail(connection).entries() if entry.event == event]
