"""How the acceptor listens, and whom it lets in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bmnode.domain.peers import check_ae_title


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptorOptions:
    """The acceptor's settings. Raises ValueError where one cannot be used."""

    ae_title: str
    bind: str = "0.0.0.0"  # noqa: S104 - a PACS calls from another machine; `[node] bind` narrows it
    port: int = 0
    """0: any free port; `Acceptor.port` tells which."""
    known_peers: frozenset[str] | None = None
    """Calling AE titles that are let in; None: everybody."""
    check_called_ae: bool = True
    """Whether a sender that calls another AE title is turned away."""
    max_associations: int = 32
    """Established at one time; more are rejected with the request to try again."""
    max_pdu_bytes: int = 131_072
    """Largest PDU that is announced."""
    acse_timeout_s: float = 10.0
    """From the connection to the A-ASSOCIATE request."""
    dimse_timeout_s: float = 60.0
    network_timeout_s: float = 60.0
    """Longest silence, and longest time for one whole PDU."""

    def __post_init__(self) -> None:
        check_ae_title(self.ae_title)
        for title in self.known_peers or ():
            check_ae_title(title)
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port} is not between 0 and 65535")
        if self.max_associations < 1:
            raise ValueError("max_associations is at least 1")
        if not 4096 <= self.max_pdu_bytes <= 16_777_216:
            raise ValueError("max_pdu_bytes is between 4096 and 16777216")
        if min(self.acse_timeout_s, self.dimse_timeout_s, self.network_timeout_s) <= 0:
            raise ValueError("time-outs are positive")


class Rejection(Enum):
    """Why an association is rejected: (result, source, reason) of PS3.8 Table 9-21."""

    CALLING_AE_UNKNOWN = (1, 1, 3)
    CALLED_AE_UNKNOWN = (1, 1, 7)
    TOO_MANY_ASSOCIATIONS = (2, 3, 1)


def judge_association(options: AcceptorOptions, *, calling_ae: str, called_ae: str, others: int) -> Rejection | None:
    """Whether to reject an association, while `others` are established. None: it is welcome."""
    if options.check_called_ae and called_ae != options.ae_title:
        return Rejection.CALLED_AE_UNKNOWN
    if options.known_peers is not None and calling_ae not in options.known_peers:
        return Rejection.CALLING_AE_UNKNOWN
    if others >= options.max_associations:
        return Rejection.TOO_MANY_ASSOCIATIONS
    return None
