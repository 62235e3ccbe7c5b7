"""PCWG3 2+2: progression on bone scans by counting new lesions, with flare and confirmation.

before treatment    first on treatment         later scans
      A ------------------ B ------------- C ---------- D
      |   2 or more new:   |  2 or more    |  2 of them |
      |   PDu, flare?      |  new vs. B:   |  persist:  |
      |                    |  PDu          |  PD at C   |
      |                    |  (if B was PDu, and 2 or more
      |                    |   additional on C: PD at B)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from operators.kernels.response.contract import NOT_EVALUABLE, Assessment, Figure, Rule, Verdict, conclude

RULE = Rule(name="PCWG3_2+2", version="2016", source="Scher 2016, J Clin Oncol 34:1402")

NEW_LESIONS = 2
"""Scher 2016: new lesions that suggest progression, and additional or persisting ones that confirm it."""
FLARE_WINDOW_DAYS = 84
"""Scher 2016: a first on-treatment scan up to here, day 84 (12 weeks) included, may show flare."""
CONFIRMATION_DAYS = 42
"""Scher 2016: a confirming scan is this much later or more; exactly 42 days suffice."""


class Pcwg3Category(StrEnum):
    """PCWG3's terms; PDu is progression that is not yet confirmed."""

    PD = "PD"
    PDU = "PDu"
    NON_PD = "non-PD"
    NOT_EVALUABLE = NOT_EVALUABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class BoneScan:
    """One bone scan: day of treatment (0 or less before it), lesions by identifiers that hold over scans.

    Only lesions counted as metastatic belong here; growth, confluence and intensity do not enter. A
    superscan is one on which lesions cannot be counted.
    """

    day: int
    lesion_ids: frozenset[str]
    superscan: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Pcwg3Inputs:
    """Scans in order of time."""

    scans: tuple[BoneScan, ...]

    def __post_init__(self) -> None:
        days = [scan.day for scan in self.scans]
        if any(later <= earlier for earlier, later in pairwise(days)):
            raise ValueError("scans are in order of time, one a day")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Course:
    """What the scans say so far: day of confirmed progression, whether a suspicion is open, whether a flare ended."""

    progression_day: int | None = None
    pending_day: int | None = None
    flare_pending: bool = False
    flare_ended: bool = False


def assess_pcwg3(inputs: Pcwg3Inputs) -> Assessment[Pcwg3Category, Pcwg3Inputs]:
    """PCWG3 2+2 at the last scan, dated at the scan that first showed the lesions.

    Reference A is the last scan before treatment. The first on-treatment scan becomes reference B if it lies
    in the flare window. From a superscan on lesions are not counted: progression confirmed before it stands,
    everything else abstains.
    """
    countable = _before_superscan(inputs.scans)
    references = [scan for scan in countable if scan.day <= 0]
    treated = [scan for scan in countable if scan.day > 0]
    course = _follow(references[-1], treated) if references and treated else _Course()
    verdict = _verdict(inputs, course, countable=len(countable), evaluable=bool(references and treated))
    days = (("progression_day", course.progression_day), ("unconfirmed_progression_day", course.pending_day))
    wanted = {Pcwg3Category.PD: "progression_day", Pcwg3Category.PDU: "unconfirmed_progression_day"}
    figures = [
        Figure(name=name, value=float(day), unit="d")
        for name, day in days
        if day is not None and wanted.get(verdict.category) == name
    ]
    unknown = ("Soft-tissue disease, PSA and symptoms are no inputs of this engine.",)
    return conclude(verdict, rule=RULE, inputs=inputs, unknown=unknown, figures=figures)


def _before_superscan(scans: Sequence[BoneScan]) -> list[BoneScan]:
    first = next((index for index, scan in enumerate(scans) if scan.superscan), len(scans))
    return list(scans[:first])


def _follow(reference_a: BoneScan, treated: Sequence[BoneScan]) -> _Course:
    first = treated[0]
    if first.day > FLARE_WINDOW_DAYS:
        return _by_persistence(reference_a.lesion_ids, treated, course=_Course())
    suspected = len(first.lesion_ids - reference_a.lesion_ids) >= NEW_LESIONS
    # A lesion of scan A that is missing on B and seen again is no new one.
    reference_b = reference_a.lesion_ids | first.lesion_ids
    confirming = _confirming(first, treated[1:])
    additional = confirming is not None and len(confirming.lesion_ids - reference_b) >= NEW_LESIONS
    if suspected and additional:
        return _Course(progression_day=first.day)
    pending = suspected and confirming is None
    course = _Course(
        pending_day=first.day if pending else None, flare_pending=pending, flare_ended=suspected and not pending
    )
    return _by_persistence(reference_b, treated[1:], course=course)


def _by_persistence(reference: frozenset[str], scans: Sequence[BoneScan], *, course: _Course) -> _Course:
    """The first scan whose two or more new lesions persist; the first whose persistence is still open."""
    pending = course.pending_day
    for index, scan in enumerate(scans):
        new = scan.lesion_ids - reference
        if len(new) < NEW_LESIONS:
            continue
        confirming = _confirming(scan, scans[index + 1 :])
        if confirming is None:
            pending = scan.day if pending is None else pending
        elif len(new & confirming.lesion_ids) >= NEW_LESIONS:
            return _Course(progression_day=scan.day, flare_ended=course.flare_ended)
    return _Course(pending_day=pending, flare_pending=course.flare_pending, flare_ended=course.flare_ended)


def _confirming(scan: BoneScan, later: Sequence[BoneScan]) -> BoneScan | None:
    return next((item for item in later if item.day - scan.day >= CONFIRMATION_DAYS), None)


def _verdict(inputs: Pcwg3Inputs, course: _Course, *, countable: int, evaluable: bool) -> Verdict[Pcwg3Category]:
    if course.progression_day is not None:
        return Verdict(
            category=Pcwg3Category.PD, reasons=("New lesions were confirmed on a scan 6 weeks later or more.",)
        )
    if countable < len(inputs.scans):
        return Verdict(
            category=Pcwg3Category.NOT_EVALUABLE,
            reasons=("Superscan: lesions cannot be counted.",),
            flare_possible=course.flare_pending,
        )
    if not evaluable:
        return Verdict(
            category=Pcwg3Category.NOT_EVALUABLE,
            reasons=("The rule needs a scan before treatment and one during it.",),
        )
    if course.pending_day is not None:
        flare = ("It may be flare.",) if course.flare_pending else ()
        return Verdict(
            category=Pcwg3Category.PDU,
            reasons=("Two or more lesions are new and not yet confirmed by a scan 6 weeks later.", *flare),
            flare_possible=course.flare_pending,
        )
    flare = ("The new lesions of the first on-treatment scan were flare: fewer than two followed.",)
    return Verdict(
        category=Pcwg3Category.NON_PD,
        reasons=("No two new lesions were confirmed.", *(flare if course.flare_ended else ())),
    )
