"""What the command line's own network code promises, against an archive on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from bmnode.archive.association import Caller
from bmnode.archive.move import StudyMover
from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.peers import Peer
from bmnode.errors import NotFoundError, PeerRefusedError, PeerUnreachableError
from bmnode.testing.archive import EmbeddedArchive

NODE = "BMNODE"
CALLER = Caller(ae_title=NODE, clock=SystemClock())


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EmbeddedArchive]:
    """Stands for the node: whatever listens under its AE title."""
    with EmbeddedArchive(tmp_path / "node", ae_title=NODE) as node:
        yield node


@pytest.fixture
def image() -> Path:
    """One CT image that comes with pydicom."""
    found = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(found, str)
    return Path(found)


@pytest.fixture
def pacs(tmp_path: Path, node: EmbeddedArchive, image: Path) -> Iterator[EmbeddedArchive]:
    """A PACS that knows the node and holds one study."""
    with EmbeddedArchive(tmp_path / "pacs", ae_title="PACS", known_peers=[node.as_peer()]) as pacs:
        (sent,) = CStoreSender("SCANNER", clock=SystemClock()).send(pacs.as_peer(), [image])
        assert sent.accepted
        yield pacs


def test_moved_study_arrives_at_the_node(pacs: EmbeddedArchive, node: EmbeddedArchive, image: Path) -> None:
    """C-MOVE brings the study to whoever has the node's AE title, and the number is right."""
    header = dcmread(image, stop_before_pixels=True)
    assert StudyMover(CALLER).move(pacs.as_peer(), str(header.StudyInstanceUID)) == 1
    (arrived,) = node.wait_for(lambda held: len(held) == 1, timeout_s=10)
    assert arrived.sop_instance_uid == header.SOPInstanceUID


def test_study_that_the_pacs_does_not_have_is_not_found(pacs: EmbeddedArchive) -> None:
    """Nothing sent is not a success."""
    with pytest.raises(NotFoundError):
        StudyMover(CALLER).move(pacs.as_peer(), "1.2.3.4")


def test_node_that_the_pacs_does_not_know_is_refused(pacs: EmbeddedArchive, image: Path) -> None:
    """The message says that the node has to be added on the other side."""
    header = dcmread(image, stop_before_pixels=True)
    with pytest.raises(PeerRefusedError, match="add this node there"):
        StudyMover(Caller(ae_title="STRANGER", clock=SystemClock())).move(pacs.as_peer(), str(header.StudyInstanceUID))


def test_peer_that_is_not_there_is_unreachable(pacs: EmbeddedArchive) -> None:
    """A closed port is told apart from a refusal."""
    pacs.stop()
    with pytest.raises(PeerUnreachableError):
        StudyMover(CALLER).move(Peer(name="gone", ae_title="PACS", host="127.0.0.1", port=1), "1.2.3.4")
