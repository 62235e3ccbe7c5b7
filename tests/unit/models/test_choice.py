"""A branch works with the bundle that was chosen for it, or the node does not start."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bmnode.config.model_settings import ModelSettings
from bmnode.config.settings import NodeSettings, Settings
from bmnode.domain.models import BundleFault, ModelChoice, SidesReport
from bmnode.domain.study import Branch
from bmnode.errors import BundleRefusedError, ConfigError, NotFoundError
from bmnode.models.bundle import Bundle
from bmnode.models.choice import chosen_model, chosen_models
from bmnode.models.layout import METADATA
from bmnode.models.store import BundleStore
from bmnode.models.verification import note_verified
from bmnode.run.child import ChildArguments, model_arguments
from tests.support.bundles import change_json, write_bundle

PASSED = SidesReport(named_share=0.9, right_side_share=1.0, is_upright=True, problems=())
NAME = "test-butterfly"


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    """A store with one bundle that nobody verified."""
    store = BundleStore(root=tmp_path / "models")
    with store.staged(write_bundle(tmp_path / "source")) as stage:
        stage.publish()
    return store


def _verify(store: BundleStore) -> Bundle:
    bundle = Bundle.from_folder(store.folders()[0])
    note_verified(store, bundle, report=PASSED, at=datetime(2026, 1, 2, tzinfo=UTC))
    return bundle


def test_a_verified_bundle_is_chosen_by_name(store: BundleStore) -> None:
    """With the digest by which it is held to afterwards."""
    bundle = _verify(store)
    expected = ModelChoice(folder=bundle.folder, digest=bundle.digest)
    assert chosen_model(store, NAME, branch=Branch.BONE_SCAN) == expected
    assert chosen_model(store, f"{NAME}@1.2.3", branch=Branch.BONE_SCAN) == expected


def test_nobody_is_measured_by_an_unverified_model(store: BundleStore) -> None:
    """Neither before the check nor after a change of one byte that the check did not see."""
    with pytest.raises(BundleRefusedError) as refused:
        chosen_model(store, NAME, branch=Branch.BONE_SCAN)
    assert refused.value.fault == BundleFault.SIDES
    bundle = _verify(store)
    change_json(bundle.folder, METADATA, lambda content: content.update(description="changed"))
    with pytest.raises(BundleRefusedError, match="not verified as it is now"):
        chosen_model(store, NAME, branch=Branch.BONE_SCAN)


def test_a_bundle_that_does_not_fit_is_refused(store: BundleStore, tmp_path: Path) -> None:
    """Unknown, of another branch, or a folder that was never installed."""
    _verify(store)
    with pytest.raises(NotFoundError, match="no model bundle"):
        chosen_model(store, "nothing", branch=Branch.BONE_SCAN)
    with pytest.raises(ConfigError, match="is for bone_scan"):
        chosen_model(store, NAME, branch=Branch.CT)
    with pytest.raises(ConfigError, match="once it is installed"):
        chosen_model(store, str(tmp_path / "source"), branch=Branch.BONE_SCAN)


def test_settings_name_the_model_of_a_branch(store: BundleStore) -> None:
    """Nobody who chose none has one; who chose one has it, from the node's own folder."""
    node = NodeSettings(data_dir=store.root.parent)
    assert chosen_models(Settings(node=node)) == {}
    bundle = _verify(store)
    settings = Settings(node=node, models=ModelSettings(bone_scan=NAME))
    assert chosen_models(settings)[Branch.BONE_SCAN].digest == bundle.digest


def test_the_child_is_told_of_the_choice(tmp_path: Path) -> None:
    """By its command line, whatever signs the folder's name has."""
    choice = ModelChoice(folder=tmp_path / "a=b c", digest="a" * 64)
    argv = ["--reply-fd", "3", "--parent-pid", "4", *model_arguments({Branch.BONE_SCAN: choice})]
    assert ChildArguments.from_argv(argv).models == {Branch.BONE_SCAN: choice}
    assert ChildArguments.from_argv(argv[:4]).models == {}
