"""Checks of a written report against its result set and its segmentations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from highdicom.sr import Comprehensive3DSR
from pydicom.dataset import Dataset

from bmnode.domain.codes import Concept, Unit
from bmnode.domain.geometry import ImagePolygon
from bmnode.domain.results import FindingResult, Measurement, Outcome, ResultSet
from bmnode.errors import ResultError
from bmnode.results.concepts import SERIES_NUMBER, Item, Title
from bmnode.results.content_tree import children
from bmnode.results.drawn_outlines import drawn_outline
from bmnode.results.examined import RELATIVE_TOLERANCE, Examined, segmentation_index
from bmnode.results.key_outlines import key_outlines
from bmnode.results.reading import Report, ReportedFinding, predecessor_uids
from bmnode.results.sr import is_drawn
from bmnode.results.text import plain
from bmnode.results.words import findings_in_words, study_in_words

_VOLUMES = (Concept.VOLUME, Concept.METABOLIC_VOLUME)


def check_report_reads(examined: Examined) -> None:
    """highdicom takes the content tree as a TID 1500 report."""
    Comprehensive3DSR.from_dataset(examined.dataset, copy=False)


def check_content(examined: Examined) -> None:
    """Outcome, findings and every number are those of the result set."""
    report, result_set = examined.files.report(examined.dataset), examined.result_set
    is_root = report.title == Title.ONCOLOGY
    expected = [finding for finding in result_set.findings if is_root or is_drawn(finding)]
    if [item.tracking_uid for item in report.findings] != [item.tracking_uid for item in expected]:
        raise ResultError("the report does not hold the findings of the result set")
    drawn = {} if is_root else key_outlines(result_set, examined.source)
    for written, finding in zip(report.findings, expected, strict=True):
        outlines = (drawn[finding.tracking_uid],) if finding.tracking_uid in drawn else finding.polygons
        if not is_root:
            outlines = tuple(map(drawn_outline, outlines))
        _same_finding(written, finding, outlines=outlines, is_root=is_root)
    if is_root:
        _same_outcome(report, result_set)
        _same_measurements(report.measurements, result_set.measurements, "the study")
        if report.evaluations != result_set.evaluations:
            raise ResultError("the study: the evaluations differ")
        _same_words(examined.dataset, result_set)


def check_predecessors(examined: Examined) -> None:
    """The report names the earlier reports of its kind that it takes the place of, all of them and no other."""
    number, own = int(examined.dataset.SeriesNumber), str(examined.dataset.SOPInstanceUID)
    expected = [
        item.sop_instance_uid
        for item in examined.predecessors
        if SERIES_NUMBER[item.kind] == number and item.sop_instance_uid != own
    ]
    if list(predecessor_uids(examined.dataset)) != expected:
        raise ResultError("the report does not name its predecessors")


def _same_words(dataset: Dataset, result_set: ResultSet) -> None:
    """What the report says in words is what it holds in codes."""
    for name, expected in (
        (Item.FINDING_TEXT, findings_in_words(result_set)),
        (Item.STUDY_TEXT, study_in_words(result_set)),
    ):
        said = tuple(str(item.TextValue) for item in children(dataset, name, value_type="TEXT"))
        if said != expected:
            raise ResultError(f"{name.meaning}: the report says something else")


def _same_outcome(report: Report, result_set: ResultSet) -> None:
    reason = None if result_set.refusal is None else result_set.refusal.reason
    if (report.outcome, report.reason) != (result_set.outcome, reason):
        raise ResultError("the report states another outcome than the result set")
    if (result_set.outcome is Outcome.NOT_ASSESSABLE) and report.findings:
        raise ResultError("a study that is not assessable has findings")


def _same_finding(
    written: ReportedFinding, finding: FindingResult, *, outlines: tuple[ImagePolygon, ...], is_root: bool
) -> None:
    name = finding.tracking_id
    if (written.finding_type, written.site, written.laterality) != (
        finding.finding_type,
        finding.site,
        finding.laterality,
    ):
        raise ResultError(f"{name}: type, site or laterality differ")
    if written.evaluations != finding.evaluations:
        raise ResultError(f"{name}: the evaluations differ")
    if written.came_from != finding.came_from:
        raise ResultError(f"{name}: came from other lesions")
    _same_measurements(written.measurements, finding.measurements, name)
    if finding.segment is not None and (is_root or not finding.polygons):
        number = None if written.segment is None else written.segment.segment_number
        if number != finding.segment.segment_number:
            raise ResultError(f"{name}: refers to another segment")
    if finding.segment is not None and is_root:
        return
    if len(written.polygons) != len(outlines):
        raise ResultError(f"{name}: outlines are missing")
    for one, other in zip(written.polygons, outlines, strict=True):
        same_image = one.sop_instance_uid == other.sop_instance_uid
        same_frame = (one.frame_number or 1) == (other.frame_number or 1)
        same_length = len(one.points) == len(other.points)
        # SCOORD holds single precision (FL)
        if not (same_image and same_frame and same_length and np.allclose(one.points, other.points, atol=1e-3)):
            raise ResultError(f"{name}: an outline differs")


def _same_measurements(written: tuple[Measurement, ...], expected: tuple[Measurement, ...], where: str) -> None:
    if len(written) != len(expected):
        raise ResultError(f"{where}: {len(written)} measurements instead of {len(expected)}")
    for one, other in zip(written, expected, strict=True):
        same_text = one.method == plain(other.method, limit=64)
        same_code = (one.concept, one.unit, one.derivation) == (other.concept, other.unit, other.derivation)
        if not (same_text and same_code and one.value == float(other.value)):
            raise ResultError(f"{where}: {other.concept.meaning} is not what was measured")


def check_segments(examined: Examined) -> None:
    """A finding refers to its own segments, and its volume in the report is that of the segment's voxels."""
    report = examined.files.report(examined.dataset)
    expected = {item.tracking_uid: item.segment for item in examined.result_set.findings}
    indices = _segmentation_indices(report, examined)
    volumes: dict[str, dict[int, float | None]] = {}
    for finding in report.findings:
        if report.title == Title.ONCOLOGY:
            _same_planar_segments(finding, examined, indices)
        link, reference = finding.segment, expected[finding.tracking_uid]
        if link is None or reference is None:
            continue
        uid = link.sop_instance_uid
        if indices[uid] != reference.segmentation_index:
            raise ResultError(f"{finding.tracking_id}: refers to another segmentation")
        if uid not in volumes:
            volumes[uid] = {item.number: item.volume_ml for item in examined.files.segments(examined.siblings[uid])}
        _same_volume(finding, volumes[uid][link.segment_number])


