"""SINS, the imaging part: Spinal Instability Neoplastic Score (Fisher et al., Spine 2010;35:E1221).

Pain gives 0 to 3 of the 18 points and cannot come from images: the imaging part is 0 to 15, and
the total is an interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from operators.kernels.stability.scoring import PAIN, Matrix, Points, between, points_of, total

RULE = "SINS"
VERSION = "Fisher 2010, imaging part"
NOT_FROM_IMAGES = (PAIN,)

STABLE_UP_TO = 6
UNSTABLE_FROM = 13
REVIEW_FROM = 7
"""Fisher 2010: 0-6 stable, 7-12 potentially unstable, 13-18 unstable; surgical opinion from 7."""

HALF = 0.5
"""Fisher 2010 scores collapse above and below 50 %, and involvement above 50 % of the body."""
_TOUCH = 1e-9


class Level(StrEnum):
    """Where the lesion lies, occiput to S5. The score names no other level (T13, L6)."""

    OCCIPUT = "occiput"
    C1 = "C1"
    C2 = "C2"
    C3 = "C3"
    C4 = "C4"
    C5 = "C5"
    C6 = "C6"
    C7 = "C7"
    T1 = "T1"
    T2 = "T2"
    T3 = "T3"
    T4 = "T4"
    T5 = "T5"
    T6 = "T6"
    T7 = "T7"
    T8 = "T8"
    T9 = "T9"
    T10 = "T10"
    T11 = "T11"
    T12 = "T12"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"
    S1 = "S1"
    S2 = "S2"
    S3 = "S3"
    S4 = "S4"
    S5 = "S5"


class Location(IntEnum):
    """Points of the location."""

    RIGID = 0
    SEMIRIGID = 1
    MOBILE = 2
    JUNCTIONAL = 3


class Pain(IntEnum):
    """Points of pain, which the reader knows."""

    NONE = 0
    OCCASIONAL_NON_MECHANICAL = 1
    MECHANICAL = 3


class Lesion(IntEnum):
    """Points of the lesion's type."""

    BLASTIC = 0
    MIXED = 1
    LYTIC = 2


class Alignment(IntEnum):
    """Points of the alignment."""

    NORMAL = 0
    DEFORMITY = 2
    """De novo kyphosis or scoliosis."""
    TRANSLATION = 4
    """Subluxation or translation."""


class Body(IntEnum):
    """Points of the vertebral body."""

    INTACT = 0
    INVOLVED_OVER_HALF = 1
    COLLAPSED_UP_TO_HALF = 2
    COLLAPSED_OVER_HALF = 3


class Posterolateral(IntEnum):
    """Points of facets, pedicles and costovertebral joints."""

    NONE = 0
    UNILATERAL = 1
    BILATERAL = 3


class StabilityClass(StrEnum):
    """The score's classes."""

    STABLE = "stable"
    POTENTIALLY_UNSTABLE = "potentially unstable"
    UNSTABLE = "unstable"


class SinsFlag(StrEnum):
    """What a reader must know about a score."""

    COLLAPSE_EXACTLY_HALF = "collapse_exactly_half"
    """The source leaves 50 % undefined; it counts as less than 50 % by a convention of this project."""
    COLLAPSE_WITHIN_NOISE = "collapse_within_noise"
    """The loss of height is within what the measurement cannot tell from none: both readings stand in the interval."""
    CLASS_UNDECIDED = "class_undecided"
    """Both ends of the interval fall into different classes."""


