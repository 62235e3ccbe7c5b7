"""How an instance lies in the journal: who it is, then its file, byte by byte, under one checksum."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from bmnode.errors import MalformedInstanceError
from bmnode.spool.inspect import InstanceIdentity

PAGE_BYTES = 4096
"""Records begin at pages: no flush rewrites a page that holds what was acknowledged before it."""
_HEAD = struct.Struct("<4sIQIIQ")  # magic, CRC-32 of all that follows, epoch, lengths of who, head, data set
_SEGMENT = struct.Struct("<8sIQQ")  # magic, CRC-32 of what follows, epoch, offset up to which everything is filed
_MAGIC, _SEGMENT_MAGIC = b"BMJR", b"BMJSEG01"
_SEPARATOR = "\0"


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalRecord:
    """An instance in the journal."""

    identity: InstanceIdentity
    source_ae: str
    received_at: datetime
    head_bytes: int
    """How much of the content is the file's head."""
    content: memoryview
    """The whole file, where it was read: head, then data set."""

    @property
    def data_set(self) -> memoryview:
        """The data set as it was received."""
        return self.content[self.head_bytes :]


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentMark:
    """The first page of a segment: which turn of it this is, and how far its records are filed."""

    epoch: int
    filed_to: int


def encode_record(
    *, epoch: int, identity: InstanceIdentity, source_ae: str, received_at: datetime, file: tuple[bytes, memoryview]
) -> tuple[bytes, memoryview]:
    """The record as two parts to be written one behind the other; `file` is (head, data set)."""
    head, data_set = file
    who = _SEPARATOR.join(
        (
            identity.sop_class_uid,
            identity.sop_instance_uid,
            identity.study_uid,
            identity.series_uid,
            identity.transfer_syntax_uid,
            source_ae,
            received_at.isoformat(),
        )
    ).encode("ascii")
    start = _HEAD.pack(_MAGIC, 0, epoch, len(who), len(head), len(data_set)) + who + head
    checksum = zlib.crc32(data_set, zlib.crc32(memoryview(start)[8:]))
    return start[:4] + struct.pack("<I", checksum) + start[8:], data_set


def decode_records(segment: memoryview) -> Iterator[tuple[int, int, JournalRecord]]:
    """(offset, length, record) of what is not filed yet in a segment, up to the first place that holds none."""
    mark = decode_mark(segment)
    at = len(segment) if mark is None else mark.filed_to
    while mark is not None and len(segment) - at >= _HEAD.size:
        found = _decode(segment[at:], epoch=mark.epoch)
        if found is None:
            return
        length, record = found
        yield at, length, record
        at += padded(length)


def decode_record(encoded: memoryview, *, epoch: int) -> JournalRecord:
    """One record. Raises OSError where it is not what was written."""
    found = _decode(encoded, epoch=epoch)
    if found is None:
        raise OSError("a record of the journal cannot be read back")
    return found[1]


def encode_mark(mark: SegmentMark) -> bytes:
    """A segment's first bytes."""
    body = struct.pack("<QQ", mark.epoch, mark.filed_to)
    return _SEGMENT.pack(_SEGMENT_MAGIC, zlib.crc32(body), mark.epoch, mark.filed_to)


def decode_mark(segment: memoryview) -> SegmentMark | None:
    """What a segment's first page says; None where it was never used."""
    if len(segment) < PAGE_BYTES:
        return None
    magic, checksum, epoch, filed_to = _SEGMENT.unpack_from(segment)
    if magic != _SEGMENT_MAGIC or checksum != zlib.crc32(struct.pack("<QQ", epoch, filed_to)):
        return None
    return SegmentMark(epoch=epoch, filed_to=filed_to)


def padded(length: int) -> int:
    """A length rounded up to whole pages."""
    return -(-length // PAGE_BYTES) * PAGE_BYTES


def _decode(encoded: memoryview, *, epoch: int) -> tuple[int, JournalRecord] | None:
    magic, checksum, of_epoch, who_bytes, head_bytes, data_bytes = _HEAD.unpack_from(encoded)
    length = _HEAD.size + who_bytes + head_bytes + data_bytes
    if magic != _MAGIC or of_epoch != epoch or length > len(encoded):
        return None
    if zlib.crc32(encoded[8:length]) != checksum:
        return None
    content_at = _HEAD.size + who_bytes
    fields = bytes(encoded[_HEAD.size : content_at]).decode("ascii").split(_SEPARATOR)
    try:
        sop_class, sop_instance, study, series, syntax, source_ae, received_at = fields
        identity = InstanceIdentity(
            sop_class_uid=sop_class,
            sop_instance_uid=sop_instance,
            study_uid=study,
            series_uid=series,
            transfer_syntax_uid=syntax,
        )
        at = datetime.fromisoformat(received_at)
    except (ValueError, MalformedInstanceError):
        return None
    record = JournalRecord(
        identity=identity,
        source_ae=source_ae,
        received_at=at,
        head_bytes=head_bytes,
        content=encoded[content_at:length],
    )
    return length, record
