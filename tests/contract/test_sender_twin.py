"""The sender without a network answers as the real one does before a real archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender, SenderTimeouts, SendOutcome
from bmnode.domain.peers import Peer
from bmnode.errors import PeerUnreachableError
from bmnode.testing.archive import ArchiveFaults, EmbeddedArchive
from bmnode.testing.sender import COERCED, OUT_OF_RESOURCES, REFUSED, FakeSender
from tests.support.objects import StudyMaker


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A sender, a peer, and ways to change the peer's mind."""

    sender: CStoreSender | FakeSender
    peer: Peer
    answer: Callable[[Path, int], None]
    """Have the peer answer for this file with this status."""
    switch_off: Callable[[], None]
    count: Callable[[], int]
    """How many objects the peer has."""


@pytest.fixture(params=["real", "twin"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """Each sender with its peer."""
    if request.param == "twin":
        fake = FakeSender()
        yield Desk(
            sender=fake,
            peer=Peer(name="archive", ae_title="ARCHIVE", host="127.0.0.1", port=104),
            answer=lambda path, status: fake.statuses.update({("archive", path.name): status}),
            switch_off=lambda: fake.down.add("archive"),
            count=lambda: len(fake.taken.get("archive", [])),
        )
        return
    timeouts = SenderTimeouts(connect_s=2, acse_s=2, dimse_s=10, network_s=10)
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        yield Desk(
            sender=CStoreSender("BMNODE", clock=SystemClock(), timeouts=timeouts),
            peer=archive.as_peer(),
            answer=lambda _path, status: archive.inject(ArchiveFaults(store_status=status)),
            switch_off=archive.stop,
            count=lambda: len(archive.instances()),
        )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file to send."""
    return StudyMaker(directory=tmp_path / "study", seed="twin").sc()


def test_a_file_is_taken(desk: Desk, image: Path) -> None:
    """One result a file, with the status of success."""
    (result,) = desk.sender.send(desk.peer, [image])
    assert (result.path, result.outcome, result.status) == (image, SendOutcome.ACCEPTED, 0)
    assert desk.count() == 1


@pytest.mark.parametrize(
    ("status", "accepted", "retryable"),
    [(COERCED, True, False), (OUT_OF_RESOURCES, False, True), (REFUSED, False, False)],
)
def test_a_status_means_the_same(desk: Desk, image: Path, status: int, *, accepted: bool, retryable: bool) -> None:
    """Warnings are accepted, out of resources passes, other failures stay."""
    desk.answer(image, status)
    (result,) = desk.sender.send(desk.peer, [image])
    assert (result.status, result.accepted, result.retryable) == (status, accepted, retryable)
    assert desk.count() == int(accepted)


def test_a_peer_that_is_off_is_unreachable(desk: Desk, image: Path) -> None:
    """Neither echo nor store gets an answer from a peer that is off."""
    desk.switch_off()
    with pytest.raises(PeerUnreachableError):
        desk.sender.send(desk.peer, [image])
    with pytest.raises(PeerUnreachableError):
        desk.sender.echo(desk.peer)


def test_a_missing_file_is_unreadable_and_the_rest_goes(desk: Desk, image: Path) -> None:
    """A file that is gone is named; the one beside it is sent."""
    missing, stored = desk.sender.send(desk.peer, [image.with_name("gone.dcm"), image])
    assert missing.outcome is SendOutcome.UNREADABLE
    assert not missing.retryable
    assert stored.accepted


def test_it_says_whether_the_peer_takes_a_file(desk: Desk, image: Path) -> None:
    """Asking sends nothing; a peer that is off is no peer that refuses."""
    assert desk.sender.takes(desk.peer, [image])
    assert desk.count() == 0
    desk.switch_off()
    with pytest.raises(PeerUnreachableError):
        desk.sender.takes(desk.peer, [image])
