"""The acceptor: starts and stops the DICOM listener."""

from __future__ import annotations

import threading

import structlog
from pydicom.uid import UID
from pynetdicom import AE

from bmnode.clock import Clock
from bmnode.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from bmnode.scp.contexts import supported_contexts
from bmnode.scp.handlers import Handlers
from bmnode.scp.intake import Intake
from bmnode.scp.options import AcceptorOptions
from bmnode.scp.policy import Policy
from bmnode.scp.receiver import Receiver
from bmnode.scp.transport import AcceptorServer, Doors
from bmnode.spool import DueAt, Spool
from bmnode.storage import Database

_POLL_S = 0.1
"""How often the listener looks whether it is to stop."""
_AFTER_ABORT_S = 2.0
"""How long an aborted association may take to end its thread."""
_NO_LIMIT = 1_000_000
"""Ours is the limit, by associations; pynetdicom counts connections that say nothing as well."""
_LOG = structlog.get_logger(__name__)


class Acceptor:
    """Listens for associations and keeps what is stored over them.

    Args:
        options: where to listen and whom to let in.
        spool: where files go; replay it before the start.
        database: where rows go.
        clock: dates rows and measures waiting.
        quiet: when a study is to be judged after an image; `CompletenessPolicy.due_at` of `bmnode.assembly`.
    """

    def __init__(
        self, options: AcceptorOptions, *, spool: Spool, database: Database, clock: Clock, quiet: DueAt
    ) -> None:
        self._options = options
        self._clock = clock
        receiver = Receiver(
            spool, database=database, clock=clock, due_at=quiet, longest_bytes=options.longest_data_set_bytes
        )
        self._intake = Intake(receiver, spool=spool, database=database, clock=clock, options=options.journal)
        self._handlers = Handlers(options.policy, receiver=self._intake, database=database, clock=clock)
        self._server: AcceptorServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that is listened on. Raises RuntimeError before the start."""
        if self._server is None:
            raise RuntimeError("the acceptor was not started")
        return int(self._server.server_address[1])

    def start(self) -> None:
        """File what the journal left, then listen.

        Raises OSError where the address cannot be bound, ConfigError where a certificate cannot be used,
        RuntimeError where it runs already, and as `bmnode.spool.replay` where the journal cannot be filed.
        """
        if self._server is not None:
            raise RuntimeError("the acceptor runs already")
        server = AcceptorServer(
            _application_entity(self._options),
            (self._options.bind, self._options.port),
            self._options.ae_title,
            supported_contexts(),
            evt_handlers=self._handlers.table(),
            clock=self._clock,
            store=self._handlers,
            doors=self._doors(),
        )
        try:
            self._intake.start()
        except BaseException:
            server.server_close()
            raise
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": _POLL_S}, name="bmnode-acceptor", daemon=True
        )
        thread.start()
        self._handlers.late_audit.start()
        self._handlers.refusals.start()
        self._server, self._thread = server, thread
        _LOG.info("acceptor_started", ae_title=self._options.ae_title, bind=self._options.bind, port=self.port)

    def reconfigure(self, policy: Policy) -> None:
        """Let others in from the next association on; those that there are stay."""
        self._handlers.policy = policy

    def stop(self, grace_s: float = 10.0) -> None:
        """Let nobody in any more, wait for associations to end, then abort those that remain. Harmless twice.

        What was acknowledged is kept either way; an instance that is being received when its
        association is aborted was not acknowledged, and its sender tries again.
        """
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = self._thread = None
        server.shutdown()
        thread.join()
        deadline = self._clock.monotonic_s() + grace_s
        for association in server.active_associations:
            association.join(max(0.0, deadline - self._clock.monotonic_s()))
        aborted = server.active_associations
        for association in aborted:
            association.abort()
            association.join(_AFTER_ABORT_S)
        self._handlers.refusals.stop()
        self._handlers.late_audit.stop()
        is_filed = self._intake.stop(max(grace_s, _AFTER_ABORT_S))
        _LOG.info("acceptor_stopped", aborted=len(aborted), journal_filed=is_filed)

    def settle(self, timeout_s: float) -> bool:
        """Wait until everything that was acknowledged has its file and its row, and what was told is in the audit
        trail; whether it is so."""
        return self._intake.settle(timeout_s) and self._handlers.late_audit.settle(timeout_s)

    def _doors(self) -> Doors:
        return Doors(
            max_associations=lambda: self._handlers.policy.max_associations,
            judge=self._handlers.judge,
            limits=self._options.porch,
            security=self._options.security,
            refused=self._handlers.refusals.add_later,
        )


def _application_entity(options: AcceptorOptions) -> AE:
    ae = AE(ae_title=options.ae_title)
    ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_pdu_size = options.max_pdu_bytes
    ae.acse_timeout = options.acse_timeout_s
    ae.dimse_timeout = options.dimse_timeout_s
    ae.network_timeout = options.network_timeout_s
    ae.maximum_associations = _NO_LIMIT
    return ae
