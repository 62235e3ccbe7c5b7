"""Who sends: sockets with everything encoded beforehand, and DCMTK's storescu as a site runs it."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.ingest_objects import Instance, store_message, write_files

STORESCU = Path("/usr/bin/storescu")
"""DCMTK's by its full path: pynetdicom installs a command of the same name."""
_HOST = "127.0.0.1"
_LARGEST_PDU = 131_072
_SMALL_PDU = 16_384
"""What every receiver takes, for messages that are encoded before anything was negotiated."""
_TIMEOUT_S = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What came of sending: how long it took, what was answered, and how soon (nothing where that cannot be seen)."""

    seconds: float
    acknowledged: int
    responses_ms: Sequence[float] = ()
    statuses: Mapping[int, int] = field(default_factory=dict)
    """How often each status was answered."""


def send_by_socket(port: int, called_ae: str, lots: Sequence[Sequence[Instance]], *, each_alone: bool = False) -> Sent:
    """Send each lot over an association of its own, all at once from a start barrier.

    With `each_alone` every instance gets an association: connected, negotiated, sent, released.
    """
    senders = [_Sender(port, called_ae, lot, each_alone=each_alone) for lot in lots]
    barrier = threading.Barrier(len(senders) + 1)
    threads = [threading.Thread(target=sender.run, args=(barrier,)) for sender in senders]
    for thread in threads:
        thread.start()
    barrier.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    responses = [ms for sender in senders for ms in sender.responses_ms]
    statuses = sum((sender.statuses for sender in senders), Counter[int]())
    return Sent(seconds=seconds, acknowledged=statuses[0], responses_ms=responses, statuses=statuses)


def send_by_storescu(
    port: int, called_ae: str, lots: Sequence[Sequence[Instance]], *, folder: Path, no_delay: bool
) -> Sent:
    """Run one `storescu +sd +r` a lot, all at once."""
    environment = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
    if no_delay:
        environment["TCP_NODELAY"] = "1"
    for number, lot in enumerate(lots):
        write_files(folder / str(number), lot)
    started = time.perf_counter()
    running = [
        subprocess.Popen(  # noqa: S603 - the program is named by its path, the arguments are ours
            [str(STORESCU), "+sd", "+r", "-aec", called_ae, _HOST, str(port), str(folder / str(number))],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(len(lots))
    ]
    codes = [process.wait(timeout=_TIMEOUT_S) for process in running]
    seconds = time.perf_counter() - started
    # storescu halts at the first failure and says so by its exit status.
    return Sent(seconds=seconds, acknowledged=sum(len(lot) for lot, code in zip(lots, codes, strict=True) if not code))


class _Sender:
    """One thread of sending."""

    def __init__(self, port: int, called_ae: str, lot: Sequence[Instance], *, each_alone: bool) -> None:
        self._port, self._called_ae, self._lot, self._each_alone = port, called_ae, lot, each_alone
        self.statuses: Counter[int] = Counter()
        self.responses_ms: list[float] = []

    def run(self, barrier: threading.Barrier) -> None:
        """Connect, wait for the start, send."""
        first = None if self._each_alone else self._connect()
        pdu_bytes = _SMALL_PDU if first is None else first.pdu_bytes
        messages = [
            store_message(item, message_id=number % 65535 + 1, context_id=1, pdu_bytes=pdu_bytes)
            for number, item in enumerate(self._lot)
        ]
        barrier.wait()
        for message in messages:
            started = time.perf_counter()
            association = first or self._connect()
            self.statuses[association.store(message)] += 1
            if first is None:
                association.release()
            self.responses_ms.append((time.perf_counter() - started) * 1000)
        if first is not None:
            first.release()

    def _connect(self) -> _Association:
        return _Association(self._port, self._called_ae, self._lot[0].sop_class_uid)


class _Association:
    """An association on a plain socket."""

    def __init__(self, port: int, called_ae: str, sop_class_uid: str) -> None:
        self._socket = socket.create_connection((_HOST, port), timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(_request(called_ae, sop_class_uid))
        kind, body = self._read_pdu()
        if kind != 0x02:
            raise ConnectionError(f"the association was refused: PDU {kind:#x}")
        self.pdu_bytes = min(_peer_maximum(body) or _LARGEST_PDU, _LARGEST_PDU)

    def store(self, message: bytes) -> int:
        """Send a C-STORE request; returns its status."""
        self._socket.sendall(message)
        kind, body = self._read_pdu()
        if kind != 0x04:
            raise ConnectionError(f"no answer but PDU {kind:#x}")
        return _status(body[6:])

    def release(self) -> None:
        """A-RELEASE, its answer, and the end of the connection."""
        self._socket.sendall(struct.pack(">BxL4x", 0x05, 4))
        self._read_pdu()
        self._socket.close()

    def _read_pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxL", self._read(6))
        return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the receiver hung up")
            data += piece
        return data


def _status(command: bytes) -> int:
    at = 0
    while at < len(command):
        element, length = struct.unpack_from("<2xHL", command, at)
        if element == 0x0900:
            return int(struct.unpack_from("<H", command, at + 8)[0])
        at += 8 + length
    raise ConnectionError("the response has no status")


def _peer_maximum(body: bytes) -> int:
    """Maximum Length Received of an A-ASSOCIATE-AC (PS3.8 Annex D.1); 0 for no limit."""
    at = body.find(b"\x51\x00\x00\x04", 68)
    return int(struct.unpack_from(">L", body, at + 4)[0]) if at >= 0 else 16_384


def _request(called_ae: str, sop_class_uid: str) -> bytes:
    """An A-ASSOCIATE-RQ with one presentation context (PS3.8 Table 9-11)."""
    syntax = _item(0x40, ExplicitVRLittleEndian.encode())
    context = _item(0x20, b"\x01\x00\x00\x00" + _item(0x30, sop_class_uid.encode()) + syntax)
    user = _item(0x50, _item(0x51, struct.pack(">L", 16_384)) + _item(0x52, b"1.2.3.4"))
    items = _item(0x10, b"1.2.840.10008.3.1.1.1") + context + user
    body = struct.pack(">H2x16s16s32x", 1, called_ae.ljust(16).encode(), b"BENCH".ljust(16)) + items
    return struct.pack(">BxL", 0x01, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value
