"""What every response criterion returns, and how all of them compare a number with a limit.

An engine is one pure function from a frozen set of inputs to an `Assessment`. Missing clinical input
is no error: the engine abstains with the category `NOT_EVALUABLE` and says why. ValueError is for
nonsense alone, such as a negative size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

NOT_EVALUABLE = "NOT_EVALUABLE"
"""Value that every category enumeration carries."""

_RELATIVE_TOLERANCE = 1e-9
_ABSOLUTE_TOLERANCE = 1e-12

CategoryT = TypeVar("CategoryT", bound=StrEnum)
InputsT = TypeVar("InputsT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A published or project rule and its version."""

    name: str
    version: str
    source: str
    """The paper, or `project convention`."""

    def __post_init__(self) -> None:
        if not (self.name and self.version and self.source):
            raise ValueError("a rule has a name, a version and a source")

    @property
    def method(self) -> str:
        """Name and version in one word, e.g. `PERCIST_1.0`."""
        return f"{self.name}_{self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number that the category rests on, with its UCUM unit."""

    name: str
    value: float
    unit: str

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.name}: a figure is finite; what is not defined is left out")


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment(Generic[CategoryT, InputsT]):
    """A category in the criterion's own terms, with all that it rests on.

    `reasons` say how the category came about, `unknown` what the engine could not know. `flare_possible`
    warns that what looks like progression may be healing.
    """

    category: CategoryT
    rule: Rule
    inputs: InputsT
    reasons: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    flare_possible: bool = False

    def __post_init__(self) -> None:
        if not self.reasons:
            raise ValueError(f"{self.rule.method}: a category, abstaining included, has a reason")
        if any(not sentence.endswith(".") for sentence in (*self.reasons, *self.unknown)):
            raise ValueError(f"{self.rule.method}: reasons and unknowns are sentences")

    @property
    def evaluable(self) -> bool:
        """False where the engine abstained."""
        return self.category.value != NOT_EVALUABLE

    def figure(self, name: str) -> float | None:
        """The value of the figure with this name, None where it is not defined."""
        return next((item.value for item in self.figures if item.name == name), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict(Generic[CategoryT]):
    """A category with its reasons, before an engine adds inputs, figures and unknowns."""

    category: CategoryT
    reasons: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    flare_possible: bool = False


def conclude(
    verdict: Verdict[CategoryT],
    *,
    rule: Rule,
    inputs: InputsT,
    unknown: Iterable[str] = (),
    figures: Iterable[Figure] = (),
) -> Assessment[CategoryT, InputsT]:
    """The assessment of a verdict."""
    return Assessment(
        category=verdict.category,
        rule=rule,
        inputs=inputs,
        reasons=verdict.reasons,
        unknown=(*verdict.unknown, *unknown),
        figures=tuple(figures),
        flare_possible=verdict.flare_possible,
    )


def reaches(value: float, limit: float) -> bool:
    """Whether a value is at a limit or above it.

    A value that differs from the limit by no more than rounding is at it: 100 to 70 is a fall of exactly 30 %,
    although binary fractions say 30.000000000000004.
    """
    return value >= limit or _same(value, limit)


def exceeds(value: float, limit: float) -> bool:
    """Whether a value is above a limit by more than rounding."""
    return value > limit and not _same(value, limit)


def percent_change(before: float, after: float) -> float | None:
    """(after - before) / before in percent; None where `before` is 0."""
    return None if before == 0.0 else 100.0 * (after - before) / before


def check_amount(name: str, value: float | None) -> None:
    """Raises ValueError for a value that is known and negative, infinite or not a number."""
    if value is not None and not (math.isfinite(value) and value >= 0.0):
        raise ValueError(f"{name} is finite and not negative")


def check_fraction(name: str, value: float | None) -> None:
    """Raises ValueError for a value that is known and outside 0 to 1."""
    if value is not None and not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} lies in 0 to 1")


def check_distinct(name: str, values: Iterable[str]) -> None:
    """Raises ValueError where an identifier is empty or occurs twice."""
    found = list(values)
    if len(set(found)) != len(found) or not all(found):
        raise ValueError(f"{name} are distinct and not empty")


def _same(value: float, limit: float) -> bool:
    return math.isclose(value, limit, rel_tol=_RELATIVE_TOLERANCE, abs_tol=_ABSOLUTE_TOLERANCE)