_MOBILE = (Level.C3, Level.C4, Level.C5, Level.C6, Level.L2, Level.L3, Level.L4)
_SEMIRIGID = (Level.T3, Level.T4, Level.T5, Level.T6, Level.T7, Level.T8, Level.T9, Level.T10)
_RIGID = (Level.S2, Level.S3, Level.S4, Level.S5)
_MATRIX = {Matrix.LYTIC: Lesion.LYTIC, Matrix.MIXED: Lesion.MIXED, Matrix.BLASTIC: Lesion.BLASTIC}
_PAIN_POINTS = between(Pain)


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyReading:
    """The vertebral body's possible readings, and what was noticed on the way."""

    candidates: tuple[Body, ...]
    flags: tuple[SinsFlag, ...] = ()

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ValueError("a body has one reading or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class SinsFindings:
    """What the images show; None where it cannot be evaluated."""

    level: Level | None
    lesion: Matrix | None
    alignment: Alignment | None
    body: BodyReading | None
    posterolateral: Posterolateral | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SinsScore:
    """The imaging part, the total with every pain that is possible, the class at both ends.

    `components` are the points by component. `not_evaluable` names components that took their
    whole range. Nothing here is advice to treat: `notice` asks for a review.
    """

    imaging: Points
    total: Points
    class_low: StabilityClass
    class_high: StabilityClass
    components: tuple[tuple[str, Points], ...]
    not_evaluable: tuple[str, ...]
    flags: tuple[SinsFlag, ...]
    notice: str | None
    rule: str = RULE
    version: str = VERSION
    not_from_images: tuple[str, ...] = NOT_FROM_IMAGES


def location_of(level: Level) -> Location:
    """Junctional, mobile, semirigid or rigid (Fisher 2010)."""
    if level in _MOBILE:
        return Location.MOBILE
    if level in _SEMIRIGID:
        return Location.SEMIRIGID
    return Location.RIGID if level in _RIGID else Location.JUNCTIONAL


def class_of(score: int) -> StabilityClass:
    """The class of a total."""
    if score >= UNSTABLE_FROM:
        return StabilityClass.UNSTABLE
    return StabilityClass.STABLE if score <= STABLE_UP_TO else StabilityClass.POTENTIALLY_UNSTABLE


def read_body(collapse_fraction: float, *, involved_fraction: float | None, noise_fraction: float) -> BodyReading:
    """The vertebral body from its measured collapse and the share of it that is involved, 0 to 1.

    A loss up to `noise_fraction` may be none: both readings stay. An involvement of None is not
    known. A collapse below 0 (a body taller than its neighbours) is none. Raises ValueError where
    a number is not finite or beyond its range.
    """
    if not math.isfinite(collapse_fraction) or collapse_fraction > 1.0:
        raise ValueError("a collapse is finite and 1 at most")
    if involved_fraction is not None and not 0.0 <= involved_fraction <= 1.0:
        raise ValueError("an involved share lies between 0 and 1")
    if not 0.0 <= noise_fraction < HALF:
        raise ValueError("the noise of a collapse lies between 0 and one half")
    if collapse_fraction > HALF + _TOUCH:
        return BodyReading(candidates=(Body.COLLAPSED_OVER_HALF,))
    if collapse_fraction >= HALF - _TOUCH:
        return BodyReading(candidates=(Body.COLLAPSED_UP_TO_HALF,), flags=(SinsFlag.COLLAPSE_EXACTLY_HALF,))
    if collapse_fraction > noise_fraction:
        return BodyReading(candidates=(Body.COLLAPSED_UP_TO_HALF,))
    standing = _standing(involved_fraction)
    if collapse_fraction <= 0.0:
        return BodyReading(candidates=standing)
    return BodyReading(candidates=(*standing, Body.COLLAPSED_UP_TO_HALF), flags=(SinsFlag.COLLAPSE_WITHIN_NOISE,))


def _standing(involved_fraction: float | None) -> tuple[Body, ...]:
    if involved_fraction is None:
        return Body.INTACT, Body.INVOLVED_OVER_HALF
    return (Body.INVOLVED_OVER_HALF if involved_fraction > HALF + _TOUCH else Body.INTACT,)


def sins(findings: SinsFindings) -> SinsScore:
    """The imaging part of the score and the interval of the total over all answers about pain."""
    location = None if findings.level is None else location_of(findings.level)
    lesion = None if findings.lesion is None else _MATRIX[findings.lesion]
    body = findings.body
    components = {
        "location": points_of(location, among=Location),
        "lesion": points_of(lesion, among=Lesion),
        "alignment": points_of(findings.alignment, among=Alignment),
        "vertebral body": between(body.candidates if body else Body),
        "posterolateral involvement": points_of(findings.posterolateral, among=Posterolateral),
    }
    values = (location, lesion, findings.alignment, body, findings.posterolateral)
    imaging = total(components)
    whole = total({"imaging": imaging, PAIN: _PAIN_POINTS})
    low, high = class_of(whole.low), class_of(whole.high)
    flags = (body.flags if body else ()) + ((SinsFlag.CLASS_UNDECIDED,) if low is not high else ())
    return SinsScore(
        imaging=imaging,
        total=whole,
        class_low=low,
        class_high=high,
        components=tuple(components.items()),
        not_evaluable=tuple(name for name, value in zip(components, values, strict=True) if value is None),
        flags=flags,
        notice=_notice(imaging),
    )


def sins_total(score: SinsScore, *, pain: Pain) -> Points:
    """The total once the reader has said about pain; an interval where the images left one."""
    return Points(low=score.imaging.low + pain, high=score.imaging.high + pain)


def _notice(imaging: Points) -> str | None:
    if imaging.low >= REVIEW_FROM:
        return f"Review: SINS imaging part {imaging.low} or more without pain, {REVIEW_FROM} or more in total."
    if imaging.high >= REVIEW_FROM:
        return f"Review: SINS imaging part could be {REVIEW_FROM} or more; a component is not certain."
    return None
