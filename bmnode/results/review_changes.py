"""What became of one lesion: its region, names, codes and numbers after a reader's editing (rules in `review`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bmnode.domain.codes import Code, Finding
from bmnode.domain.earlier import Change, Decision, KnownBy, LesionReview
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.results import Evaluation, FindingResult, Measurement, Segment
from bmnode.results.content_tree import is_same_concept
from bmnode.results.edited_set import EditedLesion, EditedSet
from bmnode.results.reading import METHOD_NOT_STATED, ReportedFinding
from bmnode.results.regions import Lattice, are_same_outlines, is_same_mask, move_mask
from bmnode.results.reviewed_set import Standing

_SAME_NUMBER = 1e-6
"""Relative; a viewer may keep a number as a decimal string of 16 characters or in single precision."""


VIEWER_TOOLS = ("Cornerstone3DTools@", "cornerstoneTools@")
"""OHIF puts its tool's name into Tracking Identifier: that is no name for a lesion."""
VIEWER_TEXT_SCHEME = "CORNERSTONEJS"
"""The scheme in which OHIF codes a reader's free text as the type of the finding."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EarlierLesion:
    """An earlier lesion with its segment."""

    finding: FindingResult
    segment: Segment | None
    lattice: Lattice | None


def on_one_grid(item: EarlierLesion, lesion: EditedLesion) -> tuple[CroppedMask, CroppedMask] | None:
    """Both masks, in index space of a grid that holds them; None where one is missing or their voxels are others."""
    if item.segment is None or item.lattice is None or lesion.segment is None or lesion.lattice is None:
        return None
    both = item.lattice.join(lesion.lattice)
    if both is None:
        return None
    old = move_mask(item.segment.mask, source=item.lattice.geometry, target=both.geometry)
    new = move_mask(lesion.segment.mask, source=lesion.lattice.geometry, target=both.geometry)
    return old, new


def judge(
    item: EarlierLesion, pair: tuple[EditedLesion, KnownBy] | None, edited: EditedSet
) -> tuple[LesionReview, Standing | None]:
    """The decision on an earlier lesion, and what stands of it; `pair` is the edited lesion that it is, if any."""
    finding = item.finding
    untouched = Standing(finding=finding, segment=item.segment, lattice=item.lattice, keeps_views=True)
    if pair is None:
        decision = Decision.REJECTED if edited.takes_place else Decision.UNREVIEWED
        review = LesionReview(tracking_id=finding.tracking_id, tracking_uid=finding.tracking_uid, decision=decision)
        return review, None if decision is Decision.REJECTED else untouched
    lesion, known_by = pair
    stands = _region_after(item, lesion)
    after, left_out = _content_after(finding, lesion, stands)
    stands = replace(stands, finding=after, segment=_segment_after(item, lesion, stands.segment))
    changes = _changes(item, stands)
    unchanged = Decision.ACCEPTED if edited.is_verified else Decision.UNREVIEWED
    review = LesionReview(
        tracking_id=after.tracking_id,
        tracking_uid=after.tracking_uid,
        decision=Decision.CHANGED if changes else unchanged,
        changes=changes,
        known_by=known_by,
        left_out=left_out,
    )
    return review, stands


def _region_after(item: EarlierLesion, lesion: EditedLesion) -> Standing:
    """Voxels and outlines that hold after editing: where only one of both was edited, the other does not hold."""
    outlines = lesion.finding.polygons if lesion.finding is not None else ()
    masks = on_one_grid(item, lesion)
    new_segment = lesion.segment is not None and (masks is None or not is_same_mask(*masks))
    finding = item.finding
    is_outlined = bool(finding.polygons) or finding.segment is None
    new_outlines = bool(outlines) and is_outlined and not are_same_outlines(outlines, finding.polygons)
    if new_segment:
        finding = replace(finding, polygons=outlines if new_outlines else ())
        return Standing(finding=finding, segment=lesion.segment, lattice=lesion.lattice, keeps_views=False)
    if new_outlines:
        finding = replace(finding, polygons=outlines, segment=None)
        return Standing(finding=finding, segment=None, lattice=None, keeps_views=False)
    return Standing(finding=finding, segment=item.segment, lattice=item.lattice, keeps_views=True)


def _segment_after(item: EarlierLesion, lesion: EditedLesion, segment: Segment | None) -> Segment | None:
    """Category and type stay the earlier segment's, which viewers do not keep; the label is the reader's."""
    if segment is None or item.segment is None:
        return segment
    label = item.segment.label if lesion.segment is None else lesion.segment.label
    return replace(item.segment, mask=segment.mask, label=label)


def _content_after(
    before: FindingResult, lesion: EditedLesion, stands: Standing
) -> tuple[FindingResult, tuple[str, ...]]:
    """Names, codes and numbers after editing, and what of the earlier numbers and answers does not hold."""
    said = lesion.finding
    segment = lesion.segment
    site, laterality = before.site, before.laterality
    if said is not None and said.site is not None:
        site, laterality = said.site, said.laterality
    elif said is None and segment is not None and segment.site is not None:
        site, laterality = segment.site, segment.laterality
    stated = () if said is None else said.measurements
    answers = () if said is None else said.evaluations
    left_out: tuple[str, ...] = ()
    if stands.keeps_views:
        measurements = _merged(before.measurements, stated)
        evaluations = _answers(before.evaluations, answers)
    else:
        measurements = tuple(new for new in stated if not any(_is_copy(new, old) for old in before.measurements))
        evaluations = tuple(item for item in answers if item not in before.evaluations)
        left_out = (
            *(item.concept.meaning for item in before.measurements),
            *(item.concept.meaning for item in before.evaluations),
        )
    after = replace(
        stands.finding,
        tracking_id=_name(before, lesion),
        finding_type=_other(_type_of(said), before.finding_type) or before.finding_type,
        site=_other(site, before.site),
        laterality=_other(laterality, before.laterality) if laterality is not None else None,
        measurements=measurements,
        evaluations=evaluations,
    )
    return after, tuple(dict.fromkeys(left_out))


def _name(before: FindingResult, lesion: EditedLesion) -> str:
    if lesion.finding is not None and lesion.finding.tracking_id:
        is_tool = lesion.finding.tracking_id.startswith(VIEWER_TOOLS)
        return before.tracking_id if is_tool else lesion.finding.tracking_id
    stated = lesion.segment.tracking_id if lesion.segment is not None else None
    return stated or before.tracking_id


def _type_of(said: ReportedFinding | None) -> Code | None:
    """The stated type; OHIF codes a reader's free text as one."""
    stated = None if said is None else said.finding_type
    return None if stated is None or stated.scheme == VIEWER_TEXT_SCHEME else stated


