"""The operator `assess`: what the comparison comes to, added to the result of the present scan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TypeVar

from bmnode import __version__
from bmnode.domain.codes import Code, Concept, Derivation, Unit
from bmnode.domain.follow_up_codes import (
    Change,
    Compared,
    Event,
    FollowUp,
    Repeatability,
    category_code,
    criterion_code,
)
from bmnode.domain.results import (
    Algorithm,
    BurdenPoint,
    Evaluation,
    FindingResult,
    Measurement,
    PlanarSegmentation,
    QualityCheck,
    ResultSet,
    Segmentation,
    Verdict,
)
from operators.kernels.lesion_matching.contract import LesionEvent, LesionGroup
from operators.kernels.lesion_matching.match import LESION_MATCH
from operators.kernels.response.contract import Assessment
from operators.kernels.response.lesion_limits import (
    FDG_QIBA2016,
    NAF_LIN2016,
    LesionInputs,
    LesionResponse,
    LimitsTable,
    UptakeMetric,
    assess_lesion,
)
from pipelines.follow_up import nadir
from pipelines.follow_up.changes import METHOD, changes_of
from pipelines.follow_up.contract import Drawn, Matched
from pipelines.follow_up.criteria import assessments
from pipelines.follow_up.values import measured, tracer_of
from pipelines.volumetric import NEIGHBORHOOD

EVENTS: Mapping[LesionEvent, Code] = MappingProxyType(
    {
        LesionEvent.PERSISTENT: Event.PERSISTENT,
        LesionEvent.NEW: Event.NEW,
        LesionEvent.DISAPPEARED: Event.DISAPPEARED,
        LesionEvent.SPLIT: Event.SPLIT,
        LesionEvent.MERGED: Event.MERGED,
        LesionEvent.COMPLEX: Event.COMPLEX,
        LesionEvent.NOT_ASSESSABLE: Event.NOT_ASSESSABLE,
    }
)
RESPONSES: Mapping[LesionResponse, Code] = MappingProxyType(
    {
        LesionResponse.ICR: Repeatability.GONE,
        LesionResponse.IPR: Repeatability.RESPONSE,
        LesionResponse.ISD: Repeatability.STABLE,
        LesionResponse.IPD: Repeatability.PROGRESSION,
        LesionResponse.NOT_EVALUABLE: Repeatability.NOT_KNOWN,
    }
)
TABLES: Mapping[str, LimitsTable] = MappingProxyType({"FDG": FDG_QIBA2016, "NaF": NAF_LIN2016})
"""By tracer; of SUVmax."""
ANEW = "The earlier scan was assessed anew in this run: no report of bmnode on it was at hand."
SMALL = "A change is the difference of two measurements; without published limits it may be within their repeatability."
_Drawing = TypeVar("_Drawing", Segmentation, PlanarSegmentation)
_NUMBER = re.compile(r"bmnode lesion (\d+)")
_ASIDE = "of this scan"
"""Behind the name of what is not followed, where a lesion of the earlier scan has that name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Identity:
    tracking_id: str
    tracking_uid: str


def assess_pair(matched: Matched) -> ResultSet:
    """The result of the present scan with identities, events, changes, categories, history and registrations."""
    registered = matched.registered
    pair = registered.pair
    found, sentences = assessments(matched)
    compared = Compared.TOTALS if matched.groups is None else Compared.LESIONS
    result = pair.result if matched.groups is None else _with_lesions(matched)
    return replace(
        result,
        measurements=(*result.measurements, _days(pair.prior.days_before)),
        evaluations=(
            *result.evaluations,
            Evaluation(concept=FollowUp.COMPARISON, value=compared),
            *(evaluation_of(item) for item in found),
        ),
        quality=(*result.quality, *_checks(matched)),
        limitations=(
            *result.limitations,
            *((registered.why_not,) if registered.why_not else ()),
            *((ANEW,) if pair.is_anew else ()),
            *((SMALL,) if matched.groups else ()),
            *nadir.sentences(pair.history, pair.result.measurements),
            *sentences,
            *(sentence_of(item) for item in found),
        ),
        notices=(*result.notices, *_flare(found)),
        algorithms=(*result.algorithms, *_algorithms(matched)),
        registrations=registered.objects,
        history=(*pair.history, _today(matched)),
        synthetic=pair.result.synthetic or any(point.synthetic for point in pair.history),
    )


def evaluation_of(found: Assessment) -> Evaluation:  # type: ignore[type-arg]  # of whatever criterion
    """A criterion's category as a coded answer."""
    rule = found.rule
    return Evaluation(
        concept=criterion_code(rule.name, rule.version), value=category_code(rule.name, found.category.value)
    )


