"""Where bundles lie: those that come along, and the site's own, which are installed whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from bmnode.domain.models import BundleFault, BundleId
from bmnode.errors import BundleRefusedError, ConfigError, NotFoundError
from bmnode.models.bundle import Bundle
from bmnode.models.layout import MAX_BYTES_TOGETHER, list_files

GROUP = "bmnode.models"
"""Entry points whose values are packages with bundles in their folder `weights`."""
_WEIGHTS = "weights"
_INCOMING = ".incoming-"


def shipped_folders() -> tuple[Path, ...]:
    """The folders of the bundles that come with the installed distributions, sorted. Raises nothing."""
    roots = {Path(str(files(point.value))) / _WEIGHTS for point in entry_points(group=GROUP)}
    return tuple(sorted(folder for root in roots if root.is_dir() for folder in root.iterdir() if folder.is_dir()))


def check_together(bundles: Iterable[Bundle]) -> None:
    """Raises BundleRefusedError where bundles that come along are too large together."""
    total = sum(bundle.size_bytes for bundle in bundles)
    if total > MAX_BYTES_TOGETHER:
        raise BundleRefusedError(
            f"{total / 1e6:.1f} MB; bundles that come along have at most {MAX_BYTES_TOGETHER / 1e6:g} MB together",
            fault=BundleFault.TOO_LARGE_TOGETHER,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleStore:
    """The site's own bundles: `ROOT/NAME/VERSION`."""

    root: Path

    def folder(self, bundle: BundleId) -> Path:
        """Where a bundle of this name and version lies, or would."""
        return self.root / bundle.name / bundle.version

    def folders(self) -> tuple[Path, ...]:
        """Every installed bundle's folder, sorted by name, then version as numbers."""
        found = [
            path
            for path in self.root.glob("*/*")
            if path.is_dir() and not path.parent.name.startswith(".") and not path.name.startswith(".")
        ]
        return tuple(sorted(found, key=lambda path: (path.parent.name, _numbers(path.name))))

    @contextmanager
    def staged(self, source: Path) -> Iterator[StagedBundle]:
        """A checked copy of a bundle, which `publish` gives its final name; what was not published is removed.

        The copy is checked, not the source, so that what was checked is what is installed. If the body raises
        after `publish`, the installed folder is removed again. Raises BundleRefusedError, ConfigError.
        """
        list_files(source)  # size and kinds, before anything is copied
        stage: StagedBundle | None = None
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.root, prefix=_INCOMING) as temporary:
                copy = Path(temporary) / "bundle"
                shutil.copytree(source, copy, symlinks=True)
                bundle = Bundle.from_folder(copy)
                stage = StagedBundle(bundle=bundle, target=self.folder(bundle.id))
                yield stage
        except OSError as error:
            raise ConfigError(f"{self.root} cannot be written: {error.strerror}") from error
        except BaseException:
            if stage is not None:
                stage.withdraw()
            raise


@dataclass(kw_only=True, slots=True)
class StagedBundle:
    """A bundle on its way in."""

    bundle: Bundle
    target: Path
    is_published: bool = False

    def publish(self) -> bool:
        """Give the folder its name, in one step and durably; False where the same bundle is installed already.

        Raises BundleRefusedError where another bundle has this name and version.
        """
        if self.target.exists():
            if Bundle.from_folder(self.target).digest == self.bundle.digest:
                return False
            raise BundleRefusedError(
                f"{self.bundle.id} is installed and differs; a changed bundle needs a version of its own",
                fault=BundleFault.VERSION_TAKEN,
            )
        for path in (*self.bundle.folder.rglob("*"), self.bundle.folder):
            _sync(path)
        self.target.parent.mkdir(exist_ok=True)
        self.bundle.folder.rename(self.target)
        self.is_published = True
        for folder in (self.target.parent, self.target.parent.parent):
            _sync(folder)
        return True

    def withdraw(self) -> None:
        """Take back what this installed."""
        if self.is_published:
            shutil.rmtree(self.target)
            self.is_published = False


def find_bundle(store: BundleStore, wanted: str) -> Path:
    """The folder of a bundle: a path, `NAME`, or `NAME VERSION` written as `NAME@VERSION`.

    A name alone means the site's highest version, else the one that comes along. Raises NotFoundError.
    """
    path = Path(wanted)
    if path.is_dir():
        return path
    name, _, version = wanted.partition("@")
    own = [folder for folder in store.folders() if folder.parent.name == name and version in ("", folder.name)]
    if own:
        return own[-1]
    for folder in shipped_folders():
        if folder.name == name and (not version or Bundle.from_folder(folder).id.version == version):
            return folder
    raise NotFoundError(f"there is no model bundle {wanted!r}; see `bmnode model list`")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
