"""Connections before they ask: who is let in, who is sent home, and in which order."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from bmnode.scp.policy import Caller, Rejection
from bmnode.scp.porch import Porch, PorchLimits
from bmnode.scp.refusals import Refusal
from bmnode.scp.security import TlsListening
from bmnode.testing.clock import FakeClock
from tests.support.polling import eventually

REQUEST = struct.pack(">BxL", 1, 100) + struct.pack(">H2x16s16s64x", 1, b"BMNODE".ljust(16), b"CT1".ljust(16))
CLIENT_HELLO = b"\x16\x03\x01\x00\x0a" + bytes(10)


class House:
    """What lies behind the porch: remembers who came in."""

    def __init__(self, full: Rejection | None = None) -> None:
        self.full = full
        self.admitted: list[tuple[bytes, bool]] = []

    def objection(self, request: bytes | None, address: str) -> Rejection | None:
        """None, until it is full."""
        return self.full

    def admit(self, connection: socket.socket, address: tuple[str, int], *, secured: bool) -> None:
        """Read what was sent, as whoever takes over can."""
        self.admitted.append((connection.recv(1000), secured))
        connection.close()


class Visit:
    """A porch, a house, and a way to come to it."""

    def __init__(self, house: House, limits: PorchLimits, listening: TlsListening) -> None:
        self.house = house
        self.clock = FakeClock()
        self.refused: list[Refusal] = []
        self.porch = Porch(house, tell=self.refused.append, limits=limits, listening=listening, clock=self.clock)
        self._door = socket.create_server(("127.0.0.1", 0))
        self._open = ExitStack()

    def come(self, sent: bytes = b"") -> socket.socket:
        """A connection on the porch that has said so much."""
        ours = self._open.enter_context(socket.create_connection(self._door.getsockname(), timeout=10))
        accepted, address = self._door.accept()
        self.porch.enter(accepted, address)
        ours.sendall(sent)
        return ours

    def reasons(self) -> list[str | None]:
        """Why some were not let in, in order."""
        return [refusal.reason for refusal in self.refused]

    def close(self) -> None:
        """End it all."""
        self.porch.stop()
        self._open.close()
        self._door.close()


@contextmanager
def _visit(
    house: House | None = None,
    *,
    limits: PorchLimits | None = None,
    listening: TlsListening = TlsListening.OPTIONAL,
) -> Iterator[Visit]:
    visit = Visit(house or House(), limits or PorchLimits(), listening)
    visit.porch.start()
    try:
        yield visit
    finally:
        visit.close()


@pytest.mark.parametrize(("sent", "secured"), [(REQUEST, False), (CLIENT_HELLO, True)])
def test_who_asks_is_let_in_when_all_of_it_is_there(sent: bytes, secured: bool) -> None:
    """The request is handed over unread, and not before its last byte has come."""
    with _visit() as visit:
        guest = visit.come()
        for at in range(len(sent)):
            assert visit.house.admitted == []
            guest.sendall(sent[at : at + 1])
        eventually(lambda: visit.house.admitted == [(sent, secured)], timeout_s=5)
        assert visit.refused == []


@pytest.mark.parametrize(
    ("sent", "listening", "reason", "answer"),
    [
        (b"\x04" + bytes(20), TlsListening.OPTIONAL, "not_dicom", b"\x07"),
        (b"GET / HTTP/1.1\r\n", TlsListening.OFF, "not_dicom", b"\x07"),
        (REQUEST, TlsListening.REQUIRED, "clear_text_on_tls_port", b"\x07"),
        (CLIENT_HELLO, TlsListening.OFF, "tls_not_offered", b""),
        (struct.pack(">BxL", 1, 1 << 30), TlsListening.OFF, "request_too_long", b"\x07"),
        (struct.pack(">BxL", 1, 4), TlsListening.OFF, "request_too_short", b"\x07"),
        (b"\x16\x03\x01\xff\xff", TlsListening.REQUIRED, "request_too_long", b""),
    ],
)
def test_what_is_no_request_is_dismissed_by_its_first_bytes(
    sent: bytes, listening: TlsListening, reason: str, answer: bytes
) -> None:
    """Whoever speaks DICOM gets an A-ABORT (PS3.8 Table 9-10, AA-1), everybody the end of the connection."""
    with _visit(listening=listening) as visit:
        guest = visit.come(sent)
        assert guest.recv(100)[:1] == answer
        assert guest.recv(100) == b""
        assert visit.reasons() == [reason]
        assert visit.house.admitted == []


def test_where_there_is_no_room_the_peer_is_told_so() -> None:
    """An A-ASSOCIATE-RJ with its reason, and the peer's AE title in the trail; without a thread."""
    with _visit(House(Rejection.TOO_MANY_ASSOCIATIONS)) as visit:
        threads = threading.active_count()
        guest = visit.come(REQUEST)
        assert guest.recv(100) == b"\x03\0\0\0\0\x04\0\x02\x03\x01"
        assert guest.recv(100) == b""
        assert [(item.event, item.actor) for item in visit.refused] == [("association_rejected", "CT1")]
        assert threading.active_count() == threads


def test_who_says_nothing_is_sent_home_in_time() -> None:
    """The deadline is for the whole of the request: dripping does not help."""
    with _visit() as visit:
        guests = [visit.come(), visit.come(REQUEST[:50])]
        visit.clock.advance(4.9)
        guests[1].sendall(REQUEST[50:60])
        assert visit.refused == []
        visit.clock.advance(0.2)
        eventually(lambda: visit.reasons() == ["no_request_in_time"] * 2, timeout_s=5)
        assert guests[0].recv(100) == b""
        with pytest.raises(ConnectionResetError):  # what it had said was not read
            guests[1].recv(100)


def test_who_closes_first_is_counted() -> None:
    """A port scan is in the trail."""
    with _visit() as visit:
        visit.come().close()
        visit.come(REQUEST[:20]).close()
        eventually(lambda: visit.reasons() == ["closed_before_request"] * 2, timeout_s=5)


def test_where_too_many_wait_the_oldest_goes() -> None:
    """Silence from one address makes no other wait, nor one that speaks."""
    with _visit(limits=PorchLimits(total=4, per_address=3)) as visit:
        guests = [visit.come() for _ in range(5)]
        eventually(lambda: visit.reasons() == ["too_many_connections"] * 2, timeout_s=5)
        assert [guest.recv(10) for guest in guests[:2]] == [b"", b""]
        visit.come(REQUEST)
        guests[4].sendall(REQUEST)
        eventually(lambda: len(visit.house.admitted) == 2, timeout_s=5)


def test_a_caller_is_read_from_its_request() -> None:
    """AE titles lose their padding; what is none becomes nobody."""
    caller = Caller.from_request(REQUEST, address="192.0.2.1")
    assert (caller.calling_ae, caller.called_ae) == ("CT1", "BMNODE")
    assert Caller.from_request(REQUEST[:26] + b"\xff" * 16, address="192.0.2.1").calling_ae == ""
