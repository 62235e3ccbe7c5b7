"""What is being deleted: out of the way in one rename each, and back the same way until the deletion is committed.

    <root>/trash/<name>/<where it was, relative to the root>

The order is the promise. `throw` renames, durably; then whoever deletes commits what the database says of it; then
`empty` removes the files. A process that is killed before the commit leaves a name that `put_back` undoes, one that is
killed after it leaves a name that `empty` finishes. Which of the two it is the database tells.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from bmnode.spool.filesystem import FileSystem, OsFileSystem

TRASH = "trash"


class Trash:
    """The trash of one directory, in its file system.

    Args:
        root: what is thrown away lies below it.
        depth: how deep: 1 for the root's own entries, 2 for those of its folders.
        file_system: for tests that end a process in between; the machine's own without one.
    """

    def __init__(self, root: Path, *, depth: int, file_system: FileSystem | None = None) -> None:
        self._root = root
        self._depth = depth
        self._files: FileSystem = file_system or OsFileSystem()

    @property
    def directory(self) -> Path:
        """Where it is."""
        return self._root / TRASH

    def throw(self, name: str, paths: Sequence[Path]) -> None:
        """Move what there is of these out of the way; on return that holds through a power cut.

        Raises OSError; some of them may then be moved already, for `put_back`.
        """
        present = [path for path in paths if self._files.exists(path)]
        if not present:
            return
        self._make(self.directory)
        self._make(self.directory / name)
        changed: set[Path] = set()
        for source in present:
            target = self.directory / name / source.relative_to(self._root)
            if target.parent not in changed:
                self._make(target.parent)
            self._files.replace(source, target)
            changed |= {source.parent, target.parent}
        for folder in sorted(changed):
            self._files.sync_directory(folder)

    def names(self) -> Sequence[str]:
        """What was thrown away and is not decided yet, or not removed."""
        return sorted(path.name for path in self._files.list(self.directory, ""))

    def put_back(self, name: str) -> None:
        """Undo `throw`, durably. A file that came in its place meanwhile stays. May be repeated. Raises OSError."""
        changed: set[Path] = set()
        for source in (self.directory / name).glob("/".join("*" * self._depth)):
            target = self._root / source.relative_to(self.directory / name)
            changed |= set(_merge(source, target))
        for folder in sorted(changed):
            self._files.sync_directory(folder)
        self.empty(name)

    def empty(self, name: str) -> None:
        """Remove for good what was thrown away. May be repeated, and by two processes at a time."""
        shutil.rmtree(self.directory / name, ignore_errors=True)

    def _make(self, folder: Path) -> None:
        if self._files.make_directory(folder):
            self._files.sync_directory(folder.parent)


def _merge(source: Path, target: Path) -> Iterator[Path]:
    """Give everything its place again where that is free; the folders that changed."""
    if not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
        yield target.parent
    elif source.is_dir() and not source.is_symlink():
        for child in source.iterdir():
            yield from _merge(child, target / child.name)
