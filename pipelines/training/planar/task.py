"""The planar task: its network, its batches by step, its loss, and how it does on people who were held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from operators.kernels.planar_regions.parts import PART_NUMBERS
from operators.networks.butterfly import Butterfly, ViewLogits
from pipelines.training.monai_parts import DiceCELoss, DiceLoss
from pipelines.training.planar.cases import Case
from pipelines.training.planar.samples import Sample, draw_sample
from pipelines.training.recipe import Recipe

Logits = tuple[ViewLogits, ViewLogits]
_TRAIN, _HELD_OUT = 1, 2
_PROBABILITY = 0.5
_LEAST_PX = 25
"""A part of fewer pixels in the truth is not compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Samples side by side: views (2, batch, channel, row, column), truth likewise."""

    views: torch.Tensor
    parts: torch.Tensor
    lesions: torch.Tensor

    @classmethod
    def of(cls, samples: Sequence[Sample], *, device: str) -> Batch:
        """The samples on a device."""
        return cls(
            views=torch.stack([sample.views for sample in samples], dim=1).to(device),
            parts=torch.stack([sample.parts for sample in samples], dim=1).to(device),
            lesions=torch.stack([sample.lesions for sample in samples], dim=1).to(device),
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanarTask:
    """Bodies in memory, and what is done with them. A step draws by its own number, not by what was drawn before."""

    recipe: Recipe
    train: Sequence[Case]
    held_out: Sequence[Case]

    def network(self) -> Butterfly:
        """The network with weights that follow from the recipe's seed."""
        torch.manual_seed(self.recipe.seed)
        plan = self.recipe.network
        return Butterfly(in_channels=1, regions=len(PART_NUMBERS), blocks=plan.blocks, widths=plan.widths)

    def batch(self, step: int, *, device: str) -> Batch:
        """The samples of a step; the same step gives the same ones."""
        samples = [self._sample(self.train, _TRAIN, step, number) for number in range(self.recipe.schedule.batch)]
        return Batch.of(samples, device=device)

    def loss(self, logits: Logits, batch: Batch) -> Mapping[str, torch.Tensor]:
        """`region`, `lesion`, and their weighted sum `loss`: Dice and cross-entropy, mean of both views."""
        plan = self.recipe.loss
        weights = torch.ones(1 + len(PART_NUMBERS), device=batch.views.device)
        weights[0] = plan.no_bone
        regions = DiceCELoss(to_onehot_y=True, softmax=True, weight=weights)
        overlap = DiceLoss(sigmoid=True, batch=True)
        positive = torch.tensor(plan.lesion_positive, device=batch.views.device)
        region, lesion = torch.zeros((), device=positive.device), torch.zeros((), device=positive.device)
        for view, found in enumerate(logits):
            region = region + regions(found.regions.float(), batch.parts[view][:, None]) / 2.0
            crossed = functional.binary_cross_entropy_with_logits(
                found.lesions.float(), batch.lesions[view], pos_weight=positive
            )
            lesion = lesion + (overlap(found.lesions.float(), batch.lesions[view]) + crossed) / 2.0
        return {"loss": plan.region * region + plan.lesion * lesion, "region": region, "lesion": lesion}

    def validate(self, network: Butterfly, *, device: str) -> Mapping[str, float | None]:
        """Figures on held-out people, always of the same samples.

        `region_dice` is the mean over parts of their mean Dice; `lesion_dice` is that of all hot spots together; `None`
        where the truth has none.
        """
        parts: dict[int, list[float]] = {}
        lesions = np.zeros(2, dtype=np.float64)
        for number in range(self.recipe.schedule.validation_samples):
            batch = Batch.of([self._sample(self.held_out, _HELD_OUT, 0, number)], device=device)
            with torch.inference_mode():
                logits = network(*batch.views)
            for view, found in enumerate(logits):
                _note_parts(parts, found.regions.argmax(dim=1), batch.parts[view])
                hot, true = torch.sigmoid(found.lesions) >= _PROBABILITY, batch.lesions[view] > 0
                lesions += (2 * int((hot & true).sum()), int(hot.sum()) + int(true.sum()))
        mean = [float(np.mean(scores)) for scores in parts.values()]
        return {
            "region_dice": float(np.mean(mean)) if mean else None,
            "lesion_dice": float(lesions[0] / lesions[1]) if lesions[1] else None,
        }

    def _sample(self, cases: Sequence[Case], *stream: int) -> Sample:
        random = np.random.default_rng([self.recipe.seed, *stream])
        return draw_sample(cases, augmentation=self.recipe.augmentation, random=random)


def _note_parts(scores: dict[int, list[float]], found: torch.Tensor, truth: torch.Tensor) -> None:
    for number in PART_NUMBERS.values():
        one, other = found == number, truth == number
        count = int(other.sum())
        if count >= _LEAST_PX:
            scores.setdefault(number, []).append(2.0 * int((one & other).sum()) / (int(one.sum()) + count))
