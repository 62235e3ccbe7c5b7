"""Model bundles with a network in them that can be run; it was never trained."""

from __future__ import annotations

from pathlib import Path

import torch

from bmnode.models.bundle import Bundle
from bmnode.models.layout import INFERENCE, WEIGHTS
from operators.kernels.planar_input import METHOD
from operators.kernels.planar_regions.parts import PART_NUMBERS
from operators.models.loader import build_network, save_weights
from tests.support.bundles import change_json, list_again, write_bundle


def planar_bundle(folder: Path) -> Path:
    """A planar bundle that was never trained; equal on every call."""
    bundle = write_bundle(folder)
    change_json(bundle, INFERENCE, lambda content: content["network_def"].update(regions=len(PART_NUMBERS)))
    change_json(bundle, INFERENCE, lambda content: content["preprocessing"].update(input=METHOD))
    torch.manual_seed(1)
    save_weights(build_network(Bundle.from_folder(bundle).inference), bundle / WEIGHTS)
    return list_again(bundle)
