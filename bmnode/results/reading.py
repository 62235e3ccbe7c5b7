"""Result objects read back, with pydicom alone: for verification, the command line, the demo and tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from bmnode.domain.codes import Code
from bmnode.domain.geometry import BoolArray, ImagePolygon
from bmnode.domain.ids import derive_uid
from bmnode.domain.results import Evaluation, Measurement, Outcome
from bmnode.domain.study import Reason
from bmnode.errors import ResultError
from bmnode.results.bits import unpack_frame
from bmnode.results.concepts import FICTITIOUS_GEOMETRY, REASON_CODES, Item, Status
from bmnode.results.content_tree import children, code_of, coded_value, name_of, text_of
from bmnode.results.damage import explain
from bmnode.results.drawn_outlines import lesions_of
from bmnode.results.groups import STUDY_TRACKING_ID
from bmnode.results.labels import is_label_map, label_counts
from bmnode.results.sources import UNREADABLE

METHOD_NOT_STATED = "NOT_STATED"
"""Method of a number in a report of others that names none; bmnode's own always do."""
_REASONS = {code.value: reason for reason, code in REASON_CODES.items()}
_DESCRIBING = {Item.FINDING, Item.FINDING_CATEGORY, Item.FINDING_SITE, Item.ALGORITHM_FAMILY}


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentLink:
    """The segment that a finding refers to."""

    sop_instance_uid: str
    segment_number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedFinding:
    """One finding of a report: all groups under one Tracking UID together."""

    tracking_id: str
    tracking_uid: str
    finding_type: Code | None
    site: Code | None
    laterality: Code | None
    segment: SegmentLink | None
    polygons: tuple[ImagePolygon, ...]
    measurements: tuple[Measurement, ...]
    evaluations: tuple[Evaluation, ...]
    planar_segments: tuple[SegmentLink, ...] = ()
    """One a planar view that the finding is segmented on."""
    came_from: tuple[str, ...] = ()
    """Tracking UIDs of earlier lesions; see `FindingResult`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A report as its reader gets it."""

    sop_instance_uid: str
    title: Code
    outcome: Outcome | None
    """None for a report that does not state it (the outlines)."""
    reason: Reason | None
    findings: tuple[ReportedFinding, ...]
    measurements: tuple[Measurement, ...]
    """Of the whole study."""
    texts: tuple[str, ...]
    """Every contained sentence in order: the statements, checks and limitations."""
    synthetic: bool
    predecessor_uids: tuple[str, ...] = ()
    """SOP Instance UIDs of the earlier reports that this one takes the place of."""
    evaluations: tuple[Evaluation, ...] = ()
    """Of the whole study."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadSegment:
    """One segment of a segmentation object, with what its voxels add up to."""

    number: int
    label: str
    category: Code
    type: Code
    site: Code | None
    laterality: Code | None
    tracking_id: str | None
    tracking_uid: str | None
    voxel_count: int
    volume_ml: float | None
    """None for a planar view, whose pixels have no volume."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentFrame:
    """One frame of a segmentation: its place in the file (from 0), its segment, its source frame (from 1; None for a
    single-frame source) and its first pixel's position (LPS, mm), empty where it has none: a planar view."""

    index: int
    segment_number: int
    source_instance_uid: str
    source_frame_number: int | None
    position: tuple[float, ...]


def read_object(path: Path) -> Dataset:
    """A result file as a data set. Raises ResultError where it cannot be read."""
    try:
        return pydicom.dcmread(path)
    except UNREADABLE as error:
        raise ResultError(f"{path.name} cannot be read as DICOM: {error}") from error


def read_header(path: Path) -> Dataset:
    """A result file without its pixels. Raises ResultError where it cannot be read."""
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except UNREADABLE as error:
        raise ResultError(f"{path.name} cannot be read as DICOM: {error}") from error


def read_report(path: Path) -> Report:
    """Read an SR that bmnode wrote. Raises ResultError where it is none."""
    return parse_report(read_object(path))


def parse_report(dataset: Dataset) -> Report:
    """The report of a data set. Raises ResultError where an item is not as TID 1500 has it."""
    try:
        return _parse(dataset)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ResultError(f"the SR cannot be understood: {explain(error)}") from None


def read_segments(path: Path) -> tuple[ReadSegment, ...]:
    """The segments of a SEG that bmnode wrote, in the order of their numbers. Raises ResultError."""
    return segments_of(read_object(path))


def segments_of(dataset: Dataset) -> tuple[ReadSegment, ...]:
    """The segments of a SEG that was read. Raises ResultError."""
    counts = label_counts(dataset) if is_label_map(dataset) else _frame_counts(dataset)
    voxel_ml = voxel_volume_ml(dataset) if is_placed(dataset) else None
    described = [item for item in dataset.SegmentSequence if int(item.SegmentNumber) > 0]
    return tuple(_segment(item, counts.get(int(item.SegmentNumber), 0), voxel_ml) for item in described)


