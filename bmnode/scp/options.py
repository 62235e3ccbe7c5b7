"""How the acceptor listens."""

from __future__ import annotations

from dataclasses import dataclass, field

from bmnode.domain.peers import check_ae_title
from bmnode.scp.policy import Policy
from bmnode.scp.porch import PorchLimits
from bmnode.scp.security import Security
from bmnode.spool.incoming import LONGEST_DATA_SET
from bmnode.spool.journal import JournalOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptorOptions:
    """The acceptor's settings. Raises ValueError where one cannot be used."""

    ae_title: str
    bind: str = "0.0.0.0"  # noqa: S104 - a PACS calls from another machine; `[node] bind` narrows it
    port: int = 0
    """0: any free port; `Acceptor.port` tells which."""
    policy: Policy = field(default_factory=Policy)
    """Whom to let in; `Acceptor.reconfigure` takes another."""
    security: Security = field(default_factory=Security)
    """Whether and how associations are encrypted."""
    porch: PorchLimits = field(default_factory=PorchLimits)
    """How many may wait, and how long, before they ask for an association."""
    max_pdu_bytes: int = 131_072
    """Largest PDU that is announced."""
    longest_data_set_bytes: int = LONGEST_DATA_SET
    """What is longer never ends: its association is aborted."""
    acse_timeout_s: float = 30.0
    """For negotiating an association whose request is there already: a busy machine, not the peer, takes it."""
    dimse_timeout_s: float = 60.0
    network_timeout_s: float = 60.0
    """Longest silence, and longest time for one whole PDU."""
    journal: JournalOptions | None = field(default_factory=JournalOptions)
    """Where instances are durable before they have their files; None: each gets its file and its row at once."""

    def __post_init__(self) -> None:
        check_ae_title(self.ae_title)
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port} is not between 0 and 65535")
        if not 4096 <= self.max_pdu_bytes <= 16_777_216:
            raise ValueError("max_pdu_bytes is between 4096 and 16777216")
        if self.longest_data_set_bytes < 1:
            raise ValueError("longest_data_set_bytes is positive")
        if min(self.acse_timeout_s, self.dimse_timeout_s, self.network_timeout_s) <= 0:
            raise ValueError("time-outs are positive")
