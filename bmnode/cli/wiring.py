"""What the commands reach outside the database: the engine, peers, the pipeline. Loaded at first use.

Commands get it with their session, so a test gives them another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bmnode.clock import Clock, SystemClock

if TYPE_CHECKING:
    import sqlalchemy as sa

    from bmnode.config import Settings
    from bmnode.delivery.orthanc_rest import OrthancHealth
    from bmnode.delivery.sender import EchoResult
    from bmnode.domain.models import SidesReport
    from bmnode.domain.peers import Peer
    from bmnode.domain.pipelines import ReportProgress
    from bmnode.domain.records import JobRecord
    from bmnode.storage import Database
    from bmnode.work.ledger_sources import ReportSource


_ECHO_S = 10.0
"""[P] For each answer to a C-ECHO, which a person waits for: a peer that has nothing else to do answers at once."""
_MOVE_S = 600.0
"""For a C-MOVE that a person waits for: a PACS may say nothing while it fetches a study from its archive."""


class WorkClient(Protocol):
    """How the command line asks the node's engine for work, in the transaction that changes the rows."""

    def enqueue_job(self, job: JobRecord, *, connection: sa.Connection) -> None:
        """Run a queued job, once more where it ran before."""
        ...

    def enqueue_delivery(self, job_id: str, destination: str, *, connection: sa.Connection) -> None:
        """Send what a job still owes to a destination, now."""
        ...

    def select_study(self, study_uid: str, *, connection: sa.Connection) -> None:
        """Classify a complete study again and create its jobs by the routes of today."""
        ...

    def seek_prior(self, job: JobRecord, *, connection: sa.Connection) -> None:
        """Look for what a job is compared with, now."""
        ...

    def cancel_job(self, job_id: str) -> None:
        """Stop the run of a job whose row says cancelled. Not in an open transaction."""
        ...


class FolderReport(Protocol):
    """What came of one study from a folder."""

    @property
    def outcome(self) -> str:
        """`assessed` or `not_assessable`."""
        ...

    @property
    def branch(self) -> str | None:
        """The branch that it took."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it is not assessable."""
        ...

    @property
    def objects(self) -> tuple[Path, ...]:
        """The result objects, DICOM files."""
        ...

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The pictures, PNG files."""
        ...

    @property
    def comparison(self) -> str | None:
        """How it was compared with an earlier study; None where it was not."""
        ...

    @property
    def priors(self) -> tuple[str, ...]:
        """Sentences on the earlier studies that were given."""
        ...


class Echo(Protocol):
    """C-ECHO, and what a peer would take."""

    def echo(self, peer: Peer) -> EchoResult:
        """Raises PeerUnreachableError, PeerRefusedError."""
        ...

    def refused_classes(self, peer: Peer, sop_class_uids: Sequence[str]) -> tuple[str, ...]:
        """Of these, those that it does not accept; nothing is sent. Raises PeerUnreachableError."""
        ...


class Mover(Protocol):
    """C-MOVE of a study to this node."""

    def move(self, peer: Peer, study_uid: str) -> int:
        """The number of instances that were sent. Raises PeerUnreachableError, PeerRefusedError, NotFoundError."""
        ...


class Rest(Protocol):
    """An Orthanc's REST interface."""

    def health(self) -> OrthancHealth:
        """Raises PeerUnreachableError, PeerRefusedError."""
        ...

    def send_study(self, study_uid: str, *, to_ae_title: str) -> int:
        """The number of instances that it sends. Raises NotFoundError too."""
        ...


class RunFolder(Protocol):
    """One study from a folder, without network."""

    def __call__(
        self,
        settings: Settings,
        input_dir: Path,
        out_dir: Path,
        report: ReportProgress,
        *,
        prior_dir: Path | None = None,
    ) -> FolderReport:
        """Assess it, compared with the earlier studies of `prior_dir`, and write the results to `out_dir`."""
        ...


