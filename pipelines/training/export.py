"""A finished training as a bundle: weights in half precision, contract, card, and what was measured, no more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bmnode.models.bundle import Bundle, file_digest
from bmnode.models.layout import CARD, EVALUATION, INFERENCE, METADATA, WEIGHTS
from operators.kernels.planar_input import METHOD, planar_features
from operators.kernels.planar_regions.parts import PART_NUMBERS
from operators.models.loader import BUILDERS, save_weights
from operators.models.planar import LESION_LEVEL
from operators.networks.butterfly import Butterfly
from operators.simulation.protocols.planar import PlanarProtocol
from pipelines.training.planar.task import PlanarTask
from pipelines.training.recipe import Recipe

_NETWORK = next(name for name, kind in BUILDERS.items() if kind is Butterfly)
_FEATURE_SAMPLES = 24
_SCORE_LIMIT = 4.0
"""[P]: root mean square distance in standard deviations."""
_ADULTS = {"low": 18.0, "high": 120.0}
"""The simulated people are adults without an age."""
_CARD = """# {name} {version}

RESEARCH USE ONLY - not for diagnostic or treatment decisions.

## Intended use

Skeleton parts and hot spots on both views of a planar whole-body bone scan with a Tc-99m diphosphonate, for research on
the software. It is no diagnosis, and no branch uses it before a site chooses it.

## Training data

{people} SIMULATED people (seeds {first} to {last}), arms beside the body, scanned with MDP at {pixel:g} mm;
{steps} steps of {batch} fresh samples. No image of a real patient. `recipe.toml` beside this card has everything.

## Evaluation

On {held_out} SIMULATED people who were not trained on ({samples} samples), by pixels of 4.8 mm:
{figures}. Hot spots are of metastases that add {visible:.0%} or more of the counts in their shadow. It was
not compared with the branch that measures by thresholds, and not tried on real scans.

## Limits

Few bodies: figures on other simulated people may be far lower. The output for a lesion is not calibrated. Cold
lesions, a superscan, children, arms above the head, other tracers and single views were not trained.
"""


def write_bundle(
    folder: Path, *, task: PlanarTask, recipe_text: str, network: Butterfly, held_out: Mapping[str, float | None]
) -> Bundle:
    """Write and read back; what a bundle's checks refuse is a defect here. The folder must not exist.

    Raises BundleRefusedError, and ValueError where a weight does not fit into half precision.
    """
    recipe = task.recipe
    for name in (METADATA, EVALUATION):
        (folder / name).parent.mkdir(parents=True)
    save_weights(network, folder / WEIGHTS)
    _write(folder / INFERENCE, _inference(recipe))
    _write(folder / EVALUATION, _evaluation(recipe, held_out))
    (folder / CARD).write_text(_card(recipe, held_out), encoding="utf-8")
    (folder / CARD).with_name("recipe.toml").write_text(recipe_text, encoding="utf-8")
    others = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = {path.relative_to(folder).as_posix(): file_digest(path) for path in others}
    _write(folder / METADATA, _metadata(task, listed=listed))
    return Bundle.from_folder(folder)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _inference(recipe: Recipe) -> dict[str, Any]:
    return {
        "network_def": {
            "_target_": _NETWORK,
            "in_channels": 1,
            "regions": len(PART_NUMBERS),
            "blocks": recipe.network.blocks,
            "widths": list(recipe.network.widths),
        },
        "preprocessing": {"input": METHOD},
        "postprocessing": {"lesion_level": LESION_LEVEL},
    }


def _evaluation(recipe: Recipe, held_out: Mapping[str, float | None]) -> dict[str, Any]:
    figures = [
        {
            "quantity": name,
            "unit": "1",
            "value": value,
            "low": None,
            "high": None,
            "n": 0 if value is None else recipe.people.held_out_people,
            "thresholds": None,
        }
        for name, value in held_out.items()
    ]
    return {
        "cohort": f"simulated, held out by the recipe {recipe.name} {recipe.version}",
        "seeds": list(recipe.people.held_out_seeds),
        "patients": recipe.people.held_out_people,
        "simulated": True,
        "figures": figures,
    }


def _card(recipe: Recipe, held_out: Mapping[str, float | None]) -> str:
    people, schedule = recipe.people, recipe.schedule
    shown = [f"{name} {'not evaluable' if value is None else f'{value:.3f}'}" for name, value in held_out.items()]
    return _CARD.format(
        name=recipe.name,
        version=recipe.version,
        people=people.train_people,
        first=people.train_seeds[0],
        last=people.train_seeds[-1],
        pixel=PlanarProtocol().pixel_mm,
        steps=schedule.steps,
        batch=schedule.batch,
        held_out=people.held_out_people,
        samples=schedule.validation_samples,
        figures=", ".join(shown),
        visible=recipe.augmentation.visible,
    )


def _metadata(task: PlanarTask, *, listed: Mapping[str, str]) -> dict[str, Any]:
    recipe = task.recipe
    image = {"type": "image", "format": "planar scan", "modality": "NM", "num_channels": 1, "dtype": "float32"}
    return {
        "name": recipe.name,
        "version": recipe.version,
        "changelog": {recipe.version: "trained"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch"),
        "numpy_version": version("numpy"),
        "required_packages_version": {"safetensors": version("safetensors")},
        "task": "Skeleton parts and hot spots of planar bone scans, both views together",
        "description": f"Trained on {recipe.people.train_people} simulated people; see the model card",
        "authors": "bmnode maintainers",
        "copyright": "Apache-2.0",
        "network_data_format": {"inputs": {"anterior": image, "posterior": image}},
        "bmnode": {"format": 1, "contract": _contract(task), "files": dict(listed)},
    }


def _contract(task: PlanarTask) -> dict[str, Any]:
    rule, pixel = task.recipe.augmentation, PlanarProtocol().pixel_mm
    return {
        "branch": "bone_scan",
        "tracers": ["MDP"],
        "channels": [f"root of the uptake by the body's median, {METHOD}"],
        "spacing_mm": {"low": pixel * (1.0 - rule.stretch), "high": pixel * (1.0 + rule.stretch)},
        "intensity_of": "counts of the anterior view",
        "intensity_unit": "10^3",
        "intensity": {"low": rule.kilocounts[0], "high": rule.kilocounts[1]},
        "coverage": ["whole_body"],
        "age_years": _ADULTS,
        "features": _features(task),
        "score_limit": _SCORE_LIMIT,
    }


def _features(task: PlanarTask) -> Sequence[dict[str, Any]]:
    """Mean and standard deviation over samples of the training."""
    seen: list[Mapping[str, float]] = []
    for step in range(_FEATURE_SAMPLES):
        views = task.batch(step, device="cpu").views[:, 0].numpy()
        seen.append(planar_features(views[0], views[1]))
    spreads = {name: [one[name] for one in seen] for name in seen[0]}
    return [
        {"name": name, "mean": float(np.mean(values)), "sd": max(float(np.std(values, ddof=1)), 1e-6)}
        for name, values in spreads.items()
    ]
