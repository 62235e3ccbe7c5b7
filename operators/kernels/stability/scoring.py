"""What both scores share: a component's points as an interval, and intervals added up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TypeVar

from bmnode.domain.codes import Code, LesionType

_Level = TypeVar("_Level", bound=IntEnum)

PAIN = "pain"
"""What both scores ask and no image shows."""


class Matrix(StrEnum):
    """The lesion's type in the words of both scores."""

    LYTIC = "lytic"
    MIXED = "mixed"
    BLASTIC = "blastic"

    @classmethod
    def from_lesion_type(cls, kind: Code) -> Matrix | None:
        """From the type of a lesion on CT; None where it is indeterminate. Raises ValueError on another code."""
        kinds = {
            LesionType.LYTIC: cls.LYTIC,
            LesionType.MIXED: cls.MIXED,
            LesionType.SCLEROTIC: cls.BLASTIC,
            LesionType.INDETERMINATE: None,
        }
        if kind not in kinds:
            raise ValueError(f"{kind.value} is not a type of bone lesion")
        return kinds[kind]


@dataclass(frozen=True, kw_only=True, slots=True)
class Points:
    """Points from `low` to `high`, both included; equal where they are known. Raises ValueError where reversed."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ValueError("points run from low to high and are not negative")

    @property
    def known(self) -> bool:
        """Whether there is one value only."""
        return self.low == self.high


def exactly(points: int) -> Points:
    """Points that are known."""
    return Points(low=points, high=points)


def points_of(value: _Level | None, *, among: type[_Level]) -> Points:
    """The value's points; where it is not evaluable, all that its component can give."""
    return exactly(int(value)) if value is not None else between(among)


def between(levels: Iterable[IntEnum]) -> Points:
    """From the lowest to the highest of some levels."""
    values = [int(level) for level in levels]
    return Points(low=min(values), high=max(values))


def total(components: Mapping[str, Points]) -> Points:
    """The sum of all components."""
    return Points(
        low=sum(points.low for points in components.values()), high=sum(points.high for points in components.values())
    )
