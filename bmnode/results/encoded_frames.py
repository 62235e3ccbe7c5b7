"""Per-frame functional groups and references as encoded bytes.

A whole-body study has thousands of frames, each with some ten nested data sets, and as many images to refer to: as
objects they take longer to make and to write than everything else together. Here they are put together from parts that
are encoded once (PS3.5 7.5, Explicit VR Little Endian, defined lengths). Reading is left to pydicom.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from pydicom.charset import convert_encodings, default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import DSfloat

from bmnode.results.concepts import SEGMENTATION_DERIVATION, SOURCE_IMAGE, coded
from bmnode.results.grid import SliceSource
from bmnode.results.sources import SourceInstance

_REFERENCED_SERIES = Tag("ReferencedSeriesSequence")
_PER_FRAME = Tag("PerFrameFunctionalGroupsSequence")
_ITEM = b"\xfe\xff\x00\xe0"


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedSlice:
    """The groups that every frame on one slice shares: encoded elements, ready to be joined in the order of tags."""

    derivation: bytes
    """Derivation Image Sequence (0008,9124), as `seg_parts.derivation_of` has it."""
    position: bytes
    """Plane Position Sequence (0020,9113)."""

    @classmethod
    def from_source(cls, source: SliceSource) -> EncodedSlice:
        """The slice's source image and place."""
        purpose, derived = _codes()
        number = b"" if source.frame_number is None else _text(0x0008, 0x1160, b"IS", str(source.frame_number))
        preserved = _text(0x0028, 0x135A, b"CS", "YES")
        image = _sequence(0x0008, 0x2112, _reference(source.instance) + number + preserved + purpose)
        place = "\\".join(str(DSfloat(value, auto_format=True)) for value in source.place.position)
        return cls(
            derivation=_sequence(0x0008, 0x9124, image + derived),
            position=_sequence(0x0020, 0x9113, _text(0x0020, 0x0032, b"DS", place)),
        )

    def frame(self, dimension_values: tuple[int, ...], *, segment_number: int | None) -> bytes:
        """The item of one frame: its dimension index values and segment; without one for a frame of many segments
        (LABELMAP)."""
        indices = struct.pack(f"<{len(dimension_values)}I", *dimension_values)
        content = _sequence(0x0020, 0x9111, _element(0x0020, 0x9157, b"UL", indices))
        identification = b""
        if segment_number is not None:
            number = _element(0x0062, 0x000B, b"US", struct.pack("<H", segment_number))
            identification = _sequence(0x0062, 0x000A, number)
        return _item(b"".join((self.derivation, content, self.position, identification)))


def set_references(dataset: Dataset, instances: Sequence[SourceInstance]) -> None:
    """Common Instance Reference (PS3.3 C.12.2) to instances of one series, as `seg_parts.fill_references` has it.

    To be followed by `set_frames`, which says how the data set is encoded.
    """
    references = b"".join(_item(_reference(instance)) for instance in instances)
    listed = struct.pack("<HH2sHI", 0x0008, 0x114A, b"SQ", 0, len(references)) + references
    series = _item(listed + _text(0x0020, 0x000E, b"UI", instances[0].series_uid))
    dataset[_REFERENCED_SERIES] = _raw(_REFERENCED_SERIES, series)


def set_frames(dataset: Dataset, frames: Iterable[bytes]) -> None:
    """Give the data set its Per-Frame Functional Groups Sequence; it is parsed where somebody looks at it.

    The data set is marked as encoded in Explicit VR Little Endian and its own character set: else pydicom takes the
    bytes apart and puts them together again when it writes.
    """
    stated = "SpecificCharacterSet" in dataset
    dataset.set_original_encoding(
        is_implicit_vr=False,
        is_little_endian=True,
        character_encoding=convert_encodings(dataset.SpecificCharacterSet) if stated else default_encoding,
    )
    dataset[_PER_FRAME] = _raw(_PER_FRAME, b"".join(frames))


def _raw(tag: BaseTag, items: bytes) -> RawDataElement:
    """Encoded items as a sequence."""
    return RawDataElement(tag, "SQ", len(items), items, 0, False, True)


def _element(group: int, element: int, representation: bytes, value: bytes) -> bytes:
    """A short element, whose length has 16 bits (PS3.5 Table 7.1-2)."""
    return struct.pack("<HH2sH", group, element, representation, len(value)) + value


def _text(group: int, element: int, representation: bytes, value: str) -> bytes:
    """An element of ASCII text, padded to even length: UIDs with a null, others with a space (PS3.5 6.2)."""
    encoded = value.encode("ascii")
    padding = (b"\0" if representation == b"UI" else b" ") * (len(encoded) % 2)
    return _element(group, element, representation, encoded + padding)


def _reference(instance: SourceInstance) -> bytes:
    """SOP Instance Reference macro, as `seg_parts.sop_reference` has it."""
    return _text(0x0008, 0x1150, b"UI", instance.sop_class_uid) + _text(
        0x0008, 0x1155, b"UI", instance.sop_instance_uid
    )


@cache
def _codes() -> tuple[bytes, bytes]:
    """Purpose of Reference Code Sequence and Derivation Code Sequence, the same for every frame."""
    purpose, derived = Dataset(), Dataset()
    purpose.PurposeOfReferenceCodeSequence = [coded(SOURCE_IMAGE)]
    derived.DerivationCodeSequence = [coded(SEGMENTATION_DERIVATION)]
    return _encode(purpose), _encode(derived)


def _sequence(group: int, element: int, item_value: bytes) -> bytes:
    """A sequence of one item."""
    item = _item(item_value)
    return struct.pack("<HH2sHI", group, element, b"SQ", 0, len(item)) + item


def _item(value: bytes) -> bytes:
    return _ITEM + struct.pack("<I", len(value)) + value


def _encode(dataset: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, dataset)
    return bytes(buffer.getvalue())
