"""Peers that are broken or mean no good: while they are at it, a good one is served, and nothing of them is left."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from bmnode.testing.ports import LOOPBACK
from bmnode.tls import client_context
from tests.support.listener import CLOCK, Listener, running_listener
from tests.support.polling import eventually
from tests.support.raw_peer import PeerClosedError, RejectedError, associate_request

IMAGES = 200
WATCHED_S = 0.5
"""A quarter of the time that a connection may stay without asking."""

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    """One listener for all tests."""
    with running_listener(tmp_path_factory.mktemp("hostile"), images=IMAGES) as running:
        yield running


@pytest.fixture(autouse=True)
def _measure(listener: Listener) -> None:
    """How fast the machine is just now; the threads of this association are gone when the test begins."""
    listener.undisturbed_s = listener.serve_good_peer()
    listener.check_it_forgot()


@contextmanager
def _many(connect: Callable[[], socket.socket], count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connect()) for _ in range(count)]


def _request_head(length: int = 300) -> bytes:
    return struct.pack(">BxL", 0x01, length) + struct.pack(">H2x16s16s", 1, b"BMNODE".ljust(16), b"HALF".ljust(16))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(b"", "no_request_in_time", id="silent"),
        pytest.param(_request_head()[:1], "no_request_in_time", id="one byte"),
        pytest.param(_request_head(), "no_request_in_time", id="half a request"),
        pytest.param(b"\x16\x03\x01\x01\x00\x01\x00", "no_request_in_time", id="half a ClientHello"),
        pytest.param(struct.pack(">BxL", 0x01, 1 << 30), "request_too_long", id="request of a gigabyte"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n" * 20, "not_dicom", id="garbage"),
    ],
)
def test_who_never_asks_costs_no_thread_and_keeps_nobody_out(listener: Listener, sent: bytes, reason: str) -> None:
    """A hundred connections that do not ask are outlived; they cost no thread, and end in time by themselves."""
    with _many(listener.connect, 100) as connections:
        for connection in connections:
            with suppress(OSError):  # the first ones may be closed by now, to make room
                connection.sendall(sent)
        assert listener.most_threads(WATCHED_S) <= listener.idle_threads + 3
        listener.check_it_serves()
        for connection in connections:
            with suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
    eventually(lambda: listener.refusals()[reason] > 0, timeout_s=5)  # told by a thread of its own, behind others
    listener.check_it_forgot()


def test_half_an_image_ends_in_time(listener: Listener) -> None:
    """Associations that stop in the middle of a P-DATA hold their place for a while, and no other's."""
    with ExitStack() as stack:
        peers = [stack.enter_context(listener.peer("HALF")) for _ in range(12)]
        for peer in peers:
            peer.send_raw(struct.pack(">BxL", 0x04, 16_000) + bytes(100))
        listener.check_it_serves()
        listener.check_it_forgot()


def test_an_image_of_a_gigabyte_is_refused_at_its_head(listener: Listener) -> None:
    """A P-DATA longer than was agreed on ends its association before memory is taken for it."""
    with ExitStack() as stack:
        for peer in [stack.enter_context(listener.peer("GIGA")) for _ in range(8)]:
            peer.send_raw(struct.pack(">BxL", 0x04, 1 << 30) + bytes(100))
        listener.check_it_serves()
        listener.check_it_forgot()


def test_a_request_that_pynetdicom_cannot_use_is_aborted_at_once(listener: Listener) -> None:
    """Items that do not belong into a request end it with an A-ABORT; it does not keep a place for half a minute."""
    item = listener.instances[0]
    contexts = [(item.sop_class_uid, (item.transfer_syntax_uid,))]
    request = associate_request(contexts, called_ae="BMNODE", calling_ae="ODD")
    misplaced = request.replace(b"\x51\0\0\x04", b"\x21\0\0\x04")  # a context's answer instead of the length of a PDU
    with listener.connect() as connection:
        connection.settimeout(5.0)
        connection.sendall(misplaced)
        assert connection.recv(64)[:1] == b"\x07"
        assert connection.recv(64) == b""
    listener.check_it_forgot()
    assert "Traceback" not in listener.log()


def test_a_command_without_its_field_is_aborted_at_once(listener: Listener) -> None:
    """A message that says not what it is ends its association with an A-ABORT, which is audited, and no traceback."""
    command = struct.pack("<HHLL", 0, 0, 4, 0)
    with listener.peer("ODD") as peer:
        peer.send_raw(struct.pack(">BxLLBB", 0x04, len(command) + 6, len(command) + 2, 1, 3) + command)
        with pytest.raises(PeerClosedError):
            peer.release()
    eventually(lambda: listener.refusals()["None"] > 0, timeout_s=10)  # an aborted association has no reason
    listener.check_it_forgot()
    assert "Traceback" not in listener.log()


def test_silence_within_a_handshake_blocks_nobody(listener: Listener) -> None:
    """Clients that stop after their ClientHello have a few threads for a short while; others get in, by TLS too."""
    files = listener.authority.issue("client")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        client_context(files).wrap_bio(incoming, outgoing, server_hostname=LOOPBACK).do_handshake()
    hello = outgoing.read()
    with _many(listener.connect, 60) as connections:
        for connection in connections:
            connection.sendall(hello)
        listener.check_it_serves()
        assert listener.process.num_threads() <= listener.idle_threads + 8 + 3
    listener.check_it_forgot()
    with client_context(files).wrap_socket(listener.connect(), server_hostname=LOOPBACK) as secured:
        assert secured.version() == "TLSv1.3"


def test_two_hundred_associations_at_once_are_answered_at_once(listener: Listener) -> None:
    """Some are accepted, all others are told to come again, at once; none is left waiting, and a good peer gets in."""
    together = threading.Barrier(201)
    answers: list[tuple[float, object]] = []

    def associate() -> None:
        together.wait()
        started = CLOCK.monotonic_s()
        answer: object = "accepted"
        try:
            with listener.peer("FLOOD"):
                CLOCK.sleep_s(1.0)
        except RejectedError as error:
            answer = error.codes
        except PeerClosedError:
            answer = "closed"
        answers.append((CLOCK.monotonic_s() - started, answer))

    threads = [threading.Thread(target=associate) for _ in range(200)]
    for thread in threads:
        thread.start()
    together.wait()
    listener.check_it_serves()
    for thread in threads:
        thread.join(30)
    told = Counter(answer for _, answer in answers)
    assert len(answers) == 200
    assert set(told) <= {"accepted", (2, 3, 1), (2, 3, 2)}, (told, listener.refusals())
    assert told["accepted"] <= 200 - 100, "the limit for one peer does not hold"
    assert max(took_s for took_s, _ in answers) < 5 * listener.limit_s
    listener.check_it_forgot()


def test_nothing_of_it_is_left(listener: Listener) -> None:
    """After a wave of everything: no traceback in the log, no file but the good peer's images, few audit lines."""
    before = sum(listener.refusals().values())
    for sent in (b"\xff" * 64, _request_head(68) + b"\xff" * 32, b"\x04\0\0\0\0\4abcd", b"\x01"):
        with _many(listener.connect, 50) as connections:
            for connection in connections:
                with suppress(OSError):
                    connection.sendall(sent)
    listener.check_it_serves()
    listener.check_it_forgot()
    assert '"frames"' not in listener.log()
    assert "Traceback" not in listener.log()
    eventually(lambda: len(listener.files()) == IMAGES - len(listener.instances), timeout_s=20)
    assert sum(listener.refusals().values()) >= before
    assert len(listener.log().splitlines()) < 2_000
