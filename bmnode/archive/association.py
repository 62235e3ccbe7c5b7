"""An association with an archive, and how long it may take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext

from bmnode.clock import Clock
from bmnode.domain.peers import Peer, check_ae_title
from bmnode.errors import PeerRefusedError, PeerUnreachableError
from bmnode.reactor_gate import hold_while_waiting
from bmnode.tls import TlsFiles, call_by_tls

_SHORTEST_WAIT_S = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveLimits:
    """How long to wait for what, in seconds. Raises ValueError where a limit is not positive.

    Args:
        connect_s: for the connection, and as long again for the answer to the association request.
        answer_s: for the next message of an answer.
        total_s: for a whole request, however many messages it has.
    """

    connect_s: float = 10.0
    answer_s: float = 60.0
    total_s: float = 600.0

    def __post_init__(self) -> None:
        if min(self.connect_s, self.answer_s, self.total_s) <= 0:
            raise ValueError("the limits of a request are positive")


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks, by which clock.

    Args:
        ae_title: the node's, which the archive must know. Raises ValueError where it is none.
        clock: measures `ArchiveLimits.total_s`.
        limits: how long to wait.
        tls: the node's certificate, for peers that are called by TLS.
    """

    ae_title: str
    clock: Clock
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    tls: TlsFiles | None = None

    def __post_init__(self) -> None:
        check_ae_title(self.ae_title)

    @contextmanager
    def associate(
        self,
        peer: Peer,
        contexts: Sequence[PresentationContext],
        *,
        roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
        handlers: Sequence[evt.EventHandlerType] = (),
    ) -> Iterator[Association]:
        """An association in which the first context was accepted; released afterwards, aborted where that fails.

        Raises PeerUnreachableError without one, PeerRefusedError where the service is refused.
        """
        ae = AE(ae_title=self.ae_title)
        ae.connection_timeout = ae.acse_timeout = self.limits.connect_s
        ae.dimse_timeout = ae.network_timeout = self.limits.answer_s
        association = ae.associate(
            peer.host,
            peer.port,
            contexts=list(contexts),
            ae_title=peer.ae_title,
            ext_neg=list(roles) or None,
            evt_handlers=list(handlers),
            tls_args=call_by_tls(peer, self.tls),
        )
        wanted = str(contexts[0].abstract_syntax)
        accepted = {str(item.abstract_syntax) for item in association.accepted_contexts}
        if not association.is_established and not association.rejected_contexts:
            raise PeerUnreachableError(f"no association with peer {peer.name}: check host, port and AE titles")
        try:
            if wanted not in accepted:
                raise PeerRefusedError(f"peer {peer.name} does not offer {UID(wanted).name}")
            hold_while_waiting(association)
            yield association
        finally:
            if association.is_established:
                association.release()

    def deadline_s(self) -> float:
        """When a request that begins now must have ended, by the clock's monotonic time."""
        return self.clock.monotonic_s() + self.limits.total_s

    def allow(self, association: Association, *, deadline_s: float) -> None:
        """Let the next message take as long as it may, before it is waited for."""
        left_s = deadline_s - self.clock.monotonic_s()
        association.dimse_timeout = max(min(self.limits.answer_s, left_s), _SHORTEST_WAIT_S)
