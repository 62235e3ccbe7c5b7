"""RLE Lossless (PS3.5 Annex G) for label maps: rows of few long runs, most of them alike.

pydicom's own encoder looks at every byte of every row; here a row that was seen before is not encoded again, and most
rows of a label map are empty.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

import numpy as np
import numpy.typing as npt

_LONGEST = 128
"""A run or a literal holds 128 bytes at most (PS3.5 G.3.1)."""
_SHORTEST_RUN = 3
"""Two equal bytes within a literal take no more as they are than as a run."""
_HEADER = "<16I"
"""Number of segments and fifteen offsets (PS3.5 G.5)."""


def encode_frame(plane: npt.NDArray[np.unsignedinteger]) -> bytes:
    """One frame (row, column) of 8 or 16 bits: header, then a segment a byte, the most significant first."""
    whole = plane.astype(plane.dtype.newbyteorder(">"), copy=False)
    planes = whole.view(np.uint8).reshape(*plane.shape, plane.dtype.itemsize)
    segments = [_segment(planes[..., index]) for index in range(plane.dtype.itemsize)]
    offsets, at = [], struct.calcsize(_HEADER)
    for segment in segments:
        offsets.append(at)
        at += len(segment)
    header = struct.pack(_HEADER, len(segments), *offsets, *[0] * (15 - len(offsets)))
    return header + b"".join(segments)


def _segment(plane: npt.NDArray[np.uint8]) -> bytes:
    """Each row by itself (PS3.5 G.3.1), padded to even length."""
    encoded = b"".join(_row(row.tobytes()) for row in plane)
    return encoded + b"\0" * (len(encoded) % 2)


@lru_cache(maxsize=4096)
def _row(row: bytes) -> bytes:
    encoded, literal = bytearray(), bytearray()
    for value, length in _runs(row):
        if length < _SHORTEST_RUN:
            literal += bytes([value]) * length
            continue
        encoded += _literals(literal)
        literal.clear()
        for start in range(0, length, _LONGEST):
            part = min(_LONGEST, length - start)
            # a lone byte is no run: a length of 1 is written as a literal
            encoded += bytes([257 - part, value]) if part > 1 else bytes([0, value])
    return bytes(encoded + _literals(literal))


def _runs(row: bytes) -> Iterator[tuple[int, int]]:
    for value, same in groupby(row):
        yield value, sum(1 for _ in same)


def _literals(literal: bytearray) -> bytes:
    parts = (literal[start : start + _LONGEST] for start in range(0, len(literal), _LONGEST))
    return b"".join(bytes([len(part) - 1]) + bytes(part) for part in parts)
