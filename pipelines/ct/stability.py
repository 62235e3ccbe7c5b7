"""SINS and Mirels' score of a CT's candidates: what the place, the level and the bone's shaft give of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bmnode.domain.bones import Bone
from bmnode.domain.codes import Code, Concept, Genant, Laterality, NotEvaluable, Unit
from bmnode.domain.geometry import BoolArray
from bmnode.domain.results import Evaluation, Measurement
from operators.kernels.bone import WorkingBone
from operators.kernels.skeleton_sites.sites import LEFT, RIGHT, NamedSite, SkeletonMap
from operators.kernels.stability import collapse, mirels, shaft, sins
from operators.kernels.stability.body_collapse import BodyCollapse, OutlinedSpine, Unmeasured, body_collapse
from operators.kernels.stability.collapse import GenantGrade, genant_grade
from operators.kernels.stability.levels import levels_of, mirels_sites
from operators.kernels.stability.mirels import MirelsFindings
from operators.kernels.stability.place import spine_place
from operators.kernels.stability.scoring import Matrix, Points
from operators.kernels.stability.shaft import shaft_diameter_mm
from operators.kernels.stability.sins import BodyReading, Level, Posterolateral, SinsFindings, read_body
from pipelines.ct.profile import profile

SINS_METHOD = f"{sins.RULE} ({sins.VERSION})"
MIRELS_METHOD = f"{mirels.RULE} ({mirels.VERSION})"
_LONG_BONES = {Bone.HUMERUS.code: Bone.HUMERUS, Bone.FEMUR.code: Bone.FEMUR}
_VERTEBRAE = {bone.code: bone for bone in Bone if bone.is_vertebra}
_WHY_NOT = {
    Unmeasured.NOT_OUTLINED: NotEvaluable.NO_BODY,
    Unmeasured.THICK_SLICES: NotEvaluable.THICK_SLICES,
    Unmeasured.CUT: NotEvaluable.BODY_CUT,
    Unmeasured.NO_NEIGHBOUR: NotEvaluable.NO_NEIGHBOUR,
}
_GRADES = {
    GenantGrade.NONE: Genant.NONE,
    GenantGrade.MILD: Genant.MILD,
    GenantGrade.MODERATE: Genant.MODERATE,
    GenantGrade.SEVERE: Genant.SEVERE,
}
_SIDES = {Laterality.LEFT: LEFT, Laterality.RIGHT: RIGHT}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stability:
    """What the scores ask of a candidate's place.

    Args:
        posterolateral: its part beside and behind the spinal canal; None where it is not known to lie there.
        levels: the vertebrae in which it may lie by its finding site; none where that is not of the spine.
        limb: Mirels' sites that it may have; none where it is not known to lie in a long bone.
        shaft_mm: the diameter of that bone's shaft, where it was measured.
        body: what was measured of its vertebra's body, or why nothing was.
    """

    posterolateral: Posterolateral | None = None
    levels: tuple[Level, ...] = ()
    limb: tuple[mirels.Site, ...] = ()
    shaft_mm: float | None = None
    body: BodyCollapse | Unmeasured = Unmeasured.NOT_OUTLINED

    @property
    def in_spine(self) -> bool:
        """Whether SINS asks about it: by its place beside the canal, or by its name."""
        return self.posterolateral is not None or bool(self.levels)


def find_stability(
    candidates: Sequence[BoolArray], sites: Sequence[NamedSite], work: WorkingBone, *, skeleton: SkeletonMap
) -> tuple[Stability, ...]:
    """Of each candidate, on the working grid, with its name."""
    spine = _spine(candidates, work, skeleton=skeleton)
    return tuple(
        Stability(
            posterolateral=spine_place(blocks, work.canal, spacing_mm=work.spacing_mm, limits=profile().spine),
            levels=levels_of(site.site),
            limb=mirels_sites(site.site),
            shaft_mm=_shaft_mm(site, work, skeleton=skeleton),
            body=_body(site, spine),
        )
        for blocks, site in zip(candidates, sites, strict=True)
    )


def _spine(candidates: Sequence[BoolArray], work: WorkingBone, *, skeleton: SkeletonMap) -> OutlinedSpine:
    diseased = np.zeros(work.bone.shape, dtype=np.bool_)
    for blocks in candidates:
        diseased |= blocks
    return OutlinedSpine(
        bones=skeleton.bones,
        outlined=skeleton.outlined,
        diseased=diseased,
        canal=work.canal,
        spacing_mm=work.spacing_mm,
    )


def _body(site: NamedSite, spine: OutlinedSpine) -> BodyCollapse | Unmeasured:
    bone = None if site.site is None else _VERTEBRAE.get(site.site)
    return Unmeasured.NOT_OUTLINED if bone is None else body_collapse(bone, spine, limits=profile().collapse)


def _shaft_mm(site: NamedSite, work: WorkingBone, *, skeleton: SkeletonMap) -> float | None:
    bone = None if site.site is None else _LONG_BONES.get(site.site)
    if bone is None or site.laterality is None:
        return None
    one = (skeleton.bones == bone) & (skeleton.sides == _SIDES[site.laterality])
    return shaft_diameter_mm(one, spacing_mm=work.spacing_mm, limits=profile().shaft)


def sins_interval(
    kind: Code, *, posterolateral: Posterolateral | None, levels: Sequence[Level], body: BodyReading | None = None
) -> Points:
    """All that the imaging part of SINS may be, for a lesion in the spine at one of `levels`, or at any where none is.

    Alignment is not evaluable, and the vertebral body is not where `body` is None. What was found beside the canal is
    the least that there is: posterior elements are not searched for sclerosis, so that more is always possible.
    """

    def imaging(level: Level | None, found: Posterolateral | None) -> Points:
        findings = SinsFindings(
            level=level, lesion=Matrix.from_lesion_type(kind), alignment=None, body=body, posterolateral=found
        )
        return sins.sins(findings).imaging

    either = tuple(levels) or (None,)
    return Points(
        low=min(imaging(level, posterolateral).low for level in either),
        high=max(imaging(level, Posterolateral.BILATERAL).high for level in either),
    )


def mirels_interval(kind: Code, *, sites: Sequence[mirels.Site], shaft_fraction: float | None) -> Points:
    """All that the imaging part of Mirels' score may be, for a lesion at one of `sites` of a long bone."""
    found = [
        mirels.mirels(
            MirelsFindings(site=site, lesion=Matrix.from_lesion_type(kind), shaft_fraction=shaft_fraction)
        ).imaging
        for site in sites
    ]
    return Points(low=min(points.low for points in found), high=max(points.high for points in found))


