"""C-FIND as the SCU (PS3.4 C.4.1): what an archive says that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydicom.dataset import Dataset
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made by the module's __getattr__
    StudyRootQueryRetrieveInformationModelFind,
)

from bmnode.archive.association import Caller
from bmnode.domain.peers import Peer
from bmnode.errors import PeerRefusedError, PeerUnreachableError

_PENDING = frozenset({0xFF00, 0xFF01})  # PS3.4 Table C.4-1; FF01: an optional key is not supported
_SUCCESS, _CANCELLED, _OUT_OF_RESOURCES = 0x0000, 0xFE00, 0xA700
_UTF_8 = "ISO_IR 192"


class Level(StrEnum):
    """Query/Retrieve Level of the Study Root model (PS3.4 C.3.2)."""

    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What matched.

    Args:
        matches: one data set an entity; texts are decoded by the character set that it states.
        is_complete: False where the archive has more than were taken, or gave up under its load.
    """

    matches: tuple[Dataset, ...]
    is_complete: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class FindScu:
    """Asks peers what they have.

    Args:
        caller: who asks, and for how long.
        most: after so many matches of one request the rest is cancelled.
    """

    caller: Caller
    most: int = 1000

    def find(self, peer: Peer, level: Level, *, keys: Mapping[str, object], wanted: Sequence[str] = ()) -> Answers:
        """The entities of a level that match.

        `keys` are matching keys by keyword, `wanted` the keywords of further attributes to be told; the unique keys of
        the levels above must be among the keys. Raises PeerUnreachableError without an association or answer within
        the limits, PeerRefusedError where the archive refuses.
        """
        contexts = [build_context(StudyRootQueryRetrieveInformationModelFind)]
        with self.caller.associate(peer, contexts) as association:
            return self._ask(association, _identifier(level, keys, wanted), peer=peer)

    def _ask(self, association: Association, identifier: Dataset, *, peer: Peer) -> Answers:
        matches: list[Dataset] = []
        deadline_s = self.caller.deadline_s()
        for status, match in self._responses(association, identifier, deadline_s=deadline_s):
            if status is None:
                raise PeerUnreachableError(f"peer {peer.name} did not finish its answer to C-FIND in time")
            if status == _OUT_OF_RESOURCES:
                return Answers(matches=tuple(matches), is_complete=False)
            if status in (_SUCCESS, _CANCELLED):
                return Answers(matches=tuple(matches), is_complete=status == _SUCCESS)
            if status not in _PENDING:
                raise PeerRefusedError(f"peer {peer.name} answered C-FIND with status 0x{status:04X}", status=status)
            if len(matches) == self.most:
                association.abort()  # C-CANCEL would still have us read all that is on its way
                return Answers(matches=tuple(matches), is_complete=False)
            if match is not None:
                matches.append(match)
            if self.caller.clock.monotonic_s() > deadline_s:
                association.abort()
                raise PeerUnreachableError(f"peer {peer.name} did not finish its answer to C-FIND in time")
        raise PeerUnreachableError(f"peer {peer.name} ended the association instead of its answer to C-FIND")

    def _responses(
        self, association: Association, identifier: Dataset, *, deadline_s: float
    ) -> Iterator[tuple[int | None, Dataset | None]]:
        """Status and match of every response; None as status where none came."""
        self.caller.allow(association, deadline_s=deadline_s)
        for status, match in association.send_c_find(identifier, StudyRootQueryRetrieveInformationModelFind):
            yield (int(status.Status) if "Status" in status else None), _decoded(match)
            self.caller.allow(association, deadline_s=deadline_s)


def _identifier(level: Level, keys: Mapping[str, object], wanted: Sequence[str]) -> Dataset:
    """The character set is stated only where a key needs one: some archives refuse any that they do not have."""
    identifier = Dataset()
    if not all(str(value).isascii() for value in keys.values()):
        identifier.SpecificCharacterSet = _UTF_8
    identifier.QueryRetrieveLevel = level.value
    for keyword in wanted:
        setattr(identifier, keyword, None)
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    return identifier


def _decoded(match: Dataset | None) -> Dataset | None:
    if match is not None:
        match.decode()
    return match
