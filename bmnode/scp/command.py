"""Command sets of C-STORE: the request read, the response written, no objects made of them (PS3.7 6.3.1, 9.3.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

C_STORE_RQ = 0x0001
_C_STORE_RSP = 0x8001
_NO_DATA_SET = 0x0101
_DATA = 0x04
_LAST_OF_COMMAND = 0x03  # PS3.8 Annex E.2

_CLASS, _FIELD, _MESSAGE_ID, _RESPONDED_TO = 0x0002, 0x0100, 0x0110, 0x0120
_DATA_SET_TYPE, _STATUS, _INSTANCE = 0x0800, 0x0900, 0x1000
_HEAD = struct.Struct("<HHL")
_NUMBER = struct.Struct("<H")
_LENGTH = struct.Struct("<L")
_PDATA_HEAD = struct.Struct(">BxLLBB")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreCommand:
    """What a C-STORE request says before its data set. Identifiers are empty where the sender left them out."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    has_data_set: bool


def read_store_command(encoded: bytes | bytearray | memoryview) -> StoreCommand | None:
    """The request, or None where the command set is another message's, or cannot be understood."""
    elements = _elements(encoded)
    if elements is None or _number(elements.get(_FIELD)) != C_STORE_RQ:
        return None
    message_id = _number(elements.get(_MESSAGE_ID))
    if message_id is None:
        return None
    try:
        sop_class_uid, sop_instance_uid = (_uid(elements.get(tag, b"")) for tag in (_CLASS, _INSTANCE))
    except UnicodeDecodeError:
        return None
    return StoreCommand(
        message_id=message_id,
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        has_data_set=_number(elements.get(_DATA_SET_TYPE)) != _NO_DATA_SET,
    )


def store_response(command: StoreCommand, *, context_id: int, status: int) -> bytes:
    """The P-DATA-TF PDU that answers a request (PS3.7 Table 9.3-2, PS3.8 9.3.5)."""
    body = (
        _element(_CLASS, _padded(command.sop_class_uid))
        + _element(_FIELD, _NUMBER.pack(_C_STORE_RSP))
        + _element(_RESPONDED_TO, _NUMBER.pack(command.message_id))
        + _element(_DATA_SET_TYPE, _NUMBER.pack(_NO_DATA_SET))
        + _element(_STATUS, _NUMBER.pack(status))
        + _element(_INSTANCE, _padded(command.sop_instance_uid))
    )
    encoded = _element(0x0000, _LENGTH.pack(len(body))) + body
    return _PDATA_HEAD.pack(_DATA, len(encoded) + 6, len(encoded) + 2, context_id, _LAST_OF_COMMAND) + encoded


def _elements(encoded: bytes | bytearray | memoryview) -> dict[int, bytes] | None:
    """Element number to value of group 0000, implicit VR little endian; None where the structure is broken."""
    found: dict[int, bytes] = {}
    at, end = 0, len(encoded)
    while at < end:
        if end - at < _HEAD.size:
            return None
        group, element, length = _HEAD.unpack_from(encoded, at)
        at += _HEAD.size
        if group or length > end - at:
            return None
        found[element] = bytes(encoded[at : at + length])
        at += length
    return found


def _number(value: bytes | None) -> int | None:
    return None if value is None or len(value) != _NUMBER.size else int(_NUMBER.unpack(value)[0])


def _uid(value: bytes) -> str:
    return value.decode("ascii").rstrip("\0 ").strip()


def _padded(uid: str) -> bytes:
    return uid.encode("ascii") + b"\0" * (len(uid) % 2)


def _element(element: int, value: bytes) -> bytes:
    return _HEAD.pack(0x0000, element, len(value)) + value
