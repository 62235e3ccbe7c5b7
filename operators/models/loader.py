"""From a checked bundle to a network that can run. The only place where weights are read into torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import nn

from bmnode.domain.models import BundleFault
from bmnode.errors import BundleRefusedError
from bmnode.models.bundle import Bundle
from bmnode.models.inference_config import InferenceConfig
from bmnode.models.layout import WEIGHTS
from operators.networks.butterfly import Butterfly

BUILDERS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {"operators.networks.butterfly.Butterfly": Butterfly}
)
"""The same names as in `bmnode.models.inference_config.NETWORKS`, with what builds them."""


def build_network(config: InferenceConfig) -> nn.Module:
    """The network of a configuration, untrained. Raises BundleRefusedError where its numbers do not go together."""
    arguments: dict[str, Any] = dict(config.arguments)
    try:
        return BUILDERS[config.network](**arguments)
    except ValueError as error:
        raise BundleRefusedError(f"{config.network}: {error}", fault=BundleFault.CONFIGURATION) from error


def load_network(bundle: Bundle, *, device: str = "cpu") -> nn.Module:
    """The network with the bundle's weights in single precision, for inference alone.

    The bytes that are loaded are those whose digest is compared, once more, now: what was checked at start may have
    been changed since. Raises BundleRefusedError where they differ, do not fit the network, or hold what is no number.
    """
    network = build_network(bundle.inference)
    content = bundle.weights.read_bytes()
    if hashlib.sha256(content).hexdigest() != bundle.metadata.facts.files[WEIGHTS]:
        raise BundleRefusedError(f"{WEIGHTS} was changed", fault=BundleFault.DIGEST)
    _refuse_shapes(network, bundle.shapes)
    tensors = {name: tensor.float() for name, tensor in load_tensors(content).items()}
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise BundleRefusedError(f"{name} holds what is no number", fault=BundleFault.NOT_FINITE)
    network.load_state_dict(tensors, strict=True)
    network.requires_grad_(requires_grad=False)
    return network.to(device).eval()


def save_weights(network: nn.Module, path: Path) -> None:
    """The network's weights in half precision. Raises ValueError where one is too large for it, or no number."""
    halves = {name: tensor.detach().cpu().half().contiguous() for name, tensor in network.state_dict().items()}
    for name, tensor in halves.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} has values that half precision does not hold")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(halves, path)


def _refuse_shapes(network: nn.Module, shapes: Mapping[str, tuple[int, ...]]) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name in sorted(expected.keys() | shapes.keys()):
        if expected.get(name) != shapes.get(name):
            raise BundleRefusedError(
                f"{name}: the network has {expected.get(name)}, the file {shapes.get(name)}", fault=BundleFault.SHAPES
            )
