"""One line of the fidelity table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a value stands against its range."""

    IN_RANGE = "in range"
    OUT_OF_RANGE = "out of range"
    REPORTED = "reported"
    """No limits: shown for the reader's judgement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A measured quantity beside what its source says.

    Args:
        quantity: what was measured, on whom, in the field's words; unique in the table.
        value: as measured, in `unit`.
        unit: "" for a ratio.
        low, high: of the range, ends included; None leaves that side open, both None report without limits.
        source: paper, table or clause; "[P]" in front of a range that is the project's own choice.
        known_gap: why the value leaves its range, where that is known and not yet mended; it is
            out of range all the same.
    """

    quantity: str
    value: float
    unit: str
    low: float | None
    high: float | None
    source: str
    known_gap: str = ""

    def __post_init__(self) -> None:
        if not self.quantity or not self.source:
            raise ValueError("a row names its quantity and its source")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.quantity}: the range {self.low:g} to {self.high:g} is empty")

    @property
    def verdict(self) -> Verdict:
        """In range, out of range (a value that is not finite always is), or reported."""
        if self.low is None and self.high is None:
            return Verdict.REPORTED
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        inside = math.isfinite(self.value) and low <= self.value <= high
        return Verdict.IN_RANGE if inside else Verdict.OUT_OF_RANGE
