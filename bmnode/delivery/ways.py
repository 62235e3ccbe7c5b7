"""By which way a destination gets its objects: the first of its `send_by` that can be used, object by object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bmnode.delivery.sender import SendOutcome, SendResult
from bmnode.domain.peers import Peer, SendBy
from bmnode.errors import PeerUnreachableError

_OF_THE_WAY = frozenset(
    {
        SendOutcome.NOT_ANSWERED,
        SendOutcome.REFUSED_SOP_CLASS,
        SendOutcome.REFUSED_TRANSFER_SYNTAX,
        SendOutcome.REFUSED_REQUEST,
    }
)
"""[P] What another way may mend. A status that judges the object holds for every way."""


class Way(Protocol):
    """One way of sending."""

    def send(self, peer: Peer, paths: Sequence[Path]) -> tuple[SendResult, ...]:
        """Send the files, one result a file in their order. Raises PeerUnreachableError where none was answered."""
        ...

    def takes(self, peer: Peer, paths: Sequence[Path]) -> bool:
        """Whether the peer would take every file by this way. Raises PeerUnreachableError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class WaySender:
    """Sends by the ways that each peer names, and falls back from one to the next.

    That an object goes twice, because an answer was lost, does no harm: it is the same instance.
    """

    ways: Mapping[SendBy, Way]

    def send(self, peer: Peer, paths: Sequence[Path]) -> tuple[SendResult, ...]:
        """Send the files, one result a file in their order: that of the last way which was asked and answered.

        Raises PeerUnreachableError, that of the first way, where no way was answered.
        """
        results: dict[Path, SendResult] = {}
        unreachable: PeerUnreachableError | None = None
        for way in peer.send_by:
            left = [path for path in paths if path not in results or results[path].outcome in _OF_THE_WAY]
            if not left:
                break
            try:
                results |= {result.path: result for result in self.ways[way].send(peer, left)}
            except PeerUnreachableError as error:
                unreachable = unreachable or error
        if unreachable is not None and not results:
            raise unreachable
        return tuple(results[path] for path in paths)

    def takes(self, peer: Peer, paths: Sequence[Path]) -> bool:
        """Whether the first way that can be reached takes every file. Raises PeerUnreachableError where none can."""
        unreachable: PeerUnreachableError | None = None
        for way in peer.send_by:
            try:
                return self.ways[way].takes(peer, paths)
            except PeerUnreachableError as error:
                unreachable = unreachable or error
        assert unreachable is not None
        raise unreachable
