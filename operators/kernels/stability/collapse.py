"""How much of its height a vertebral body has lost. A convention of this project (clinical reference 5.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum, StrEnum

METHOD = "COLLAPSE_NEIGHBOURS_V1"

MILD_FROM, MODERATE_FROM, SEVERE_ABOVE = 0.20, 0.25, 0.40
"""Genant et al., J Bone Miner Res 1993;8:1137: 20 to 25 %, 25 to 40 %, more than 40 % of a height lost."""
_TOUCH = 1e-9


class GenantGrade(IntEnum):
    """Semiquantitative grades of a vertebral fracture."""

    NONE = 0
    MILD = 1
    MODERATE = 2
    SEVERE = 3


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


def genant_grade(fraction: float) -> GenantGrade:
    """Genant's grade of a lost share of height; exactly 25 % is moderate, a convention of this project.

    Raises ValueError where the share is not finite or above 1.
    """
    if not math.isfinite(fraction) or fraction > 1.0:
        raise ValueError("a collapse is finite and 1 at most")
    if fraction > SEVERE_ABOVE + _TOUCH:
        return GenantGrade.SEVERE
    if fraction >= MODERATE_FROM - _TOUCH:
        return GenantGrade.MODERATE
    return GenantGrade.MILD if fraction >= MILD_FROM - _TOUCH else GenantGrade.NONE


def sound_neighbours(neighbours: tuple[BodyHeights, ...], *, alike: float) -> tuple[BodyHeights, ...]:
    """The neighbours that are a reference: of two whose heights differ by more than the share `alike`, the taller.

    A convention of this project: bodies beside each other are nearly as high as each other, so the lower one of two
    that differ may itself have collapsed. Heights are compared by their sums.
    """
    if len(neighbours) != 2:
        return neighbours
    low, high = sorted(neighbours, key=lambda item: sum(item.in_order))
    differ = any(
        one < (1.0 - alike) * other or other < (1.0 - alike) * one
        for one, other in zip(low.in_order, high.in_order, strict=True)
    )
    return (high,) if differ else neighbours
