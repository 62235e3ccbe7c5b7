"""What is matched, by which rule, and what it comes to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class LesionEvent(StrEnum):
    """What became of lesions between two scans (clinical reference 8.2, step 6)."""

    PERSISTENT = "persistent"
    """One prior, one current."""
    NEW = "new"
    DISAPPEARED = "disappeared"
    SPLIT = "split"
    """One prior, several current."""
    MERGED = "merged"
    """Several prior, one current."""
    COMPLEX = "complex"
    """Several prior, several current."""
    NOT_ASSESSABLE = "not_assessable"
    """On one scan alone, at a place that the other scan does not show."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesion:
    """A lesion at its place in the current scan's frame; a prior one is mapped there.

    Args:
        centroid_mm: LPS millimetres.
        bone: name of the bone it lies in; None where that is not known.
        shown_by_both: whether the other scan shows its place too.
        volume_ml: in its own scan; None where that is not known.
    """

    centroid_mm: tuple[float, float, float]
    bone: str | None = None
    shown_by_both: bool = True
    volume_ml: float | None = None

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in self.centroid_mm):
            raise ValueError("a centroid is finite")
        if self.volume_ml is not None and not (math.isfinite(self.volume_ml) and self.volume_ml > 0.0):
            raise ValueError("a volume is finite and above 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchRule:
    """When two lesions are one.

    Args:
        least_share: lesions that share so much of the smaller one, or more, are one group, however many they are, where
            one of the two shares as much with no other.
        link_mm: lesions of no more distance, edge to edge, may be one; it covers the error of
            registration and of outlines.
        gate_mm: centroids of no more distance may be one where nothing else says so.
        dilation_mm: lesions of one bone of no more distance, edge to edge, are one group too; 0 asks for a share alone.
        part_share: a lesion without a partner that shares so much, or more, with one that has another may be a part of
            it (`parts.with_parts`); None looks for no parts.
    """

    method: str
    least_share: float
    link_mm: float
    gate_mm: float
    dilation_mm: float = 0.0
    part_share: float | None = None

    def __post_init__(self) -> None:
        if not self.method or min(self.link_mm, self.dilation_mm) < 0.0 or self.gate_mm <= 0.0:
            raise ValueError("a rule has a name, link_mm and dilation_mm of 0 or more and gate_mm above 0")
        if not 0.0 < self.least_share <= 1.0:
            raise ValueError("least_share is a share")
        if self.part_share is not None and not 0.0 < self.part_share <= self.least_share:
            raise ValueError("part_share is a share, and no more than least_share")


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionGroup:
    """Lesions that belong together, by their place in the two tuples that were matched."""

    event: LesionEvent
    prior: tuple[int, ...] = ()
    current: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.event not in _events(len(self.prior), len(self.current)):
            raise ValueError(f"{self.event}: {len(self.prior)} prior and {len(self.current)} current lesions")

    def change_percent(self, *, prior: Sequence[float], current: Sequence[float]) -> float | None:
        """Change of the group's sum of a quantity (volume, TLG); None where either time has no lesion or the sum is 0.

        What split or merged is compared as a whole: its parts are neither responses nor new lesions.
        """
        before = sum(prior[number] for number in self.prior)
        if not self.prior or not self.current or before <= 0.0:
            return None
        return 100.0 * (sum(current[number] for number in self.current) - before) / before


def event_of(prior: int, current: int) -> LesionEvent:
    """What so many lesions of either time that belong together are, where both scans show their places."""
    return _events(prior, current)[0]


def _events(prior: int, current: int) -> tuple[LesionEvent, ...]:
    match (min(prior, 2), min(current, 2)):
        case (1, 1):
            return (LesionEvent.PERSISTENT,)
        case (0, 1):
            return (LesionEvent.NEW, LesionEvent.NOT_ASSESSABLE)
        case (1, 0):
            return (LesionEvent.DISAPPEARED, LesionEvent.NOT_ASSESSABLE)
        case (1, 2):
            return (LesionEvent.SPLIT,)
        case (2, 1):
            return (LesionEvent.MERGED,)
        case (2, 2):
            return (LesionEvent.COMPLEX,)
        case _:
            raise ValueError(f"{prior} prior and {current} current lesions are no group")
