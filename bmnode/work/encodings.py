"""Which encoding of a result a destination gets: the first of its preferences that it accepts when it is called.

A result set is owed object by object in `BINARY`. Where the destination prefers another encoding, the whole result set
in that encoding goes in the place of its reports and segmentations, all of them together: a report must refer to
segments that the destination has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bmnode.delivery.sender import Sender, SendResult
from bmnode.domain.objects import ENCODED_KINDS, ResultKind, SegEncoding, encoding_of
from bmnode.domain.peers import Peer
from bmnode.domain.records import DeliveryRecord, ResultRecord
from bmnode.domain.states import DeliveryState


@dataclass(frozen=True, kw_only=True, slots=True)
class Owed:
    """What of a debt may go in another encoding."""

    exchanged: frozenset[Path] = frozenset()
    """The files in BINARY that the others stand for."""
    instead: Mapping[SegEncoding, Mapping[Path, ResultKind]] = field(default_factory=dict)
    """The files in each other encoding, with their kinds."""

    @classmethod
    def from_rows(
        cls, results: Sequence[ResultRecord], *, deliveries: Sequence[DeliveryRecord], results_dir: Path
    ) -> Owed:
        """By the job's objects and its deliveries to one destination.

        Nothing is exchanged once the destination has a report or segmentation in BINARY: it would get half of each.
        """
        states = {item.sop_instance_uid: item.state for item in deliveries}
        owed = [item for item in results if item.sop_instance_uid in states and item.kind in ENCODED_KINDS]
        if any(states[item.sop_instance_uid] is not DeliveryState.PENDING for item in owed):
            return cls()
        instead: dict[SegEncoding, dict[Path, ResultKind]] = {}
        for item in results:
            encoding = encoding_of(item.path)
            if encoding is not SegEncoding.BINARY:
                instead.setdefault(encoding, {})[results_dir / item.path] = ResultKind(item.kind)
        return cls(exchanged=frozenset(results_dir / item.path for item in owed), instead=instead)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What became of one object that is owed."""

    result: SendResult
    files: tuple[Path, ...]
    """What was sent for it."""


def send_encoded(sender: Sender, peer: Peer, paths: Sequence[Path], *, owed: Owed) -> tuple[Sent, ...]:
    """Send the files, or what stands for them; what was sent for each, in their order.

    What was exchanged shares one fate: that of the first object that was not taken, else of the first. Raises
    DeliveryError without an association.
    """
    files = _files_instead(sender, peer, owed)
    if not files:
        return tuple(Sent(result=result, files=(result.path,)) for result in sender.send(peer, paths))
    others = [path for path in paths if path not in owed.exchanged]
    results = sender.send(peer, [*files, *others])
    encoded, rest = results[: len(files)], dict(zip(others, results[len(files) :], strict=True))
    fate = next((result for result in encoded if not result.accepted), encoded[0])
    together = Sent(result=fate, files=files)
    return tuple(Sent(result=rest[path], files=(path,)) if path in rest else together for path in paths)


def _files_instead(sender: Sender, peer: Peer, owed: Owed) -> tuple[Path, ...]:
    """The files of the encoding that is sent; none where that is BINARY."""
    for encoding in peer.seg_encodings:
        if encoding is SegEncoding.BINARY:
            return ()
        files = tuple(path for path, kind in owed.instead.get(encoding, {}).items() if kind in peer.objects)
        is_last = encoding is peer.seg_encodings[-1]
        if files and owed.exchanged and (is_last or sender.takes(peer, files)):
            return files
    return ()
