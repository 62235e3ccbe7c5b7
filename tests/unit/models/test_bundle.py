"""A bundle is whole, says what it is, and holds no code; or it is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from bmnode.domain.models import BundleFault
from bmnode.errors import BundleRefusedError
from bmnode.models.bundle import Bundle
from bmnode.models.layout import CARD, EVALUATION, INFERENCE, MAX_BYTES, METADATA, WEIGHTS
from tests.support.bundles import change_json, list_again, write_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A whole bundle."""
    return write_bundle(tmp_path / "bundle")


def fault_of(folder: Path) -> str:
    """Why it is refused."""
    with pytest.raises(BundleRefusedError) as refused:
        Bundle.from_folder(folder)
    assert str(refused.value).startswith(f"{refused.value.fault}: ")
    return refused.value.fault


def test_a_whole_bundle_says_what_it_is(bundle: Path) -> None:
    """Name, contract, evaluation, network and shapes are read without any library that computes."""
    found = Bundle.from_folder(bundle)
    assert str(found.id) == "test-butterfly 1.2.3"
    assert found.contract.channels == ("counts by the normal skeleton",)
    assert found.inference.arguments["widths"] == (8, 16)
    assert found.evaluation.figures[0].thresholds is None
    assert found.shapes == {"stem.weight": (4, 1, 3, 3)}
    assert len(found.digest) == 64


@pytest.mark.parametrize("name", [WEIGHTS, CARD, INFERENCE, EVALUATION])
def test_a_changed_file_is_refused(bundle: Path, name: str) -> None:
    """One byte more in any file is seen, weights and words alike."""
    with (bundle / name).open("ab") as stream:
        stream.write(b"\n")
    assert fault_of(bundle) == BundleFault.DIGEST


def test_a_flipped_bit_of_a_weight_is_refused(bundle: Path) -> None:
    """A weight file of the same size with another number in it is not the one that was measured."""
    content = bytearray((bundle / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (bundle / WEIGHTS).write_bytes(content)
    assert fault_of(bundle) == BundleFault.DIGEST


def test_the_digest_covers_every_file(bundle: Path, tmp_path: Path) -> None:
    """Two bundles with one differing weight never share the digest that the audit trail tells."""
    weights = {"stem.weight": np.full((4, 1, 3, 3), 2.0, dtype=np.float16)}
    other = write_bundle(tmp_path / "other", tensors=weights)
    assert Bundle.from_folder(bundle).digest != Bundle.from_folder(other).digest


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (CARD, BundleFault.CARD),
        (EVALUATION, BundleFault.EVALUATION),
        (WEIGHTS, BundleFault.MISSING),
        (INFERENCE, BundleFault.MISSING),
        (METADATA, BundleFault.MISSING),
    ],
)
def test_a_missing_file_is_refused(bundle: Path, name: str, fault: BundleFault) -> None:
    """No bundle is used without its card, its evaluation, or any other part, even if its list agrees."""
    (bundle / name).unlink()
    if name != METADATA:
        list_again(bundle)
    assert fault_of(bundle) == fault


@pytest.mark.parametrize("left_out", ["## Limits", "## Training data", "RESEARCH USE ONLY"])
def test_a_card_that_leaves_something_out_is_refused(bundle: Path, left_out: str) -> None:
    """A card states use, training data, evaluation and limits, and that nothing is for patients."""
    card = bundle / CARD
    card.write_text(card.read_text(encoding="utf-8").replace(left_out, ""), encoding="utf-8")
    list_again(bundle)
    assert fault_of(bundle) == BundleFault.CARD_INCOMPLETE


@pytest.mark.parametrize("name", ["models/model.pt", "models/model.PTH", "docs/weights.pkl", "extra.ckpt"])
def test_a_pickle_anywhere_is_refused_by_its_name(bundle: Path, name: str) -> None:
    """A file that loaders would unpickle is not tolerated, even unused and listed."""
    (bundle / name).write_bytes(b"harmless")
    list_again(bundle)
    assert fault_of(bundle) == BundleFault.PICKLE


@pytest.mark.parametrize("start", [b"\x80\x04\x95", b"PK\x03\x04"])
@pytest.mark.parametrize("name", [WEIGHTS, "docs/picture.png", "docs/notes.txt"])
def test_a_pickle_under_another_name_is_refused(bundle: Path, name: str, start: bytes) -> None:
    """The first bytes tell, whatever the file is called."""
    (bundle / name).write_bytes(start + b"rest")
    list_again(bundle)
    assert fault_of(bundle) == BundleFault.PICKLE


