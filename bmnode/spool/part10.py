"""The head of a Part 10 file: preamble and file meta information (PS3.10 7.1)."""

from __future__ import annotations

import struct
from functools import lru_cache
from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_file_meta_info

from bmnode.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

PREAMBLE = b"\x00" * 128 + b"DICM"
_HEAD = struct.Struct("<HH2sH")  # explicit VR little endian, PS3.5 7.1.2
_FILE_VERSION = struct.pack("<HH2s2xL", 0x0002, 0x0001, b"OB", 2) + b"\x00\x01"
_REMEMBERED_ELEMENTS = 256
"""Instances that follow each other differ in one element."""
_GROUP_LENGTH_ELEMENT_BYTES = 12
"""File Meta Information Group Length (0002,0000) itself, which it does not count."""


def file_head(*, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae: str) -> bytes:
    """Everything of the file before the data set, which follows byte by byte as it was received.

    Written here and not by pydicom: one is made for every instance that arrives.
    """
    elements = b"".join(
        (
            _FILE_VERSION,
            _element(0x0002, b"UI", sop_class_uid, pad=b"\0"),
            _element(0x0003, b"UI", sop_instance_uid, pad=b"\0"),
            _element(0x0010, b"UI", transfer_syntax_uid, pad=b"\0"),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, pad=b"\0"),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, pad=b" "),
            _element(0x0016, b"AE", source_ae, pad=b" "),
        )
    )
    return PREAMBLE + _HEAD.pack(0x0002, 0x0000, b"UL", 4) + struct.pack("<L", len(elements)) + elements


@lru_cache(maxsize=_REMEMBERED_ELEMENTS)
def _element(number: int, vr: bytes, text: str, *, pad: bytes) -> bytes:
    value = text.encode("ascii")
    value += pad * (len(value) % 2)
    return _HEAD.pack(0x0002, number, vr, len(value)) + value


def read_file(path: Path) -> tuple[FileMetaDataset, memoryview]:
    """A file's meta information and the encoded data set behind it.

    Raises InvalidDicomError where it is no Part 10 file, AttributeError where an element of the
    meta information is missing, OSError where it cannot be read.
    """
    meta = read_file_meta_info(path)
    start = len(PREAMBLE) + _GROUP_LENGTH_ELEMENT_BYTES + int(meta.FileMetaInformationGroupLength)
    return meta, memoryview(path.read_bytes())[start:]
