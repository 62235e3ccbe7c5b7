"""Checks of a written planar segmentation against its view and the outlines of its findings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bmnode.domain.codes import Concept, Unit
from bmnode.domain.geometry import BoolArray, ImagePolygon
from bmnode.domain.results import FindingResult, PlanarSegmentation
from bmnode.errors import ResultError
from bmnode.results.concepts import FICTITIOUS_GEOMETRY
from bmnode.results.examined import RELATIVE_TOLERANCE, Examined, segmentation_index
from bmnode.results.reading import frame_mask, segment_frames
from bmnode.results.seg_planar import orientation_of, source_frame_number, source_of
from bmnode.results.sources import SourceInstance

_PLACING = ("PlaneOrientationSequence", "PlanePositionSequence", "PixelMeasuresSequence")


def check_planar(examined: Examined) -> None:
    """Every segment is once there, on its own view, with its pixels, which are those inside the finding's outlines."""
    index = segmentation_index(examined.dataset) - len(examined.result_set.segmentations)
    view = examined.result_set.planar_segmentations[index]
    instance = source_of(view, examined.source)
    _same_view(examined, view, instance)
    numbers = []
    for frame in segment_frames(examined.dataset):
        source = (frame.source_instance_uid, frame.source_frame_number)
        if source != (view.source_instance_uid, source_frame_number(view, instance)):
            raise ResultError(f"frame {frame.index + 1} is not derived from its view")
        written = frame_mask(examined.dataset, frame)
        segment = view.segments[frame.segment_number - 1]
        if not np.array_equal(written, segment.mask.to_array()[0]):
            raise ResultError(f"frame {frame.index + 1} does not hold the pixels of segment {frame.segment_number}")
        tracking_uid = str(examined.dataset.SegmentSequence[frame.segment_number - 1].TrackingUID)
        finding = next((item for item in examined.result_set.findings if item.tracking_uid == tracking_uid), None)
        if finding is None or tracking_uid != segment.tracking_uid:
            raise ResultError(f"segment {frame.segment_number} is tracked as another finding")
        _same_outlines(written, finding, view)
        _same_area(written, finding, instance)
        numbers.append(frame.segment_number)
    if numbers != list(range(1, len(view.segments) + 1)):
        raise ResultError("a segment of the view is missing, repeated or out of order")


def _same_view(examined: Examined, view: PlanarSegmentation, instance: SourceInstance) -> None:
    """The matrix and orientation are the view's; nothing claims a place in the patient, unless it is said to be
    invented."""
    dataset = examined.dataset
    if (int(dataset.Rows), int(dataset.Columns)) != view.shape:
        raise ResultError("rows and columns are not those of the view")
    groups = [dataset.SharedFunctionalGroupsSequence[0], *dataset.PerFrameFunctionalGroupsSequence]
    is_placed = "FrameOfReferenceUID" in dataset or any(name in group for group in groups for name in _PLACING)
    if is_placed:
        if dataset.ContentDescription != FICTITIOUS_GEOMETRY:
            raise ResultError("a planar view has no place in the patient, and an invented one must say so")
        return
    written = dataset.get("PatientOrientation")
    stated = tuple(str(item) for item in written) if written else None
    if stated != orientation_of(view, instance):
        raise ResultError("the patient orientation is not that of the view")


def _same_outlines(written: BoolArray, finding: FindingResult, view: PlanarSegmentation) -> None:
    """Area and box of the pixels are those of the outlines, which the reports hold."""
    outlines = [polygon for polygon in finding.polygons if view.shows(polygon)]
    rows, columns = np.nonzero(written)
    corners = np.concatenate([np.asarray(polygon.points) for polygon in outlines])
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    if not np.array_equal(box, (*corners.min(axis=0), *corners.max(axis=0))):
        raise ResultError(f"{finding.tracking_id}: the segment and its outline do not have the same extent")
    if abs(rows.size - sum(_ring_area(polygon) for polygon in outlines)) > RELATIVE_TOLERANCE * rows.size:
        raise ResultError(f"{finding.tracking_id}: the segment and its outline do not have the same area")


def _ring_area(polygon: ImagePolygon) -> float:
    """Area inside the outline, in pixels (shoelace formula)."""
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(polygon.points))) / 2.0


def _same_area(written: BoolArray, finding: FindingResult, instance: SourceInstance) -> None:
    """The area of a finding with one outline is that of its pixels. (Of one seen twice the report gives what its
    method says.)"""
    if len(finding.polygons) != 1:
        return
    count = int(np.count_nonzero(written))
    expected = {Unit.PIXELS: float(count)}
    if instance.pixel_spacing_mm is not None:
        expected[Unit.CM2] = count * instance.pixel_spacing_mm[0] * instance.pixel_spacing_mm[1] / 100.0
    for item in finding.measurements:
        if item.concept != Concept.AREA or item.derivation is not None:
            continue
        if abs(item.value - expected.get(item.unit, np.inf)) > RELATIVE_TOLERANCE * item.value:
            raise ResultError(f"{finding.tracking_id}: Area is not that of the segment's pixels")