def stability_measurements(found: Stability, kind: Code, *, long_mm: float) -> tuple[Measurement, ...]:
    """SINS, the shaft and Mirels' score, as far as the candidate's place has them.

    `long_mm` is its long axis in the axial plane.
    """
    measured: list[Measurement] = []
    if found.in_spine:
        reading = None
        if isinstance(found.body, BodyCollapse):
            measured.append(_collapse(found.body))
            reading = _reading(found.body)
        points = sins_interval(kind, posterolateral=found.posterolateral, levels=found.levels, body=reading)
        measured += _interval(points, Concept.SINS_LOWEST, Concept.SINS_HIGHEST, method=SINS_METHOD)
    if found.limb:
        share = None if found.shaft_mm is None else long_mm / found.shaft_mm
        if found.shaft_mm is not None and share is not None:
            measured += [
                Measurement(concept=Concept.SHAFT_DIAMETER, value=found.shaft_mm, unit=Unit.MM, method=shaft.METHOD),
                Measurement(concept=Concept.SHAFT_SHARE, value=share, unit=Unit.RATIO, method=shaft.METHOD),
            ]
        points = mirels_interval(kind, sites=found.limb, shaft_fraction=share)
        measured += _interval(points, Concept.MIRELS_LOWEST, Concept.MIRELS_HIGHEST, method=MIRELS_METHOD)
    return tuple(measured)


