"""Measurement groups of the SR: TID 1411 (segment), TID 1410 (outline on a frame), TID 1501 (whole study)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from highdicom import sr

from bmnode.domain.codes import Code, Finding, project_code
from bmnode.domain.geometry import ImagePolygon
from bmnode.domain.results import (
    Algorithm,
    Evaluation,
    FindingResult,
    Measurement,
    PlanarSegmentation,
    ResultSet,
    SegmentReference,
)
from bmnode.errors import ResultError
from bmnode.results.concepts import SEGMENTATION, SEGMENTATION_CLASSES, Item, coded
from bmnode.results.context import WriteContext
from bmnode.results.drawn_outlines import drawn_outline, outline_uid
from bmnode.results.instance import algorithms_of
from bmnode.results.seg_planar import source_frame_number
from bmnode.results.sources import SourceStudy
from bmnode.results.text import plain

STUDY_TRACKING_ID = "Study"


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupContext:
    """What the groups of one report refer to. The UIDs are SOP Instance UIDs of the result set's segmentations and
    planar segmentations by index."""

    source: SourceStudy
    result_set: ResultSet
    context: WriteContext
    segmentation_uids: Mapping[int, str]
    planar_uids: Mapping[int, str] = field(default_factory=dict)
    key_outlines: Mapping[str, ImagePolygon] = field(default_factory=dict)
    """By Tracking UID, for findings that are segments without outlines; only the outlines' report has them."""
    segment_groups: dict[str, sr.ContentSequence] = field(default_factory=dict)
    """What was made for one report and stands in the other as well, by Tracking UID."""


def finding_groups(finding: FindingResult, refer: GroupContext) -> list[sr.ContentSequence]:
    """The groups of one finding, all under its Tracking UID.

    A finding with a segment is one TID 1411 group; a finding with outlines one TID 1410 group an
    outline, of which the first carries the measurements, and one a planar segment; a finding with neither one
    TID 1501 group.
    """
    if finding.segment is not None:
        return [_segment_group(finding, finding.segment, refer)]
    if finding.polygons:
        return [*outline_groups(finding, refer), *_planar_segment_groups(finding, refer)]
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(finding.tracking_id, finding.tracking_uid),
        finding_category=coded(Finding.ABNORMAL_STRUCTURE),
        finding_type=coded(finding.finding_type),
        finding_sites=_sites(finding),
        algorithm_id=_algorithm(refer),
        measurements=[encode_measurement(item) for item in finding.measurements],
        qualitative_evaluations=_evaluations(finding.evaluations),
    )
    return [_with_origin(group, finding)]


def drawn_groups(finding: FindingResult, refer: GroupContext) -> list[sr.ContentSequence]:
    """The groups of one finding in the report that viewers draw.

    What was measured on a segment stays with the segment (TID 1411); the outline of its key slice (TID 1410) carries
    no number, for none was measured on it. Viewers join the two by their Tracking UID. A finding that has outlines
    of its own has those alone: an outline beside a segment is always one that was drawn from it. Each has a Tracking
    UID of its own, so that viewers draw them all, and none is a rectangle.
    """
    if finding.segment is None or finding.polygons:
        return outline_groups(finding, refer, is_drawn=True)
    key = refer.key_outlines[finding.tracking_uid]
    return [
        _segment_group(finding, finding.segment, refer),
        _outline_group(finding, key, refer, number=0, is_drawn=True),
    ]


def outline_groups(finding: FindingResult, refer: GroupContext, *, is_drawn: bool = False) -> list[sr.ContentSequence]:
    """One TID 1410 group for each of the finding's outlines; the measurements stand once, in the first.

    `is_drawn`: for the report that viewers draw.
    """
    return [
        _outline_group(finding, polygon, refer, number=number, is_drawn=is_drawn)
        for number, polygon in enumerate(finding.polygons, 1)
    ]