def sentence_of(found: Assessment) -> str:  # type: ignore[type-arg]  # of whatever criterion
    """A criterion's category with its reasons, its figures and what it could not know, for the reader."""
    figures = ", ".join(f"{item.name} {item.value:.3g} {item.unit}" for item in found.figures)
    said = " ".join(found.reasons)
    return (
        f"{found.rule.method} ({found.rule.source}): {found.category.value}. {said}"
        + (f" Figures: {figures}." if figures else "")
        + (f" Not known: {' '.join(found.unknown)}" if found.unknown else "")
    )


def _flare(found: Sequence[Assessment]) -> tuple[str, ...]:  # type: ignore[type-arg]  # of whatever criterion
    if not any(item.flare_possible for item in found):
        return ()
    return ("What looks like progression may be healing flare: please review with the treatment's dates.",)


def _days(days: int) -> Measurement:
    return Measurement(concept=Change.DAYS, value=float(days), unit=Unit.DAY, method=METHOD)


def _today(matched: Matched) -> BurdenPoint:
    pair = matched.registered.pair
    return BurdenPoint(
        studied_on=pair.prior.performed_on + timedelta(days=pair.prior.days_before),
        measurements=pair.result.measurements,
        synthetic=pair.result.synthetic,
    )


def _with_lesions(matched: Matched) -> ResultSet:
    """The lesions under their identities, each with its event; then those of the earlier scan that are no more."""
    result, identities = matched.registered.pair.result, identities_of(matched)
    by_uid = {item.finding.tracking_uid: number for number, item in enumerate(matched.current)}
    alone = [_without(matched, group) for group in matched.groups or () if not group.current]
    taken = {item.tracking_id for item in identities} | {item.tracking_id for item in alone}
    names = {item.finding.tracking_uid: name for item, name in zip(matched.current, identities, strict=True)}
    findings = []
    for finding in result.findings:
        number = by_uid.get(finding.tracking_uid)
        if number is not None:
            findings.append(_followed(matched, number, identities[number]))
        elif finding.tracking_id in taken:  # an earlier lesion's by now
            name = f"{finding.tracking_id} {_ASIDE}"
            names[finding.tracking_uid] = _Identity(tracking_id=name, tracking_uid=finding.tracking_uid)
            findings.append(replace(finding, tracking_id=name))
        else:
            findings.append(finding)
    numbers = _numbers(matched, identities)
    return replace(
        result,
        limitations=(*result.limitations, *numbers),
        notices=(*result.notices, *numbers) if result.notices else (),
        findings=(*findings, *alone),
        segmentations=tuple(_renamed(item, names) for item in result.segmentations),
        planar_segmentations=tuple(_renamed(item, names) for item in result.planar_segmentations),
    )


def identities_of(matched: Matched) -> tuple[_Identity, ...]:
    """Of every present lesion: the earlier one's that it goes on from, else its own under a number nobody had.

    Of several that are one, or one that is several, the largest goes on [P].
    """
    kept: dict[int, _Identity] = {}
    for group in matched.groups or ():
        before = sorted(group.prior, key=lambda number: (-matched.prior[number].mask.voxel_count, number))
        now = sorted(group.current, key=lambda number: (-matched.current[number].mask.voxel_count, number))
        for earlier, number in zip(before, now, strict=False):
            finding = matched.prior[earlier].finding
            kept[number] = _Identity(tracking_id=finding.tracking_id, tracking_uid=finding.tracking_uid)
    used = [int(m[1]) for item in _all_before(matched) if (m := _NUMBER.fullmatch(item.tracking_id))]
    following = iter(range(max(used, default=0) + 1, max(used, default=0) + 1 + len(matched.current)))
    return tuple(
        kept.get(number)
        or _Identity(tracking_id=f"bmnode lesion {next(following)}", tracking_uid=item.finding.tracking_uid)
        for number, item in enumerate(matched.current)
    )


def _numbers(matched: Matched, identities: Sequence[_Identity]) -> tuple[str, ...]:
    """Which number in the branch's own sentences is which tracked lesion; nothing where they are the same.

    The branch numbered the lesions before it was known whose they are, and its sentences and the labels of segments
    keep these numbers: read as Tracking Identifiers they would name other lesions.
    """
    own = [item.finding.tracking_id for item in matched.current]
    if [item.tracking_id for item in identities] == own:
        return ()
    shown = (match[1] if (match := _NUMBER.fullmatch(name)) else name for name in own)
    pairs = ", ".join(f"{name} is {identity.tracking_id}" for name, identity in zip(shown, identities, strict=True))
    return (
        f"Numbers of lesions in sentences and segment labels are those of this scan, not the tracked ones: {pairs}.",
    )


def _all_before(matched: Matched) -> tuple[FindingResult, ...]:
    """Every finding of the earlier report, those included that were no more then."""
    return matched.registered.pair.earlier.result_set.findings


