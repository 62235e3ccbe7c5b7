"""A bundle brought to life: its own weights in its own network, or a refusal with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from bmnode.domain.models import BundleFault
from bmnode.errors import BundleRefusedError
from bmnode.models.bundle import Bundle
from bmnode.models.inference_config import NETWORKS
from bmnode.models.layout import INFERENCE, WEIGHTS
from operators.models.loader import BUILDERS, build_network, load_network, save_weights
from tests.support.bundles import change_json, list_again, write_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle with weights that fit its network."""
    bundle = write_bundle(tmp_path / "bundle")
    torch.manual_seed(1)
    save_weights(build_network(Bundle.from_folder(bundle).inference), bundle / WEIGHTS)
    return list_again(bundle)


def fault_of(folder: Path) -> str:
    """Why it is not loaded."""
    with pytest.raises(BundleRefusedError) as refused:
        load_network(Bundle.from_folder(folder))
    return refused.value.fault


def test_every_network_that_a_bundle_may_name_can_be_built() -> None:
    """The node's table and that of the builders hold the same names."""
    assert BUILDERS.keys() == NETWORKS.keys()


def test_a_bundle_computes_what_its_weights_say(folder: Path) -> None:
    """Two loads give the same output, and other weights another."""
    view = torch.rand((1, 1, 8, 8))
    first, second = (load_network(Bundle.from_folder(folder))(view, view)[0].lesions for _ in range(2))
    assert torch.equal(first, second)
    save_weights(build_network(Bundle.from_folder(folder).inference), folder / WEIGHTS)
    assert not torch.equal(load_network(Bundle.from_folder(list_again(folder)))(view, view)[0].lesions, first)


def test_half_precision_changes_little(folder: Path) -> None:
    """What is shipped finds what was trained: outputs agree to a hundredth."""
    network = load_network(Bundle.from_folder(folder))
    torch.manual_seed(1)
    trained = build_network(Bundle.from_folder(folder).inference).eval()
    view = torch.rand((1, 1, 16, 16))
    torch.testing.assert_close(network(view, view)[0].regions, trained(view, view)[0].regions, rtol=1e-2, atol=1e-2)


def test_weights_that_were_changed_since_are_refused(folder: Path) -> None:
    """Between the check and the load lies time: the bytes that are loaded are the ones that are compared."""
    bundle = Bundle.from_folder(folder)
    content = bytearray(bundle.weights.read_bytes())
    content[-1] ^= 1
    bundle.weights.write_bytes(content)
    with pytest.raises(BundleRefusedError) as refused:
        load_network(bundle)
    assert refused.value.fault == BundleFault.DIGEST


def test_weights_of_another_channel_count_are_refused(tmp_path: Path, folder: Path) -> None:
    """A first layer for two channels does not slip into a network for one, even where every text says one."""
    other = write_bundle(tmp_path / "other")
    config = Bundle.from_folder(other).inference
    network = BUILDERS[config.network](in_channels=2, regions=21, blocks=1, widths=(8, 16))
    save_weights(network, folder / WEIGHTS)
    assert fault_of(list_again(folder)) == BundleFault.SHAPES


def test_weights_that_are_left_out_are_refused(folder: Path) -> None:
    """No part of a network stays as it was drawn by chance."""
    change_json(folder, INFERENCE, lambda content: content["network_def"].update(blocks=2))
    assert fault_of(folder) == BundleFault.SHAPES


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    """One weight that is not finite makes every pixel of every patient worthless."""
    folder = write_bundle(tmp_path / "bundle")
    network = build_network(Bundle.from_folder(folder).inference)
    tensors: dict[str, npt.NDArray[Any]] = {
        name: tensor.half().numpy() for name, tensor in network.state_dict().items()
    }
    next(iter(tensors.values())).reshape(-1)[0] = np.nan
    assert fault_of(write_bundle(folder, tensors=tensors)) == BundleFault.NOT_FINITE


def test_weights_beyond_half_precision_are_not_written(tmp_path: Path) -> None:
    """Better no bundle than one whose weights became infinite on the way."""
    network = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(network.weight, 1e6)
    with pytest.raises(ValueError, match="half precision"):
        save_weights(network, tmp_path / "model.safetensors")


def test_numbers_that_do_not_go_together_are_refused(folder: Path) -> None:
    """A width that the network cannot have is told, not raised as a defect."""
    change_json(folder, INFERENCE, lambda content: content["network_def"].update(widths=[8, 17]))
    assert fault_of(folder) == BundleFault.CONFIGURATION
