"""The structure of an encoded data set (PS3.5 7.1, 7.5, A.4), walked without decoding values.

Only lengths and tags are read, so that a data set of any size costs microseconds, and the
walk proves that the data set is whole: every declared length fits, every sequence and every
run of fragments is closed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from bmnode.errors import MalformedInstanceError

MAX_INFLATED_BYTES = 1 << 31
"""A deflated data set that grows beyond this is refused: no real study has one, a decompression bomb does."""
MAX_DEPTH = 64
"""Deepest nesting of sequences; real objects stay below ten."""

_UNDEFINED = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_ITEM_END = 0xFFFEE00D
_SEQUENCE_END = 0xFFFEE0DD
_SHORT_LENGTH = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
"""VRs whose length takes two bytes; every other, future ones included, takes four (PS3.5 7.1.2)."""
_SHORT_HEAD_BYTES = 8
_FRAGMENTED = frozenset({b"OB", b"OW"})
_FIRST_GROUP = 0x0008
"""Groups below belong to command sets, files and directories, never to a data set (PS3.5 7.1)."""


class Element(NamedTuple):
    """One element of the top level: where its value is. `length` is None for an undefined length."""

    tag: int
    offset: int
    length: int | None


class EncodedDataSet:
    """The bytes of a data set and how they are encoded.

    Args:
        data: the data set as it was received; inflated here where the transfer syntax is deflated.
        transfer_syntax_uid: as negotiated.
        max_inflated_bytes: how large a deflated data set may be.

    Raises:
        MalformedInstanceError: a deflated stream is broken or grows too large.
    """

    def __init__(
        self, data: bytes | memoryview, *, transfer_syntax_uid: str, max_inflated_bytes: int = MAX_INFLATED_BYTES
    ) -> None:
        if transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
            data = _inflate(data, max_inflated_bytes)
        self._data = memoryview(data)
        self._end = len(self._data)
        self._implicit = transfer_syntax_uid == ImplicitVRLittleEndian
        order = ">" if transfer_syntax_uid == ExplicitVRBigEndian else "<"
        self._u16 = struct.Struct(f"{order}H")
        self._u32 = struct.Struct(f"{order}L")
        self._tag = struct.Struct(f"{order}HH")
        self._short_head = struct.Struct(f"{order}HH2sH")

    def elements(self) -> Iterator[Element]:
        """The elements of the top level in their order.

        Raises MalformedInstanceError, when it comes to it, where the structure is broken.
        """
        at = 0
        while at < self._end:
            # Most elements are short and explicit: read in one step, for each one of each instance that arrives.
            if not self._implicit and self._end - at >= _SHORT_HEAD_BYTES:
                group, number, vr, length = self._short_head.unpack_from(self._data, at)
                after = at + _SHORT_HEAD_BYTES + length
                if vr in _SHORT_LENGTH and _FIRST_GROUP <= group != 0xFFFE and after <= self._end:
                    yield Element(group << 16 | number, at + _SHORT_HEAD_BYTES, length)
                    at = after
                    continue
            if self._is_padding(at):
                return
            tag, vr, length, value_at = self._head(at, implicit=self._implicit, nested=False)
            if tag >> 16 < _FIRST_GROUP or tag >> 16 == 0xFFFE:
                raise MalformedInstanceError(f"{_name(tag)} has no place in a data set")
            at = self._after(tag, vr, length, value_at, implicit=self._implicit, depth=0)
            yield Element(tag, value_at, None if length == _UNDEFINED else length)

    def text(self, element: Element) -> str:
        """An element's value as ASCII, without padding. Raises MalformedInstanceError where it is not ASCII."""
        try:
            raw = bytes(self._data[element.offset : element.offset + (element.length or 0)])
            return raw.decode("ascii").strip(" \0")
        except UnicodeDecodeError as error:
            raise MalformedInstanceError(f"{_name(element.tag)} is not plain text") from error

    def unsigned(self, element: Element) -> int | None:
        """An element's first value as US; None where it is empty."""
        return None if (element.length or 0) < 2 else int(self._u16.unpack_from(self._data, element.offset)[0])

    def _is_padding(self, at: int) -> bool:
        """Whether only zeros follow: some senders pad the end of a data set with them.

        A single zero is not taken for padding: a tag that was cut behind its first byte looks the same.
        """
        return at > 0 and self._end - at > 1 and not any(self._data[at : at + 4]) and not any(self._data[at:])

    def _head(self, at: int, *, implicit: bool, nested: bool) -> tuple[int, bytes, int, int]:
        """(tag, VR or nothing, length, offset of the value) of the element at an offset."""
        if self._end - at < 8:
            raise MalformedInstanceError("the data set ends inside the head of an element")
        group, number = self._tag.unpack_from(self._data, at)
        tag = group << 16 | number
        if implicit or group == 0xFFFE:
            return tag, b"", self._u32.unpack_from(self._data, at + 4)[0], at + 8
        vr = bytes(self._data[at + 4 : at + 6])
        if vr in _SHORT_LENGTH:
            return tag, vr, self._u16.unpack_from(self._data, at + 6)[0], at + 8
        if not (vr.isalpha() and vr.isupper()):
            if nested:  # known senders write implicit VR inside their private sequences
                return tag, b"", self._u32.unpack_from(self._data, at + 4)[0], at + 8
            raise MalformedInstanceError(f"{_name(tag)} has no value representation: not encoded as negotiated")
        if self._end - at < 12:
            raise MalformedInstanceError(f"the data set ends inside the head of {_name(tag)}")
        return tag, vr, self._u32.unpack_from(self._data, at + 8)[0], at + 12

    def _after(self, tag: int, vr: bytes, length: int, value_at: int, *, implicit: bool, depth: int) -> int:
        """The offset behind an element's value, which is thereby proven to be whole."""
        if length == _UNDEFINED:
            # An unknown VR of undefined length is encoded in implicit VR, whatever is around it (PS3.5 6.2.2).
            implicit = implicit or vr == b"UN"
            return self._after_items(tag, value_at, implicit=implicit, depth=depth, nesting=vr not in _FRAGMENTED)
        missing = value_at + length - self._end
        if missing > 0:
            raise MalformedInstanceError(f"{_name(tag)} is cut short: {missing} of {length} bytes are missing")
        return value_at + length

    def _after_items(self, tag: int, at: int, *, implicit: bool, depth: int, nesting: bool) -> int:
        """The offset behind the delimiter that ends a sequence, or a run of fragments (`nesting` False)."""
        if depth >= MAX_DEPTH:
            raise MalformedInstanceError(f"{_name(tag)} nests deeper than {MAX_DEPTH} sequences")
        while True:
            if self._end - at < 8:
                raise MalformedInstanceError(f"{_name(tag)} is cut short: its end is missing")
            item, _, length, at = self._head(at, implicit=True, nested=True)
            if item == _SEQUENCE_END:
                return at
            if item != _ITEM:
                raise MalformedInstanceError(f"{_name(tag)} holds {_name(item)} where an item belongs")
            if length == _UNDEFINED and nesting:
                at = self._after_item(tag, at, implicit=implicit, depth=depth)
            elif length > self._end - at:
                raise MalformedInstanceError(f"{_name(tag)} is cut short inside an item")
            else:
                at += length

    def _after_item(self, tag: int, at: int, *, implicit: bool, depth: int) -> int:
        """The offset behind the delimiter that ends an item of undefined length."""
        while True:
            if self._end - at < 8:
                raise MalformedInstanceError(f"{_name(tag)} is cut short: the end of an item is missing")
            inner, vr, length, value_at = self._head(at, implicit=implicit, nested=True)
            if inner == _ITEM_END:
                return value_at
            at = self._after(inner, vr, length, value_at, implicit=implicit, depth=depth + 1)


def _inflate(data: bytes | memoryview, max_bytes: int) -> bytes:
    """The data set behind raw deflate (PS3.5 A.5)."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, max_bytes)
    except zlib.error as error:
        raise MalformedInstanceError("the deflated data set is broken") from error
    if inflater.unconsumed_tail:
        raise MalformedInstanceError(f"the deflated data set grows beyond {max_bytes} bytes")
    if not inflater.eof:
        raise MalformedInstanceError("the deflated data set is cut short")
    return inflated


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
