"""What the command line asks of a training, and what it gets. Found by entry point (`bmnode.tools`, `train`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bmnode.domain.pipelines import ReportProgress


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRequest:
    """One recipe to follow.

    Args:
        recipe: a TOML file, or the name of one that comes along.
        out: takes checkpoint, metrics and bundle; a training that was stopped goes on from there.
        cache_dir: where bodies that were taken apart are kept between trainings.
        device: where torch computes: `cpu`, `cuda`, ...
    """

    recipe: str
    out: Path
    cache_dir: Path
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingReport:
    """What came of a training.

    Args:
        resumed_at: steps that an earlier call had done; 0 where this one began.
        metrics: JSON lines, one a step or validation.
        bundle: folder of the finished model.
        held_out: figures of the last validation, on people who were never trained on; None where there was
            nothing to judge.
    """

    name: str
    version: str
    steps: int
    resumed_at: int
    metrics: Path
    checkpoint: Path
    bundle: Path
    held_out: Mapping[str, float | None]


class Trainer(Protocol):
    """Follows a recipe to its end."""

    def __call__(self, request: TrainingRequest, report: ReportProgress) -> TrainingReport:
        """Train, or go on. Raises ConfigError where recipe, folder or device cannot be used."""
        ...