def _other(new: Code | None, old: Code | None) -> Code | None:
    """The new code where it is stated and another concept, whatever its wording."""
    return old if new is None or is_same_concept(new, old) else new


def _is_of_same(one: Measurement, other: Measurement) -> bool:
    """Whether two numbers are of one thing: concept, derivation and unit; a method that is not stated may be any."""
    return (
        is_same_concept(one.concept, other.concept)
        and is_same_concept(one.derivation, other.derivation)
        and is_same_concept(one.unit, other.unit)
        and (one.method == other.method or METHOD_NOT_STATED in (one.method, other.method))
    )


def _is_copy(new: Measurement, old: Measurement) -> bool:
    return _is_of_same(new, old) and abs(new.value - old.value) <= _SAME_NUMBER * abs(old.value)


def _merged(before: Sequence[Measurement], stated: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """The earlier numbers, each in its edited form where there is one, then those that the reader added."""
    after = [next((new for new in stated if _is_of_same(new, old) and not _is_copy(new, old)), old) for old in before]
    return (*after, *(new for new in stated if not any(_is_of_same(new, old) for old in before)))


def _answers(before: Sequence[Evaluation], stated: Sequence[Evaluation]) -> tuple[Evaluation, ...]:
    """The earlier answers, each in its edited form where there is one, then those that the reader added."""
    after = []
    for old in before:
        new = next((item for item in stated if is_same_concept(item.concept, old.concept)), old)
        after.append(old if is_same_concept(new.value, old.value) else new)
    known = [item.concept for item in before]
    return (*after, *(new for new in stated if not any(is_same_concept(new.concept, code) for code in known)))


def _changes(item: EarlierLesion, stands: Standing) -> tuple[Change, ...]:
    before, after = item.finding, stands.finding
    labels = {segment.label for segment in (item.segment, stands.segment) if segment is not None}
    found = {
        Change.NAME: before.tracking_id != after.tracking_id or len(labels) > 1,
        Change.TYPE: before.finding_type != after.finding_type,
        Change.SITE: (before.site, before.laterality) != (after.site, after.laterality),
        Change.REGION: not stands.keeps_views,
        Change.MEASUREMENTS: stands.keeps_views and before.measurements != after.measurements,
        Change.EVALUATIONS: stands.keeps_views and before.evaluations != after.evaluations,
    }
    return tuple(change for change, is_true in found.items() if is_true)


def _name_of_added(lesion: EditedLesion) -> str:
    if lesion.finding is not None and lesion.finding.tracking_id:
        return lesion.finding.tracking_id
    return lesion.segment.label if lesion.segment is not None else "Added"


def added(lesion: EditedLesion) -> Standing:
    """A lesion that was not among the earlier ones, as the reader's objects have it."""
    said, segment = lesion.finding, lesion.segment
    finding = FindingResult(
        tracking_id=_name_of_added(lesion),
        tracking_uid=lesion.own_uid,
        finding_type=_type_of(said) or Finding.LESION,
        site=said.site if said is not None else segment.site if segment is not None else None,
        laterality=said.laterality if said is not None else segment.laterality if segment is not None else None,
        polygons=said.polygons if said is not None else (),
        measurements=said.measurements if said is not None else (),
        evaluations=said.evaluations if said is not None else (),
    )
    return Standing(finding=finding, segment=segment, lattice=lesion.lattice, keeps_views=False)