def _frame_counts(dataset: Dataset) -> dict[int, int]:
    """Voxels by segment number of a segmentation with one segment a frame."""
    counts: dict[int, int] = {}
    for frame in segment_frames(dataset):
        voxels = int(np.count_nonzero(frame_mask(dataset, frame)))
        counts[frame.segment_number] = counts.get(frame.segment_number, 0) + voxels
    return counts


def is_placed(dataset: Dataset) -> bool:
    """Whether the segmentation lies in the patient: not so that of a planar view, nor one with an invented plane."""
    has_plane = "PlaneOrientationSequence" in dataset.SharedFunctionalGroupsSequence[0]
    return has_plane and str(dataset.get("ContentDescription") or "") != FICTITIOUS_GEOMETRY


def voxel_volume_ml(dataset: Dataset) -> float:
    """Volume of a voxel by Pixel Measures: spacing of rows, of columns, and between slices, in millilitres."""
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    rows, columns = (float(value) for value in measures.PixelSpacing)
    return rows * columns * float(measures.SpacingBetweenSlices) / 1000.0


def segment_frames(dataset: Dataset) -> Iterator[SegmentFrame]:
    """Every frame in file order. Raises ResultError where the object is damaged."""
    sources: dict[int, tuple[str, int | None]] = {}
    try:
        for index, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            derivation = groups.DerivationImageSequence[0]
            if id(derivation) not in sources:  # frames of one slice may share it
                sources[id(derivation)] = _source_of(derivation)
            uid, number = sources[id(derivation)]
            yield SegmentFrame(
                index=index,
                segment_number=int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber),
                source_instance_uid=uid,
                source_frame_number=number,
                position=_position(groups),
            )
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ResultError(f"the SEG cannot be understood: {error}") from error


def _source_of(derivation: Dataset) -> tuple[str, int | None]:
    image = derivation.SourceImageSequence[0]
    number = image.get("ReferencedFrameNumber")
    return str(image.ReferencedSOPInstanceUID), None if number is None else int(number)


def _position(groups: Dataset) -> tuple[float, ...]:
    planes = groups.get("PlanePositionSequence") or []
    return tuple(float(value) for plane in planes[:1] for value in plane.ImagePositionPatient)


def frame_mask(dataset: Dataset, frame: SegmentFrame) -> BoolArray:
    """The frame's mask (row, column). Raises ResultError where the pixel data are too short."""
    try:
        return unpack_frame(dataset.PixelData, index=frame.index, rows=int(dataset.Rows), columns=int(dataset.Columns))
    except (AttributeError, ValueError) as error:
        raise ResultError(f"the SEG cannot be understood: {error}") from error


# --- segments --------------------------------------------------------------------------


def _segment(item: Dataset, count: int, voxel_ml: float | None) -> ReadSegment:
    region = item.get("AnatomicRegionSequence")
    modifier = region[0].get("AnatomicRegionModifierSequence") if region else None
    return ReadSegment(
        number=int(item.SegmentNumber),
        label=str(item.SegmentLabel),
        category=code_of(item.SegmentedPropertyCategoryCodeSequence[0]),
        type=code_of(item.SegmentedPropertyTypeCodeSequence[0]),
        site=code_of(region[0]) if region else None,
        laterality=code_of(modifier[0]) if modifier else None,
        tracking_id=item.get("TrackingID"),
        tracking_uid=item.get("TrackingUID"),
        voxel_count=count,
        volume_ml=None if voxel_ml is None else count * voxel_ml,
    )


# --- reports ---------------------------------------------------------------------------


def _parse(dataset: Dataset) -> Report:
    title = name_of(dataset)
    if title is None or dataset.ContentTemplateSequence[0].TemplateIdentifier != "1500":
        raise ResultError("the SR is no TID 1500 report")
    groups = [
        group
        for container in children(dataset, Item.IMAGING_MEASUREMENTS)
        for group in children(container, Item.MEASUREMENT_GROUP)
    ]
    outcome, reason = _outcome(dataset)
    return Report(
        sop_instance_uid=str(dataset.SOPInstanceUID),
        title=title,
        outcome=outcome,
        reason=reason,
        findings=_findings(str(dataset.SOPInstanceUID), [group for group in groups if not _is_of_study(group)]),
        measurements=tuple(_measurements(group for group in groups if _is_of_study(group))),
        evaluations=tuple(
            _evaluation(item) for group in groups if _is_of_study(group) for item in _evaluation_items(group)
        ),
        texts=tuple(_texts(dataset)),
        synthetic=dataset.get("SyntheticData") == "YES",
        predecessor_uids=predecessor_uids(dataset),
    )


def predecessor_uids(dataset: Dataset) -> tuple[str, ...]:
    """SOP Instance UIDs of the documents that a report names as its predecessors, in its order."""
    return tuple(
        str(reference.ReferencedSOPInstanceUID)
        for study in dataset.get("PredecessorDocumentsSequence", [])
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    )


def _outcome(dataset: Dataset) -> tuple[Outcome | None, Reason | None]:
    for container in children(dataset, Item.QUALITATIVE_EVALUATIONS):
        status = coded_value(container, Item.SUMMARY_OF_ANALYSES)
        reason = coded_value(container, Item.REASON)
        outcome = Outcome.NOT_ASSESSABLE if status == Status.NONE_SUCCEEDED else Outcome.ASSESSED
        return outcome, None if reason is None else _REASONS[reason.value]
    return None, None


