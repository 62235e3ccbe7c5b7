"""The objects that a reader saved after editing a result: which they are, who stands for them, their lesions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from bmnode.domain.codes import Finding
from bmnode.domain.earlier import EarlierResult
from bmnode.domain.ids import derive_uid
from bmnode.domain.results import PlanarSegmentation, Segment, Segmentation
from bmnode.errors import ResultError
from bmnode.results.content_tree import is_same_concept
from bmnode.results.edits import Edits, is_by_a_person
from bmnode.results.read_back import merge_outlines
from bmnode.results.reading import Report, ReportedFinding, parse_report, predecessor_uids
from bmnode.results.regions import Lattice, is_same_mask
from bmnode.results.seg_reading import read_segmentation
from bmnode.results.sources import SourceStudy


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EditedLesion:
    """A lesion of the edited set: what its report says of it, and its segment where an edited segmentation has one.

    `tracking_uid` is the stated one; None where the viewer kept none. `own_uid` is what it is called then.
    """

    tracking_uid: str | None
    own_uid: str
    finding: ReportedFinding | None
    segment: Segment | None
    lattice: Lattice | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EditedSet:
    """What a reader saved. `takes_place`: it names the earlier report, or one that named it, as its predecessor."""

    lesions: tuple[EditedLesion, ...]
    reports: tuple[Report, ...]
    is_verified: bool
    takes_place: bool


def read_edited_set(edits: Edits, *, earlier: EarlierResult, source: SourceStudy | None) -> EditedSet:
    """Read the edits of a result; reports that were replaced in their turn are passed over.

    Raises ResultError where there is nothing, or an object is damaged, of another study, or refers to a missing one.
    """
    if not edits:
        raise ResultError("there is nothing among the files that was edited after the result")
    reports, segmentations = edits.reports, edits.segmentations
    if any(str(item.get("StudyInstanceUID")) != earlier.result_set.study_uid for item in (*reports, *segmentations)):
        raise ResultError("an edited object is of another study than the result")
    chain = _replaced(reports, earlier)
    last = [item for item in reports if str(item.SOPInstanceUID) not in chain]
    parsed = tuple(parse_report(item) for item in last)
    grids = tuple(item.geometry for item in earlier.result_set.segmentations)
    read = [read_segmentation(item, images=source, like=grids) for item in segmentations]
    segments: dict[tuple[str, int], tuple[Segment, Lattice]] = {}
    for item in read:
        if isinstance(item.segmentation, PlanarSegmentation):
            _require_unchanged(item.segmentation, earlier)
            continue
        lattice = lattice_of(item.segmentation)
        for number, segment in zip(item.numbers, item.segmentation.segments, strict=True):
            segments[item.sop_instance_uid, number] = (segment, lattice)
    return EditedSet(
        lesions=tuple(_lesions(parsed, segments, earlier)),
        reports=parsed,
        is_verified=bool(last) and all(is_by_a_person(item) for item in last),
        takes_place=any(_names(item, earlier.object_uids | chain) for item in last),
    )


def lattice_of(segmentation: Segmentation) -> Lattice:
    """The grid of a segmentation with its series and slices."""
    return Lattice(
        geometry=segmentation.geometry,
        source_series_uid=segmentation.source_series_uid,
        source_instance_uids=segmentation.source_instance_uids,
    )


def is_lesion(segment: Segment, others: Iterable[Segment]) -> bool:
    """Whether a segment is a lesion: it is tracked, or neither anatomy nor function nor called like one of `others`,
    the earlier segments that were none."""
    if segment.tracking_uid is not None:
        return True
    is_named = any(is_same_concept(segment.category, code) for code in (Finding.ANATOMICAL_STRUCTURE, Finding.FUNCTION))
    return not is_named and segment.label not in {item.label for item in others}


def untracked_segments(earlier: EarlierResult) -> list[Segment]:
    """The earlier segments that are no lesions."""
    tracked = {item.tracking_uid for item in earlier.result_set.findings}
    return [
        segment
        for item in earlier.result_set.segmentations
        for segment in item.segments
        if segment.tracking_uid not in tracked
    ]


def _replaced(reports: Sequence[Dataset], earlier: EarlierResult) -> frozenset[str]:
    """The reports that another one takes the place of, beside the earlier result's own."""
    named = {uid for item in reports for uid in predecessor_uids(item)}
    return frozenset(named - earlier.object_uids)


def _names(report: Dataset, uids: frozenset[str]) -> bool:
    return not uids.isdisjoint(predecessor_uids(report))


def _lesions(
    reports: Sequence[Report], segments: dict[tuple[str, int], tuple[Segment, Lattice]], earlier: EarlierResult
) -> Iterable[EditedLesion]:
    """The findings of the reports, each with its segment; then the segments of which no report says anything."""
    findings: dict[str, ReportedFinding] = {}
    for report in reports:
        for item in report.findings:
            findings.setdefault(item.tracking_uid, item)
    taken = set()
    for item in merge_outlines(findings.values(), reports):
        key = _segment_of(item, segments, earlier)
        taken.add(key)
        segment, lattice = segments[key] if key is not None else (None, None)
        yield EditedLesion(
            tracking_uid=item.tracking_uid, own_uid=item.tracking_uid, finding=item, segment=segment, lattice=lattice
        )
    others = untracked_segments(earlier)
    for key, (segment, lattice) in segments.items():
        if key not in taken and is_lesion(segment, others):
            yield EditedLesion(
                tracking_uid=segment.tracking_uid,
                own_uid=segment.tracking_uid or derive_uid("untracked", key[0], str(key[1])),
                finding=None,
                segment=segment,
                lattice=lattice,
            )


def _segment_of(
    finding: ReportedFinding, segments: dict[tuple[str, int], tuple[Segment, Lattice]], earlier: EarlierResult
) -> tuple[str, int] | None:
    """The edited segment to which a finding refers, or that has its Tracking UID; None where the earlier one stays."""
    link = finding.segment
    if link is not None:
        key = (link.sop_instance_uid, link.segment_number)
        if key in segments:
            return key
        if link.sop_instance_uid not in earlier.object_uids:
            raise ResultError("an edited finding refers to a segment that is missing")
    tracked = [key for key, (segment, _) in segments.items() if segment.tracking_uid == finding.tracking_uid]
    return tracked[0] if tracked else None


def _require_unchanged(view: PlanarSegmentation, earlier: EarlierResult) -> None:
    """Segments of a planar view follow from the outlines of the report, which alone are read after editing."""
    before = [
        segment.mask
        for item in earlier.result_set.planar_segmentations
        if (item.source_instance_uid, item.frame_number or 1) == (view.source_instance_uid, view.frame_number or 1)
        for segment in item.segments
    ]
    for segment in view.segments:
        if not any(is_same_mask(segment.mask, mask) for mask in before):
            raise ResultError("a segment of a planar view was edited: only the outlines of a report are read there")
