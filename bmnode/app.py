"""The composition root: settings in, running parts out. Nothing else knows every part."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import structlog

from bmnode.archive import ArchiveLimits, FindScu, QidoFinder, StudyMover, WadoGetter, WebCaller
from bmnode.archive.association import Caller
from bmnode.archive.commit import CommitmentScu
from bmnode.assembly import Assembler, QuietTime
from bmnode.clock import Clock, SystemClock
from bmnode.config import Settings
from bmnode.config.prior_settings import Retrieve
from bmnode.deleting import WORKER, image_retention, study_rejection
from bmnode.delivery.orthanc_rest import OrthancRest
from bmnode.delivery.policy import RetryPolicy
from bmnode.delivery.sender import CStoreSender
from bmnode.delivery.stow import StowSender
from bmnode.delivery.ways import WaySender
from bmnode.dicomweb import WebSessions
from bmnode.domain.peers import Peer, SendBy
from bmnode.domain.records import JobRecord, StudyRecord
from bmnode.models.choice import chosen_models
from bmnode.observe.audit_messages import AuditSource
from bmnode.observe.references import study_ref
from bmnode.priors.asking import ArchiveQuestion, Find
from bmnode.priors.comparable import PriorRule
from bmnode.priors.reading import Site
from bmnode.reload import LiveSettings
from bmnode.run.child import model_arguments
from bmnode.run.child_runner import LocalChildRunner, RunLimits
from bmnode.run.process import ChildOptions
from bmnode.scp.options import AcceptorOptions
from bmnode.scp.policy import Admission, PeerRule, Policy
from bmnode.scp.porch import PorchLimits
from bmnode.scp.receiver import Receiver
from bmnode.scp.security import Security, TlsListening
from bmnode.scp.server import Acceptor
from bmnode.selection.rules import RouteRule
from bmnode.spool import Spool, replay
from bmnode.storage import Database
from bmnode.trail.exporter import AuditExporter, Place
from bmnode.trail.file import AuditFile
from bmnode.trail.syslog import SyslogServer
from bmnode.work.client import EngineClient
from bmnode.work.finding import PriorOptions
from bmnode.work.flows import DbosEngine
from bmnode.work.handlers import WorkParts
from bmnode.work.ledger import read_ledger_entry
from bmnode.work.prior_getting import ReceivedByGet, study_getter
from bmnode.work.prior_places import Mover, MovingArchive
from bmnode.work.running import RunOptions
from bmnode.work.selecting import Decision, RuleSelector, Selector
from bmnode.work.worker import Worker

CHILD_MODULE = "bmnode.child"
DEFAULT_PIPELINE = "bone_metastasis"
_MB = 1024 * 1024
_HOUR_S = 3600.0
_MOST_ANSWERS = 10
"""A whole answer of an archive, or a retrieval, may take so many times as long as it may be silent."""

_log = structlog.get_logger(__name__)


# --- parts -----------------------------------------------------------------------------


def open_database(settings: Settings) -> Database:
    """The node's database with this version's schema. Raises StorageError."""
    settings.node.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    database.migrate()
    return database


def results_dir(settings: Settings) -> Path:
    """Where the jobs' folders lie."""
    return settings.results_directory


def _spool(settings: Settings) -> Spool:
    return Spool(settings.spool_directory, min_free_bytes=settings.spool.min_free_mb * _MB)


def _completeness(settings: Settings) -> QuietTime:
    return QuietTime(quiet_s=settings.assembly.quiet_s, ceiling_s=settings.assembly.ceiling_s)


def admission_policy(settings: Settings) -> Policy:
    """Whom the listener lets in."""
    return Policy(
        admission=Admission(settings.receive.accept.value),
        peers=tuple(
            PeerRule(
                ae_title=peer.ae_title,
                networks=tuple(ipaddress.ip_network(address) for address in peer.addresses),
                tls=peer.tls,
                certificate_name=peer.certificate_name,
            )
            for peer in settings.peers.values()
        ),
        called_ae=settings.node.ae_title,
        max_associations=settings.receive.max_associations,
        max_per_peer=settings.receive.max_associations_per_peer,
    )


