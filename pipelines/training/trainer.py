"""Follows a recipe step by step; stopped anywhere, it goes on from the last checkpoint to the same weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from bmnode.domain.pipelines import Progress, ReportProgress
from operators.networks.butterfly import Butterfly
from pipelines.training.checkpoint import load_checkpoint, save_checkpoint
from pipelines.training.planar.task import PlanarTask
from pipelines.training.recipe import Schedule

METRICS, CHECKPOINT, RECIPE = "metrics.jsonl", "checkpoint.safetensors", "recipe.toml"
_LARGEST_GRADIENT = 1.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trained:
    """A network at its recipe's end, the figures of the last validation, and where the training had been resumed."""

    network: Butterfly
    held_out: Mapping[str, float | None]
    resumed_at: int


def learning_rate(schedule: Schedule, step: int) -> float:
    """Of a step, counted from 0: a line up to `learning_rate`, then a cosine down to 0."""
    if step < schedule.warm_up:
        return schedule.learning_rate * (step + 1) / schedule.warm_up
    share = (step - schedule.warm_up) / max(1, schedule.steps - schedule.warm_up)
    return schedule.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share))


def train(task: PlanarTask, *, out: Path, recipe_text: str, device: str, report: ReportProgress) -> Trained:
    """Train to the recipe's last step. `out` keeps `recipe.toml`, `metrics.jsonl` and the checkpoint.

    On a GPU sums are taken in half precision (bfloat16). Raises ConfigError where `out` holds a training of another
    recipe.
    """
    schedule = task.recipe.schedule
    network = task.network().to(device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    start = load_checkpoint(out / CHECKPOINT, network=network, optimiser=optimiser, recipe=recipe_text)
    (out / RECIPE).write_text(recipe_text, encoding="utf-8")
    _forget_later(out / METRICS, step=start)
    held_out: Mapping[str, float | None] = {}
    for step in range(start, schedule.steps):
        losses = _step(task, network, optimiser, step=step, device=device)
        done = step + 1
        _note(out / METRICS, {"step": done, "rate": learning_rate(schedule, step), **losses})
        if done % schedule.validate_every == 0 or done == schedule.steps:
            held_out = task.validate(network.eval(), device=device)
            network.train()
            _note(out / METRICS, {"step": done, **{f"held_out_{name}": value for name, value in held_out.items()}})
        if done % schedule.keep_every == 0 or done == schedule.steps:
            save_checkpoint(out / CHECKPOINT, network=network, optimiser=optimiser, step=done, recipe=recipe_text)
        report(Progress(fraction=done / schedule.steps, step=f"{done} of {schedule.steps}, loss {losses['loss']:.3f}"))
    network.eval()
    return Trained(network=network, held_out=held_out or task.validate(network, device=device), resumed_at=start)


def _step(
    task: PlanarTask, network: Butterfly, optimiser: torch.optim.Optimizer, *, step: int, device: str
) -> dict[str, float]:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(task.recipe.schedule, step)
    batch = task.batch(step, device=device)
    kind = torch.device(device).type
    with torch.autocast(kind, dtype=torch.bfloat16, enabled=kind != "cpu"):
        logits = network(*batch.views)
    losses = task.loss(logits, batch)
    optimiser.zero_grad(set_to_none=True)
    losses["loss"].backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
    optimiser.step()
    return {name: float(value.detach()) for name, value in losses.items()}


def _note(path: Path, line: Mapping[str, float | int | None]) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def _forget_later(path: Path, *, step: int) -> None:
    """Drop what was noted after the checkpoint: those steps are done again."""
    if not path.exists():
        return
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if json.loads(line)["step"] <= step]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
