"""Broken data sets with the structure of real ones: an element, a length, a VR, a value or the nesting is wrong."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.tag import Tag
from pydicom.uid import UID
from pynetdicom.dsutils import encode

from bmnode.domain.ids import derive_uid
from tests.support.encoded import EncodedInstance
from tests.support.real_data import real_bone_scan, shared_data_directory
from tests.support.real_studies import mr, pet

_BUNDLED = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "emri_small.dcm", "eCT_Supplemental.dcm", "693_J2KR.dcm")
"""Real images that come with pydicom and pydicom-data: CT, MR, NM, enhanced MR and CT; native, JPEG and JPEG 2000."""
_KEPT_PIXELS = 1 << 16
_WORTH_BREAKING = 16
"""Less than this has no element left."""
_LENGTHS = (0, 1, 3, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_VRS = (b"UI", b"SQ", b"OB", b"UN", b"DS", b"FD", b"PN", b"UT", b"OW", b"AT", b"ZZ", b"\0\0")
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_VALUES = (
    b"", b"\0\0", b" " * 64, b"\xff" * 16, b"-", b"NaN", b"1e999", b"-1", b"0", b"99999999999999999999", b"\\" * 999,
    b"1\\2", b"../../../etc/passwd", b"1..2", b"1." * 60, b"\x1b$B\x1b(B" * 20, b"%s%n{0}", b"19000000", b"ISO_IR 999",
    b"A" * 60_000, "Übergröße\u202e".encode(), b"2147483648", b"0\\0\\0\\0\\0\\0", b"nan\\nan\\nan",
)  # fmt: skip
_SHORTS = (0, 1, 2, 3, 7, 8, 9, 12, 17, 64, 0x7FFF, 0x8000, 0xFFFF)
_LIKELY = tuple(
    Tag(tag)
    for tag in (
        0x00080005, 0x00080008, 0x00080016, 0x00080018, 0x00080060, 0x0020000D, 0x0020000E, 0x00200032, 0x00200037,
        0x00200052, 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280030, 0x00280100, 0x00280101,
        0x00280102, 0x00280103, 0x00281052, 0x00281053, 0x7FE00010,
    )
)  # fmt: skip
"""Elements on which the node and its pipelines decide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seed:
    """A real image to break. `name` says which."""

    name: str
    dataset: Dataset
    transfer_syntax_uid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chunk:
    """One encoded element of the top level."""

    tag: int
    encoded: bytes
    explicit: bool
    little: bool

    @property
    def head_bytes(self) -> int:
        """How long tag, VR and length are (PS3.5 7.1.2, 7.1.3)."""
        return 12 if self.explicit and self.encoded[4:6] in _LONG_VRS else 8

    def with_length(self, length: int) -> bytes:
        """With another length than the value's."""
        order = "<" if self.little else ">"
        if self.explicit and self.head_bytes == 8:
            return self.encoded[:6] + struct.pack(f"{order}H", length & 0xFFFF) + self.encoded[8:]
        at = self.head_bytes - 4
        return self.encoded[:at] + struct.pack(f"{order}L", length & 0xFFFFFFFF) + self.encoded[at + 4 :]

    def with_value(self, value: bytes) -> bytes:
        """With another value, and its length."""
        value += b" " * (len(value) % 2)
        if self.explicit and self.head_bytes == 8:
            value = value[:0xFFFE]
        head = _Chunk(tag=self.tag, encoded=self.encoded[: self.head_bytes], explicit=self.explicit, little=self.little)
        return head.with_length(len(value)) + value

    def with_vr(self, vr: bytes) -> bytes:
        """With another VR; implicit ones have none."""
        return self.encoded[:4] + vr + self.encoded[6:] if self.explicit else self.encoded


def seeds(folder: Path) -> tuple[Seed, ...]:
    """Real images: those of the test extra, and one of each study in the folder of real data where that is there."""
    paths = [real_bone_scan(), *(Path(str(get_testdata_file(name, download=False))) for name in _BUNDLED)]
    shared = shared_data_directory()
    for read in (pet, mr):
        try:
            paths.append(read(shared, folder / read.__name__).files[0])
        except FileNotFoundError:  # a machine without them fuzzes with the others, and the figures say so
            continue
    return tuple(_seed(path) for path in paths)


