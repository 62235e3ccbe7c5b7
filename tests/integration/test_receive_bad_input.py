"""Senders that send rubbish, too much, or the wrong thing: a clear status, an audit line, and nothing lost."""

from __future__ import annotations

import errno
import json
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from bmnode.domain.records import StudyRecord
from bmnode.scp import AcceptorOptions
from bmnode.scp.policy import Admission, PeerRule, Policy
from bmnode.spool import JournalOptions
from bmnode.spool.filesystem import OsFileSystem
from bmnode.spool.records import PAGE_BYTES
from tests.support.acceptor import ReceivingNode, after_quiet, receiving_node, store
from tests.support.encoded import EncodedInstance, ct_slices, encode_instance, encoded_ct
from tests.support.polling import eventually
from tests.support.raw_peer import PeerClosedError, RawPeer, RejectedError


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ReceivingNode]:
    """A running acceptor."""
    with receiving_node(tmp_path) as node:
        yield node


@pytest.fixture
def good(tmp_path: Path) -> EncodedInstance:
    """An instance that is as it should be."""
    return encoded_ct(tmp_path / "good", seed="good")[0]


def _without(tmp_path: Path, keyword: str) -> bytes:
    dataset = ct_slices(tmp_path / "source")[0]
    setattr(dataset, keyword, "")
    return encode_instance(dataset).data_set


def _other_pixels(tmp_path: Path, seed: str) -> EncodedInstance:
    dataset = ct_slices(tmp_path / "other", seed=seed)[0]
    dataset.PixelData = bytes(len(dataset.PixelData))
    return encode_instance(dataset)


def _refusals(node: ReceivingNode) -> list[dict[str, str]]:
    return [json.loads(entry.detail) for entry in node.audit("instance_refused")]


def _assert_still_served(node: ReceivingNode, instance: EncodedInstance) -> None:
    with node.peer(instance) as peer:
        assert store(peer, instance) == 0x0000
    assert node.row(instance.sop_instance_uid) is not None


@pytest.mark.parametrize(
    ("damage", "status", "code"),
    [
        ("cut short", 0xC000, "malformed_instance"),
        ("noise", 0xC000, "malformed_instance"),
        ("empty", 0xC000, "malformed_instance"),
        ("no study", 0xC000, "malformed_instance"),
        ("no series", 0xC000, "malformed_instance"),
        ("no instance", 0xC000, "malformed_instance"),
        ("another instance", 0xA900, "mismatched_instance"),
        ("another class", 0xA900, "mismatched_instance"),
    ],
)
def test_a_bad_instance_costs_only_itself(
    node: ReceivingNode, tmp_path: Path, good: EncodedInstance, damage: str, status: int, code: str
) -> None:
    """A bad instance is refused by its status and audited; the association goes on and takes the next."""
    bad = encoded_ct(tmp_path / "bad", seed="bad")[0]
    damaged = {
        "cut short": lambda: replace(bad, data_set=bad.data_set[:-30]),
        "noise": lambda: replace(bad, data_set=bytes(range(256)) * 40),
        "empty": lambda: replace(bad, data_set=b""),
        "no study": lambda: replace(bad, data_set=_without(tmp_path, "StudyInstanceUID")),
        "no series": lambda: replace(bad, data_set=_without(tmp_path, "SeriesInstanceUID")),
        "no instance": lambda: replace(bad, data_set=_without(tmp_path, "SOPInstanceUID")),
        "another instance": lambda: replace(bad, sop_instance_uid="1.2.3.4"),
        "another class": lambda: replace(bad, sop_class_uid="1.2.840.10008.5.1.4.1.1.4"),
    }[damage]()
    with node.peer(damaged, good) as peer:
        assert store(peer, damaged) == status
        assert node.files() == []
        assert store(peer, good) == 0x0000
        peer.release()
    assert [(refusal["status"], refusal["code"]) for refusal in _refusals(node)] == [(f"0x{status:04X}", code)]
    assert node.row(damaged.sop_instance_uid) is None
    assert len(node.files()) == 1