def study_group(refer: GroupContext) -> sr.ContentSequence:
    """TID 1501: what was measured and judged on the whole study, and every algorithm with the parameters in force."""
    who = sr.ContentSequence()
    for algorithm in algorithms_of(refer.result_set, refer.context):
        who.extend(_identify(algorithm, parameters=True))
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(STUDY_TRACKING_ID, refer.context.uid("study measurements"))
    )
    content = group[0].ContentSequence
    content.extend(who)
    for measurement in refer.result_set.measurements:
        content.extend(encode_measurement(measurement))
    for evaluation in _evaluations(refer.result_set.evaluations):
        content.extend(evaluation)
    return group


def encode_measurement(measurement: Measurement) -> sr.Measurement:
    """TID 300: value (exact, as Floating Point Value beside the decimal string), unit, derivation, method."""
    return sr.Measurement(
        name=coded(measurement.concept),
        value=float(measurement.value),
        unit=coded(measurement.unit),
        derivation=None if measurement.derivation is None else coded(measurement.derivation),
        method=coded(method_code(measurement.method)),
    )


def method_code(method: str) -> Code:
    """The method as a code: its name where 16 characters hold it, a digest of the name otherwise; the meaning is
    the name."""
    value = method if len(method) <= 16 else "M-" + hashlib.sha256(method.encode()).hexdigest()[:12]
    return project_code(plain(value, limit=16), plain(method, limit=64))


def _segment_group(finding: FindingResult, reference: SegmentReference, refer: GroupContext) -> sr.ContentSequence:
    """TID 1411, made once for both reports."""
    uid = finding.tracking_uid
    if uid not in refer.segment_groups:
        refer.segment_groups[uid] = _make_segment_group(finding, reference, refer)
    return refer.segment_groups[uid]


def _make_segment_group(finding: FindingResult, reference: SegmentReference, refer: GroupContext) -> sr.ContentSequence:
    segmentation = refer.result_set.segmentations[reference.segmentation_index]
    group = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(finding.tracking_id, finding.tracking_uid),
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=SEGMENTATION_CLASSES[refer.context.encoding],
            sop_instance_uid=refer.segmentation_uids[reference.segmentation_index],
            segment_number=reference.segment_number,
            source_series=sr.SourceSeriesForSegmentation(segmentation.source_series_uid),
        ),
        finding_category=coded(Finding.ABNORMAL_STRUCTURE),
        finding_type=coded(finding.finding_type),
        finding_sites=_sites(finding),
        algorithm_id=_algorithm(refer),
        measurements=[encode_measurement(item) for item in finding.measurements],
        qualitative_evaluations=_evaluations(finding.evaluations),
    )
    return _with_origin(group, finding)


def _outline_group(
    finding: FindingResult, polygon: ImagePolygon, refer: GroupContext, *, number: int, is_drawn: bool
) -> sr.ContentSequence:
    """The outline of this number, from 1; only the first carries numbers, and a key outline (0) carries none."""
    is_other = is_drawn and number > 1
    name = f"{finding.tracking_id} (outline {number})" if is_other else finding.tracking_id
    uid = outline_uid(finding.tracking_uid, number) if is_other else finding.tracking_uid
    group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(name, uid),
        referenced_region=_region(drawn_outline(polygon) if is_drawn else polygon, refer.source),
        finding_category=coded(Finding.ABNORMAL_STRUCTURE),
        finding_type=coded(finding.finding_type),
        finding_sites=_sites(finding),
        algorithm_id=_algorithm(refer),
        measurements=[encode_measurement(item) for item in finding.measurements] if number == 1 else None,
        qualitative_evaluations=_evaluations(finding.evaluations) if number == 1 else None,
    )
    return _with_origin(group, finding) if number == 1 else group


def _with_origin(group: sr.ContentSequence, finding: FindingResult) -> sr.ContentSequence:
    """The group with the earlier lesions that the finding came from: additional items, which TID 1410, 1411 and 1501
    allow, being extensible."""
    for uid in finding.came_from:
        group[0].ContentSequence.append(
            sr.UIDRefContentItem(
                name=coded(Item.CAME_FROM), value=uid, relationship_type=sr.RelationshipTypeValues.CONTAINS
            )
        )
    return group