def _followed(matched: Matched, number: int, identity: _Identity) -> FindingResult:
    """A present lesion with its event; the numbers of a group stand on the one that goes on."""
    finding = matched.current[number].finding
    group = next(group for group in matched.groups or () if number in group.current)
    goes_on = identity.tracking_uid != finding.tracking_uid
    before = (matched.prior[earlier].finding.tracking_uid for earlier in group.prior)
    changes = changes_of(group, prior=matched.prior, current=matched.current) if goes_on else ()
    return replace(
        finding,
        tracking_id=identity.tracking_id,
        tracking_uid=identity.tracking_uid,
        measurements=(*finding.measurements, *changes),
        evaluations=(*finding.evaluations, *_judged(matched, group)),
        came_from=tuple(uid for uid in before if uid != identity.tracking_uid),
    )


def _without(matched: Matched, group: LesionGroup) -> FindingResult:
    """A lesion of the earlier scan that the present one has not, or does not show: no voxels and no numbers."""
    finding = matched.prior[group.prior[0]].finding
    return FindingResult(
        tracking_id=finding.tracking_id,
        tracking_uid=finding.tracking_uid,
        finding_type=finding.finding_type,
        site=finding.site,
        laterality=finding.laterality,
        evaluations=_judged(matched, group),
    )


def _judged(matched: Matched, group: LesionGroup) -> tuple[Evaluation, ...]:
    return (
        Evaluation(concept=FollowUp.EVENT, value=EVENTS[group.event]),
        Evaluation(concept=FollowUp.REPEATABILITY, value=RESPONSES[response_of(matched, group)]),
    )


def response_of(matched: Matched, group: LesionGroup) -> LesionResponse:
    """Against the limits of the tracer, by SUVmax; abstains for a group that split or merged, and without limits."""
    pair = matched.registered.pair
    tracer = tracer_of(pair.study)
    table = TABLES.get(tracer or "")
    if table is None or tracer != tracer_of(pair.prior_study) or len(group.prior) > 1 or len(group.current) > 1:
        return LesionResponse.NOT_EVALUABLE
    before = [_suv_max(matched.prior[number]) for number in group.prior]
    now = [_suv_max(matched.current[number]) for number in group.current]
    if None in (*before, *now):
        return LesionResponse.NOT_EVALUABLE
    shown = group.event is not LesionEvent.NOT_ASSESSABLE
    inputs = LesionInputs(
        tracer=tracer,
        metric=UptakeMetric.SUV_MAX,
        baseline_value=before[0] if before else None,
        follow_up_value=now[0] if now else None,
        baseline_site_evaluable=shown,
        follow_up_site_evaluable=shown,
        baseline_volume_ml=measured(matched.prior[group.prior[0]].finding.measurements, Concept.VOLUME)
        if group.prior
        else None,
    )
    return assess_lesion(inputs, table=table).category


def _suv_max(item: Drawn) -> float | None:
    return measured(item.finding.measurements, Concept.SUV_BW, Derivation.MAXIMUM) or None


def _renamed(segmentation: _Drawing, names: Mapping[str, _Identity]) -> _Drawing:
    """The segments under what their findings are called, by the Tracking UIDs that they had."""
    segments = [
        replace(item, tracking_id=name.tracking_id, tracking_uid=name.tracking_uid)
        if item.tracking_uid is not None and (name := names.get(item.tracking_uid)) is not None
        else item
        for item in segmentation.segments
    ]
    return replace(segmentation, segments=tuple(segments))


def _checks(matched: Matched) -> tuple[QualityCheck, ...]:
    """How well the bones fit, and the lesions by event with their share of all."""
    motion = matched.registered.motion
    if motion is None or matched.groups is None:
        return ()
    lesions = QualityCheck(
        name="Comparison of lesions",
        verdict=Verdict.WARN if matched.group(LesionEvent.NOT_ASSESSABLE) else Verdict.PASS,
        explanation=", ".join(_counted(matched, event, extent=motion.extent) for event in LesionEvent) + ".",
    )
    return motion.check, lesions


def _counted(matched: Matched, event: LesionEvent, *, extent: str) -> str:
    """How many lesions, and their share of all that lesions of their scan hold."""
    groups = matched.group(event)
    parts = [
        (matched.current, [n for group in groups for n in group.current]),
        (matched.prior, [n for group in groups for n in group.prior]),
    ]
    lesions, numbers = parts[0] if parts[0][1] else parts[1]
    total = sum(item.mask.voxel_count for item in lesions)
    share = 100.0 * sum(lesions[number].mask.voxel_count for number in numbers) / total if total else 0.0
    return f"{event.value.replace('_', ' ')} {len(groups)} ({share:.0f} % of the {extent})"


def _algorithms(matched: Matched) -> tuple[Algorithm, ...]:
    motion = matched.registered.motion
    if motion is None:
        return ()
    rule = tuple(
        f"{name}={getattr(LESION_MATCH, name):g}" for name in ("least_share", "part_share", "link_mm", "gate_mm")
    )
    return (
        motion.algorithm,
        Algorithm(name=LESION_MATCH.method, version=__version__, family=NEIGHBORHOOD, parameters=rule),
    )
