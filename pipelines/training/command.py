"""What `bmnode train` calls, by entry point. Importing it loads no heavy library."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from bmnode.domain.pipelines import Progress, ReportProgress
from bmnode.domain.training import TrainingReport, TrainingRequest
from bmnode.errors import ConfigError

for _needed in ("monai", "mujoco", "torch"):
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"No module named {_needed!r}", name=_needed)

BUNDLE = "bundle"
_BODIES = 0.5
"""Share of the progress that belongs to making bodies."""


class RecipeTrainer:
    """The training of this distribution; see `bmnode.domain.training.Trainer`."""

    def __call__(self, request: TrainingRequest, report: ReportProgress) -> TrainingReport:
        """Make the bodies that are missing, and train or go on."""
        from pipelines.training.export import write_bundle
        from pipelines.training.planar.cases import CaseMaker
        from pipelines.training.planar.task import PlanarTask
        from pipelines.training.recipe import Recipe
        from pipelines.training.trainer import CHECKPOINT, METRICS, train

        path = recipe_path(request.recipe)
        recipe = Recipe.from_file(path)
        _check_device(request.device)
        try:
            request.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{request.out} cannot be made: {error.strerror}") from error
        people = (*recipe.people.train_seeds, *recipe.people.held_out_seeds)
        maker = CaseMaker(cache_dir=request.cache_dir)
        cases = []
        for number, seed in enumerate(people, start=1):
            cases.append(maker.case(seed))
            step = f"{number} of {len(people)} bodies"
            report(Progress(fraction=_BODIES * number / len(people), step=step))
        known = recipe.people.train_people

        def later(progress: Progress) -> None:
            report(Progress(fraction=_BODIES + (1.0 - _BODIES) * progress.fraction, step=progress.step))

        task = PlanarTask(recipe=recipe, train=cases[:known], held_out=cases[known:])
        text = path.read_text(encoding="utf-8")
        trained = train(task, out=request.out, recipe_text=text, device=request.device, report=later)
        bundle = request.out / BUNDLE
        if bundle.exists():
            shutil.rmtree(bundle)  # of an earlier call with the same recipe: `train` refuses another one
        write_bundle(bundle, task=task, recipe_text=text, network=trained.network, held_out=trained.held_out)
        return TrainingReport(
            name=recipe.name,
            version=recipe.version,
            steps=recipe.schedule.steps,
            resumed_at=trained.resumed_at,
            metrics=request.out / METRICS,
            checkpoint=request.out / CHECKPOINT,
            bundle=bundle,
            held_out=trained.held_out,
        )


def recipe_path(recipe: str) -> Path:
    """The file of a recipe: a path, or the name of one that comes along. Raises ConfigError with those there are."""
    folder = Path(__file__).parent / "recipes"
    known = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    path = known.get(recipe, Path(recipe))
    if not path.is_file():
        raise ConfigError(f"there is no recipe {recipe!r}: neither a file nor one of {', '.join(known)}")
    return path


def _check_device(device: str) -> None:
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {device} cannot be used here: {str(error).splitlines()[0]}") from error


TRAINER = RecipeTrainer()
