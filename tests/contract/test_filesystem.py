"""The simulated file system does what the machine's own does."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bmnode.spool.filesystem import FileSystem, OsFileSystem
from bmnode.testing.filesystem import PowerCutError, SimulatedFileSystem


@pytest.fixture(params=["machine", "simulated"])
def file_system(request: pytest.FixtureRequest, tmp_path: Path) -> FileSystem:
    """Either implementation, with `tmp_path` as its root."""
    return OsFileSystem() if request.param == "machine" else SimulatedFileSystem(tmp_path)


def _write(file_system: FileSystem, path: Path, content: bytes = b"abc") -> None:
    handle = file_system.create(path)
    assert file_system.write(handle, memoryview(content)) == len(content)
    file_system.sync(handle)
    file_system.close(handle)


def test_a_file_is_there_once_created(file_system: FileSystem, tmp_path: Path) -> None:
    """A created file exists, a removed one does not, removing it again is no error."""
    path = tmp_path / "a"
    assert not file_system.exists(path)
    _write(file_system, path)
    assert file_system.exists(path)
    file_system.remove(path)
    file_system.remove(path)
    assert not file_system.exists(path)


def test_a_taken_name_is_not_created_again(file_system: FileSystem, tmp_path: Path) -> None:
    """Two writers never share a temporary file."""
    _write(file_system, tmp_path / "a")
    with pytest.raises(FileExistsError):
        file_system.create(tmp_path / "a")


def test_a_rename_replaces(file_system: FileSystem, tmp_path: Path) -> None:
    """A rename moves a file over another, and needs its source."""
    _write(file_system, tmp_path / "a", b"new")
    _write(file_system, tmp_path / "b", b"old")
    file_system.replace(tmp_path / "a", tmp_path / "b")
    assert not file_system.exists(tmp_path / "a")
    assert file_system.exists(tmp_path / "b")
    with pytest.raises(FileNotFoundError):
        file_system.replace(tmp_path / "a", tmp_path / "b")


def test_a_directory_is_made_once(file_system: FileSystem, tmp_path: Path) -> None:
    """Making a directory says whether it was made; a missing parent is an error."""
    assert file_system.make_directory(tmp_path / "d") is True
    assert file_system.make_directory(tmp_path / "d") is False
    assert file_system.exists(tmp_path / "d")
    file_system.sync_directory(tmp_path / "d")
    with pytest.raises(FileNotFoundError):
        file_system.make_directory(tmp_path / "absent" / "d")
    with pytest.raises(FileNotFoundError):
        file_system.sync_directory(tmp_path / "absent")
    with pytest.raises(FileNotFoundError):
        file_system.create(tmp_path / "absent" / "a")


def test_a_closed_handle_is_closed(file_system: FileSystem, tmp_path: Path) -> None:
    """A handle is given back once."""
    handle = file_system.create(tmp_path / "a")
    file_system.close(handle)
    with pytest.raises(OSError, match="Bad file descriptor"):
        file_system.close(handle)


def test_free_space_is_told(file_system: FileSystem, tmp_path: Path) -> None:
    """There is room on either."""
    assert file_system.free_bytes(tmp_path) > 0


def test_the_simulation_forgets_what_was_not_synced(tmp_path: Path) -> None:
    """After a power cut, content without sync is gone, and so may a name be without its directory's sync."""
    files = SimulatedFileSystem(tmp_path)
    handle = files.create(tmp_path / "a")
    files.write(handle, memoryview(b"abc"))
    assert files.surviving(names_are_kept=True) == {tmp_path / "a": b""}
    assert files.surviving(names_are_kept=False) == {}
    files.sync(handle)
    files.sync_directory(tmp_path)
    assert files.surviving(names_are_kept=False) == {tmp_path / "a": b"abc"}


def test_the_simulation_forgets_directories_that_were_not_synced(tmp_path: Path) -> None:
    """A file in a directory whose own name was not synced cannot be found after a power cut."""
    files = SimulatedFileSystem(tmp_path)
    files.make_directory(tmp_path / "d")
    _write(files, tmp_path / "d" / "a")
    files.sync_directory(tmp_path / "d")
    assert files.surviving(names_are_kept=False) == {}
    files.sync_directory(tmp_path)
    assert files.surviving(names_are_kept=False) == {tmp_path / "d" / "a": b"abc"}


def test_the_simulation_runs_full_and_loses_power(tmp_path: Path) -> None:
    """A full disk takes what fits, then raises ENOSPC; after a power cut nothing works."""
    files = SimulatedFileSystem(tmp_path, capacity_bytes=5, largest_write=4, cut_after=4)
    handle = files.create(tmp_path / "a")
    assert files.write(handle, memoryview(b"abcdefgh")) == 4
    assert files.write(handle, memoryview(b"efgh")) == 1
    with pytest.raises(OSError, match="space") as caught:
        files.write(handle, memoryview(b"fgh"))
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(PowerCutError):
        files.sync(handle)
