"""Peers without a network that are asked to commit themselves, and do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bmnode.domain.commitment import CommitmentReport, Reference
from bmnode.domain.peers import Peer
from bmnode.errors import PeerRefusedError, PeerUnreachableError


@dataclass(kw_only=True)
class FakeCommitment:
    """A `bmnode.work.committing.Asks` that keeps what it was asked, and commits to all of it at once."""

    down: bool = False
    """Nobody can be reached."""
    refuses: bool = False
    """The service is not offered."""
    silent: bool = False
    """Requests are taken, and not answered."""
    fails: dict[str, int] = field(default_factory=dict)
    """Failure Reason by SOP Instance UID."""
    leaves_out: set[str] = field(default_factory=set)
    """SOP Instance UIDs of which reports say nothing."""
    asked: list[tuple[str, tuple[Reference, ...]]] = field(default_factory=list)
    """(Transaction UID, instances) of each request."""

    def request(
        self,
        peer: Peer,
        references: Sequence[Reference],
        *,
        transaction_uid: str,
        take: Callable[[CommitmentReport], bool],
    ) -> bool:
        """See `bmnode.archive.commit.CommitmentScu`."""
        if self.down:
            raise PeerUnreachableError(f"no association with peer {peer.name}")
        if self.refuses:
            raise PeerRefusedError(f"peer {peer.name} does not offer storage commitment")
        self.asked.append((transaction_uid, tuple(references)))
        return not self.silent and take(self.report(transaction_uid))

    def report(self, transaction_uid: str) -> CommitmentReport:
        """The answer to a request."""
        named = dict(self.asked)[transaction_uid]
        said = [item for item in named if item.sop_instance_uid not in self.leaves_out]
        failed = {item: self.fails[item.sop_instance_uid] for item in said if item.sop_instance_uid in self.fails}
        return CommitmentReport(transaction_uid=transaction_uid, committed=frozenset(said) - set(failed), failed=failed)
