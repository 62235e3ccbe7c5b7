"""How much a lesion, or a group that split or merged, changed: quantities that both scans have by the same method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bmnode.domain.codes import Code, Concept, Derivation, Unit
from bmnode.domain.follow_up_codes import Change
from bmnode.domain.results import FindingResult, Measurement
from operators.kernels.lesion_matching.contract import LesionGroup
from operators.kernels.response.contract import percent_change
from pipelines.follow_up.contract import Drawn

METHOD = "BMNODE_CHANGE_V1"
Several = Callable[[Sequence[float]], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """One measurement of a lesion that is followed.

    Args:
        concept, derivation: what is measured.
        change: the concept of its change.
        several: what it is of several lesions together; None where it is nothing, and the change of a group that split
            or merged is left out.
        unit: of a difference; None for a change in percent of the earlier value.
        part: a part of the method's name, where one concept is measured by several methods.
    """

    concept: Code
    change: Code
    derivation: Code | None = None
    several: Several | None = None
    unit: Code | None = None
    part: str = ""

    def of(self, finding: FindingResult) -> Measurement | None:
        """The finding's measurement; None where it has none, or more than one."""
        found = [
            item
            for item in finding.measurements
            if (item.concept, item.derivation) == (self.concept, self.derivation) and self.part in item.method
        ]
        return found[0] if len(found) == 1 else None


QUANTITIES: tuple[Quantity, ...] = (
    Quantity(concept=Concept.VOLUME, change=Change.VOLUME, several=sum),
    Quantity(concept=Concept.LONG_AXIS, change=Change.LONG_AXIS),
    Quantity(concept=Concept.SUV_BW, derivation=Derivation.MAXIMUM, change=Change.SUV_MAX, several=max),
    Quantity(concept=Concept.SUV_BW, derivation=Derivation.MEAN, change=Change.SUV_MEAN),
    Quantity(
        concept=Concept.SUV_BW, derivation=Derivation.PEAK_IN_ROI, change=Change.SUV_PEAK, several=max, part="GLOBAL"
    ),
    Quantity(concept=Concept.TOTAL_LESION_GLYCOLYSIS, change=Change.TLG, several=sum),
    Quantity(concept=Concept.UPTAKE_RATIO, derivation=Derivation.MAXIMUM, change=Change.UPTAKE_RATIO, several=max),
    Quantity(concept=Concept.ATTENUATION, derivation=Derivation.MEAN, change=Change.HU, unit=Unit.HU),
    Quantity(concept=Concept.ADC, derivation=Derivation.MEAN, change=Change.ADC),
)
"""What is followed [P]. A volume and a glycolysis add up, a maximum is the greatest; means and axes do neither."""


def changes_of(group: LesionGroup, *, prior: Sequence[Drawn], current: Sequence[Drawn]) -> tuple[Measurement, ...]:
    """The changes of a group that both scans show; nothing of one that is new or gone."""
    before = [prior[number].finding for number in group.prior]
    now = [current[number].finding for number in group.current]
    found = (change_of(quantity, before, now) for quantity in QUANTITIES)
    return tuple(item for item in found if item is not None)


def change_of(quantity: Quantity, before: Sequence[FindingResult], now: Sequence[FindingResult]) -> Measurement | None:
    """One change; None where a lesion has no such measurement, methods or units differ, or the earlier value is 0."""
    if not before or not now or (quantity.several is None and len(before) + len(now) > 2):
        return None
    found = [quantity.of(finding) for finding in (*before, *now)]
    known = [item for item in found if item is not None]
    if len(known) < len(found) or len({(item.method, item.unit) for item in known}) > 1:
        return None
    together = quantity.several or sum  # of one value each
    first = float(together([item.value for item in known[: len(before)]]))
    last = float(together([item.value for item in known[len(before) :]]))
    value = last - first if quantity.unit is not None else percent_change(first, last)
    if value is None:
        return None
    return Measurement(concept=quantity.change, value=value, unit=quantity.unit or Unit.PERCENT, method=METHOD)
