"""Small whole model bundles, and how to spoil one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from bmnode.models.bundle import file_digest
from bmnode.models.layout import CARD, EVALUATION, INFERENCE, METADATA, WEIGHTS

Tensors = Mapping[str, npt.NDArray[Any]]

CARD_TEXT = """# Test model

RESEARCH USE ONLY.

## Intended use
Tests.

## Training data
None.

## Evaluation
None.

## Limits
All.
"""
_WEIGHTS: Tensors = {"stem.weight": np.ones((4, 1, 3, 3), dtype=np.float16)}


def contract() -> dict[str, Any]:
    """An input contract as metadata hold it."""
    return {
        "branch": "bone_scan",
        "tracers": ["MDP", "HDP"],
        "channels": ["counts by the normal skeleton"],
        "spacing_mm": {"low": 1.5, "high": 3.0},
        "intensity_of": "counts of a view",
        "intensity_unit": "10^6",
        "intensity": {"low": 0.5, "high": 5.0},
        "coverage": ["whole_body"],
        "age_years": {"low": 18.0, "high": 95.0},
        "features": [{"name": "level", "mean": 20.0, "sd": 5.0}],
        "score_limit": 4.0,
    }


def metadata() -> dict[str, Any]:
    """Metadata without their list of files."""
    image = {"type": "image", "num_channels": 1, "dtype": "float32"}
    return {
        "name": "test-butterfly",
        "version": "1.2.3",
        "task": "Skeleton regions and hot spots",
        "description": "For tests",
        "authors": "nobody",
        "copyright": "none",
        "monai_version": "1.6.1",
        "pytorch_version": "2.13.0",
        "network_data_format": {"inputs": {"anterior": image, "posterior": image}},
        "bmnode": {"format": 1, "contract": contract(), "files": {}},
    }


def inference() -> dict[str, Any]:
    """An inference configuration."""
    return {
        "network_def": {
            "_target_": "operators.networks.butterfly.Butterfly",
            "in_channels": 1,
            "regions": 21,
            "blocks": 1,
            "widths": [8, 16],
        },
        "preprocessing": {"pixel_mm": 4.0},
        "postprocessing": {"lesion_probability": 0.5},
    }


def evaluation() -> dict[str, Any]:
    """An evaluation report."""
    figure = {"quantity": "Dice", "unit": "1", "value": 0.5, "low": 0.4, "high": 0.6, "n": 3, "thresholds": None}
    return {"cohort": "test", "seeds": [1], "patients": 3, "simulated": True, "figures": [figure]}


def write_bundle(folder: Path, *, tensors: Tensors = _WEIGHTS, changes: Mapping[str, Any] | None = None) -> Path:
    """A whole bundle; `changes` replaces the content of JSON files by their path."""
    contents: dict[str, Any] = {INFERENCE: inference(), EVALUATION: evaluation(), METADATA: metadata()}
    contents |= changes or {}
    for name in (*contents, CARD, WEIGHTS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / CARD).write_text(CARD_TEXT, encoding="utf-8")
    save_file(dict(tensors), folder / WEIGHTS)
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return list_again(folder)


def list_again(folder: Path) -> Path:
    """Write the digests of the files as they are now: what an attacker who knows the format would do."""
    path = folder / METADATA
    content = json.loads(path.read_text(encoding="utf-8"))
    others = sorted(item for item in folder.rglob("*") if item.is_file() and item != path)
    content["bmnode"]["files"] = {item.relative_to(folder).as_posix(): file_digest(item) for item in others}
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def change_json(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change one JSON file, and list the files again."""
    path = folder / name
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    return list_again(folder)
