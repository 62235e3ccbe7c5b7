"""A multipart body read piece by piece gives the bytes that were put in, or says that it broke off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.archive.multipart import MultipartError, parts

BOUNDARY = "frontier"
_PARTS = st.lists(st.binary(max_size=200) | st.sampled_from([b"\r\n", b"--frontier", b"\r\n--front"]), max_size=5)


def _body(
    contents: Sequence[bytes], *, preamble: bytes = b"", headers: bytes = b"Content-Type: application/dicom\r\n"
) -> bytes:
    pieces = b"".join(b"--frontier\r\n" + headers + b"\r\n" + content + b"\r\n" for content in contents)
    return preamble + pieces + b"--frontier--\r\n"


def _in_pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


@given(contents=_PARTS, size=st.integers(1, 64))
def test_every_part_comes_byte_for_byte(contents: list[bytes], size: int) -> None:
    """However the network cuts the body, also within a delimiter."""
    found = list(parts(_in_pieces(_body(contents), size), boundary=BOUNDARY, most_bytes=1000))
    assert found == contents


def test_what_stands_around_the_parts_is_no_part() -> None:
    """A preamble, an epilogue, and a part without header fields (RFC 2046 5.1.1)."""
    body = _body([b"one", b"two"], preamble=b"for old readers\r\n") + b"epilogue"
    assert list(parts(iter([body]), boundary=BOUNDARY, most_bytes=10)) == [b"one", b"two"]
    assert list(parts(iter([_body([b"one"], headers=b"")]), boundary=BOUNDARY, most_bytes=10)) == [b"one"]


@given(cut=st.integers(0, 200), size=st.integers(1, 64))
def test_what_breaks_off_is_never_whole(cut: int, size: int) -> None:
    """Cut anywhere before the end of the closing delimiter: an error, after the parts that are whole."""
    body = _body([b"one" * 20, b"two" * 20])
    cut = min(cut, len(body) - len(b"--\r\n") + 1)
    found: list[bytes] = []
    with pytest.raises(MultipartError, match="breaks off"):
        found.extend(parts(_in_pieces(body[:cut], size), boundary=BOUNDARY, most_bytes=1000))


def test_a_part_has_a_limit() -> None:
    """A part that never ends, and header fields that never end, are given up at a size."""

    def endless(head: bytes) -> Iterator[bytes]:
        yield head
        while True:
            yield b"x" * 1000

    for head in (b"", b"--frontier\r\nContent-Type: ", b"--frontier\r\n\r\n"):
        with pytest.raises(MultipartError, match="more than"):
            list(parts(endless(head), boundary=BOUNDARY, most_bytes=50_000))
