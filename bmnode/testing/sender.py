"""A sender without a network: peers that take, refuse or do not answer, as they are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bmnode.delivery.sender import EchoResult, SendOutcome, SendResult
from bmnode.domain.peers import Peer
from bmnode.errors import PeerUnreachableError

OUT_OF_RESOURCES = 0xA700
REFUSED = 0xC000
COERCED = 0xB000
_OUTCOMES = {0x0000: SendOutcome.ACCEPTED, COERCED: SendOutcome.ACCEPTED_WITH_WARNING}


@dataclass(kw_only=True)
class FakeSender:
    """A `Sender` that keeps what was sent."""

    down: set[str] = field(default_factory=set)
    """Names of the peers that cannot be reached."""
    statuses: dict[tuple[str, str], int] = field(default_factory=dict)
    """C-STORE status by (peer, file name); success where there is none."""
    taken: dict[str, list[bytes]] = field(default_factory=dict)
    """What each peer took, in order."""
    refuses: set[tuple[str, str]] = field(default_factory=set)
    """(peer, part of a path): files for which the peer accepts no presentation context."""
    attempts: list[str] = field(default_factory=list)
    """The peer of each attempt."""

    def echo(self, peer: Peer) -> EchoResult:
        """C-ECHO. Raises PeerUnreachableError where the peer is down."""
        self._reach(peer)
        return EchoResult(peer=peer.name, round_trip_s=0.0)

    def send(self, peer: Peer, paths: Sequence[Path]) -> tuple[SendResult, ...]:
        """C-STORE the files. Raises PeerUnreachableError where the peer is down."""
        self.attempts.append(peer.name)
        self._reach(peer)
        return tuple(self._store(peer, path) for path in paths)

    def takes(self, peer: Peer, paths: Sequence[Path]) -> bool:
        """Whether the peer accepts every file. Raises PeerUnreachableError where the peer is down."""
        self._reach(peer)
        return not any(self._is_refused(peer, path) for path in paths)

    def _is_refused(self, peer: Peer, path: Path) -> bool:
        return any(name == peer.name and part in str(path) for name, part in self.refuses)

    def _reach(self, peer: Peer) -> None:
        if peer.name in self.down:
            raise PeerUnreachableError(f"no association with peer {peer.name}")

    def _store(self, peer: Peer, path: Path) -> SendResult:
        if not path.is_file():
            return SendResult(path=path, outcome=SendOutcome.UNREADABLE, detail=f"not a DICOM file: {path.name}")
        if self._is_refused(peer, path):
            return SendResult(path=path, outcome=SendOutcome.REFUSED_SOP_CLASS, detail="refused: SOP class")
        status = self.statuses.get((peer.name, path.name), 0x0000)
        outcome = _OUTCOMES.get(status, SendOutcome.REFUSED_STATUS)
        result = SendResult(path=path, outcome=outcome, detail=f"status 0x{status:04X}", status=status)
        if result.accepted:
            self.taken.setdefault(peer.name, []).append(path.read_bytes())
        return result