def _seed(path: Path) -> Seed:
    dataset = dcmread(path)
    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    pixels = dataset.get("PixelData")
    if pixels is not None and not syntax.is_compressed and len(pixels) > _KEPT_PIXELS:
        per_row = len(pixels) // int(dataset.Rows)  # frames count as wider rows: less to send, the same header
        dataset.Rows = max(_KEPT_PIXELS // per_row, 1)
        dataset.PixelData = pixels[: int(dataset.Rows) * per_row]
    return Seed(name=path.name, dataset=dataset, transfer_syntax_uid=str(syntax))


@dataclass(kw_only=True)
class DataSetMutator:
    """Endless broken data sets.

    Args:
        seeds: real images.
        random: what is drawn.
        study_every: so many go into one study.
    """

    seeds: Sequence[Seed]
    random: random.Random
    study_every: int
    name: str
    made: int = 0

    def next(self) -> EncodedInstance:
        """The next one, named as its request will name it; what its data set says may be something else."""
        seed = self.random.choice(list(self.seeds))
        group, self.made = self.made // self.study_every, self.made + 1
        dataset = Dataset()
        dataset.update(seed.dataset)
        dataset.SOPInstanceUID = derive_uid(self.name, "instance", str(self.made))
        dataset.StudyInstanceUID = derive_uid(self.name, "study", str(group))
        dataset.SeriesInstanceUID = derive_uid(self.name, "series", str(group), seed.name)
        chunks = _chunks(dataset, UID(seed.transfer_syntax_uid))
        encoded = b"".join(item.encoded for item in chunks)
        for mutate in self.random.choices(MUTATIONS, k=self.random.choice((1, 1, 1, 2, 3))):
            encoded = mutate(self.random, chunks)
            chunks = _again(chunks, encoded)
            if len(encoded) < _WORTH_BREAKING:
                break
        return EncodedInstance(
            data_set=encoded,
            sop_class_uid=str(dataset.SOPClassUID),
            sop_instance_uid=str(dataset.SOPInstanceUID),
            study_uid=str(dataset.StudyInstanceUID),
            series_uid=str(dataset.SeriesInstanceUID),
            transfer_syntax_uid=seed.transfer_syntax_uid,
        )


def _chunks(dataset: Dataset, syntax: UID) -> list[_Chunk]:
    explicit, little = not syntax.is_implicit_VR, syntax.is_little_endian
    found = []
    for element in dataset:
        alone = Dataset()
        alone.add(element)
        encoded = encode(alone, not explicit, little)
        if encoded:
            found.append(_Chunk(tag=int(element.tag), encoded=encoded, explicit=explicit, little=little))
    return found


def _again(before: list[_Chunk], encoded: bytes) -> list[_Chunk]:
    """What a further mutation works on: the broken whole, as one element where it has lost its parts."""
    if encoded == b"".join(item.encoded for item in before):
        return before
    first = before[0]
    return [_Chunk(tag=first.tag, encoded=encoded, explicit=first.explicit, little=first.little)]


def _replaced(chunks: list[_Chunk], index: int, encoded: bytes) -> bytes:
    return b"".join(encoded if number == index else item.encoded for number, item in enumerate(chunks))


def _any(rng: random.Random, chunks: list[_Chunk]) -> int:
    """An element; every other time one that matters."""
    likely = [number for number, item in enumerate(chunks) if item.tag in _LIKELY]
    return rng.choice(likely) if likely and rng.random() < 0.5 else rng.randrange(len(chunks))


def _flip_bytes(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    data = bytearray(b"".join(item.encoded for item in chunks))
    reach = len(data) if rng.random() < 0.3 else min(len(data), 4096)
    for _ in range(rng.choice((1, 2, 8, 64))):
        data[rng.randrange(reach)] = rng.randrange(256)
    return bytes(data)


def _wrong_length(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    index = _any(rng, chunks)
    item = chunks[index]
    length = rng.choice((*_LENGTHS, max(len(item.encoded) - item.head_bytes + rng.choice((-2, -1, 1, 2)), 0)))
    return _replaced(chunks, index, item.with_length(length))


def _wrong_vr(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    index = _any(rng, chunks)
    return _replaced(chunks, index, chunks[index].with_vr(rng.choice(_VRS)))


def _odd_value(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    index = _any(rng, chunks)
    short = struct.pack("<H" if chunks[index].little else ">H", rng.choice(_SHORTS))
    return _replaced(chunks, index, chunks[index].with_value(rng.choice((*_VALUES, short, short, short, short))))


def _missing(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    return _replaced(chunks, _any(rng, chunks), b"")


def _twice(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    index = _any(rng, chunks)
    return _replaced(chunks, index, chunks[index].encoded * rng.choice((2, 3, 50)))


def _out_of_order(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    order = list(chunks)
    if rng.random() < 0.5:
        rng.shuffle(order)
    else:
        at = rng.randrange(len(order))
        order.append(order.pop(at))
    return b"".join(item.encoded for item in order)


def _cut_short(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    data = b"".join(item.encoded for item in chunks)
    return data[: rng.randrange(1, len(data) + 1)]


def _garbage(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    data = b"".join(item.encoded for item in chunks)
    at = rng.choice((0, len(data), rng.randrange(len(data) + 1)))
    return data[:at] + rng.randbytes(rng.choice((1, 2, 8, 4096))) + data[at:]


def _deep(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    """Sequences within sequences, some never closed."""
    depth = rng.choice((3, 60, 64, 65, 500, 20_000))
    head = chunks[0].encoded[:0] + struct.pack("<HH", 0x0040, 0xA730)
    head += b"SQ\0\0\xff\xff\xff\xff" if chunks[0].explicit else b"\xff\xff\xff\xff"
    opened = (head + struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)) * depth
    closed = (struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)) * depth
    at = rng.randrange(len(chunks))
    nested = opened + (closed if rng.random() < 0.6 else b"")
    return _replaced(chunks, at, chunks[at].encoded + nested)


def _stray_items(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    """Items and delimiters where none belong."""
    stray = struct.pack("<HHL", 0xFFFE, rng.choice((0xE000, 0xE00D, 0xE0DD)), rng.choice(_LENGTHS))
    at = _any(rng, chunks)
    return _replaced(chunks, at, stray + chunks[at].encoded)


def _crowd(rng: random.Random, chunks: list[_Chunk]) -> bytes:
    """Thousands of private elements."""
    head = b"LO\x02\x00" if chunks[0].explicit else b"\x02\x00\x00\x00"
    crowd = b"".join(
        struct.pack("<HH", 0x0029, 0x1000 + number) + head + b"x " for number in range(rng.choice((9, 9000)))
    )
    at = next((number for number, item in enumerate(chunks) if item.tag > 0x00290000), len(chunks) - 1)
    return _replaced(chunks, at, crowd + chunks[at].encoded)


MUTATIONS: tuple[Callable[[random.Random, list[_Chunk]], bytes], ...] = (
    _flip_bytes, _wrong_length, _wrong_vr, _odd_value, _odd_value, _odd_value, _missing, _missing, _twice,
    _out_of_order, _cut_short, _garbage, _deep, _stray_items, _crowd,
)  # fmt: skip
