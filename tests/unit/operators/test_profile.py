"""The loader of pipeline.toml, and the profiles that are shipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bmnode.errors import ConfigError
from pipelines.config import load_profile, parameters_of, profile_digest
from pipelines.ct import branch as ct
from pipelines.mri import branch as mri
from pipelines.pet_ct import branch as pet_ct
from pipelines.spect import branch as spect


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    """A nested table."""

    limit_hu: float

    def __post_init__(self) -> None:
        if self.limit_hu < 0.0:
            raise ValueError("limit_hu is not negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """Every kind of value."""

    inner: Inner
    names: tuple[str, ...] = ()
    weights: dict[str, float] | None = None
    enabled: bool = True


def load(tmp_path: Path, text: str) -> Profile:
    """The profile of a text."""
    path = tmp_path / "pipeline.toml"
    path.write_text(text, encoding="utf-8")
    return load_profile(Profile, path)


def test_a_profile_is_read_into_its_dataclass(tmp_path: Path) -> None:
    """Tables become dataclasses, whole numbers become floats where floats are asked."""
    text = 'names = ["a", "b"]\nenabled = false\n[inner]\nlimit_hu = 3\n[weights]\nrib = 0.5\n'
    profile = load(tmp_path, text)
    assert profile == Profile(inner=Inner(limit_hu=3.0), names=("a", "b"), weights={"rib": 0.5}, enabled=False)
    assert parameters_of(profile) == ("inner.limit_hu=3", "names=a,b", "weights.rib=0.5", "enabled=False")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[inner]\nlimit_h = 3\n", "did you mean 'limit_hu'"),
        ("[inner]\n", "'limit_hu' is missing"),
        ('[inner]\nlimit_hu = "3"\n', "is not float"),
        ("[inner]\nlimit_hu = -1.0\n", "not negative"),
        ("enabled = 1\n[inner]\nlimit_hu = 1.0\n", "is not bool"),
        ("[inner\n", "TOML"),
    ],
)
def test_a_wrong_profile_names_its_key(tmp_path: Path, text: str, said: str) -> None:
    """Unknown, missing, mistyped and refused values are named."""
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, text)


def test_the_digest_follows_the_file(tmp_path: Path) -> None:
    """Another threshold is another digest."""
    path = tmp_path / "pipeline.toml"
    path.write_text("a = 1\n", encoding="utf-8")
    first = profile_digest(path)
    path.write_text("a = 2\n", encoding="utf-8")
    assert profile_digest(path) != first


@pytest.mark.parametrize("profile", [ct.profile, pet_ct.profile, spect.profile, mri.profile])
def test_the_shipped_profiles_load(profile: Callable[[], object]) -> None:
    """Every branch's own pipeline.toml is valid and gives parameters for the report."""
    assert all("=" in line for line in parameters_of(profile()))


def test_hybrid_branches_use_the_bone_of_the_ct_branch() -> None:
    """One bone for all: the copies of its thresholds may not drift apart."""
    assert pet_ct.profile().skeleton == spect.profile().skeleton == ct.profile().skeleton
