"""Per-frame functional groups as encoded bytes.

A whole-body study has thousands of frames, each with some ten nested data sets: as objects they take longer to make
and to write than everything else together. Here what depends on the slice alone is encoded once a slice, and a frame
is put together from the parts (PS3.5 7.5, Explicit VR Little Endian, defined lengths). Reading is left to pydicom.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from highdicom import PlanePositionSequence
from pydicom.charset import convert_encodings
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag

from bmnode.results.grid import SliceSource
from bmnode.results.seg_parts import derivation_of

_PER_FRAME = Tag("PerFrameFunctionalGroupsSequence")
_ITEM = b"\xfe\xff\x00\xe0"


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedSlice:
    """The groups that every frame on one slice shares: encoded elements, ready to be joined in the order of tags."""

    derivation: bytes
    """Derivation Image Sequence (0008,9124)."""
    position: bytes
    """Plane Position Sequence (0020,9113)."""

    @classmethod
    def from_source(cls, source: SliceSource) -> EncodedSlice:
        """The slice's source image and place."""
        derivation, position = Dataset(), Dataset()
        derivation.DerivationImageSequence = [derivation_of(source.instance, frame_number=source.frame_number)]
        position.PlanePositionSequence = PlanePositionSequence("PATIENT", list(source.place.position))
        return cls(derivation=_encode(derivation), position=_encode(position))

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


def set_frames(dataset: Dataset, frames: Iterable[bytes]) -> None:
    """Give the data set its Per-Frame Functional Groups Sequence; it is parsed where somebody looks at it.

    The data set is marked as encoded in Explicit VR Little Endian and its own character set: else pydicom takes the
    bytes apart and puts them together again when it writes.
    """
    value = b"".join(frames)
    dataset.set_original_encoding(
        is_implicit_vr=False,
        is_little_endian=True,
        character_encoding=convert_encodings(dataset.get("SpecificCharacterSet", "ISO_IR 6")),
    )
    dataset[_PER_FRAME] = RawDataElement(_PER_FRAME, "SQ", len(value), value, 0, False, True)


def _element(group: int, element: int, representation: bytes, value: bytes) -> bytes:
    """A short element, whose length has 16 bits (PS3.5 Table 7.1-2)."""
    return struct.pack("<HH2sH", group, element, representation, len(value)) + value


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