def _acceptor_options(settings: Settings) -> AcceptorOptions:
    receive = settings.receive
    return AcceptorOptions(
        ae_title=settings.node.ae_title,
        bind=settings.node.bind,
        port=settings.node.port,
        policy=admission_policy(settings),
        security=Security(listening=TlsListening(settings.tls.listen.value), files=settings.tls.files),
        porch=PorchLimits(
            total=receive.max_waiting,
            per_address=receive.max_waiting_per_address,
            request_timeout_s=receive.request_timeout_s,
        ),
        max_pdu_bytes=receive.max_pdu_bytes,
        longest_data_set_bytes=receive.max_instance_mb * _MB,
        dimse_timeout_s=receive.network_timeout_s,
        network_timeout_s=receive.network_timeout_s,
    )


def build_acceptor(settings: Settings, *, database: Database, clock: Clock) -> Acceptor:
    """The DICOM listener, its spool made to agree with the database first."""
    spool, policy = _spool(settings), _completeness(settings)
    study_rejection(settings, database=database, clock=clock).settle()  # first: what was put back is not missing
    report = replay(spool, database=database, clock=clock, due_at=policy.due_at)
    _log.info(
        "spool_replayed",
        adopted=len(report.adopted),
        missing=len(report.missing),
        quarantined=len(report.quarantined),
        temporaries_removed=report.temporaries_removed,
    )
    return Acceptor(_acceptor_options(settings), spool=spool, database=database, clock=clock, quiet=policy.due_at)


def build_runner(settings: Settings, *, log_path: Path, clock: Clock) -> LocalChildRunner:
    """What computes jobs: one warm child process.

    Raises NotFoundError, ConfigError, BundleRefusedError where a model that was chosen cannot be used.
    """
    command = (sys.executable, "-m", CHILD_MODULE, *model_arguments(chosen_models(settings)))
    return LocalChildRunner(
        options=ChildOptions(command=command, log_path=log_path),
        limits=RunLimits(timeout_s=settings.run.timeout_s, jobs_per_child=settings.run.restart_child_after_jobs),
        clock=clock,
    )


def build_worker(live: LiveSettings, *, database: Database, clock: Clock) -> Worker:
    """The working process: flows, child, ticks. Peers and routes are those that hold when they are needed."""
    settings = live.current
    spool = _spool(settings)
    engine = DbosEngine(database, node_id=settings.node.name, clock=clock)
    runner = build_runner(settings, log_path=settings.node.data_dir / "child.log", clock=clock)
    parts = WorkParts(
        database=database,
        engine=engine,
        runner=runner,
        sender=WaySender(
            ways={
                SendBy.C_STORE: CStoreSender(settings.node.ae_title, clock=clock, tls=settings.tls.files),
                SendBy.STOW_RS: StowSender(tls=settings.tls.files),
            }
        ),
        select=_select_by(live),
        locate=lambda instance: spool.path(instance.study_uid, instance.sop_instance_uid),
        peers=live.peer,
        clock=clock,
        run_options=RunOptions(
            results_dir=results_dir(settings),
            max_attempts=settings.run.attempts,
            output=settings.results.output,
        ),
        retry_policy=RetryPolicy(
            first_retry_s=settings.delivery.first_retry_s,
            longest_retry_s=settings.delivery.longest_retry_s,
            give_up_after_s=settings.delivery.give_up_after_h * _HOUR_S,
        ),
        commitment=CommitmentScu(Caller(ae_title=settings.node.ae_title, clock=clock, tls=settings.tls.files)),
        commitment_wait_s=settings.delivery.commitment_wait_s,
        delivered=Labeller(live.peer),
        priors=_prior_options(live, database=database, clock=clock) if settings.priors.look else None,
        read_entry=read_ledger_entry,
    )
    assembler = Assembler(database, policy=_completeness(settings), clock=clock)
    return Worker(
        data_dir=settings.node.data_dir,
        results_dir=results_dir(settings),
        database=database,
        engine=engine,
        handlers=parts.handlers(),
        runner=runner,
        complete_studies=assembler.complete_studies,
        clock=clock,
        settle_rejections=study_rejection(settings, database=database, clock=clock).settle,
        delete_images=lambda: image_retention(live.current, database=database, clock=clock).run(actor=WORKER),
    )


