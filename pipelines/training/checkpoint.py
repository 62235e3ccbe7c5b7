"""Where a training stands, as one safetensors file: weights, moments of the optimiser, and the step."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from bmnode.domain.ids import digest
from bmnode.errors import ConfigError

_WEIGHTS, _MOMENTS = "weights.", "moments."


def save_checkpoint(
    path: Path, *, network: nn.Module, optimiser: torch.optim.Optimizer, step: int, recipe: str
) -> None:
    """Write everything; the file is whole or the earlier one. `recipe` is the recipe's text."""
    tensors = {_WEIGHTS + name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    for number, moments in optimiser.state_dict()["state"].items():
        for name, tensor in moments.items():
            tensors[f"{_MOMENTS}{number}.{name}"] = torch.as_tensor(tensor).detach().cpu().clone().contiguous()
    temporary = path.with_name(f".{path.name}")
    save_file(tensors, temporary, metadata={"step": str(step), "recipe": digest((recipe,))})
    temporary.replace(path)


def load_checkpoint(path: Path, *, network: nn.Module, optimiser: torch.optim.Optimizer, recipe: str) -> int:
    """Put everything back; the number of steps that were done, 0 where there is no checkpoint.

    Raises ConfigError where the checkpoint is of another recipe: a training that changes on its way can be
    repeated by nobody.
    """
    if not path.exists():
        return 0
    with safe_open(path, framework="pt") as stored:
        head = stored.metadata()
    if head["recipe"] != digest((recipe,)):
        raise ConfigError(f"{path.parent} holds a training of another recipe; choose another --out")
    tensors = load_file(path)
    weights = {name.removeprefix(_WEIGHTS): item for name, item in tensors.items() if name.startswith(_WEIGHTS)}
    network.load_state_dict(weights, strict=True)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, item in tensors.items():
        if name.startswith(_MOMENTS):
            number, key = name.removeprefix(_MOMENTS).split(".", 1)
            state.setdefault(int(number), {})[key] = item
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return int(head["step"])
