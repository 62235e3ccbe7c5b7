"""Who may send: what is asked of a caller before its association is accepted."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bmnode.domain.peers import check_ae_title

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Admission(StrEnum):
    """Whose associations are considered."""

    ANY = "any"
    LOCAL = "local"
    """Configured peers from anywhere, everybody from the machine itself."""
    CONFIGURED = "configured"


class Rejection(StrEnum):
    """Why an association is rejected, as the audit trail says it."""

    CALLED_AE_UNKNOWN = "called_ae_unknown"
    CALLING_AE_UNKNOWN = "calling_ae_unknown"
    ADDRESS_NOT_OF_PEER = "address_not_of_peer"
    TLS_REQUIRED = "tls_required"
    CERTIFICATE_NOT_OF_PEER = "certificate_not_of_peer"
    TOO_MANY_ASSOCIATIONS = "too_many_associations"
    TOO_MANY_OF_PEER = "too_many_of_peer"


REJECTION_CODES: Mapping[Rejection, tuple[int, int, int]] = {
    Rejection.CALLED_AE_UNKNOWN: (1, 1, 7),
    Rejection.CALLING_AE_UNKNOWN: (1, 1, 3),
    Rejection.ADDRESS_NOT_OF_PEER: (1, 1, 3),
    Rejection.TLS_REQUIRED: (1, 1, 3),
    Rejection.CERTIFICATE_NOT_OF_PEER: (1, 1, 3),
    Rejection.TOO_MANY_ASSOCIATIONS: (2, 3, 1),
    Rejection.TOO_MANY_OF_PEER: (2, 3, 2),
}
"""(result, source, reason) of PS3.8 Table 9-21. What a stranger is told does not say what would have let it in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks for an association, as far as its word, its address and its certificate tell."""

    calling_ae: str
    called_ae: str
    address: str
    certificate_names: frozenset[str] | None = None
    """Names in the certificate that it showed, in lower case; None: it came in clear text."""

    @classmethod
    def from_request(cls, request: bytes, *, address: str) -> Caller:
        """Who sent an A-ASSOCIATE-RQ in clear text; its first 42 bytes will do (PS3.8 Table 9-11)."""
        return cls(calling_ae=_title(request[26:42]), called_ae=_title(request[10:26]), address=address)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return _address(self.address).is_loopback


@dataclass(frozen=True, kw_only=True, slots=True)
class PeerRule:
    """What is asked of a configured peer when it calls. Raises ValueError where a part cannot be used."""

    ae_title: str
    networks: tuple[Network, ...] = ()
    """Where it may call from; empty: anywhere."""
    tls: bool = False
    """Whether it must come over TLS."""
    certificate_name: str | None = None
    """The name that its certificate must carry; None: any certificate of a trusted authority."""

    def __post_init__(self) -> None:
        check_ae_title(self.ae_title)

    def objection(self, caller: Caller) -> Rejection | None:
        """Why this caller is not this peer; None: it may be."""
        address = _address(caller.address)
        if self.networks and not any(address in network for network in self.networks):
            return Rejection.ADDRESS_NOT_OF_PEER
        if self.tls and caller.certificate_names is None:
            return Rejection.TLS_REQUIRED
        wanted, shown = self.certificate_name, caller.certificate_names
        if wanted is not None and shown is not None and wanted.lower() not in shown:
            return Rejection.CERTIFICATE_NOT_OF_PEER
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Whom the acceptor lets in. Raises ValueError where a limit cannot be used."""

    admission: Admission = Admission.LOCAL
    peers: tuple[PeerRule, ...] = ()
    called_ae: str | None = None
    """The AE title that must be called; None: any."""
    max_associations: int = 32
    """Established at one time."""
    max_per_peer: int = 16
    """Established at one time by one AE title at one address."""

    def __post_init__(self) -> None:
        if min(self.max_associations, self.max_per_peer) < 1:
            raise ValueError("max_associations and max_per_peer are at least 1")

    def judge(self, caller: Caller, *, others: Sequence[Caller]) -> Rejection | None:
        """Why to reject a caller while others have associations; None: it is welcome."""
        if self.called_ae is not None and caller.called_ae != self.called_ae:
            return Rejection.CALLED_AE_UNKNOWN
        return self._identify(caller) or self._count(caller, others)

    def is_peer(self, caller: Caller) -> bool:
        """Whether a caller is a peer of the configuration, as far as its address and certificate tell."""
        return any(rule.ae_title == caller.calling_ae and rule.objection(caller) is None for rule in self.peers)

    def _identify(self, caller: Caller) -> Rejection | None:
        """A title that is configured must be called from where, and as, one of its peers calls."""
        objections = [rule.objection(caller) for rule in self.peers if rule.ae_title == caller.calling_ae]
        if objections:
            return None if None in objections else objections[0]
        if self.admission is Admission.ANY or (self.admission is Admission.LOCAL and caller.is_local):
            return None
        return Rejection.CALLING_AE_UNKNOWN

    def _count(self, caller: Caller, others: Sequence[Caller]) -> Rejection | None:
        if len(others) >= self.max_associations:
            return Rejection.TOO_MANY_ASSOCIATIONS
        same = sum((other.calling_ae, other.address) == (caller.calling_ae, caller.address) for other in others)
        return Rejection.TOO_MANY_OF_PEER if same >= self.max_per_peer else None


def _title(field: bytes) -> str:
    """An AE title of a request; empty where it is none, so that it is nobody's."""
    try:
        return check_ae_title(field.decode("ascii").strip(" "))
    except ValueError:
        return ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 address that a socket of both families writes as IPv6 is what it is."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