def test_other_files_are_refused(bundle: Path) -> None:
    """A bundle brings no modules or libraries."""
    (bundle / "scripts").mkdir()
    (bundle / "scripts" / "run.py").write_text("", encoding="utf-8")
    list_again(bundle)
    assert fault_of(bundle) == BundleFault.UNLISTED


def test_an_unlisted_file_is_refused(bundle: Path) -> None:
    """What the digest does not cover does not travel along."""
    (bundle / "docs" / "more.md").write_text("more", encoding="utf-8")
    assert fault_of(bundle) == BundleFault.UNLISTED


def test_a_link_is_refused(bundle: Path, tmp_path: Path) -> None:
    """No bundle reaches outside its folder."""
    (tmp_path / "elsewhere.md").write_text("text", encoding="utf-8")
    (bundle / "docs" / "link.md").symlink_to(tmp_path / "elsewhere.md")
    assert fault_of(bundle) == BundleFault.NOT_PLAIN


def test_a_bundle_that_is_too_large_is_refused(bundle: Path) -> None:
    """Sixteen megabytes, all files together."""
    with (bundle / "docs" / "notes.txt").open("wb") as stream:
        stream.truncate(MAX_BYTES)
    list_again(bundle)
    assert fault_of(bundle) == BundleFault.TOO_LARGE


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_weights_are_in_half_precision(bundle: Path, dtype: type[Any]) -> None:
    """Twice the size is not shipped."""
    save_file({"stem.weight": np.ones((4, 1, 3, 3), dtype=dtype)}, bundle / WEIGHTS)
    list_again(bundle)
    assert fault_of(bundle) == BundleFault.PRECISION


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"text that is no weights"])
def test_weights_that_are_none_are_refused(bundle: Path, content: bytes) -> None:
    """A file that merely carries the name says so in one line."""
    (bundle / WEIGHTS).write_bytes(content)
    list_again(bundle)
    assert fault_of(bundle) == BundleFault.WEIGHTS


def _two_channels(content: dict[str, Any]) -> None:
    content["network_data_format"]["inputs"]["posterior"]["num_channels"] = 2


def _two_described(content: dict[str, Any]) -> None:
    content["bmnode"]["contract"]["channels"].append("more")


@pytest.mark.parametrize("change", [_two_channels, _two_described])
def test_a_wrong_channel_count_is_refused(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """What the metadata describe, what the contract describes and what the network takes is one number."""
    change_json(bundle, METADATA, change)
    assert fault_of(bundle) == BundleFault.CHANNELS


def test_a_network_that_takes_other_channels_is_refused(bundle: Path) -> None:
    """The same from the network's side."""
    change_json(bundle, INFERENCE, lambda content: content["network_def"].update(in_channels=2))
    assert fault_of(bundle) == BundleFault.CHANNELS


def _set(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content.__setitem__(key, value)


def _facts(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["bmnode"].__setitem__(key, value)


def _contract(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["bmnode"]["contract"].__setitem__(key, value)


@pytest.mark.parametrize(
    "change",
    [
        _set("name", "../outside"),
        _set("name", ""),
        _set("version", "1"),
        _set("authors", None),
        _set("network_data_format", {}),
        _facts("format", 2),
        _facts("surprise", 1),
        _contract("branch", "ultrasound"),
        _contract("spacing_mm", {"low": 3.0, "high": 1.0}),
        _contract("spacing_mm", {"low": 0.0, "high": 1.0}),
        _contract("age_years", None),
        _contract("features", [{"name": "level", "mean": 1.0, "sd": 0.0}]),
        _contract("score_limit", 0.0),
        _contract("surprise", 1),
    ],
)
def test_metadata_that_do_not_say_enough_are_refused(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A key that is missing, of another kind or unknown is told, and no name leaves the folder of models."""
    path = bundle / METADATA
    change_json(bundle, METADATA, change)
    assert path.is_file()
    assert fault_of(bundle) == BundleFault.METADATA


@pytest.mark.parametrize(
    "figures",
    [
        [],
        [{"quantity": "Dice", "unit": "1", "value": 0.5, "low": None, "high": None, "n": 0, "thresholds": None}],
        [{"quantity": "Dice", "unit": "1", "value": 0.5}],
    ],
)
def test_an_evaluation_without_ground_is_refused(bundle: Path, figures: list[Any]) -> None:
    """A report has figures, and a figure rests on something."""
    change_json(bundle, EVALUATION, _set("figures", figures))
    assert fault_of(bundle) == BundleFault.EVALUATION