def test_the_same_instance_again_is_success(node: ReceivingNode, good: EncodedInstance) -> None:
    """A sender that repeats itself is told that all is well, and nothing is counted twice."""
    for _ in range(3):
        _assert_still_served(node, good)
    study = node.study(good.study_uid)
    assert study is not None
    assert study.instance_count == 1
    assert len(node.audit("instance_stored")) == 1


def test_another_instance_under_the_same_identifier_is_refused(
    node: ReceivingNode, good: EncodedInstance, tmp_path: Path
) -> None:
    """The first instance stays; the second is refused as a duplicate and audited."""
    with node.peer(good) as peer:
        assert store(peer, good) == 0x0000
        assert store(peer, _other_pixels(tmp_path, "good")) == 0x0111
        assert store(peer, good) == 0x0000
    row = node.row(good.sop_instance_uid)
    assert row is not None
    assert node.data_set(row) == good.data_set
    assert [refusal["code"] for refusal in _refusals(node)] == ["conflicting_instance"]


class FillableDisk(OsFileSystem):
    """A disk that is full while it is told so: takes half of a write, then no more."""

    is_full = False

    def write_at(self, handle: int, parts: Sequence[memoryview], offset: int) -> int:
        """Half of a record, then ENOSPC; the first page of a segment is rewritten in place."""
        if not self.is_full or not offset:
            return super().write_at(handle, parts, offset)
        if offset % PAGE_BYTES:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write_at(handle, [parts[0][: len(parts[0]) // 2]], offset)

    def write(self, handle: int, data: memoryview) -> int:
        """Half of it, then ENOSPC."""
        if not self.is_full:
            return super().write(handle, data)
        if len(data) < 1000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(handle, data[: len(data) // 2])


class DefectiveDisk(OsFileSystem):
    """A disk whose first record meets an error that nobody foresaw."""

    def __init__(self, defects: list[Exception]) -> None:
        self._defects = defects

    def write_at(self, handle: int, parts: Sequence[memoryview], offset: int) -> int:
        """Raise what is left to raise."""
        if offset and self._defects:
            raise self._defects.pop()
        return super().write_at(handle, parts, offset)


def test_a_full_disk_is_out_of_resources_and_recovers(tmp_path: Path, good: EncodedInstance) -> None:
    """On a full disk the sender is asked to come again, no half file stays, and later it works by itself."""
    disk = FillableDisk()
    with receiving_node(tmp_path, file_system=disk) as node, node.peer(good) as peer:
        disk.is_full = True
        assert store(peer, good) == 0xA700
        assert node.files() == []
        disk.is_full = False
        assert store(peer, good) == 0x0000
        assert len(node.files()) == 1
        assert [refusal["code"] for refusal in _refusals(node)] == ["spool_full"]


def test_a_database_that_fails_is_out_of_resources(node: ReceivingNode, good: EncodedInstance) -> None:
    """Where the row cannot be written the sender is asked to come again, and no file stays under its name."""
    with node.database.write() as connection:
        connection.execute(sa.text("ALTER TABLE instances RENAME TO hidden"))
    with node.peer(good) as peer:
        assert store(peer, good) == 0xA700
        assert node.files() == []
        with node.database.write() as connection:
            connection.execute(sa.text("ALTER TABLE hidden RENAME TO instances"))
        assert store(peer, good) == 0x0000


def test_a_defect_becomes_a_status_and_never_a_name_in_the_log(tmp_path: Path, good: EncodedInstance) -> None:
    """An error that nobody foresaw is a processing failure; log and audit tell of it without the patient."""
    disk = DefectiveDisk([KeyError("Müller^P1")])
    journal = JournalOptions(segment_bytes=1 << 22, ready=0)  # the instance is the first to meet the defect
    options = AcceptorOptions(ae_title="BMNODE", bind="127.0.0.1", journal=journal)
    with (
        capture_logs() as events,
        receiving_node(tmp_path, options=options, file_system=disk) as node,
        node.peer(good) as peer,
    ):
        assert store(peer, good) == 0x0110
        assert store(peer, good) == 0x0000
        assert [refusal["reason"] for refusal in _refusals(node)] == ["KeyError"]
    told = [{key: value for key, value in event.items() if key != "exc_info"} for event in events]
    assert "instance_refused" in str(told)
    assert "Müller" not in str(told)


def test_an_instance_that_cannot_be_filed_waits_and_is_not_lost(tmp_path: Path) -> None:
    """What was acknowledged is tried again until it has its file and row; nobody else waits for it."""
    first, second = encoded_ct(tmp_path / "source", count=2)
    failures = iter([KeyError("Müller^P1"), KeyError("Müller^P1")])

    def quiet(study: StudyRecord | None, at: datetime) -> datetime:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        return after_quiet(study, at)

    with capture_logs() as events, receiving_node(tmp_path, quiet=quiet) as node, node.peer(first) as peer:
        assert [store(peer, first), store(peer, second), store(peer, first)] == [0x0000] * 3
        assert all(node.row(instance.sop_instance_uid) is not None for instance in (first, second))
    told = [event for event in events if event["event"] == "filing_failed"]
    assert [event["error"] for event in told] == ["KeyError"] * 2
    assert "Müller" not in str(told)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" * 64, b"\x01\x00\x00\x00\x00\x08" + b"\xff" * 8, b"\x04" + bytes(9)],
    ids=["http", "zeros", "ones", "broken request", "data first"],
)
def test_garbage_on_the_socket_ends_the_connection(node: ReceivingNode, good: EncodedInstance, garbage: bytes) -> None:
    """Whoever speaks no DICOM is hung up on at once and audited; others are served."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=5) as stranger:
        stranger.sendall(garbage)
        try:
            while stranger.recv(100):
                pass
        except ConnectionResetError:
            pass
    _assert_still_served(node, good)
    eventually(lambda: len(node.audit("connection_refused")) == 1, timeout_s=5)


def test_a_gigantic_pdu_is_refused_at_its_head(node: ReceivingNode, good: EncodedInstance) -> None:
    """A peer that announces a gigabyte is hung up on before a byte of it is waited for."""
    with node.peer(good) as peer:
        peer.send_raw(struct.pack(">BxL", 0x04, 1 << 30))
        with pytest.raises(PeerClosedError):
            store(peer, good)
    _assert_still_served(node, good)


@pytest.mark.parametrize("missing", ["class", "instance"])
def test_a_request_that_names_no_instance_ends_the_association(
    node: ReceivingNode, good: EncodedInstance, missing: str
) -> None:
    """A C-STORE whose command set lacks an identifier cannot be answered: the sender is not left waiting."""
    sop_class_uid = "" if missing == "class" else good.sop_class_uid
    sop_instance_uid = "" if missing == "instance" else good.sop_instance_uid
    with node.peer(good) as peer, pytest.raises(PeerClosedError):
        peer.store(good.data_set, sop_class_uid=sop_class_uid, sop_instance_uid=sop_instance_uid)
    assert len(node.audit("request_without_identifiers")) == 1
    _assert_still_served(node, good)


def test_a_dripping_pdu_runs_out_of_time(node: ReceivingNode, good: EncodedInstance) -> None:
    """A peer that sends a byte now and then does not hold its connection for ever."""
    with node.peer(good) as peer:
        peer.send_raw(struct.pack(">BxL", 0x04, 10_000))

        def is_closed() -> bool:
            node.clock.advance(61)
            try:
                peer.send_raw(b"\0")
            except PeerClosedError:
                return True
            return False

        eventually(is_closed, timeout_s=10)
    _assert_still_served(node, good)


def test_a_sender_that_vanishes_leaves_nothing_half(node: ReceivingNode, good: EncodedInstance) -> None:
    """A connection that breaks in the middle of an image is audited as aborted; no file and no row are left."""
    with node.peer(good) as peer:
        peer.send_raw(struct.pack(">BxL", 0x04, 500) + bytes(100))
    eventually(lambda: len(node.audit("association_aborted")) == 1, timeout_s=5)
    assert node.files() == []
    _assert_still_served(node, good)


def test_too_many_associations_are_asked_to_come_again(tmp_path: Path, good: EncodedInstance) -> None:
    """Beyond the cap a sender is rejected as transient (temporary congestion); when one ends, the next is let in."""
    options = AcceptorOptions(ae_title="BMNODE", bind="127.0.0.1", policy=Policy(max_associations=2))
    with receiving_node(tmp_path, options=options) as node:
        first, second = node.peer(good), node.peer(good)
        with pytest.raises(RejectedError) as caught:
            node.peer(good)
        assert caught.value.codes == (2, 3, 1)
        eventually(lambda: len(node.audit("association_rejected")) == 1, timeout_s=5)
        assert "too_many_associations" in node.audit("association_rejected")[0].detail
        first.release()

        def is_let_in() -> bool:
            try:
                node.peer(good).close()
            except RejectedError:
                return False
            return True

        eventually(is_let_in, timeout_s=5)
        second.close()


def test_silent_connections_do_not_lock_others_out(tmp_path: Path, good: EncodedInstance) -> None:
    """Connections that never ask for an association do not count against those that do."""
    options = AcceptorOptions(ae_title="BMNODE", bind="127.0.0.1", policy=Policy(max_associations=1))
    with receiving_node(tmp_path, options=options) as node:
        silent = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(5)]
        _assert_still_served(node, good)
        for connection in silent:
            connection.close()


@pytest.mark.parametrize(
    ("calling_ae", "called_ae", "codes"), [("STRANGER", "BMNODE", (1, 1, 3)), ("SCANNER", "OTHER", (1, 1, 7))]
)
def test_strangers_and_misdirected_senders_learn_why(
    tmp_path: Path, good: EncodedInstance, calling_ae: str, called_ae: str, codes: tuple[int, int, int]
) -> None:
    """Who is not configured, or calls somebody else, is rejected for good with the reason, and audited."""
    policy = Policy(admission=Admission.CONFIGURED, peers=(PeerRule(ae_title="SCANNER"),), called_ae="BMNODE")
    options = AcceptorOptions(ae_title="BMNODE", bind="127.0.0.1", policy=policy)
    with receiving_node(tmp_path, options=options) as node:
        with pytest.raises(RejectedError) as caught:
            node.peer(good, calling_ae=calling_ae, called_ae=called_ae)
        assert caught.value.codes == codes
        eventually(lambda: [entry.actor for entry in node.audit("association_rejected")] == [calling_ae], timeout_s=5)
        _assert_still_served(node, good)


@pytest.mark.parametrize("service", ["find", "move", "get"])
def test_queries_are_refused_to_everyone(node: ReceivingNode, service: str) -> None:
    """Nobody can ask what the node holds, or have it sent: no context is accepted, and the trail says who tried."""
    sop_class = f"1.2.840.10008.5.1.4.1.2.2.{('find', 'move', 'get').index(service) + 1}"
    with RawPeer(node.port, contexts=[(sop_class, ("1.2.840.10008.1.2",))]) as peer:
        assert peer.accepted == {}
        peer.release()
    eventually(lambda: len(node.audit("query_refused")) == 1, timeout_s=5)
    (refused,) = node.audit("query_refused")
    assert (refused.actor, refused.outcome) == (node.audit("association_accepted")[0].actor, "failure")
    assert sop_class in node.audit("association_accepted")[0].detail


def test_an_unknown_sop_class_is_refused_in_negotiation(node: ReceivingNode) -> None:
    """A class that no patient with bone metastases has is not accepted, and the audit trail says which."""
    with RawPeer(node.port, contexts=[("1.2.840.10008.5.1.4.1.1.77.1.6", ("1.2.840.10008.1.2.1",))]) as peer:
        assert peer.accepted == {}
        peer.release()
    assert "1.2.840.10008.5.1.4.1.1.77.1.6" in node.audit("association_accepted")[0].detail
