"""Recipes of `bmnode train`: TOML, every key known and checked. What is not in the recipe does not vary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.config import load_profile
from pipelines.training.planar.samples import Augmentation

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """Who is trained on and who is held out: simulated people by their seeds, never one in both."""

    train_first_seed: int
    train_people: int
    held_out_first_seed: int
    held_out_people: int

    def __post_init__(self) -> None:
        if min(self.train_people, self.held_out_people) < 1:
            raise ValueError("one person or more is trained on, and one or more held out")
        if not set(self.train_seeds).isdisjoint(self.held_out_seeds):
            raise ValueError("a person is trained on and held out")

    @property
    def train_seeds(self) -> range:
        """Of the people who are trained on."""
        return range(self.train_first_seed, self.train_first_seed + self.train_people)

    @property
    def held_out_seeds(self) -> range:
        """Of the people who are held out."""
        return range(self.held_out_first_seed, self.held_out_first_seed + self.held_out_people)


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkPlan:
    """Arguments of the network."""

    blocks: int
    widths: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LossPlan:
    """Dice and cross-entropy of MONAI, summed over both heads with these weights.

    `no_bone` weighs pixels without bone against those of a part: they are nine in ten. `lesion_positive` weighs
    pixels of hot spots in the cross-entropy: they are few.
    """

    region: float
    no_bone: float
    lesion: float
    lesion_positive: float

    def __post_init__(self) -> None:
        if min(self.region, self.no_bone, self.lesion, self.lesion_positive) <= 0.0:
            raise ValueError("weights of losses are above 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """Steps of AdamW: the rate rises over `warm_up` steps, then falls to 0 by a cosine.

    `validate_every` and `keep_every` count steps; the last step does both.
    """

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    warm_up: int
    validate_every: int
    validation_samples: int
    keep_every: int

    def __post_init__(self) -> None:
        counts = (self.steps, self.batch, self.validate_every, self.validation_samples, self.keep_every)
        if min(counts) < 1 or not 0 <= self.warm_up <= self.steps or self.learning_rate <= 0.0:
            raise ValueError("counts and the learning rate are above 0, warm_up lies within the steps")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One training from beginning to end."""

    name: str
    version: str
    seed: int
    people: People
    augmentation: Augmentation
    network: NetworkPlan
    loss: LossPlan
    schedule: Schedule

    @classmethod
    def from_file(cls, path: Path) -> Recipe:
        """Raises ConfigError where a key is missing, unknown or of another type."""
        return load_profile(cls, path)