class CheckSides(Protocol):
    """Whether a bundle knows left from right and head from feet."""

    def __call__(self, folder: Path, *, cache_dir: Path) -> SidesReport:
        """On a simulated patient. Raises BundleRefusedError, ConfigError."""
        ...


def _open_client(settings: Settings) -> AbstractContextManager[WorkClient]:
    from bmnode.app import open_client

    return open_client(settings)


def _run_folder(
    settings: Settings, input_dir: Path, out_dir: Path, report: ReportProgress, *, prior_dir: Path | None = None
) -> FolderReport:
    from bmnode.folder_run import run_folder

    return run_folder(settings, input_dir, out_dir, report, prior_dir=prior_dir)


def _echo(settings: Settings, clock: Clock) -> Echo:
    from bmnode.delivery.sender import CStoreSender, SenderTimeouts

    timeouts = SenderTimeouts(connect_s=_ECHO_S, acse_s=_ECHO_S, dimse_s=_ECHO_S, network_s=_ECHO_S)
    return CStoreSender(settings.node.ae_title, clock=clock, timeouts=timeouts, tls=settings.tls.files)


def _mover(settings: Settings) -> Mover:
    from bmnode.archive.association import ArchiveLimits, Caller
    from bmnode.archive.move import StudyMover

    limits = ArchiveLimits(answer_s=_MOVE_S, total_s=_MOVE_S)
    caller = Caller(ae_title=settings.node.ae_title, clock=SystemClock(), limits=limits, tls=settings.tls.files)
    return StudyMover(caller)


def _own_reports(settings: Settings, database: Database) -> ReportSource:
    from bmnode.app import results_dir
    from bmnode.spool.writer import Spool
    from bmnode.work.ledger_sources import OwnReports

    spool = Spool(settings.spool_directory, min_free_bytes=0)
    return OwnReports(
        database=database,
        locate=lambda instance: spool.path(instance.study_uid, instance.sop_instance_uid),
        results_dir=results_dir(settings),
    )


def _archive_reports(settings: Settings, peer: Peer) -> ReportSource:
    from bmnode.archive import ArchiveLimits, WebCaller
    from bmnode.archive.association import Caller
    from bmnode.config.prior_settings import Retrieve
    from bmnode.dicomweb import WebSessions
    from bmnode.work.ledger_sources import ArchiveReports

    limits = ArchiveLimits(answer_s=settings.priors.answer_s, total_s=_MOVE_S)
    if settings.priors.retrieve is Retrieve.WADO_RS and peer.dicomweb_url is not None:
        web = WebCaller(sessions=WebSessions(tls=settings.tls.files), clock=SystemClock(), limits=limits)
        return ArchiveReports(peer=peer, caller=web)
    caller = Caller(ae_title=settings.node.ae_title, clock=SystemClock(), limits=limits, tls=settings.tls.files)
    return ArchiveReports(peer=peer, caller=caller)


def _rest(peer: Peer) -> Rest:
    from bmnode.delivery.orthanc_rest import OrthancRest

    return OrthancRest(peer)


def _check_sides(folder: Path, *, cache_dir: Path) -> SidesReport:
    from bmnode.cli.tools import load_tool

    check: CheckSides = load_tool("model-verify", extra="inference,simulation")
    return check(folder, cache_dir=cache_dir)


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The outside, as the commands see it."""

    clock: Clock = field(default_factory=SystemClock)
    open_client: Callable[[Settings], AbstractContextManager[WorkClient]] = _open_client
    run_folder: RunFolder = _run_folder
    check_sides: CheckSides = _check_sides
    echo: Callable[[Settings, Clock], Echo] = _echo
    mover: Callable[[Settings], Mover] = _mover
    rest: Callable[[Peer], Rest] = _rest
    own_reports: Callable[[Settings, Database], ReportSource] = _own_reports
    archive_reports: Callable[[Settings, Peer], ReportSource] = _archive_reports
