"""An inference configuration is data: whatever could run or be followed is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.models import BundleFault
from bmnode.errors import BundleRefusedError
from bmnode.models.inference_config import InferenceConfig
from tests.support.bundles import inference


def fault_of(content: object, folder: Path) -> str:
    """Why the content is refused."""
    path = folder / "inference.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(BundleRefusedError) as refused:
        InferenceConfig.from_file(path)
    return refused.value.fault


@pytest.mark.parametrize(
    "code",
    ["$__import__('os').system('true')", "@network_def", "%other.json::network", "__import__", "  $1 + 1"],
)
@pytest.mark.parametrize("section", ["network_def", "preprocessing", "postprocessing"])
def test_code_is_refused_wherever_it_stands(tmp_path: Path, section: str, code: str) -> None:
    """An expression is told as such in every section, as value, key, and inside a list."""
    for change in ({"pixel_mm": code}, {code: 1}, {"grid": [1, code]}):
        content = inference()
        content[section] |= change
        assert fault_of(content, tmp_path) == BundleFault.CODE


@pytest.mark.parametrize("target", ["os.system", "torch.load", "monai.networks.nets.UNet", None, ["a"]])
def test_a_network_that_is_not_in_the_table_is_refused(tmp_path: Path, target: object) -> None:
    """No import path of a bundle is ever imported."""
    content = inference()
    content["network_def"]["_target_"] = target
    assert fault_of(content, tmp_path) == BundleFault.NETWORK


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("in_channels", 0),
        ("in_channels", True),
        ("in_channels", 1.0),
        ("regions", 10**9),
        ("widths", []),
        ("widths", [8] * 9),
        ("widths", [10**6]),
        ("widths", 8),
        ("surprise", 1),
    ],
)
def test_an_argument_outside_its_limits_is_refused(tmp_path: Path, name: str, value: object) -> None:
    """No bundle makes the node build a network that does not fit into it."""
    content = inference()
    content["network_def"][name] = value
    assert fault_of(content, tmp_path) == BundleFault.CONFIGURATION


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "[]",
        "[" * 100_000,
        '{"network_def": {}, "network_def": {}}',
        '{"a": NaN}',
        {},
        inference() | {"train": {}},
        inference() | {"preprocessing": {"deep": {"er": 1}}},
        inference() | {"preprocessing": []},
    ],
)
def test_anything_but_flat_data_is_refused(tmp_path: Path, content: object) -> None:
    """Unknown sections, nests, keys said twice and text that is no JSON end in one line, not in a traceback."""
    assert fault_of(content, tmp_path) == BundleFault.CONFIGURATION


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(content=st.dictionaries(st.sampled_from(["network_def", "preprocessing", "postprocessing", "x"]), _JSON))
def test_no_content_does_anything_but_load_or_be_refused(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    """Whatever JSON a bundle brings, the answer is a configuration or a refusal."""
    path = tmp_path_factory.mktemp("config") / "inference.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BundleRefusedError):
        InferenceConfig.from_file(path)