def _collapse(body: BodyCollapse) -> Measurement:
    """In per cent; below 0 where the body is taller than those beside it."""
    return Measurement(
        concept=Concept.COLLAPSE, value=100.0 * body.found.fraction, unit=Unit.PERCENT, method=collapse.METHOD
    )


def _reading(body: BodyCollapse) -> BodyReading:
    return read_body(body.found.fraction, involved_fraction=body.involved_fraction, noise_fraction=body.noise_fraction)


def stability_evaluations(found: Stability) -> tuple[Evaluation, ...]:
    """Genant's grade of a measured collapse; what could not be measured of the spine or a long bone, and why."""
    answers = []
    if isinstance(found.body, BodyCollapse):
        answers.append(Evaluation(concept=Concept.GENANT_GRADE, value=_GRADES[genant_grade(found.body.found.fraction)]))
    elif found.in_spine:
        answers.append(Evaluation(concept=Concept.COLLAPSE, value=_WHY_NOT[found.body]))
    if found.limb and found.shaft_mm is None:
        answers.append(Evaluation(concept=Concept.SHAFT_SHARE, value=NotEvaluable.SHAFT))
    return tuple(answers)


def _interval(points: Points, lowest: Code, highest: Code, *, method: str) -> list[Measurement]:
    return [
        Measurement(concept=concept, value=float(value), unit=Unit.SCORE, method=method)
        for concept, value in ((lowest, points.low), (highest, points.high))
    ]


def stability_notices(measured: Sequence[Sequence[Measurement]]) -> tuple[str, ...]:
    """What to review first: the lesions whose scores may reach the limit that asks for it, pain included in Mirels'.

    `measured` are each lesion's measurements. The limits are Fisher's (2010) and Mirels' (1989).
    """
    pain = max(mirels.Pain)
    notices = []
    for concept, limit, what in (
        (Concept.SINS_HIGHEST, sins.REVIEW_FROM, f"SINS may reach {sins.REVIEW_FROM} by its imaging part"),
        (
            Concept.MIRELS_HIGHEST,
            mirels.HIGH_FROM - pain,
            f"Mirels' score may reach {mirels.HIGH_FROM}, pain included,",
        ),
    ):
        reached = [
            index
            for index, items in enumerate(measured, start=1)
            if any(item.concept == concept and item.value >= limit for item in items)
        ]
        if reached:
            notices.append(f"Review of stability: {what} for lesions {_list(reached)}.")
    return tuple(notices)


def stability_sentences(lesions: Sequence[Stability]) -> tuple[str, ...]:
    """What the reader must know of the scores: what they could not know, and of which lesions nothing is said."""
    spine = [index for index, item in enumerate(lesions, start=1) if item.in_spine]
    limbs = [index for index, item in enumerate(lesions, start=1) if item.limb]
    neither = [index for index, item in enumerate(lesions, start=1) if not item.in_spine and not item.limb]
    sentences = []
    if spine:
        sentences.append(
            f"SINS of lesions {_list(spine)} is an interval: alignment{_heights(lesions, spine)} and pain were not "
            "evaluable and take their whole range."
        )
        open_level = [index for index in spine if len(lesions[index - 1].levels) != 1]
        if open_level:
            sentences.append(
                f"The level of lesions {_list(open_level)} is not known for certain: SINS takes all possible."
            )
    if limbs:
        sentences.append(
            f"Mirels' score of lesions {_list(limbs)} is an interval: pain was not evaluable, and of a femur it was "
            "not told whether a lesion is peritrochanteric."
        )
    if neither:
        sentences.append(
            f"SINS and Mirels' score were not evaluated for lesions {_list(neither)}: they are not known to lie in the "
            "spine or in a long bone."
        )
    return tuple(sentences)


def _heights(lesions: Sequence[Stability], spine: Sequence[int]) -> str:
    """Of which lesions in the spine the vertebral body's height is not known, as part of a sentence."""
    unknown = [index for index in spine if isinstance(lesions[index - 1].body, Unmeasured)]
    if not unknown:
        return ""
    which = "" if len(unknown) == len(spine) else f" (lesions {_list(unknown)})"
    return f", height of the vertebral body{which}"


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
