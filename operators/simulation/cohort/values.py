"""What may stand behind a key of a cohort file, and how a value is drawn from it.

A plain value is that value. A list is one of its members, each as likely. `{low, high}` is any
number between, each as likely. A table of words with weights is one of the words. A key that is
true or false also takes a chance between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

Value = bool | int | float | str | tuple[str, ...] | tuple[int, ...]


class Kind(StrEnum):
    """What a key holds."""

    NUMBER = "number"
    WHOLE = "whole number"
    FLAG = "true or false"
    WORD = "word"
    WORDS = "list of words"
    WHOLES = "list of whole numbers"
    TEXT = "text"


class ValueProblem(ValueError):  # noqa: N818 - a problem of the file, told to its author
    """A value that its key does not take. The message names the value and what is allowed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key of a cohort file.

    Args:
        name: as in the file.
        kind: what it holds.
        meaning: for the reference page.
        low, high: of a number, ends included.
        words: that are allowed.
        default: as the reference page shows it; "" where the key has to be given.
        varies: whether lists, ranges, weights and chances are taken, or a plain value only.
    """

    name: str
    kind: Kind
    meaning: str
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()
    default: str = ""
    varies: bool = True

    @property
    def allowed(self) -> str:
        """What the key takes, in words: for messages and for the reference page."""
        if self.low is not None and self.high is not None:
            span = f"{_number(self.low)} to {_number(self.high)}"
            return {Kind.NUMBER: span, Kind.WHOLE: f"whole numbers {span}"}.get(self.kind, f"list of {span}")
        if self.words:
            either = f"{', '.join(self.words[:-1])} or {self.words[-1]}" if len(self.words) > 1 else self.words[0]
            return f"list of {either}" if self.kind is Kind.WORDS else either
        return {Kind.FLAG: "true, false or a chance of 0 to 1" if self.varies else "true or false"}.get(
            self.kind, self.kind.value
        )


class Draw(Protocol):
    """Where a value comes from."""

    def draw(self, random: np.random.Generator) -> Value:
        """One value."""
        ...

    def possible(self) -> tuple[Value, ...]:
        """The values, or the two ends between which they lie."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Among:
    """One of some values; one alone is a plain value."""

    values: tuple[Value, ...]
    weights: tuple[float, ...] = ()

    def draw(self, random: np.random.Generator) -> Value:
        """One of them, by weight."""
        if len(self.values) == 1:
            return self.values[0]
        share = None if not self.weights else np.asarray(self.weights) / sum(self.weights)
        return self.values[int(random.choice(len(self.values), p=share))]

    def possible(self) -> tuple[Value, ...]:
        """Those that have a weight."""
        weights = self.weights or (1.0,) * len(self.values)
        return tuple(value for value, weight in zip(self.values, weights, strict=True) if weight > 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Between:
    """A number between two ends, which are included."""

    low: float
    high: float
    whole: bool = False

    def draw(self, random: np.random.Generator) -> Value:
        """Any of them, each as likely; three decimals, as nobody writes down more of a protocol."""
        if self.whole:
            return int(random.integers(int(self.low), int(self.high), endpoint=True))
        return round(float(random.uniform(self.low, self.high)), 3)

    def possible(self) -> tuple[Value, ...]:
        """The ends."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chance:
    """True with a probability."""

    of_true: float

    def draw(self, random: np.random.Generator) -> Value:
        """True or false."""
        return bool(random.random() < self.of_true)

    def possible(self) -> tuple[Value, ...]:
        """What can come out."""
        return tuple(flag for flag, likely in ((True, self.of_true), (False, 1.0 - self.of_true)) if likely > 0)


def read(key: Key, raw: object) -> Draw:
    """What a file says of a key. Raises ValueProblem where the key does not take it."""
    if key.kind in (Kind.WORDS, Kind.WHOLES):
        if key.varies and isinstance(raw, list) and raw and all(isinstance(item, list) for item in raw):
            return Among(values=tuple(_list(key, item) for item in raw))
        return Among(values=(_list(key, raw),))
    if key.varies and isinstance(raw, Mapping):
        return _weights(key, raw) if key.kind is Kind.WORD else _between(key, raw)
    if key.varies and isinstance(raw, list) and key.kind is not Kind.TEXT:
        if not raw:
            raise ValueProblem(f"is an empty list, allowed is {key.allowed}")
        return Among(values=tuple(_single(key, item) for item in raw))
    if key.varies and key.kind is Kind.FLAG and _is_number(raw):
        chance = float(raw)  # type: ignore[arg-type]  # a number by the line above
        if not 0.0 <= chance <= 1.0:
            raise _refused(key, raw)
        return Chance(of_true=chance)
    return Among(values=(_single(key, raw),))


def _single(key: Key, raw: object) -> Value:
    match key.kind:
        case Kind.NUMBER | Kind.WHOLE:
            return _checked_number(key, raw)
        case Kind.FLAG:
            if isinstance(raw, bool):
                return raw
        case Kind.WORD:
            if isinstance(raw, str) and raw in key.words:
                return raw
        case _:
            if isinstance(raw, str) and raw.strip():
                return raw
    raise _refused(key, raw)


def _checked_number(key: Key, raw: object) -> int | float:
    if not _is_number(raw) or (key.kind is Kind.WHOLE and not isinstance(raw, int)):
        raise _refused(key, raw)
    number = raw if key.kind is Kind.WHOLE else float(raw)  # type: ignore[arg-type]  # a number by the line above
    assert isinstance(number, int | float)
    low, high = _limits(key)
    if not low <= number <= high:
        raise _refused(key, raw)
    return number


def _list(key: Key, raw: object) -> tuple[str, ...] | tuple[int, ...]:
    if not isinstance(raw, list) or not raw:
        raise _refused(key, raw)
    if key.kind is Kind.WORDS:
        if not all(isinstance(item, str) and item in key.words for item in raw):
            raise _refused(key, raw)
        return tuple(raw)
    low, high = _limits(key)
    if not all(isinstance(item, int) and not isinstance(item, bool) and low <= item <= high for item in raw):
        raise _refused(key, raw)
    return tuple(raw)


def _between(key: Key, raw: Mapping[str, object]) -> Between:
    if set(raw) != {"low", "high"} or key.kind not in (Kind.NUMBER, Kind.WHOLE):
        raise _refused(key, dict(raw))
    low, high = (_checked_number(key, raw[end]) for end in ("low", "high"))
    if low > high:
        raise ValueProblem(f"is {dict(raw)}, and low is above high")
    return Between(low=float(low), high=float(high), whole=key.kind is Kind.WHOLE)


def _weights(key: Key, raw: Mapping[str, object]) -> Among:
    for word, weight in raw.items():
        if word not in key.words:
            raise ValueProblem(f"has a weight for {word!r}, allowed is {key.allowed}")
        if not _is_number(weight) or not 0.0 <= float(weight) < np.inf:  # type: ignore[arg-type]  # a number
            raise ValueProblem(f"has the weight {weight!r} for {word}, allowed is zero and above")
    weights = tuple(float(weight) for weight in raw.values())  # type: ignore[arg-type]  # checked above
    if sum(weights) <= 0:
        raise ValueProblem("has no weight above zero")
    return Among(values=tuple(raw), weights=weights)


def _limits(key: Key) -> tuple[float, float]:
    return (-np.inf if key.low is None else key.low, np.inf if key.high is None else key.high)


def _is_number(raw: object) -> bool:
    """Also refuses infinities, and whole numbers that no float holds."""
    return isinstance(raw, int | float) and not isinstance(raw, bool) and -1e300 < raw < 1e300


def _refused(key: Key, raw: object) -> ValueProblem:
    return ValueProblem(f"is {_shown(raw)}, allowed is {key.allowed}")


def _shown(raw: object) -> str:
    return _number(raw) if _is_number(raw) else repr(raw)  # type: ignore[arg-type]  # a number


def _number(value: float) -> str:
    return f"{value:.12g}"
