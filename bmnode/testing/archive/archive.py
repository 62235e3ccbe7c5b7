"""The archive itself: an application entity on loopback, with its files in one directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from pynetdicom import (
    AE,
    ALL_TRANSFER_SYNTAXES,
    AllStoragePresentationContexts,
    QueryRetrievePresentationContexts,
    StorageCommitmentPresentationContexts,
    VerificationPresentationContexts,
    evt,
)
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.transport import ThreadedAssociationServer

from bmnode.clock import Clock, SystemClock
from bmnode.delivery.sender import send_without_delay
from bmnode.domain.peers import Peer, check_ae_title
from bmnode.testing.archive.commitment import CommitmentRoute
from bmnode.testing.archive.faults import ArchiveFaults, FaultSwitch
from bmnode.testing.archive.handlers import Services
from bmnode.testing.archive.index import ArchiveIndex, IndexedInstance
from bmnode.testing.archive.keep import Shelf
from bmnode.testing.archive.web import WebService
from bmnode.testing.ports import LOOPBACK

_MODELS = ("1.2.840.10008.5.1.4.1.2.1.", "1.2.840.10008.5.1.4.1.2.2.")  # Patient Root, Study Root: PS3.4 C.6
_SERVICES = (
    *(item for item in QueryRetrievePresentationContexts if str(item.abstract_syntax).startswith(_MODELS)),
    *StorageCommitmentPresentationContexts,
    *VerificationPresentationContexts,
)
_REPORT_DEADLINE_S = 10.0
_IDLE_LIMIT_S = 60.0


class EmbeddedArchive:
    """A small PACS in this process, for the demo and for tests; a context manager.

    Every transfer syntax is kept as it came. What the directory holds from before is served again.

    Args:
        directory: where the files go; created if need be.
        ae_title: its own AE title; any called title is accepted.
        port: 0 for a free one, see `port`.
        known_peers: destinations of C-MOVE and receivers of commitment reports.
        commitment_route: which association carries commitment reports.
        clock: waits out the injected delays.
    """

    def __init__(
        self,
        directory: Path,
        *,
        ae_title: str,
        port: int = 0,
        known_peers: Iterable[Peer] = (),
        commitment_route: CommitmentRoute = CommitmentRoute.NEW_ASSOCIATION,
        clock: Clock | None = None,
    ) -> None:
        self._ae = _application_entity(check_ae_title(ae_title))
        self._wanted_port = port
        self._server: ThreadedAssociationServer | None = None
        self._faults = FaultSwitch()
        self._association_count = 0
        self._store_count = 0
        self._web: WebService | None = None
        self._services = Services(
            directory=directory,
            ae=self._ae,
            index=ArchiveIndex(),
            peers={peer.ae_title: peer for peer in known_peers},
            faults=self._faults,
            clock=clock or SystemClock(),
            commitment_route=commitment_route,
        )

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Index what the directory holds and listen. Raises OSError where the port is taken."""
        directory = self._services.directory
        directory.mkdir(parents=True, exist_ok=True)
        for path in sorted(directory.glob("*.dcm")):
            self._services.index.add(IndexedInstance.from_file(path))
        handlers = [
            *self._services.handlers(),
            (evt.EVT_CONN_OPEN, send_without_delay),
            (evt.EVT_ACCEPTED, self._count),
            (evt.EVT_DIMSE_RECV, self._count_store),
        ]
        self._server = self._ae.start_server((LOOPBACK, self._wanted_port), block=False, evt_handlers=handlers)

    def stop(self) -> None:
        """Stop listening and end the associations; the files stay."""
        if self._web is not None:
            self._web.close()
            self._web = None
        if self._server is None:
            return
        for reporter in self._services.reporters:
            reporter.join(timeout=_REPORT_DEADLINE_S)
        self._server.shutdown()
        self._server = None

    @property
    def ae_title(self) -> str:
        """Its AE title."""
        return self._ae.ae_title

    @property
    def port(self) -> int:
        """The port that it listens on. Raises RuntimeError before `start`."""
        if self._server is None or self._server.socket is None:
            raise RuntimeError("the archive is not started")
        return int(self._server.socket.getsockname()[1])

    @property
    def dicomweb_url(self) -> str:
        """The root of its DICOMweb, which takes STOW-RS and is served from the first time that it is asked for."""
        if self._web is None:
            self._web = WebService(Shelf(directory=self._services.directory, index=self._services.index))
        return self._web.url

    def as_peer(self, name: str = "archive") -> Peer:
        """How a node declares this archive."""
        return Peer(name=name, ae_title=self.ae_title, host=LOOPBACK, port=self.port)

    def add_peer(self, peer: Peer) -> None:
        """Make an application entity known, e.g. one whose port was not known before it started."""
        self._services.peers[peer.ae_title] = peer

    def inject(self, faults: ArchiveFaults) -> None:
        """Put faults in force instead of those before; `ArchiveFaults()` heals."""
        self._faults.set(faults)

    def instances(self) -> tuple[IndexedInstance, ...]:
        """What it holds, in the order of arrival."""
        return self._services.index.all()

    @property
    def association_count(self) -> int:
        """How many associations it has accepted since it was made."""
        return self._association_count

    @property
    def store_count(self) -> int:
        """How many C-STORE requests it has had since it was made, those for what it held already included."""
        return self._store_count

    def _count(self, _event: evt.Event) -> None:
        self._association_count += 1

    def _count_store(self, event: evt.Event) -> None:
        self._store_count += isinstance(event.message, C_STORE_RQ)

    def wait_for(
        self, condition: Callable[[tuple[IndexedInstance, ...]], bool], *, timeout_s: float
    ) -> tuple[IndexedInstance, ...]:
        """Block until what it holds fulfils the condition. Raises TimeoutError after `timeout_s` seconds."""
        return self._services.index.wait_for(condition, timeout_s=timeout_s)


def _application_entity(ae_title: str) -> AE:
    ae = AE(ae_title=ae_title)
    ae.network_timeout = _IDLE_LIMIT_S
    ae.maximum_associations = 50
    for context in AllStoragePresentationContexts:
        # Both roles, so that a C-GET requester may take the SCP's (PS3.4 C.5.3).
        ae.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES, scu_role=True, scp_role=True)
    for context in _SERVICES:
        ae.add_supported_context(str(context.abstract_syntax))
    return ae
