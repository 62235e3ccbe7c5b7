"""When a destination is sent to by another way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bmnode.delivery.sender import SendOutcome, SendResult
from bmnode.delivery.ways import WaySender
from bmnode.domain.peers import Peer, SendBy
from bmnode.errors import PeerUnreachableError

PATHS = (Path("sr.dcm"), Path("seg.dcm"))
PEER = Peer(
    name="pacs",
    ae_title="PACS",
    host="127.0.0.1",
    port=104,
    send_by=(SendBy.STOW_RS, SendBy.C_STORE),
    dicomweb_url="http://127.0.0.1/dicom-web",
)


@dataclass(kw_only=True)
class OneWay:
    """A way that answers as it is told; success where it is told nothing."""

    outcomes: dict[str, SendOutcome] = field(default_factory=dict)
    is_down: bool = False
    asked: list[str] = field(default_factory=list)

    def send(self, peer: Peer, paths: Sequence[Path]) -> tuple[SendResult, ...]:
        """One result a file."""
        self.takes(peer, paths)
        self.asked += [path.name for path in paths]
        return tuple(
            SendResult(path=path, outcome=self.outcomes.get(path.name, SendOutcome.ACCEPTED), detail="")
            for path in paths
        )

    def takes(self, peer: Peer, paths: Sequence[Path]) -> bool:
        """Always."""
        if self.is_down:
            raise PeerUnreachableError("down")
        return True


def _send(web: OneWay, dimse: OneWay) -> list[SendOutcome]:
    ways = WaySender(ways={SendBy.STOW_RS: web, SendBy.C_STORE: dimse})
    return [result.outcome for result in ways.send(PEER, PATHS)]


@pytest.mark.parametrize(
    "outcome",
    [
        SendOutcome.NOT_ANSWERED,
        SendOutcome.REFUSED_SOP_CLASS,
        SendOutcome.REFUSED_TRANSFER_SYNTAX,
        SendOutcome.REFUSED_REQUEST,
    ],
)
def test_what_the_first_way_cannot_carry_goes_by_the_next(outcome: SendOutcome) -> None:
    """Only the object that did not go is sent again, by the other way."""
    web, dimse = OneWay(outcomes={"seg.dcm": outcome}), OneWay()
    assert _send(web, dimse) == [SendOutcome.ACCEPTED, SendOutcome.ACCEPTED]
    assert dimse.asked == ["seg.dcm"]


def test_a_judgement_on_the_object_holds_for_every_way() -> None:
    """A peer that says no to an object is not asked by the back door."""
    web, dimse = OneWay(outcomes={"seg.dcm": SendOutcome.REFUSED_STATUS}), OneWay()
    assert _send(web, dimse) == [SendOutcome.ACCEPTED, SendOutcome.REFUSED_STATUS]
    assert dimse.asked == []


def test_a_way_that_is_down_is_passed_over() -> None:
    """Everything goes by the other one; a peer that is down by every way is unreachable."""
    assert _send(OneWay(is_down=True), OneWay()) == [SendOutcome.ACCEPTED, SendOutcome.ACCEPTED]
    with pytest.raises(PeerUnreachableError):
        _send(OneWay(is_down=True), OneWay(is_down=True))


def test_a_second_way_that_is_down_hides_nothing() -> None:
    """What the first way said of each object stays said."""
    web = OneWay(outcomes={"seg.dcm": SendOutcome.REFUSED_SOP_CLASS})
    assert _send(web, OneWay(is_down=True)) == [SendOutcome.ACCEPTED, SendOutcome.REFUSED_SOP_CLASS]
