"""SR and SEG of an earlier run -> the result set that they were written from.

What comes back is what was written, with these differences, all of the encoding: letters that have an ASCII form are
in it; outlines have single precision and, on a multi-frame image, always a frame number; positions and spacings are
decimal strings (1e-9); the input series come in the order of the report, with every series that is evidence. A
refusal names no algorithms, and the history that the pictures show is in no report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from bmnode import MANUFACTURER
from bmnode.domain.codes import Finding
from bmnode.domain.earlier import EarlierResult
from bmnode.domain.registration import Registration
from bmnode.domain.results import (
    FindingResult,
    Outcome,
    PlanarSegmentation,
    ResultSet,
    Segmentation,
    SegmentReference,
)
from bmnode.domain.study import Reason, Refusal
from bmnode.errors import ResultError
from bmnode.results.concepts import (
    COMPREHENSIVE_3D_SR,
    DEFORMABLE_REGISTRATION,
    SEGMENTATION,
    SPATIAL_REGISTRATION,
    Title,
)
from bmnode.results.content_tree import is_same_concept, name_of
from bmnode.results.damage import DAMAGED, explain
from bmnode.results.reading import Report, ReportedFinding, parse_report, predecessor_uids, read_object
from bmnode.results.reg_reading import read_registration
from bmnode.results.report_context import ReportContext
from bmnode.results.seg_reading import ReadSegmentation, read_segmentation
from bmnode.results.sources import UNREADABLE, SourceStudy

RESULT_CLASSES = frozenset({COMPREHENSIVE_3D_SR, SEGMENTATION, SPATIAL_REGISTRATION, DEFORMABLE_REGISTRATION})


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Parts:
    """The objects of one result, each read."""

    report: Report
    outlines: tuple[Report, ...]
    context: ReportContext
    masks: tuple[ReadSegmentation, ...]
    registrations: tuple[Registration, ...]


def read_back(files: Iterable[Path], *, images: Sequence[Path] = ()) -> EarlierResult:
    """The result whose objects are among the files; other files and reports that were replaced are passed over.

    `images` are the study's, of which headers alone are read: with them masks come back on the grid of their series,
    without them on one that reaches from the first to the last slice with a voxel.

    Raises ResultError where there is no root report or more than one, an object is damaged, or one that the root
    report refers to is missing. No message names the patient.
    """
    objects = read_result_objects(files)
    root = _root(objects["SR"])
    source = SourceStudy.from_files(images, study_uid=str(root.StudyInstanceUID)) if images else None
    report = parse_report(root)
    try:
        context = ReportContext.from_dataset(root, own_classes=RESULT_CLASSES)
        referred = _referred(root)
    except DAMAGED as error:
        raise ResultError(f"the SR cannot be understood: {explain(error)}") from None
    known = {str(item.SOPInstanceUID) for of_modality in objects.values() for item in of_modality}
    if missing := [uid for uid in referred if uid not in known]:
        raise ResultError(f"{missing[0]}, to which the report refers, is missing")
    used = {name: [item for item in found if str(item.SOPInstanceUID) in referred] for name, found in objects.items()}
    parts = _Parts(
        report=report,
        outlines=tuple(parse_report(item) for item in used["SR"]),
        context=context,
        masks=tuple(
            sorted(
                (read_segmentation(item, images=source) for item in used["SEG"]), key=lambda item: item.series_number
            )
        ),
        registrations=tuple(
            read_registration(item) for item in sorted(used["REG"], key=lambda item: int(item.SeriesNumber))
        ),
    )
    return EarlierResult(
        result_set=_result_set(str(root.StudyInstanceUID), parts),
        report_uid=report.sop_instance_uid,
        object_uids=frozenset({report.sop_instance_uid, *referred}),
        predecessor_uids=report.predecessor_uids,
        pipeline=context.pipeline,
        studied_on=context.studied_on,
    )


def read_result_objects(files: Iterable[Path]) -> dict[str, list[Dataset]]:
    """The reports (SR), segmentations (SEG) and registrations (REG) among files of any kind, by modality; each once, in
    the order of their UIDs."""
    found: dict[str, dict[str, Dataset]] = {"SR": {}, "SEG": {}, "REG": {}}
    for path in sorted(files):
        try:
            header = pydicom.dcmread(path, specific_tags=["Modality", "SOPInstanceUID"], stop_before_pixels=True)
            kept = found.get(str(header.get("Modality") or ""))
        except UNREADABLE:
            continue  # no DICOM; an object that is missed is reported by its UID
        if kept is not None:
            kept[str(header.SOPInstanceUID)] = read_object(path)
    return {modality: [kept[uid] for uid in sorted(kept)] for modality, kept in found.items()}


def references_of(read: Sequence[ReadSegmentation]) -> dict[tuple[str, int], SegmentReference]:
    """Where every segment stands among the volumes, by its object's SOP Instance UID and its Segment Number."""
    volumes = [item for item in read if isinstance(item.segmentation, Segmentation)]
    return {
        (item.sop_instance_uid, number): SegmentReference(segmentation_index=index, segment_number=place)
        for index, item in enumerate(volumes)
        for place, number in enumerate(item.numbers, 1)
    }


