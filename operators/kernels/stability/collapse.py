"""How much of its height a vertebral body has lost. A convention of this project (clinical reference 5.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

METHOD = "COLLAPSE_NEIGHBOURS_V1"


class CollapseFlag(StrEnum):
    """What a reader must know about a collapse."""

    ONE_NEIGHBOUR = "one_neighbour"
    """The reference is one vertebra instead of two."""
    GREATER_LOSS_ELSEWHERE = "greater_loss_elsewhere"
    """Against the neighbours another height has lost more than the lowest one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyHeights:
    """A vertebral body's heights, mm. Raises ValueError where one is negative or not finite."""

    anterior_mm: float
    middle_mm: float
    posterior_mm: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(height) and height >= 0.0 for height in self.in_order):
            raise ValueError("heights are finite and not negative")

    @property
    def in_order(self) -> tuple[float, float, float]:
        """Anterior, middle, posterior."""
        return self.anterior_mm, self.middle_mm, self.posterior_mm


@dataclass(frozen=True, kw_only=True, slots=True)
class Collapse:
    """`fraction` is 1 - lowest height over the neighbours' mean of that height; below 0 for a taller body.

    `losses` are the same fraction at the anterior, middle and posterior height.
    """

    fraction: float
    losses: tuple[float, float, float]
    flags: tuple[CollapseFlag, ...]
    method: str = METHOD


def collapse(body: BodyHeights, *, neighbours: tuple[BodyHeights, ...]) -> Collapse:
    """The collapse of a body against the vertebrae above and below.

    A neighbour that is itself diseased or collapsed must be left out by the caller. Of several
    lowest heights the one with the greatest loss counts. Raises ValueError where there is no
    neighbour, more than two, or one without height.
    """
    if not 1 <= len(neighbours) <= 2:
        raise ValueError("a collapse is measured against one or two neighbours")
    references = [sum(heights) / len(neighbours) for heights in zip(*(n.in_order for n in neighbours), strict=True)]
    if min(references) <= 0.0:
        raise ValueError("a neighbour without height is no reference")
    anterior, middle, posterior = (1.0 - own / other for own, other in zip(body.in_order, references, strict=True))
    losses = (anterior, middle, posterior)
    lowest = min(body.in_order)
    fraction = max(loss for loss, height in zip(losses, body.in_order, strict=True) if height == lowest)
    conditions = {
        CollapseFlag.ONE_NEIGHBOUR: len(neighbours) == 1,
        CollapseFlag.GREATER_LOSS_ELSEWHERE: max(losses) > fraction,
    }
    return Collapse(fraction=fraction, losses=losses, flags=tuple(flag for flag, holds in conditions.items() if holds))
