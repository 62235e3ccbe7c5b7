"""Planar segmentation -> BINARY Segmentation object without a place in the patient.

A projection has no plane in the patient, so by default the object has no Frame of Reference, no plane
and no pixel measures: PS3.3 A.51 asks for none of them where every frame is derived from a source
frame. Some viewers draw nothing without a plane. For them `OutputOptions.fictitious_planar_geometry`
gives the object an invented one, in a Frame of Reference of its own, and it says so in its
Content Description.
"""

from __future__ import annotations

from highdicom import PlaneOrientationSequence, PlanePositionSequence
from highdicom.content import PixelMeasuresSequence
from pydicom.dataset import Dataset

from bmnode.domain.geometry import BoolArray
from bmnode.domain.objects import ResultKind
from bmnode.domain.results import PlanarSegmentation, ResultSet, Segment
from bmnode.errors import ResultError
from bmnode.results.bits import pack_frames
from bmnode.results.concepts import FICTITIOUS_GEOMETRY, SEGMENTATION
from bmnode.results.context import WriteContext
from bmnode.results.instance import NewInstance, algorithms_of, new_instance
from bmnode.results.seg_parts import (
    POSITION_DIMENSION,
    SEGMENT_DIMENSION,
    describe_segment,
    fill_dimensions,
    fill_image,
    fill_references,
    frame_groups,
    segments_overlap,
)
from bmnode.results.sources import SourceInstance, SourceStudy

FICTITIOUS_ORIENTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The one that OHIF draws on a planar image; with that of a coronal plane it refuses."""
FICTITIOUS_SPACING_MM = 1.0
"""Slice thickness, and pixel spacing where the image states none."""


def build_planar_segmentation(
    result_set: ResultSet, index: int, *, source: SourceStudy, context: WriteContext
) -> Dataset:
    """The Segmentation object of `result_set.planar_segmentations[index]`, one frame a segment.

    Raises ResultError where the view is not among the sources, has another matrix, or a segment is empty.
    """
    view = result_set.planar_segmentations[index]
    instance = source_of(view, source)
    what = NewInstance(
        kind=ResultKind.SEG,
        sop_class_uid=SEGMENTATION,
        modality="SEG",
        index=len(result_set.segmentations) + index,
    )
    dataset = new_instance(what, source=source, context=context, result_set=result_set)
    fill_image(dataset, instance, frame_count=len(view.segments), overlap=segments_overlap(view.segments))
    algorithm = algorithms_of(result_set, context)[0]
    findings = {finding.tracking_uid: finding for finding in result_set.findings}
    dataset.SegmentSequence = [
        describe_segment(segment, number, algorithm=algorithm, finding=findings.get(segment.tracking_uid or ""))
        for number, segment in enumerate(view.segments, 1)
    ]
    fill_references(dataset, [instance])
    dataset.SharedFunctionalGroupsSequence = [Dataset()]
    organization_uid = context.uid("dimension organization", what.index)
    if context.output.fictitious_planar_geometry:
        fill_dimensions(dataset, (SEGMENT_DIMENSION, POSITION_DIMENSION), organization_uid=organization_uid)
        dataset.PerFrameFunctionalGroupsSequence = _frames(view, instance, dimensions=2)
        _invent_geometry(dataset, view, instance=instance, context=context)
    else:
        fill_dimensions(dataset, (SEGMENT_DIMENSION,), organization_uid=organization_uid)
        dataset.PerFrameFunctionalGroupsSequence = _frames(view, instance, dimensions=1)
        dataset.PatientOrientation = list(orientation_of(view, instance) or ())
    dataset.PixelData = pack_frames(_plane(segment) for segment in view.segments)
    dataset["PixelData"].VR = "OB"
    return dataset


def source_of(view: PlanarSegmentation, source: SourceStudy) -> SourceInstance:
    """The view's instance. Raises ResultError where it is missing, has no such frame or another matrix."""
    instance = source.instance(view.source_instance_uid)
    if (instance.rows, instance.columns) != view.shape:
        raise ResultError("a planar segmentation and its image differ in rows and columns")
    if not (view.frame_number or 1) <= instance.frame_count:
        raise ResultError(f"a planar segmentation is of frame {view.frame_number}, which its image does not have")
    return instance


def source_frame_number(view: PlanarSegmentation, instance: SourceInstance) -> int | None:
    """Referenced Frame Number of the view, which an instance of one frame has not."""
    return (view.frame_number or 1) if instance.frame_count > 1 else None


def orientation_of(view: PlanarSegmentation, instance: SourceInstance) -> tuple[str, str] | None:
    """Patient Orientation: what the image says of itself, else what the pipeline knows of the view."""
    return instance.patient_orientation or view.patient_orientation


def _frames(view: PlanarSegmentation, instance: SourceInstance, *, dimensions: int) -> list[Dataset]:
    return [
        frame_groups(
            number,
            instance,
            frame_number=source_frame_number(view, instance),
            dimension_values=(number, 1)[:dimensions],
        )
        for number in range(1, len(view.segments) + 1)
    ]


def _plane(segment: Segment) -> BoolArray:
    """The segment's pixels on the whole view (row, column)."""
    plane: BoolArray = segment.mask.to_array()[0]
    if not plane.any():
        raise ResultError(f"segment {segment.label!r} is empty")
    return plane


def _invent_geometry(
    dataset: Dataset, view: PlanarSegmentation, *, instance: SourceInstance, context: WriteContext
) -> None:
    """A plane for viewers: the frame's number as its height, the stated pixel spacing, else 1 mm."""
    spacing = instance.pixel_spacing_mm or (FICTITIOUS_SPACING_MM, FICTITIOUS_SPACING_MM)
    dataset.FrameOfReferenceUID = context.uid(f"fictitious frame of reference of {view.source_instance_uid}")
    dataset.PositionReferenceIndicator = ""
    dataset.ContentDescription = FICTITIOUS_GEOMETRY
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence = PixelMeasuresSequence(
        pixel_spacing=spacing, slice_thickness=FICTITIOUS_SPACING_MM, spacing_between_slices=FICTITIOUS_SPACING_MM
    )
    shared.PlaneOrientationSequence = PlaneOrientationSequence("PATIENT", list(FICTITIOUS_ORIENTATION))
    position = (0.0, 0.0, float((view.frame_number or 1) - 1))
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        groups.PlanePositionSequence = PlanePositionSequence("PATIENT", list(position))
