"""A data set while it arrives: in memory, or in a file once it is large."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.errors import SpoolFullError
from bmnode.spool import IncomingDataSet, Spool
from bmnode.testing.filesystem import SimulatedFileSystem

ROOT = Path("/spool")
HEAD = b"head of the file"


def _spool(**limits: int) -> tuple[Spool, SimulatedFileSystem]:
    files = SimulatedFileSystem(ROOT, **limits)
    return Spool(ROOT / "spool", min_free_bytes=0, file_system=files), files


def _feed(incoming: IncomingDataSet, data: bytes, *, piece: int = 1000) -> None:
    at = 0
    while at < len(data):
        room = incoming.room(min(piece, len(data) - at))
        room[:] = data[at : at + len(room)]
        incoming.taken(len(room))
        at += len(room)


@given(sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=4), piece=st.integers(1, 3000))
def test_every_data_set_comes_out_as_it_went_in(sizes: list[int], piece: int) -> None:
    """One after the other over the same memory, whichever side of the limit each lies on."""
    spool, files = _spool(largest_write=700)
    incoming = IncomingDataSet(spool, in_memory_bytes=2000)
    for number, size in enumerate(sizes):
        data = bytes((number + at) % 251 for at in range(size))
        incoming.begin(HEAD)
        _feed(incoming, data, piece=piece)
        assert incoming.view() == data
        assert incoming.size_bytes == size
        assert (incoming.file is not None) == (size > 2000)
        if incoming.file is not None:
            assert files.read(incoming.file.path) == HEAD + data
        incoming.clear()
    assert list(files.surviving(names_are_kept=True)) == []


def test_a_full_disk_is_told_at_the_end(tmp_path: Path) -> None:
    """The rest of the data set is taken and dropped, nothing stays behind, and the next one finds room."""
    spool, files = _spool(capacity_bytes=5000)
    incoming = IncomingDataSet(spool, in_memory_bytes=1000)
    incoming.begin(HEAD)
    _feed(incoming, bytes(20_000))
    with pytest.raises(SpoolFullError):
        incoming.view()
    incoming.begin(HEAD)
    assert list(files.surviving(names_are_kept=True)) == []
    _feed(incoming, b"x" * 3000)
    assert incoming.view() == b"x" * 3000


def test_a_data_set_without_end_is_noticed() -> None:
    """Once it is longer than any real one."""
    incoming = IncomingDataSet(_spool()[0], in_memory_bytes=1000, longest_bytes=4000)
    incoming.begin(HEAD)
    _feed(incoming, bytes(4000))
    assert not incoming.is_endless
    _feed(incoming, b"1")
    assert incoming.is_endless
