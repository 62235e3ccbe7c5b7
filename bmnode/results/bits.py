"""One-bit pixel data (PS3.5 8.1.1, PS3.3 C.8.20.2): frames follow each other without padding, first pixel in the
least significant bit."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray


def pack_frames(frames: Iterable[BoolArray]) -> bytes:
    """Frames (row, column) as Pixel Data of even length. One frame at a time is held unpacked."""
    packed = bytearray()
    rest: npt.NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
    for frame in frames:
        bits = np.concatenate([rest, frame.reshape(-1).view(np.uint8)]) if rest.size else frame.reshape(-1)
        whole = bits.size // 8 * 8
        packed += np.packbits(bits[:whole], bitorder="little").tobytes()
        rest = bits[whole:].astype(np.uint8)
    packed += np.packbits(rest, bitorder="little").tobytes()
    return bytes(packed) + b"\0" * (len(packed) % 2)


def unpack_frame(pixel_data: bytes, *, index: int, rows: int, columns: int) -> BoolArray:
    """Frame `index` (from 0) as (row, column). Raises ValueError where the data ends before it."""
    size = rows * columns
    first, last = index * size, (index + 1) * size
    chunk = np.frombuffer(pixel_data, dtype=np.uint8)[first // 8 : -(-last // 8)]
    bits = np.unpackbits(chunk, bitorder="little")[first % 8 : first % 8 + size]
    if bits.size != size:
        raise ValueError("the pixel data end before the last frame")
    return bits.reshape(rows, columns).astype(np.bool_)