def _prior_options(live: LiveSettings, *, database: Database, clock: Clock) -> PriorOptions:
    """How jobs' priors are looked for: in the archives of the configuration, each as its peer is declared now."""
    settings = live.current
    chosen = settings.priors
    limits = ArchiveLimits(answer_s=chosen.answer_s, total_s=_MOST_ANSWERS * chosen.answer_s)
    caller = Caller(ae_title=settings.node.ae_title, clock=clock, limits=limits, tls=settings.tls.files)
    site = Site(zone=chosen.zone, issuer=chosen.issuer)
    rule = PriorRule(oldest=timedelta(days=chosen.oldest_days))

    receiver = Receiver(_spool(settings), database=database, clock=clock, due_at=_completeness(settings).due_at)
    find: Find = FindScu(caller=caller)
    mover: Mover = StudyMover(caller)
    if chosen.retrieve is Retrieve.GET:
        mover = study_getter(caller, receiver=receiver)
    elif chosen.retrieve is Retrieve.WADO_RS:
        web = WebCaller(sessions=WebSessions(tls=settings.tls.files), clock=clock, limits=limits)
        find = QidoFinder(caller=web)
        mover = WadoGetter(caller=web, keep=ReceivedByGet(receiver=receiver))

    def archives() -> tuple[MovingArchive, ...]:
        peers = [live.current.peers.get(name) and live.peer(name) for name in chosen.archives]
        return tuple(
            MovingArchive(
                question=ArchiveQuestion(find=find, peer=peer, site=site, rule=rule),
                mover=mover,
                database=database,
                clock=clock,
            )
            for peer in peers
            if peer
        )

    return PriorOptions(
        site=site,
        archives=archives,
        rule=rule,
        wait_s=chosen.wait_s,
        search_s=chosen.search_h * _HOUR_S,
        retry_s=chosen.retry_s,
        most_fetched=chosen.most_fetched,
    )


def _select_by(live: LiveSettings) -> Selector:
    def select(study: StudyRecord, files: Sequence[Path]) -> Decision:
        rules = tuple(RouteRule.from_settings(route) for route in live.current.routes)
        return RuleSelector(rules=rules)(study, files)

    return select


def build_exporters(settings: Settings, *, database: Database) -> tuple[AuditExporter, ...]:
    """What takes the audit trail out of the database, one a place."""
    source = AuditSource(node=settings.node.name, ae_title=settings.node.ae_title)
    places: list[Place] = []
    if settings.audit.file is not None:
        places.append(AuditFile(path=settings.audit.file, source=source))
    if settings.audit.syslog_host is not None and settings.tls.files is not None:
        places.append(
            SyslogServer(
                host=settings.audit.syslog_host,
                port=settings.audit.syslog_port,
                files=settings.tls.files,
                source=source,
            )
        )
    return tuple(
        AuditExporter(
            database=database,
            place=place,
            position_file=settings.node.data_dir / f"audit-{place.name}.position",
        )
        for place in places
    )


class Labeller:
    """Marks a study in the Orthanc that its routes name, once that has the results.

    Args:
        peers: a peer by name.
    """

    def __init__(self, peers: Callable[[str], Peer]) -> None:
        self._peers = peers

    def __call__(self, job: JobRecord, destination: str) -> None:
        """After the last object of a job was taken by a destination. Raises DeliveryError, NotFoundError."""
        if destination in job.label_in:
            method = OrthancRest(self._peers(destination)).label_study(job.study_uid)
            _log.info("study_labelled", study_ref=study_ref(job.study_uid), peer=destination, method=method.value)


@contextmanager
def open_client(settings: Settings) -> Iterator[EngineClient]:
    """What the command line asks for work with; it runs none itself."""
    clock = SystemClock()
    database = open_database(settings)
    engine = DbosEngine(database, node_id=settings.node.name, clock=clock)
    try:
        yield EngineClient(engine=engine, clock=clock)
    finally:
        engine.stop(grace_s=0)
        database.dispose()
