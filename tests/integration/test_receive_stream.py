"""How C-STORE requests travel: whole, in pieces, large, mixed with other messages, broken off."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, build_context

from bmnode.scp import AcceptorOptions
from bmnode.scp.contexts import VERIFICATION
from tests.support.acceptor import SMALL_JOURNAL, ReceivingNode, receiving_node, store
from tests.support.encoded import EncodedInstance, ct_slices, encode_instance, encoded_ct
from tests.support.polling import eventually
from tests.support.raw_peer import PeerClosedError

LARGE_ROWS = 2048


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ReceivingNode]:
    """A running acceptor."""
    with receiving_node(tmp_path) as node:
        yield node


@pytest.fixture
def good(tmp_path: Path) -> EncodedInstance:
    """An instance of a few kilobytes."""
    return encoded_ct(tmp_path / "good", seed="good")[0]


@pytest.fixture
def large(tmp_path: Path) -> EncodedInstance:
    """An instance of 8 MB: more than is kept in memory."""
    dataset = ct_slices(tmp_path / "large", seed="large")[0]
    dataset.Rows = dataset.Columns = LARGE_ROWS
    dataset.PixelData = bytes(range(256)) * (LARGE_ROWS * LARGE_ROWS * 2 // 256)
    return encode_instance(dataset)


def _pdata(*values: tuple[int, int, bytes]) -> bytes:
    """One P-DATA-TF of (context ID, control, piece) values."""
    body = b"".join(struct.pack(">LBB", len(piece) + 2, context, control) + piece for context, control, piece in values)
    return struct.pack(">BxL", 0x04, len(body)) + body


def _command(instance: EncodedInstance) -> bytes:
    """A C-STORE-RQ command set (PS3.7 Table 9.3-1)."""

    def element(number: int, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = (
        element(0x0002, instance.sop_class_uid.encode())
        + element(0x0100, struct.pack("<H", 1))
        + element(0x0110, struct.pack("<H", 7))
        + element(0x0800, struct.pack("<H", 1))
        + element(0x1000, instance.sop_instance_uid.encode())
    )
    return element(0x0000, struct.pack("<L", len(body))) + body


def test_a_large_instance_goes_to_the_disk_as_it_arrives(
    node: ReceivingNode, large: EncodedInstance, good: EncodedInstance
) -> None:
    """Larger than memory is meant for: kept byte by byte, small ones before and after it on the same association."""
    second = encoded_ct(node.spool.directory.parent / "second", seed="second")[0]
    with node.peer(good) as peer:
        assert [store(peer, item) for item in (good, large, second, large)] == [0x0000] * 4
    for instance in (good, large, second):
        row = node.row(instance.sop_instance_uid)
        assert row is not None
        assert node.data_set(row) == instance.data_set
    assert len(node.files()) == 3


def test_a_large_instance_that_breaks_off_leaves_nothing(node: ReceivingNode, large: EncodedInstance) -> None:
    """A sender that vanishes in the middle of a large image: its file is removed."""
    with node.peer(large) as peer:
        peer.send_raw(_pdata((1, 3, _command(large))))
        for at in range(0, 4_000_000, 100_000):
            peer.send_raw(_pdata((1, 0, large.data_set[at : at + 100_000])))
        eventually(lambda: len(node.files()) == 1, timeout_s=5)
    eventually(lambda: len(node.audit("association_aborted")) == 1, timeout_s=5)
    assert node.files() == []


@pytest.mark.parametrize("step", [1, 7, 50])
def test_a_message_in_the_smallest_pieces_is_understood(node: ReceivingNode, good: EncodedInstance, step: int) -> None:
    """Command and data set may be cut anywhere, with several values in one PDU."""
    command, data_set = _command(good), good.data_set
    with node.peer(good) as peer:
        for at in range(0, len(command), step):
            control = 3 if at + step >= len(command) else 1
            peer.send_raw(_pdata((1, control, command[at : at + step])))
        half = len(data_set) // 2
        peer.send_raw(_pdata((1, 0, data_set[:100]), (1, 0, data_set[100:half])))
        peer.send_raw(_pdata((1, 0, data_set[half:]), (1, 2, b"")))
        eventually(lambda: node.row(good.sop_instance_uid) is not None, timeout_s=5)
    row = node.row(good.sop_instance_uid)
    assert row is not None
    assert node.data_set(row) == good.data_set


def test_what_comes_all_at_once_is_taken_in_its_order(node: ReceivingNode, tmp_path: Path) -> None:
    """Requests and the release in one piece: nothing that was read beforehand is lost or left for later."""
    instances = encoded_ct(tmp_path / "source", count=3)
    release = struct.pack(">BxL4x", 0x05, 4)
    messages = [_pdata((1, 3, _command(item))) + _pdata((1, 2, item.data_set)) for item in instances]
    with node.peer(instances[0]) as peer:
        peer.send_raw(b"".join(messages) + release)
        eventually(lambda: len(node.audit("association_released")) == 1, timeout_s=5)
    rows = [node.row(item.sop_instance_uid) for item in instances]
    assert [None if row is None else node.data_set(row) for row in rows] == [item.data_set for item in instances]


def test_other_messages_come_in_between(node: ReceivingNode, tmp_path: Path) -> None:
    """C-ECHO and C-STORE alternate on one association."""
    datasets = ct_slices(tmp_path / "source", count=5)
    contexts = [build_context(VERIFICATION), build_context(datasets[0].SOPClassUID, ExplicitVRLittleEndian)]
    association = AE(ae_title="PYNET").associate("127.0.0.1", node.port, contexts=contexts, ae_title="BMNODE")
    assert association.is_established
    for dataset in datasets:
        assert association.send_c_store(dataset).Status == 0x0000
        assert association.send_c_echo().Status == 0x0000
    association.release()
    eventually(lambda: len(node.audit("association_released")) == 1, timeout_s=5)


def test_a_pdu_beyond_what_was_negotiated_is_refused_at_its_head(tmp_path: Path, good: EncodedInstance) -> None:
    """No byte of it is waited for, and others are served."""
    options = AcceptorOptions(ae_title="BMNODE", bind="127.0.0.1", max_pdu_bytes=16_384)
    with receiving_node(tmp_path, options=options) as node:
        with node.peer(good) as peer:
            peer.send_raw(struct.pack(">BxL", 0x04, 16_385))
            with pytest.raises(PeerClosedError):
                store(peer, good)
        with node.peer(good) as peer:
            assert store(peer, good) == 0x0000


def test_a_data_set_that_never_ends_is_cut_off(tmp_path: Path, good: EncodedInstance) -> None:
    """Beyond the longest instance its association is aborted and audited, nothing stays, and others are served."""
    limit = 8 << 20
    options = AcceptorOptions(ae_title="BMNODE", bind="127.0.0.1", longest_data_set_bytes=limit, journal=SMALL_JOURNAL)
    piece = _pdata((1, 0, bytes(1 << 16)))
    with receiving_node(tmp_path / "node", options=options) as node:
        with node.peer(good) as peer:
            peer.send_raw(_pdata((1, 3, _command(good))))
            for _ in range(limit // len(piece)):
                peer.send_raw(piece)
            eventually(lambda: len(_growing(node)) == 1, timeout_s=5)
            with pytest.raises(PeerClosedError):
                peer.send_raw(piece * 1000)
        eventually(lambda: len(node.audit("endless_data_set")) == 1, timeout_s=5)
        eventually(lambda: _growing(node) == [], timeout_s=5)
        with node.peer(good) as peer:
            assert store(peer, good) == 0x0000
        assert len(node.files()) == 1


def _growing(node: ReceivingNode) -> list[Path]:
    """Files that are being written."""
    return list(node.spool.incoming_directory.glob("*"))


@pytest.mark.parametrize("illegal", ["another context", "a command", "a value that is too long", "an unknown context"])
def test_what_breaks_the_protocol_ends_the_association(
    node: ReceivingNode, good: EncodedInstance, illegal: str
) -> None:
    """A message in the middle of another, or lengths that contradict each other: abort, and nothing is kept."""
    follows = {
        "another context": _pdata((3, 0, b"\0" * 10)),
        "a command": _pdata((1, 3, _command(good))),
        "a value that is too long": struct.pack(">BxLLBB", 0x04, 20, 900, 1, 0) + bytes(14),
        "an unknown context": b"",
    }[illegal]
    with node.peer(good) as peer:
        peer.send_raw(_pdata((9 if illegal == "an unknown context" else 1, 3, _command(good))))
        peer.send_raw(follows)
        with pytest.raises((PeerClosedError, AssertionError)):
            peer.release()
    eventually(lambda: len(node.audit("association_aborted")) == 1, timeout_s=5)
    assert node.files() == []


def test_the_acceptor_stops_while_a_message_is_half_sent(node: ReceivingNode, good: EncodedInstance) -> None:
    """A stop does not wait for the rest of a message: the association is aborted at once."""
    with node.peer(good) as peer:
        peer.send_raw(_pdata((1, 3, _command(good)), (1, 0, good.data_set[:100])))
        node.acceptor.stop(0.0)
        with pytest.raises((PeerClosedError, AssertionError)):
            peer.release()
    assert node.files() == []