def _segmentation_indices(report: Report, examined: Examined) -> dict[str, int]:
    """The place in the result set of every segmentation that the report refers to, each file read once."""
    links = [link for finding in report.findings for link in (finding.segment, *finding.planar_segments) if link]
    uids = dict.fromkeys(link.sop_instance_uid for link in links)
    return {uid: segmentation_index(examined.files.dataset(examined.siblings[uid])) for uid in uids}


def _same_planar_segments(finding: ReportedFinding, examined: Examined, indices: Mapping[str, int]) -> None:
    expected = [
        (len(examined.result_set.segmentations) + index, number)
        for index, view in enumerate(examined.result_set.planar_segmentations)
        for number, segment in enumerate(view.segments, 1)
        if segment.tracking_uid == finding.tracking_uid
    ]
    if [(indices[link.sop_instance_uid], link.segment_number) for link in finding.planar_segments] != expected:
        raise ResultError(f"{finding.tracking_id}: does not refer to its planar segments")


def _same_volume(finding: ReportedFinding, recomputed: float | None) -> None:
    if recomputed is None:
        raise ResultError(f"{finding.tracking_id}: refers to a segment that has no volume")
    for item in finding.measurements:
        is_volume = item.concept in _VOLUMES and item.unit == Unit.ML and item.derivation is None
        if is_volume and abs(item.value - recomputed) > RELATIVE_TOLERANCE * recomputed:
            raise ResultError(
                f"{finding.tracking_id}: {item.concept.meaning} is {item.value!r} ml in the SR and "
                f"{recomputed!r} ml in the SEG"
            )
