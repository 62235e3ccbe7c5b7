"""Received instances as files: on the disk, whole and under their name, before anybody is told so.

    <directory>/incoming/<random>.part          being written; of no value after a restart
    <directory>/studies/<study UID>/<SOP instance UID>.dcm
    <directory>/quarantine/                     what replay found and could not read

An instance goes two steps. `stage` writes and syncs it under a temporary name; `publish`
renames it and syncs the directory. The receiver publishes inside the transaction that adds the
instance's row, after the row is in: the database then decides which of two senders of one SOP
Instance UID is the first, and a file under its final name is never replaced once its row exists.
"""

from __future__ import annotations

import errno
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from bmnode.domain.ids import is_safe_uid
from bmnode.errors import SpoolFullError
from bmnode.spool.filesystem import FileSystem, OsFileSystem
from bmnode.spool.inspect import InstanceIdentity
from bmnode.spool.part10 import file_head

STUDIES = "studies"
INCOMING = "incoming"
QUARANTINE = "quarantine"
SUFFIX = ".dcm"
TEMPORARY_SUFFIX = ".part"
_REMEMBERED_DIRECTORIES = 10_000
_CHECKED_EVERY_BYTES = 1 << 24
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, kw_only=True, slots=True)
class SpooledFile:
    """An instance in the spool."""

    path: Path
    sha256: str
    """Of the data set's bytes, without preamble and file meta information."""
    size_bytes: int
    """Of the data set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedFile:
    """An instance that is whole and synced, under a temporary name."""

    temporary: Path
    target: Path
    sha256: str
    size_bytes: int


class GrowingFile:
    """A file of the spool that grows under a temporary name; made by `Spool.open_file`."""

    def __init__(self, path: Path, *, files: FileSystem, check_space: Callable[[int], None]) -> None:
        self.path = path
        self._files = files
        self._check_space = check_space
        self._handle: int | None = files.create(path)
        self._unchecked = 0

    def append(self, data: memoryview) -> None:
        """Write all of it. Raises SpoolFullError or OSError, and then leaves no file."""
        if self._handle is None:
            raise ValueError("the file is finished")
        try:
            self._unchecked += len(data)
            if self._unchecked >= _CHECKED_EVERY_BYTES:
                self._check_space(len(data))
                self._unchecked = 0
            with full_disk_named():
                _write_all(self._files, self._handle, data)
        except (OSError, SpoolFullError):
            self.discard()
            raise

    def view(self) -> memoryview:
        """Everything written so far."""
        return self._files.read(self.path)

    def finish(self) -> None:
        """Sync and close; whoever staged the file removes it. Raises OSError, and then leaves no file."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        try:
            self._files.sync(handle)
        except OSError:
            self._files.remove(self.path)
            raise
        finally:
            self._files.close(handle)

    def discard(self) -> None:
        """Remove the file, unless it is finished: then it is in other hands."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):
                self._files.close(handle)
            with suppress(OSError):  # what is left is under a temporary name, which replay clears
                self._files.remove(self.path)


def _write_all(files: FileSystem, handle: int, data: memoryview) -> None:
    """A write may take fewer bytes than it was given."""
    written = 0
    while written < len(data):
        written += files.write(handle, data[written:])


class Spool:
    """The directory of received instances.

    Args:
        directory: made by `prepare`, or the first write, where it is missing.
        min_free_bytes: nothing is written that would leave less free space than this.
        file_system: for tests that cut the power; the machine's own without one.
    """

    def __init__(self, directory: Path, *, min_free_bytes: int, file_system: FileSystem | None = None) -> None:
        self.directory = directory
        self._min_free_bytes = min_free_bytes
        self.files: FileSystem = file_system or OsFileSystem()
        self._durable_directories: set[Path] = set()
        self._is_prepared = False

    @property
    def studies_directory(self) -> Path:
        """Where the instances lie, a folder a study."""
        return self.directory / STUDIES

    @property
    def incoming_directory(self) -> Path:
        """Where instances are written; in the same file system, so that a rename moves no bytes."""
        return self.directory / INCOMING

    @property
    def quarantine_directory(self) -> Path:
        """Where files go that replay cannot read."""
        return self.directory / QUARANTINE

    def path(self, study_uid: str, sop_instance_uid: str) -> Path:
        """Where an instance lies, or would. Raises ValueError where an identifier cannot be a file name."""
        if not (is_safe_uid(study_uid) and is_safe_uid(sop_instance_uid)):
            raise ValueError("an identifier that is no UID cannot name a file")
        return self.studies_directory / study_uid / f"{sop_instance_uid}{SUFFIX}"

    def everything_of(self, study_uid: str, sop_instance_uids: Iterable[str]) -> list[Path]:
        """Where a study's files lie, or would: its folder, and those that were put aside."""
        uids = set(sop_instance_uids)
        aside = [
            path
            for path in self.files.list(self.quarantine_directory, SUFFIX)
            if path.name.startswith(f"{study_uid}_") or path.stem.rpartition(".")[0] in uids
        ]
        return [self.path(study_uid, "0").parent, *aside]

    def studies(self) -> list[str]:
        """Study Instance UIDs of which there is a folder."""
        return sorted(path.name for path in self.files.list(self.studies_directory, "") if is_safe_uid(path.name))

    def remove(self, study_uid: str, sop_instance_uids: Iterable[str]) -> None:
        """Delete images' files where they are there, and the study's folder once it is empty. Raises OSError."""
        for uid in sop_instance_uids:
            self.files.remove(self.path(study_uid, uid))
        folder = self.path(study_uid, "0").parent
        if not self.files.list(folder, ""):
            with suppress(OSError):  # not empty, or gone: either is somebody's who came between
                folder.rmdir()

    def has(self, study_uid: str, sop_instance_uid: str) -> bool:
        """Whether the instance's file is there."""
        return self.files.exists(self.path(study_uid, sop_instance_uid))

    def prepare(self) -> None:
        """Make the folders where they are missing; the first write would. Raises SpoolFullError or OSError."""
        if self._is_prepared:
            return
        missing = takewhile(lambda path: not self.files.exists(path), self.directory.parents)
        folders = (self.directory, self.studies_directory, self.incoming_directory, self.quarantine_directory)
        with full_disk_named():
            for path in (*reversed(tuple(missing)), *folders):
                self.make_directory(path)
        self._is_prepared = True

    def stage(self, data_set: bytes | memoryview, *, identity: InstanceIdentity, source_ae: str) -> StagedFile:
        """Write an instance under a temporary name and sync it.

        Args:
            data_set: as received; it is not re-encoded.
            identity: what `inspect_data_set` read from it.
            source_ae: the sender's AE title, kept in the file meta information.

        Raises:
            SpoolFullError: the disk is full or would fall below its watermark. Nothing is left behind.
            OSError: the disk failed otherwise. Nothing is left behind.
        """
        self.prepare()
        head = file_head(
            sop_class_uid=identity.sop_class_uid,
            sop_instance_uid=identity.sop_instance_uid,
            transfer_syntax_uid=identity.transfer_syntax_uid,
            source_ae=source_ae,
        )
        self.check_space(len(head) + len(data_set))
        target = self.path(identity.study_uid, identity.sop_instance_uid)
        temporary = self._temporary()
        try:
            with full_disk_named():
                self._write_synced(temporary, (memoryview(head), memoryview(data_set)))
        except (OSError, SpoolFullError):
            with suppress(OSError):  # what is left is under a temporary name, which replay clears
                self.files.remove(temporary)
            raise
        return StagedFile(
            temporary=temporary,
            target=target,
            sha256=hashlib.sha256(data_set).hexdigest(),
            size_bytes=len(data_set),
        )

    def put(self, content: bytes | memoryview, *, study_uid: str, sop_instance_uid: str) -> None:
        """Write a whole file under its name; durable with the next `sync`. Raises SpoolFullError or OSError."""
        self.prepare()
        self._put(content, self.path(study_uid, sop_instance_uid))

    def put_aside(self, content: bytes | memoryview, *, name: str) -> None:
        """Write a file that disturbs nobody; durable with the next `sync`. Raises SpoolFullError or OSError."""
        self.prepare()
        self._put(content, self.quarantine_directory / f"{name}{SUFFIX}")

    def _put(self, content: bytes | memoryview, target: Path) -> None:
        temporary = self._temporary()
        with full_disk_named():
            self.make_directory(target.parent)
            handle = self.files.create(temporary)
            try:
                _write_all(self.files, handle, memoryview(content))
            finally:
                self.files.close(handle)
            self.files.replace(temporary, target)

    def sync(self) -> None:
        """Return when every file that was put is on the disk under its name. Raises OSError."""
        with full_disk_named():
            self.files.sync_all(self.directory)

    def open_file(self) -> GrowingFile:
        """A new file under a temporary name, for a data set whose length is not known yet.

        Raises SpoolFullError or OSError.
        """
        self.prepare()
        self.check_space(0)
        with full_disk_named():
            return GrowingFile(self._temporary(), files=self.files, check_space=self.check_space)

    def stage_file(self, file: GrowingFile, data_set: memoryview, *, identity: InstanceIdentity) -> StagedFile:
        """Sync a file that holds head and data set already; the counterpart of `stage`.

        Raises SpoolFullError or OSError. Nothing is left behind.
        """
        with full_disk_named():
            file.finish()
        return StagedFile(
            temporary=file.path,
            target=self.path(identity.study_uid, identity.sop_instance_uid),
            sha256=hashlib.sha256(data_set).hexdigest(),
            size_bytes=len(data_set),
        )

    def publish(self, staged: StagedFile) -> SpooledFile:
        """Give a staged instance its name, durably. Replaces a file that no row speaks for.

        Raises SpoolFullError or OSError; whether the name is there afterwards is then unknown,
        and the instance must not be acknowledged.
        """
        with full_disk_named():
            self.make_directory(staged.target.parent)
            self.files.replace(staged.temporary, staged.target)
            self.files.sync_directory(staged.target.parent)
        return SpooledFile(path=staged.target, sha256=staged.sha256, size_bytes=staged.size_bytes)

    def write(self, data_set: bytes | memoryview, *, identity: InstanceIdentity, source_ae: str) -> SpooledFile:
        """Stage and publish at once, for whoever knows that nobody else writes this instance."""
        return self.publish(self.stage(data_set, identity=identity, source_ae=source_ae))

    def quarantine(self, path: Path) -> Path:
        """Move a file of the studies to where it disturbs nobody; returns where that is."""
        self.prepare()
        target = self.quarantine_directory / f"{path.parent.name}_{path.name}"
        self.files.replace(path, target)
        self.files.sync_directory(self.quarantine_directory)
        return target

    def discard(self, staged: StagedFile) -> None:
        """Forget a staged instance; harmless after it was published."""
        self.files.remove(staged.temporary)

    def _temporary(self) -> Path:
        return self.incoming_directory / f"{secrets.token_hex(16)}{TEMPORARY_SUFFIX}"

    def check_space(self, size_bytes: int) -> None:
        """Raises SpoolFullError where so many bytes more would leave less free space than the watermark."""
        free = self.files.free_bytes(self.directory)
        if free - size_bytes < self._min_free_bytes:
            raise SpoolFullError(
                f"{free} bytes are free where the spool lies, {self._min_free_bytes} must stay free; free some space"
            )

    def _write_synced(self, path: Path, parts: tuple[memoryview, ...]) -> None:
        handle = self.files.create(path)
        try:
            for part in parts:
                _write_all(self.files, handle, part)
            self.files.sync(handle)
        finally:
            self.files.close(handle)

    def make_directory(self, path: Path) -> None:
        """Make a directory whose own name is durable when this returns.

        That it exists proves nothing: another thread may have made it a moment ago and still be
        waiting for its sync. So each process syncs the parent once a directory.
        """
        made = self.files.make_directory(path)
        if made or path not in self._durable_directories:
            self.files.sync_directory(path.parent)
            if len(self._durable_directories) >= _REMEMBERED_DIRECTORIES:
                self._durable_directories.clear()
            self._durable_directories.add(path)


@contextmanager
def full_disk_named() -> Iterator[None]:
    """Turn the errors of a full disk into SpoolFullError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise SpoolFullError("the spool's disk is full; free some space") from error
        raise
