"""A site's own bundle is installed whole or not at all."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bmnode.domain.models import BundleFault, BundleId
from bmnode.errors import BundleRefusedError, ConfigError, NotFoundError
from bmnode.models.bundle import Bundle
from bmnode.models.layout import MAX_BYTES_TOGETHER, METADATA, WEIGHTS
from bmnode.models.store import BundleStore, check_together, find_bundle, shipped_folders
from tests.support.bundles import change_json, write_bundle


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    """A store that has nothing yet."""
    return BundleStore(root=tmp_path / "models")


def _install(store: BundleStore, source: Path) -> bool:
    with store.staged(source) as stage:
        return stage.publish()


def _left(store: BundleStore) -> list[str]:
    return (
        sorted(path.relative_to(store.root).as_posix() for path in store.root.glob("*/*"))
        if store.root.exists()
        else []
    )


def test_an_installed_bundle_is_the_one_that_was_given(store: BundleStore, tmp_path: Path) -> None:
    """Name and version are its place, its digest is the source's, and nothing temporary is left."""
    source = write_bundle(tmp_path / "source")
    assert _install(store, source)
    (folder,) = store.folders()
    assert folder == store.folder(BundleId(name="test-butterfly", version="1.2.3"))
    assert Bundle.from_folder(folder).digest == Bundle.from_folder(source).digest
    assert _left(store) == ["test-butterfly/1.2.3"]


def test_the_same_bundle_twice_changes_nothing(store: BundleStore, tmp_path: Path) -> None:
    """A repeated command is harmless."""
    source = write_bundle(tmp_path / "source")
    assert [_install(store, source), _install(store, source)] == [True, False]


def test_a_version_is_one_bundle_for_ever(store: BundleStore, tmp_path: Path) -> None:
    """Results that name a version rest on the same weights; a changed bundle cannot slip under its name."""
    _install(store, write_bundle(tmp_path / "source"))
    before = Bundle.from_folder(store.folders()[0]).digest
    other = write_bundle(tmp_path / "other", tensors={"stem.weight": np.zeros((4, 1, 3, 3), dtype=np.float16)})
    with pytest.raises(BundleRefusedError) as refused:
        _install(store, other)
    assert refused.value.fault == BundleFault.VERSION_TAKEN
    assert Bundle.from_folder(store.folders()[0]).digest == before


def test_a_refused_bundle_leaves_nothing(store: BundleStore, tmp_path: Path) -> None:
    """A tampered weight file is refused before anything has the bundle's name."""
    source = write_bundle(tmp_path / "source")
    (source / WEIGHTS).write_bytes(b"tampered")
    with pytest.raises(BundleRefusedError):
        _install(store, source)
    assert (store.folders(), _left(store)) == ((), [])


def test_what_fails_after_publishing_is_taken_back(store: BundleStore, tmp_path: Path) -> None:
    """A bundle whose audit line could not be written is not installed."""

    class DatabaseGoneError(Exception):
        pass

    def failing() -> None:
        with store.staged(write_bundle(tmp_path / "source")) as stage:
            stage.publish()
            raise DatabaseGoneError

    with pytest.raises(DatabaseGoneError):
        failing()
    assert store.folders() == ()


def test_what_was_there_stays_when_something_fails(store: BundleStore, tmp_path: Path) -> None:
    """Only what this installation put there is taken back."""
    source = write_bundle(tmp_path / "source")
    _install(store, source)

    def failing() -> None:
        with store.staged(source) as stage:
            stage.publish()
            raise NotFoundError("later")

    with pytest.raises(NotFoundError):
        failing()
    assert len(store.folders()) == 1


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The administrator hears of the folder, not of a traceback."""
    (tmp_path / "models").write_text("a file", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be written"):
        _install(BundleStore(root=tmp_path / "models"), write_bundle(tmp_path / "source"))


def test_a_name_means_the_highest_version(store: BundleStore, tmp_path: Path) -> None:
    """1.10.0 is above 1.9.0, and a version can be asked for."""
    for version in ("1.9.0", "1.10.0"):
        source = write_bundle(tmp_path / version)
        change_json(source, METADATA, partial(dict.update, version=version))
        _install(store, source)
    assert find_bundle(store, "test-butterfly").name == "1.10.0"
    assert find_bundle(store, "test-butterfly@1.9.0").name == "1.9.0"
    with pytest.raises(NotFoundError, match="model list"):
        find_bundle(store, "test-butterfly@2.0.0")


def test_bundles_that_come_along_have_a_size_together(tmp_path: Path) -> None:
    """Sixty megabytes, whoever adds the next one."""
    bundle = Bundle.from_folder(write_bundle(tmp_path / "bundle"))
    enough = MAX_BYTES_TOGETHER // bundle.size_bytes
    check_together([bundle] * enough)
    with pytest.raises(BundleRefusedError) as refused:
        check_together([bundle] * (enough + 1))
    assert refused.value.fault == BundleFault.TOO_LARGE_TOGETHER


def test_what_comes_along_is_whole() -> None:
    """Every shipped bundle passes the checks that a site's own has to pass, and all are small enough together."""
    check_together([Bundle.from_folder(folder) for folder in shipped_folders()])
