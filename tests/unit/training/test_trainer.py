"""A training: it learns, can be stopped and repeated, and tells what it did."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from bmnode.domain.models import Range
from bmnode.domain.pipelines import Progress
from bmnode.domain.training import TrainingRequest
from bmnode.errors import ConfigError
from bmnode.models.bundle import Bundle
from operators.kernels.input_contract import distance
from operators.kernels.planar_input import planar_features
from operators.models.planar import PlanarModel
from pipelines.training.command import TRAINER, recipe_path
from pipelines.training.planar.cases import CaseMaker
from pipelines.training.planar.samples import draw_sample
from pipelines.training.planar.task import PlanarTask
from pipelines.training.recipe import RECIPES, LossPlan, NetworkPlan, People, Recipe, Schedule
from pipelines.training.trainer import CHECKPOINT, METRICS, Trained, learning_rate, train
from tests.unit.training.cases import blocks
from tests.unit.training.test_samples import STILL

SCHEDULE = Schedule(
    steps=4,
    batch=1,
    learning_rate=0.01,
    weight_decay=0.0,
    warm_up=1,
    validate_every=2,
    validation_samples=1,
    keep_every=2,
)
RECIPE = Recipe(
    name="blocks",
    version="1.0.0",
    seed=1,
    people=People(train_first_seed=1, train_people=1, held_out_first_seed=2, held_out_people=1),
    augmentation=STILL,
    network=NetworkPlan(blocks=1, widths=(4, 8)),
    loss=LossPlan(region=1.0, no_bone=0.1, lesion=1.0, lesion_positive=5.0),
    schedule=SCHEDULE,
)


class Stopped(Exception):  # noqa: N818 - an administrator's Ctrl-C, not an error
    """Somebody stopped the training."""


def _train(out: Path, *, steps: int = 4, stop_at: int | None = None, text: str = "recipe") -> Trained:
    recipe = dataclasses.replace(RECIPE, schedule=dataclasses.replace(SCHEDULE, steps=steps))
    task = PlanarTask(recipe=recipe, train=[blocks()], held_out=[blocks()])
    out.mkdir(exist_ok=True)

    def report(progress: Progress) -> None:
        if stop_at is not None and progress.step.startswith(f"{stop_at} of"):
            raise Stopped

    return train(task, out=out, recipe_text=text, device="cpu", report=report)


def _lines(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / METRICS).read_text(encoding="utf-8").splitlines()]


def _weights(trained: Trained) -> torch.Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in trained.network.state_dict().values()])


def test_it_learns(tmp_path: Path) -> None:
    """On bodies of blocks the loss falls by a quarter, and held-out regions are found that were not before."""
    task = PlanarTask(recipe=RECIPE, train=[blocks()], held_out=[blocks()])
    untrained = task.validate(task.network().eval(), device="cpu")["region_dice"]
    trained = _train(tmp_path / "run", steps=30)
    losses = [line["loss"] for line in _lines(tmp_path / "run") if "loss" in line]
    assert sum(losses[-3:]) < 0.75 * sum(losses[:3])
    found = trained.held_out["region_dice"]
    assert found is not None
    assert untrained is not None
    assert found > untrained + 0.05


def test_a_stopped_training_ends_at_the_same_weights(tmp_path: Path) -> None:
    """Bit for bit, wherever it was stopped; no step is noted twice, and the checkpoint says where it went on."""
    whole = _train(tmp_path / "whole")
    with pytest.raises(Stopped):
        _train(tmp_path / "halves", stop_at=3)
    later = _train(tmp_path / "halves")
    assert (whole.resumed_at, later.resumed_at) == (0, 2)
    assert torch.equal(_weights(whole), _weights(later))
    assert _lines(tmp_path / "whole") == _lines(tmp_path / "halves")


def test_another_recipe_does_not_go_on(tmp_path: Path) -> None:
    """Weights that two recipes made could be repeated by nobody."""
    _train(tmp_path / "run")
    with pytest.raises(ConfigError, match="another recipe"):
        _train(tmp_path / "run", text="changed")


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    """The same command tells the figures once more."""
    first, second = _train(tmp_path / "run"), _train(tmp_path / "run")
    assert second.resumed_at == 4
    assert first.held_out == second.held_out


def test_what_nobody_could_judge_is_no_zero() -> None:
    """Held-out people without metastases give no Dice of metastases."""
    recipe = dataclasses.replace(RECIPE, augmentation=dataclasses.replace(STILL, healthy_share=1.0))
    task = PlanarTask(recipe=recipe, train=[blocks()], held_out=[blocks()])
    network = task.network()
    torch.nn.init.constant_(network.decoders[0].lesions.bias, -20.0)  # type: ignore[arg-type, union-attr]  # a tensor
    torch.nn.init.constant_(network.decoders[1].lesions.bias, -20.0)  # type: ignore[arg-type, union-attr]  # a tensor
    assert task.validate(network, device="cpu")["lesion_dice"] is None


def test_the_rate_rises_then_falls_to_nothing() -> None:
    """Over the warm-up to its height, at the last step next to nothing."""
    plan = dataclasses.replace(SCHEDULE, steps=100, warm_up=10)
    rates = [learning_rate(plan, step) for step in range(100)]
    assert rates[9] == pytest.approx(0.01)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 1e-5


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_recipes_that_come_along_are_whole(path: Path) -> None:
    """Every key is there, and nobody is both trained on and held out."""
    recipe = Recipe.from_file(path)
    assert set(recipe.people.train_seeds).isdisjoint(recipe.people.held_out_seeds)
    assert recipe_path(path.stem) == path


def test_people_are_trained_on_or_held_out() -> None:
    """A split by patient that overlaps is refused."""
    with pytest.raises(ValueError, match="held out"):
        People(train_first_seed=1, train_people=5, held_out_first_seed=5, held_out_people=1)


def test_a_recipe_is_followed_from_its_file(tmp_path: Path) -> None:
    """The command makes what is missing, trains, and tells where everything is."""
    text = (RECIPES / "planar-quick.toml").read_text(encoding="utf-8")
    changes = {
        "train_people = 5": "train_people = 1",
        "widths = [8, 16, 32, 64]": "widths = [4, 8]",
        "steps = 120": "steps = 2",
        "batch = 2": "batch = 1",
        "warm_up = 10": "warm_up = 1",
    }
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    recipe = Recipe.from_file(tmp_path / "own.toml")
    for seed in (*recipe.people.train_seeds, *recipe.people.held_out_seeds):
        blocks().save(CaseMaker(cache_dir=tmp_path / "cache").path(seed))
    request = TrainingRequest(
        recipe=str(tmp_path / "own.toml"), out=tmp_path / "run", cache_dir=tmp_path / "cache", device="cpu"
    )
    seen: list[float] = []
    made = TRAINER(request, lambda progress: seen.append(progress.fraction))
    assert (made.name, made.steps, made.resumed_at) == ("planar-butterfly", 2, 0)
    assert made.checkpoint == tmp_path / "run" / CHECKPOINT
    assert made.checkpoint.is_file()
    assert made.held_out.keys() == {"region_dice", "lesion_dice"}
    bundle = Bundle.from_folder(made.bundle)
    assert bundle.contract.intensity == Range(low=500.0, high=3000.0)
    assert [figure.thresholds for figure in bundle.evaluation.figures] == [None, None]
    assert PlanarModel.from_bundle(bundle).network.state_dict().keys() == bundle.shapes.keys()
    views = next(iter(_samples(recipe)))
    verdict_score = distance(bundle.contract, planar_features(views[0], views[1]))
    assert verdict_score is not None
    assert verdict_score <= bundle.contract.score_limit
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def _samples(recipe: Recipe) -> Iterator[npt.NDArray[np.float32]]:
    """Views (2, channel, row, column) that the recipe draws."""
    for seed in range(1):
        random = np.random.default_rng([99, seed])
        yield draw_sample([blocks()], augmentation=recipe.augmentation, random=random).views.numpy()


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"recipe": "nothing"}, "planar-quick"), ({"device": "no-such-device"}, "--device")],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    """In one line, before anything is made."""
    request = TrainingRequest(recipe="planar-quick", out=tmp_path / "run", cache_dir=tmp_path / "cache")
    with pytest.raises(ConfigError, match=said):
        TRAINER(dataclasses.replace(request, **changes), lambda _: None)  # type: ignore[arg-type]  # texts
    assert not (tmp_path / "run").exists()
