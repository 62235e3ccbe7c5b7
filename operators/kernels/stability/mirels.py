"""Mirels' score, the imaging part: impending fracture of a long bone (Mirels, Clin Orthop 1989;249:256).

Pain gives 1 to 3 of the 12 points and cannot come from images: the imaging part is 3 to 9, and the
total is an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from operators.kernels.stability.scoring import PAIN, Matrix, Points, between, points_of, total

RULE = "Mirels"
VERSION = "Mirels 1989, imaging part"
NOT_FROM_IMAGES = (PAIN,)

BORDERLINE = 8
HIGH_FROM = 9
"""Mirels 1989: 7 or less, 8 borderline (about 15 % fractured), 9 or more (33 % at 9)."""

SMALL_BELOW = 1.0 / 3.0
LARGE_ABOVE = 2.0 / 3.0
"""Mirels 1989: lesion size as a fraction of the shaft's diameter; both limits belong to the middle class."""

CORTICAL_LIMIT_MM = 30.0
"""Axial cortical involvement beyond which fracture is likelier (Van der Linden et al., 2004): a complement."""
_TOUCH = 1e-9


class Site(IntEnum):
    """Points of the site."""

    UPPER_LIMB = 1
    LOWER_LIMB = 2
    PERITROCHANTERIC = 3


class Pain(IntEnum):
    """Points of pain, which the reader knows."""

    MILD = 1
    MODERATE = 2
    FUNCTIONAL = 3


class Lesion(IntEnum):
    """Points of the lesion's type."""

    BLASTIC = 1
    MIXED = 2
    LYTIC = 3


class Size(IntEnum):
    """Points of the size."""

    UNDER_ONE_THIRD = 1
    ONE_TO_TWO_THIRDS = 2
    OVER_TWO_THIRDS = 3


class FractureClass(StrEnum):
    """The score's classes, by likelihood of fracture; what follows from them is the reader's decision."""

    LOW = "7 or less"
    BORDERLINE = "8, borderline"
    HIGH = "9 or more"


class MirelsFlag(StrEnum):
    """What a reader must know about a score."""

    CLASS_UNDECIDED = "class_undecided"
    """Both ends of the interval fall into different classes."""
    LONG_CORTICAL_INVOLVEMENT = "long_cortical_involvement"
    """Axial cortical involvement beyond 30 mm (Van der Linden)."""


_MATRIX = {Matrix.LYTIC: Lesion.LYTIC, Matrix.MIXED: Lesion.MIXED, Matrix.BLASTIC: Lesion.BLASTIC}
_PAIN_POINTS = between(Pain)


@dataclass(frozen=True, kw_only=True, slots=True)
class MirelsFindings:
    """What the images show; None where it cannot be evaluated.

    `shaft_fraction` is the lesion's size over the shaft's diameter, `axial_cortical_mm` the length of
    cortex involved along the bone. Raises ValueError where a measure is negative.
    """

    site: Site | None
    lesion: Matrix | None
    shaft_fraction: float | None
    axial_cortical_mm: float | None = None

    def __post_init__(self) -> None:
        for measure in (self.shaft_fraction, self.axial_cortical_mm):
            if measure is not None and not 0.0 <= measure < float("inf"):
                raise ValueError("a lesion's size is finite and not negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class MirelsScore:
    """The imaging part, the total with every pain that is possible, the class at both ends.

    `not_evaluable` names components that took their whole range. Nothing here is advice to
    treat: `notice` asks for a review.
    """

    imaging: Points
    total: Points
    class_low: FractureClass
    class_high: FractureClass
    components: tuple[tuple[str, Points], ...]
    not_evaluable: tuple[str, ...]
    flags: tuple[MirelsFlag, ...]
    notice: str | None
    rule: str = RULE
    version: str = VERSION
    not_from_images: tuple[str, ...] = NOT_FROM_IMAGES


def size_of(shaft_fraction: float) -> Size:
    """The class of a size; exactly one third and exactly two thirds are in the middle."""
    if shaft_fraction < SMALL_BELOW - _TOUCH:
        return Size.UNDER_ONE_THIRD
    return Size.OVER_TWO_THIRDS if shaft_fraction > LARGE_ABOVE + _TOUCH else Size.ONE_TO_TWO_THIRDS


def class_of(score: int) -> FractureClass:
    """The class of a total."""
    if score >= HIGH_FROM:
        return FractureClass.HIGH
    return FractureClass.BORDERLINE if score == BORDERLINE else FractureClass.LOW


def mirels(findings: MirelsFindings) -> MirelsScore:
    """The imaging part of the score and the interval of the total over all answers about pain."""
    lesion = None if findings.lesion is None else _MATRIX[findings.lesion]
    size = None if findings.shaft_fraction is None else size_of(findings.shaft_fraction)
    components = {
        "site": points_of(findings.site, among=Site),
        "lesion": points_of(lesion, among=Lesion),
        "size": points_of(size, among=Size),
    }
    imaging = total(components)
    whole = total({"imaging": imaging, PAIN: _PAIN_POINTS})
    low, high = class_of(whole.low), class_of(whole.high)
    length = findings.axial_cortical_mm
    conditions = {
        MirelsFlag.CLASS_UNDECIDED: low is not high,
        MirelsFlag.LONG_CORTICAL_INVOLVEMENT: length is not None and length > CORTICAL_LIMIT_MM,
    }
    return MirelsScore(
        imaging=imaging,
        total=whole,
        class_low=low,
        class_high=high,
        components=tuple(components.items()),
        not_evaluable=tuple(
            name for name, value in zip(components, (findings.site, lesion, size), strict=True) if value is None
        ),
        flags=tuple(flag for flag, holds in conditions.items() if holds),
        notice=_notice(whole),
    )


def mirels_total(score: MirelsScore, *, pain: Pain) -> Points:
    """The total once the reader has said about pain; an interval where the images left one."""
    return Points(low=score.imaging.low + pain, high=score.imaging.high + pain)


def _notice(whole: Points) -> str | None:
    if whole.high < HIGH_FROM:
        return None
    return f"Review: Mirels total {whole.low} to {whole.high}, {HIGH_FROM} or more is possible; images show no pain."
