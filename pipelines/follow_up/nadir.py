"""Baseline and nadir: the smallest burden of the earlier studies that the node knows, and what it cannot know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bmnode.domain.codes import Code
from bmnode.domain.results import BurdenPoint, Measurement
from bmnode.results.burden import BURDEN_CONCEPTS
from operators.kernels.response.contract import percent_change

NO_BASELINE = (
    "When the present treatment began is not known to the node, so that its baseline is not known either: categories "
    "are against the latest earlier scan."
)
NO_NADIR = "The nadir is not known: no earlier study has a burden by the same method in the same unit."


@dataclass(frozen=True, kw_only=True, slots=True)
class Nadir:
    """The smallest value of a quantity in the earlier studies, the latest of equal ones.

    Args:
        today: the quantity in the present study.
        value, studied_on: the smallest, and the day of its study.
        studies: earlier studies that have the quantity.
        without: earlier studies that have it not; theirs may have been smaller.
    """

    today: Measurement
    value: float
    studied_on: date
    studies: int
    without: int

    def sentence(self) -> str:
        """For the report."""
        unit, change = self.today.unit.value, percent_change(self.value, self.today.value)
        since = "" if change is None else f" ({change:+.0f} %)"
        others = f" In {self.without} more it was not evaluable." if self.without else ""
        return (
            f"Nadir of {self.today.concept.meaning} ({self.today.method}): {self.value:.3g} {unit} on "
            f"{self.studied_on}, the smallest in the earlier studies known to the node ({self.studies}); "
            f"now {self.today.value:.3g} {unit}{since}.{others} Studies that the node does not know may have had less."
        )


def nadir_of(history: Sequence[BurdenPoint], today: Sequence[Measurement]) -> Nadir | None:
    """Of the first quantity in the order of `BURDEN_CONCEPTS` that today and an earlier study have; None without one.

    Values of another method, unit or derivation are not compared.
    """
    for concept in BURDEN_CONCEPTS:
        for item in (item for item in today if item.concept == concept):
            known = [(value, point.studied_on) for point in history if (value := _value(point, item)) is not None]
            if known:
                value, day = min(known, key=lambda pair: (pair[0], -pair[1].toordinal()))
                return Nadir(
                    today=item, value=value, studied_on=day, studies=len(known), without=len(history) - len(known)
                )
    return None


def sentences(history: Sequence[BurdenPoint], today: Sequence[Measurement]) -> tuple[str, ...]:
    """What is known of baseline and nadir, for the report."""
    found = nadir_of(history, today)
    return (NO_BASELINE, NO_NADIR if found is None else found.sentence())


def _value(point: BurdenPoint, like: Measurement) -> float | None:
    """None where the study has no such number, or more than one."""
    found = [item.value for item in point.measurements if _kind(item) == _kind(like)]
    return found[0] if len(found) == 1 else None


def _kind(item: Measurement) -> tuple[Code, Code | None, Code, str]:
    return item.concept, item.derivation, item.unit, item.method
