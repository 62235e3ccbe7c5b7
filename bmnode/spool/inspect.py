"""Who a data set says it is, and whether it is whole. Values beyond the identifiers stay undecoded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bmnode.domain.ids import is_safe_uid
from bmnode.errors import MalformedInstanceError
from bmnode.spool.elements import Element, EncodedDataSet

_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018
_STUDY_INSTANCE_UID = 0x0020000D
_SERIES_INSTANCE_UID = 0x0020000E
_SAMPLES_PER_PIXEL = 0x00280002
_PHOTOMETRIC_INTERPRETATION = 0x00280004
_NUMBER_OF_FRAMES = 0x00280008
_ROWS = 0x00280010
_COLUMNS = 0x00280011
_BITS_ALLOCATED = 0x00280100
_PIXEL_DATA = 0x7FE00010

_IDENTIFIERS: Mapping[int, str] = {
    _SOP_CLASS_UID: "SOP Class UID (0008,0016)",
    _SOP_INSTANCE_UID: "SOP Instance UID (0008,0018)",
    _STUDY_INSTANCE_UID: "Study Instance UID (0020,000D)",
    _SERIES_INSTANCE_UID: "Series Instance UID (0020,000E)",
}
_PIXEL_BITS: Mapping[int, int | None] = {0x7FE00008: 32, 0x7FE00009: 64, _PIXEL_DATA: None}
"""Pixel data elements and the bits of a sample; None: as Bits Allocated says (PS3.3 C.7.6.3, C.7.6.24, C.7.6.25)."""
_SUBSAMPLED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
"""Native pixel data of these stores two samples a pixel, not three (PS3.3 C.7.6.3.1.2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceIdentity:
    """The identifiers of an instance and how it is encoded. Each can be a file name and a key.

    Raises MalformedInstanceError where an identifier is empty or no UID; it names the attribute,
    never the value.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str

    def __post_init__(self) -> None:
        named = zip(
            (self.sop_class_uid, self.sop_instance_uid, self.study_uid, self.series_uid),
            _IDENTIFIERS.values(),
            strict=True,
        )
        for uid, name in named:
            if not uid:
                raise MalformedInstanceError(f"{name} is absent or empty")
            if not is_safe_uid(uid):
                raise MalformedInstanceError(f"{name} is not a UID")


def inspect_data_set(data: bytes | memoryview, *, transfer_syntax_uid: str) -> InstanceIdentity:
    """The identifiers of an encoded data set that is whole.

    An image without pixel data is whole: that it cannot be assessed is for the job to say.

    Raises:
        MalformedInstanceError: the structure is broken or cut short, native pixel data is
            shorter than its description says, or an identifier is missing or no UID.
    """
    encoded = EncodedDataSet(data, transfer_syntax_uid=transfer_syntax_uid)
    found: dict[int, Element] = {}
    for element in encoded.elements():
        found.setdefault(element.tag, element)
    _check_pixels(encoded, found)
    uids = {tag: encoded.text(found[tag]) if tag in found else "" for tag in _IDENTIFIERS}
    return InstanceIdentity(
        sop_class_uid=uids[_SOP_CLASS_UID],
        sop_instance_uid=uids[_SOP_INSTANCE_UID],
        study_uid=uids[_STUDY_INSTANCE_UID],
        series_uid=uids[_SERIES_INSTANCE_UID],
        transfer_syntax_uid=transfer_syntax_uid,
    )


def _check_pixels(encoded: EncodedDataSet, found: Mapping[int, Element]) -> None:
    """Native pixel data must be as long as rows, columns, samples, frames and bits make it."""
    for tag, fixed_bits in _PIXEL_BITS.items():
        pixels = found.get(tag)
        if pixels is None or pixels.length is None:
            continue
        bits = fixed_bits or _number(encoded, found, _BITS_ALLOCATED)
        needed = _needed_bytes(encoded, found, bits_per_sample=bits)
        if pixels.length < needed:
            raise MalformedInstanceError(f"pixel data has {pixels.length} bytes where its description needs {needed}")


def _needed_bytes(encoded: EncodedDataSet, found: Mapping[int, Element], *, bits_per_sample: int) -> int:
    """Length of native pixel data; 0 where the description is incomplete, which is for the job to refuse."""
    samples = _number(encoded, found, _SAMPLES_PER_PIXEL) or 1
    photometric = found.get(_PHOTOMETRIC_INTERPRETATION)
    if samples == 3 and photometric is not None and encoded.text(photometric) in _SUBSAMPLED:
        samples = 2
    frames = found.get(_NUMBER_OF_FRAMES)
    count = 1 if frames is None else _integer(encoded.text(frames))
    pixels = _number(encoded, found, _ROWS) * _number(encoded, found, _COLUMNS) * samples * count
    return math.ceil(pixels * bits_per_sample / 8)


def _number(encoded: EncodedDataSet, found: Mapping[int, Element], tag: int) -> int:
    return (encoded.unsigned(found[tag]) or 0) if tag in found else 0


def _integer(text: str) -> int:
    """An IS value; 1 where it is empty or no number, as most readers take it."""
    try:
        return max(int(text), 1)
    except ValueError:
        return 1