def merge_outlines(findings: Iterable[ReportedFinding], outlines: Iterable[Report]) -> tuple[ReportedFinding, ...]:
    """The findings with the outlines that other reports hold of them: the root has none of a finding with a segment.

    An outline beside a reference to a segment was drawn from that segment for viewers; it is no finding's own.
    """
    drawn = {
        item.tracking_uid: item.polygons
        for report in outlines
        for item in report.findings
        if item.polygons and item.segment is None
    }
    return tuple(
        item if item.polygons else replace(item, polygons=drawn.get(item.tracking_uid, ())) for item in findings
    )


def _root(reports: Sequence[Dataset]) -> Dataset:
    """The one root report that bmnode wrote and that no other one takes the place of."""
    ours = [
        item
        for item in reports
        if item.get("Manufacturer") == MANUFACTURER and is_same_concept(name_of(item), Title.ONCOLOGY)
    ]
    replaced = {uid for item in ours for uid in predecessor_uids(item)}
    left = [item for item in ours if str(item.SOPInstanceUID) not in replaced]
    if not left:
        raise ResultError("there is no root report of bmnode among the files")
    if len(left) > 1:
        raise ResultError(f"there are {len(left)} root reports among the files, and none takes the place of another")
    return left[0]


def _referred(root: Dataset) -> list[str]:
    """The reports and segmentations that the root names as evidence."""
    return [
        str(item.ReferencedSOPInstanceUID)
        for study in root.get("CurrentRequestedProcedureEvidenceSequence") or ()
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
        if item.ReferencedSOPClassUID in RESULT_CLASSES
    ]


def _result_set(study_uid: str, parts: _Parts) -> ResultSet:
    report, context, masks = parts.report, parts.context, [item.segmentation for item in parts.masks]
    references = references_of(parts.masks)
    refused = report.outcome is Outcome.NOT_ASSESSABLE
    try:
        return ResultSet(
            study_uid=study_uid,
            outcome=report.outcome or Outcome.ASSESSED,
            branch=context.branch,
            input_series_uids=context.series_uids,
            refusal=Refusal(reason=report.reason or Reason.PROCESSING_FAILED, explanation=context.explanation)
            if refused
            else None,
            findings=tuple(_finding(item, references) for item in merge_outlines(report.findings, parts.outlines)),
            measurements=report.measurements,
            evaluations=report.evaluations,
            segmentations=tuple(item for item in masks if isinstance(item, Segmentation)),
            planar_segmentations=tuple(item for item in masks if isinstance(item, PlanarSegmentation)),
            quality=context.quality,
            algorithms=context.algorithms,
            limitations=context.limitations,
            notices=context.notices,
            synthetic=report.synthetic,
            registrations=parts.registrations,
        )
    except (KeyError, ValueError) as error:
        raise ResultError("the report and its segmentations contradict each other") from error


def _finding(item: ReportedFinding, references: Mapping[tuple[str, int], SegmentReference]) -> FindingResult:
    link = item.segment
    return FindingResult(
        tracking_id=item.tracking_id,
        tracking_uid=item.tracking_uid,
        finding_type=item.finding_type or Finding.LESION,
        site=item.site,
        laterality=item.laterality,
        segment=None if link is None else references[link.sop_instance_uid, link.segment_number],
        polygons=item.polygons,
        measurements=item.measurements,
        evaluations=item.evaluations,
        came_from=item.came_from,
    )
