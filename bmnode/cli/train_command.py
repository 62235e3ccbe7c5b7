"""`bmnode train`: a learned model from a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, emit_record, progress_bar, say
from bmnode.cli.session import JsonOption
from bmnode.cli.simulate_command import user_cache
from bmnode.cli.tools import load_tool

if TYPE_CHECKING:
    from bmnode.domain.training import Trainer

EXAMPLE = "Example: bmnode train planar-quick --out run"


def train(
    recipe: Annotated[
        str, typer.Argument(help="Recipe (TOML), or a name that comes along: planar-quick, planar-small, planar-full.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder of checkpoint and metrics; a stopped training goes on.")],
    device: Annotated[str, typer.Option("--device", help="Where torch computes: cpu, cuda, cuda:1.")] = "cpu",
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder for simulated bodies; without it the user's cache folder.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Train a model on SIMULATED patients. The same recipe gives the same weights on the same machine, stopped or not.

    Losses and figures of held-out people go to `metrics.jsonl` in the folder, a line a step. Nothing is installed or
    used by the node. JSON: the keys of training_report.
    """
    trainer: Trainer = load_tool("train", extra="training")
    from bmnode.domain.training import TrainingRequest

    request = TrainingRequest(
        recipe=recipe, out=out.absolute(), cache_dir=(cache or user_cache()).absolute(), device=device
    )
    with progress_bar("Training") as report:
        made = trainer(request, report)
    told = document("training_report", made)
    if json:
        emit_json(told)
        return
    emit_record(told | {f"held out: {name}": value for name, value in made.held_out.items()})
    say("SIMULATED patients: nothing here was measured on people.")
