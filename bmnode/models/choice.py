"""Which bundle a branch works with: one that was chosen, is whole, is for that branch, and knows left from right."""

from __future__ import annotations

from collections.abc import Mapping

from bmnode.config.settings import Settings
from bmnode.domain.models import BundleFault, ModelChoice
from bmnode.domain.study import Branch
from bmnode.errors import BundleRefusedError, ConfigError
from bmnode.models.bundle import Bundle
from bmnode.models.store import BundleStore, find_bundle, shipped_folders
from bmnode.models.verification import is_verified


def chosen_models(settings: Settings) -> Mapping[Branch, ModelChoice]:
    """The bundles of `[models]`, by branch.

    Raises what `chosen_model` does: then the node does not start, since what it would find is not what was asked for.
    """
    wanted = settings.models.bone_scan
    if wanted is None:
        return {}
    store = BundleStore(root=settings.models_directory)
    return {Branch.BONE_SCAN: chosen_model(store, wanted, branch=Branch.BONE_SCAN)}


def chosen_model(store: BundleStore, wanted: str, *, branch: Branch) -> ModelChoice:
    """The bundle that a setting names, `NAME` or `NAME@VERSION`.

    Raises NotFoundError where there is none, ConfigError where it is for another branch or was never installed, and
    BundleRefusedError where it is not whole or, being the site's own, was not verified as it is now.
    """
    bundle = Bundle.from_folder(find_bundle(store, wanted))
    if bundle.contract.branch is not branch:
        raise ConfigError(f"[models] {branch} names {bundle.id}, which is for {bundle.contract.branch}")
    if bundle.folder not in shipped_folders():
        if bundle.folder not in store.folders():
            raise ConfigError(f"[models] {branch} names a folder; a bundle is used once it is installed")
        if not is_verified(store, bundle):
            raise BundleRefusedError(
                f"{bundle.id} was not verified as it is now; run `bmnode model verify {bundle.id.name}`",
                fault=BundleFault.SIDES,
            )
    return ModelChoice(folder=bundle.folder, digest=bundle.digest)
