"""A sender on a plain socket: sends exactly the bytes it is told, broken ones too."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Self

_APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
_MAX_PDV_BYTES = 64 * 1024
_REJECTED, _ACCEPTED, _DATA, _RELEASE_REQUEST, _RELEASED, _ABORTED = 0x03, 0x02, 0x04, 0x05, 0x06, 0x07

Context = tuple[str, tuple[str, ...]]
"""(SOP class, transfer syntaxes in order): one proposed presentation context."""


class PeerClosedError(Exception):
    """The peer closed or aborted the association."""


class RejectedError(Exception):
    """The peer rejected the association: (result, source, reason)."""

    def __init__(self, codes: tuple[int, int, int]) -> None:
        super().__init__(str(codes))
        self.codes = codes


class RawPeer:
    """One association; a context manager. Presentation context IDs are 1, 3, 5, ... in the order proposed.

    Args:
        port: of the acceptor on loopback.
        contexts: what to propose.
        called_ae: whom to call.
        calling_ae: who calls.
        nagle: leave Nagle's algorithm on and write PDU by PDU, as many senders do.
    """

    def __init__(
        self,
        port: int,
        *,
        contexts: Sequence[Context],
        called_ae: str = "BMNODE",
        calling_ae: str = "SCANNER",
        nagle: bool = False,
    ) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._nagle = nagle
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(not nagle))
        self._message_id = 0
        self._socket.sendall(associate_request(contexts, called_ae=called_ae, calling_ae=calling_ae))
        try:
            kind, body = self._read_pdu()
        except PeerClosedError:
            self._socket.close()
            raise
        if kind == _REJECTED:
            self._socket.close()
            raise RejectedError((body[1], body[2], body[3]))
        if kind == _ABORTED:
            self._socket.close()
            raise PeerClosedError
        assert kind == _ACCEPTED
        self.accepted: dict[int, str] = dict(_accepted_contexts(body))
        """Transfer syntax by presentation context ID."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def store(self, data_set: bytes, *, sop_class_uid: str, sop_instance_uid: str, context_id: int = 1) -> int:
        """C-STORE; returns the status. Raises PeerClosedError where the peer is gone."""
        self._message_id = self._message_id % 65535 + 1
        command = store_command(sop_class_uid, sop_instance_uid, self._message_id, has_data_set=bool(data_set))
        parts = store_pdus(command, data_set, context_id=context_id)
        for writing in parts if self._nagle else [b"".join(parts)]:
            self.send_raw(writing)
        return self._read_status()

    def send_raw(self, data: bytes) -> None:
        """Send any bytes. Raises PeerClosedError where the peer is gone."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise PeerClosedError from error

    def release(self) -> None:
        """A-RELEASE, and wait for its answer. Raises PeerClosedError where it is an abort, or none."""
        self.send_raw(struct.pack(">BxL4x", _RELEASE_REQUEST, 4))
        kind, _ = self._read_pdu()
        if kind == _ABORTED:
            raise PeerClosedError
        assert kind == _RELEASED
        self.close()

    def close(self) -> None:
        """Close the connection as it is."""
        self._socket.close()

    def _read_status(self) -> int:
        command = b""
        while True:
            kind, body = self._read_pdu()
            if kind == _ABORTED:
                raise PeerClosedError
            assert kind == _DATA
            command += body[6:]
            if body[5] & 2:
                return _command_value(command, 0x0900)

    def _read_pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxL", self._read(6))
        return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                piece = self._socket.recv(count - len(data))
            except ConnectionError as error:
                raise PeerClosedError from error
            if not piece:
                raise PeerClosedError
            data += piece
        return data


def store_pdus(command: bytes, data_set: bytes, *, context_id: int, largest: int = _MAX_PDV_BYTES) -> list[bytes]:
    """A message cut into P-DATA-TF PDUs, `largest` bytes of the data set in each."""
    parts = [_pdata(context_id, command, is_command=True, is_last=True)]
    for at in range(0, len(data_set), largest):
        piece = data_set[at : at + largest]
        parts.append(_pdata(context_id, piece, is_command=False, is_last=at + largest >= len(data_set)))
    return parts


def associate_request(contexts: Sequence[Context], *, called_ae: str, calling_ae: str) -> bytes:
    """An A-ASSOCIATE-RQ (PS3.8 Table 9-11)."""
    items = _item(0x10, _APPLICATION_CONTEXT)
    for index, (sop_class, syntaxes) in enumerate(contexts):
        syntax_items = b"".join(_item(0x40, syntax.encode()) for syntax in syntaxes)
        items += _item(0x20, bytes([2 * index + 1, 0, 0, 0]) + _item(0x30, sop_class.encode()) + syntax_items)
    items += _item(0x50, _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3.4"))
    body = struct.pack(">H2x16s16s32x", 1, called_ae.ljust(16).encode(), calling_ae.ljust(16).encode()) + items
    return struct.pack(">BxL", 0x01, len(body)) + body


def _accepted_contexts(body: bytes) -> list[tuple[int, str]]:
    """(ID, transfer syntax) of the contexts that an A-ASSOCIATE-AC accepts (PS3.8 Table 9-17)."""
    found = []
    at = 68
    while at < len(body):
        kind, length = struct.unpack_from(">BxH", body, at)
        value = body[at + 4 : at + 4 + length]
        if kind == 0x21 and value[2] == 0:
            found.append((value[0], value[8:].decode().rstrip("\0")))
        at += 4 + length
    return found


def store_command(sop_class_uid: str, sop_instance_uid: str, message_id: int, *, has_data_set: bool) -> bytes:
    """The command set of a C-STORE-RQ (PS3.7 Table 9.3-1), implicit VR little endian."""
    body = (
        _element(0x0002, _uid(sop_class_uid))
        + _element(0x0100, struct.pack("<H", 0x0001))
        + _element(0x0110, struct.pack("<H", message_id))
        + _element(0x0700, struct.pack("<H", 0))
        + _element(0x0800, struct.pack("<H", 0x0001 if has_data_set else 0x0101))
        + _element(0x1000, _uid(sop_instance_uid))
    )
    return _element(0x0000, struct.pack("<L", len(body))) + body


def _command_value(command: bytes, wanted: int) -> int:
    at = 0
    while at < len(command):
        element, length = struct.unpack_from("<2xHL", command, at)
        if element == wanted:
            return int(struct.unpack_from("<H", command, at + 8)[0])
        at += 8 + length
    raise AssertionError("the response has no status")


def _pdata(context_id: int, piece: bytes, *, is_command: bool, is_last: bool) -> bytes:
    """A P-DATA-TF of one PDV (PS3.8 9.3.5, Annex E.2)."""
    control = (1 if is_command else 0) | (2 if is_last else 0)
    return struct.pack(">BxLLBB", _DATA, len(piece) + 6, len(piece) + 2, context_id, control) + piece


def _element(element: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0x0000, element, len(value)) + value


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _uid(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)