def _planar_segment_groups(finding: FindingResult, refer: GroupContext) -> list[sr.ContentSequence]:
    """One TID 1410 group a view on which the finding is segmented: Referenced Segmentation Frame, no numbers."""
    return [
        sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=_tracking(finding.tracking_id, finding.tracking_uid),
            referenced_segment=_segmentation_frame(view, number, uid=refer.planar_uids[index], refer=refer),
            finding_category=coded(Finding.ABNORMAL_STRUCTURE),
            finding_type=coded(finding.finding_type),
            finding_sites=_sites(finding),
            algorithm_id=_algorithm(refer),
        )
        for index, view in enumerate(refer.result_set.planar_segmentations)
        for number, segment in enumerate(view.segments, 1)
        if segment.tracking_uid == finding.tracking_uid
    ]


def _segmentation_frame(
    view: PlanarSegmentation, number: int, *, uid: str, refer: GroupContext
) -> sr.ReferencedSegmentationFrame:
    """A planar segmentation has one frame a segment, so that the frame's number names the segment."""
    instance = refer.source.instance(view.source_instance_uid)
    frame = source_frame_number(view, instance)
    reference = sr.ReferencedSegmentationFrame(
        sop_class_uid=SEGMENTATION,
        sop_instance_uid=uid,
        frame_number=number,
        segment_number=number,
        source_image=sr.SourceImageForSegmentation(
            referenced_sop_class_uid=instance.sop_class_uid,
            referenced_sop_instance_uid=instance.sop_instance_uid,
            referenced_frame_numbers=None if frame is None else [frame],
        ),
    )
    # highdicom writes both numbers; PS3.3 Table 10-3 has the segment's only where there is no frame's.
    del reference[0].ReferencedSOPSequence[0].ReferencedSegmentNumber
    return reference


def _region(polygon: ImagePolygon, source: SourceStudy) -> sr.ImageRegion:
    """SCOORD POLYLINE, closed, on one frame (PS3.3 C.18.6): (column, row), pixel corners at whole numbers.

    Raises ResultError where the image has no such frame, or the outline leaves it.
    """
    instance = source.instance(polygon.sop_instance_uid)
    if not 1 <= (polygon.frame_number or 1) <= instance.frame_count:
        raise ResultError(f"an outline is on frame {polygon.frame_number}, which its image does not have")
    corners = np.asarray(polygon.points)
    if corners.min() < 0 or np.any(corners > (instance.columns, instance.rows)):
        raise ResultError(f"an outline leaves its image of {instance.rows} rows and {instance.columns} columns")
    multi_frame = instance.frame_count > 1
    return sr.ImageRegion(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        graphic_data=np.asarray(polygon.points, dtype=np.float64),
        source_image=sr.SourceImageForRegion(
            referenced_sop_class_uid=instance.sop_class_uid,
            referenced_sop_instance_uid=instance.sop_instance_uid,
            referenced_frame_numbers=[polygon.frame_number or 1] if multi_frame else None,
        ),
    )


def _tracking(identifier: str, uid: str) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid=uid, identifier=plain(identifier))


def _sites(finding: FindingResult) -> list[sr.FindingSite] | None:
    if finding.site is None:
        return None
    laterality = None if finding.laterality is None else coded(finding.laterality)
    return [sr.FindingSite(anatomic_location=coded(finding.site), laterality=laterality)]


def _evaluations(evaluations: Sequence[Evaluation]) -> list[sr.QualitativeEvaluation]:
    return [sr.QualitativeEvaluation(name=coded(item.concept), value=coded(item.value)) for item in evaluations]


def _algorithm(refer: GroupContext) -> sr.AlgorithmIdentification:
    """The first algorithm, which made the finding; all of them, with parameters, stand in the study's group."""
    return _identify(algorithms_of(refer.result_set, refer.context)[0], parameters=False)


def _identify(algorithm: Algorithm, *, parameters: bool) -> sr.AlgorithmIdentification:
    return sr.AlgorithmIdentification(
        name=plain(algorithm.name),
        version=plain(algorithm.version),
        parameters=[plain(item) for item in algorithm.parameters] if parameters else None,
        family=coded(algorithm.family),
    )