def _texts(dataset: Dataset) -> Iterator[str]:
    for item in children(dataset):
        if item.ValueType == "TEXT" and item.RelationshipType == "CONTAINS":
            yield str(item.TextValue)
        elif name_of(item) == Item.QUALITATIVE_EVALUATIONS:
            yield from (str(child.TextValue) for child in children(item, value_type="TEXT"))


def _is_of_study(group: Dataset) -> bool:
    return text_of(group, Item.TRACKING_ID) == STUDY_TRACKING_ID


def _findings(report_uid: str, groups: list[Dataset]) -> tuple[ReportedFinding, ...]:
    """Groups of one lesion together; others' reports may have groups without a UID, each gets one of its own."""
    uids = []
    for index, group in enumerate(groups):
        stated = children(group, Item.TRACKING_UID)
        uids.append(str(stated[0].UID) if stated else derive_uid("untracked", report_uid, str(index)))
    lesions = lesions_of(uids)
    by_uid: dict[str, list[Dataset]] = {}
    for uid, group in zip(uids, groups, strict=True):
        by_uid.setdefault(lesions[uid], []).append(group)
    return tuple(_finding(uid, members) for uid, members in by_uid.items())


def _finding(uid: str, groups: list[Dataset]) -> ReportedFinding:
    first = groups[0]
    sites = children(first, Item.FINDING_SITE)
    segments = children(first, Item.REFERENCED_SEGMENT)
    return ReportedFinding(
        tracking_id=text_of(first, Item.TRACKING_ID) or "",
        tracking_uid=uid,
        finding_type=coded_value(first, Item.FINDING),
        site=code_of(sites[0].ConceptCodeSequence[0]) if sites else None,
        laterality=coded_value(sites[0], Item.LATERALITY) if sites else None,
        segment=_link(segments[0].ReferencedSOPSequence[0]) if segments else None,
        planar_segments=tuple(
            _frame_link(item.ReferencedSOPSequence[0])
            for group in groups
            for item in children(group, Item.SEGMENTATION_FRAME)
        ),
        polygons=tuple(_polygon(item) for group in groups for item in children(group, value_type="SCOORD")),
        measurements=tuple(_measurements(groups)),
        evaluations=tuple(_evaluation(item) for group in groups for item in _evaluation_items(group)),
        came_from=tuple(dict.fromkeys(str(item.UID) for group in groups for item in children(group, Item.CAME_FROM))),
    )


def _link(reference: Dataset) -> SegmentLink:
    return SegmentLink(
        sop_instance_uid=str(reference.ReferencedSOPInstanceUID),
        segment_number=int(reference.ReferencedSegmentNumber),
    )


def _frame_link(reference: Dataset) -> SegmentLink:
    """The frame of a planar segmentation, which has one frame a segment in the order of their numbers."""
    return SegmentLink(
        sop_instance_uid=str(reference.ReferencedSOPInstanceUID),
        segment_number=int(reference.ReferencedFrameNumber),
    )


def _measurements(groups: Iterable[Dataset]) -> Iterator[Measurement]:
    """The numbers of groups; an item without a value (PS3.3 C.18.1: it says why) is no measurement."""
    for group in groups:
        for item in children(group, value_type="NUM"):
            if item.get("MeasuredValueSequence"):
                yield _measurement(item)


def _measurement(item: Dataset) -> Measurement:
    value = item.MeasuredValueSequence[0]
    concept, method = name_of(item), coded_value(item, Item.METHOD)
    if concept is None:
        raise ValueError("a measurement has no name")
    exact = value.get("FloatingPointValue")
    return Measurement(
        concept=concept,
        value=float(value.NumericValue if exact is None else exact),
        unit=code_of(value.MeasurementUnitsCodeSequence[0]),
        method=METHOD_NOT_STATED if method is None else method.meaning,
        derivation=coded_value(item, Item.DERIVATION),
    )


def _evaluation_items(group: Dataset) -> list[Dataset]:
    return [
        item
        for item in children(group, value_type="CODE")
        if item.RelationshipType == "CONTAINS" and name_of(item) not in _DESCRIBING
    ]


def _evaluation(item: Dataset) -> Evaluation:
    concept = name_of(item)
    if concept is None:
        raise ValueError("an evaluation has no name")
    return Evaluation(concept=concept, value=code_of(item.ConceptCodeSequence[0]))


def _polygon(item: Dataset) -> ImagePolygon:
    reference = item.ContentSequence[0].ReferencedSOPSequence[0]
    frame = reference.get("ReferencedFrameNumber")
    pairs = np.asarray(item.GraphicData, dtype=np.float64).reshape(-1, 2).tolist()
    return ImagePolygon(
        sop_instance_uid=str(reference.ReferencedSOPInstanceUID),
        frame_number=None if frame is None else int(frame),
        points=tuple((column, row) for column, row in pairs),
    )
