"""The parts of a multipart body (RFC 2046 5.1), one after the other as they arrive."""

from __future__ import annotations

from collections.abc import Iterator

_MOST_HEADER_BYTES = 1 << 16
"""[P] Of one part's header fields."""
_END_OF_HEADERS = b"\r\n\r\n"


class MultipartError(Exception):
    """The body is none, or breaks off; the message completes "the answer ..."."""


def parts(content: Iterator[bytes], *, boundary: str, most_bytes: int) -> Iterator[bytes]:
    """The contents of the parts, byte for byte; no more than one is held in memory.

    Raises MultipartError where a part has no header's end, is larger than `most_bytes`, or the closing delimiter is
    missing: what broke off is never taken for whole.
    """
    reader = _Reader(content)
    delimiter = b"\r\n--" + boundary.encode("ascii")
    reader.taken += b"\r\n"  # the first delimiter may begin the body
    reader.until(delimiter, most_bytes=_MOST_HEADER_BYTES)
    while True:
        if reader.exactly(2) == b"--":
            return
        # What was read belongs to the header's end where the part has no fields at all.
        reader.taken[:0] = b"\r\n"
        reader.until(_END_OF_HEADERS, most_bytes=_MOST_HEADER_BYTES)
        yield reader.until(delimiter, most_bytes=most_bytes)


class _Reader:
    def __init__(self, content: Iterator[bytes]) -> None:
        self._content = content
        self.taken = bytearray()

    def until(self, mark: bytes, *, most_bytes: int) -> bytes:
        """What comes before a mark, which is taken too."""
        looked = 0
        while (at := self.taken.find(mark, looked)) < 0:
            looked = max(0, len(self.taken) - len(mark) + 1)
            if len(self.taken) > most_bytes + len(mark):
                raise MultipartError(f"has a part of more than {most_bytes} bytes")
            self._more()
        found = bytes(memoryview(self.taken)[:at])
        del self.taken[: at + len(mark)]
        return found

    def exactly(self, count: int) -> bytes:
        while len(self.taken) < count:
            self._more()
        found = bytes(self.taken[:count])
        del self.taken[:count]
        return found

    def _more(self) -> None:
        piece = next(self._content, None)
        if piece is None:
            raise MultipartError("breaks off")
        self.taken += piece
