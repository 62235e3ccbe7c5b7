"""Segmentation -> BINARY Segmentation object (PS3.3 A.51).

Encoded here rather than by `highdicom.seg.Segmentation`, for two reasons: that class wants all
segments of all slices as one array, which for overlapping lesions and bones of a whole-body CT is
gigabytes, and it refuses multi-frame nuclear medicine sources, which have no functional groups.
highdicom's macros are used, and it reads every object back before release (`verify`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from highdicom import AlgorithmIdentificationSequence, PlaneOrientationSequence, PlanePositionSequence
from highdicom.color import CIELabColor
from highdicom.content import PixelMeasuresSequence
from highdicom.seg import SegmentDescription
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from bmnode.domain.codes import Finding
from bmnode.domain.geometry import BoolArray, CroppedMask
from bmnode.domain.results import Algorithm, FindingResult, ResultSet, Segment, Segmentation, SegmentReference
from bmnode.errors import ResultError
from bmnode.results.bits import pack_frames
from bmnode.results.concepts import (
    ANATOMY_COLOURS_RGB,
    LESION_COLOURS_RGB,
    SEGMENTATION,
    SEGMENTATION_DERIVATION,
    SOURCE_IMAGE,
    coded,
)
from bmnode.results.context import ResultKind, WriteContext
from bmnode.results.grid import SliceSource, slice_sources
from bmnode.results.instance import NewInstance, algorithms_of, new_instance, plain
from bmnode.results.sources import SourceStudy


@dataclass(frozen=True, kw_only=True, slots=True)
class _Frame:
    """One frame to write: a segment (from 1) on a grid slice (from 0)."""

    segment_number: int
    slice_index: int


def build_segmentation(result_set: ResultSet, index: int, *, source: SourceStudy, context: WriteContext) -> Dataset:
    """The Segmentation object of `result_set.segmentations[index]`.

    Frames without a voxel are left out; the in-plane matrix is the source's. Raises ResultError
    where the grid is not that of the source or there is no segment.
    """
    segmentation = result_set.segmentations[index]
    if not segmentation.segments:
        raise ResultError("a segmentation has no segments")
    slices = slice_sources(segmentation, source)
    frames = tuple(_frames(segmentation))
    what = NewInstance(kind=ResultKind.SEG, sop_class_uid=SEGMENTATION, modality="SEG", index=index)
    dataset = new_instance(what, source=source, context=context, result_set=result_set)
    dataset.FrameOfReferenceUID = _frame_of_reference(segmentation, context)
    dataset.PositionReferenceIndicator = ""
    _fill_image(dataset, segmentation, slices=slices, frames=frames)
    algorithm = algorithms_of(result_set, context)[0]
    tracked = {item.segment: item for item in result_set.findings if item.segment is not None}
    dataset.SegmentSequence = [
        describe_segment(
            segment,
            number,
            algorithm=algorithm,
            finding=tracked.get(SegmentReference(segmentation_index=index, segment_number=number)),
        )
        for number, segment in enumerate(segmentation.segments, 1)
    ]
    _fill_references(dataset, slices=slices, frames=frames)
    _fill_dimensions(dataset, context.uid("dimension organization", index))
    dataset.SharedFunctionalGroupsSequence = [_shared_groups(segmentation, slices[0])]
    ranks = _position_ranks(frames)
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame_groups(frame, slices[frame.slice_index], rank=ranks[frame.slice_index]) for frame in frames
    ]
    dataset.PixelData = pack_frames(_frame_masks(segmentation, frames))
    dataset["PixelData"].VR = "OB"
    return dataset


def describe_segment(
    segment: Segment, number: int, *, algorithm: Algorithm, finding: FindingResult | None
) -> SegmentDescription:
    """One item of Segment Sequence (PS3.3 C.8.20.4) with its colour.

    The tracking identifiers are those of the finding that is drawn here, so that SEG and SR name
    the lesion alike. Raises ResultError where the segment states others.
    """
    tracking_id, tracking_uid = segment.tracking_id, segment.tracking_uid
    if finding is not None:
        if tracking_uid not in (None, finding.tracking_uid):
            raise ResultError(f"segment {number} and its finding have different Tracking UIDs")
        tracking_id, tracking_uid = finding.tracking_id, finding.tracking_uid
    tracked = bool(tracking_id and tracking_uid)
    description = SegmentDescription(
        segment_number=number,
        segment_label=plain(segment.label, limit=64),
        segmented_property_category=coded(segment.category),
        segmented_property_type=coded(segment.type),
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=plain(algorithm.name, limit=64),
            family=coded(algorithm.family),
            version=plain(algorithm.version, limit=64),
        ),
        tracking_id=plain(tracking_id or "") if tracked else None,
        tracking_uid=tracking_uid if tracked else None,
        anatomic_regions=None if segment.site is None else [coded(segment.site)],
        display_color=CIELabColor.from_rgb(*_colour(segment, number)),
    )
    if segment.site is not None and segment.laterality is not None:
        description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [coded(segment.laterality)]
    return description


def segments_overlap(segmentation: Segmentation) -> bool:
    """Whether any voxel belongs to two segments; only the boxes' common part is looked at."""
    return any(_overlap(one.mask, other.mask) for one, other in combinations(segmentation.segments, 2))


def _overlap(one: CroppedMask, other: CroppedMask) -> bool:
    common = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one.box, other.box, strict=True)]
    if any(part.start >= part.stop for part in common):
        return False
    parts = [
        mask.values[tuple(slice(c.start - o, c.stop - o) for c, o in zip(common, mask.origin, strict=True))]
        for mask in (one, other)
    ]
    return bool(np.any(parts[0] & parts[1]))


def _colour(segment: Segment, number: int) -> tuple[int, int, int]:
    anatomy = segment.category == Finding.ANATOMICAL_STRUCTURE
    table = ANATOMY_COLOURS_RGB if anatomy else LESION_COLOURS_RGB
    return table[(number - 1) % len(table)]


def _frames(segmentation: Segmentation) -> Iterator[_Frame]:
    for number, segment in enumerate(segmentation.segments, 1):
        occupied = segment.mask.values.any(axis=(1, 2))
        if not occupied.any():
            raise ResultError(f"segment {number} is empty")
        for offset in np.flatnonzero(occupied):
            yield _Frame(segment_number=number, slice_index=segment.mask.origin[0] + int(offset))


def _frame_masks(segmentation: Segmentation, frames: tuple[_Frame, ...]) -> Iterator[BoolArray]:
    """One whole slice (row, column) a frame, made from the cropped masks."""
    for frame in frames:
        mask = segmentation.segments[frame.segment_number - 1].mask
        whole = np.zeros(segmentation.geometry.shape[1:], dtype=np.bool_)
        whole[mask.box[1:]] = mask.values[frame.slice_index - mask.origin[0]]
        yield whole


def _frame_of_reference(segmentation: Segmentation, context: WriteContext) -> str:
    """The source's; where it has none, one of its own, for a placed frame needs one (PS3.3 C.7.4.1)."""
    return segmentation.geometry.frame_of_reference_uid or context.uid(
        f"frame of reference of {segmentation.source_series_uid}"
    )


def _fill_image(
    dataset: Dataset, segmentation: Segmentation, *, slices: tuple[SliceSource, ...], frames: tuple[_Frame, ...]
) -> None:
    """Image Pixel and Segmentation Image modules (PS3.3 C.8.20.2)."""
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.Rows, dataset.Columns = segmentation.geometry.shape[1:]
    dataset.NumberOfFrames = len(frames)
    dataset.LossyImageCompression = "00"
    for keyword, value in slices[0].instance.lossy:
        setattr(dataset, keyword, value)
    dataset.SegmentationType = "BINARY"
    dataset.SegmentsOverlap = "YES" if segments_overlap(segmentation) else "NO"
    dataset.ContentLabel = "BMNODE"
    dataset.ContentDescription = dataset.SeriesDescription
    dataset.ContentCreatorName = "bmnode^automatic"


def _fill_references(dataset: Dataset, *, slices: tuple[SliceSource, ...], frames: tuple[_Frame, ...]) -> None:
    """Common Instance Reference (PS3.3 C.12.2): the series and those of its instances that have a frame here."""
    used: Mapping[str, SliceSource] = {
        slices[index].instance.sop_instance_uid: slices[index] for index in sorted({f.slice_index for f in frames})
    }
    series = Dataset()
    series.SeriesInstanceUID = slices[0].instance.series_uid
    series.ReferencedInstanceSequence = [_sop_reference(item) for item in used.values()]
    dataset.ReferencedSeriesSequence = [series]


def _fill_dimensions(dataset: Dataset, organization_uid: str) -> None:
    organization = Dataset()
    organization.DimensionOrganizationUID = organization_uid
    dataset.DimensionOrganizationSequence = [organization]
    items = []
    for pointer, group, label in (
        ("ReferencedSegmentNumber", "SegmentIdentificationSequence", "Segment Number"),
        ("ImagePositionPatient", "PlanePositionSequence", "Image Position Patient"),
    ):
        item = Dataset()
        item.DimensionIndexPointer = tag_for_keyword(pointer)
        item.FunctionalGroupPointer = tag_for_keyword(group)
        item.DimensionOrganizationUID = organization_uid
        item.DimensionDescriptionLabel = label
        items.append(item)
    dataset.DimensionIndexSequence = items


def _shared_groups(segmentation: Segmentation, first: SliceSource) -> Dataset:
    """Pixel measures, whose product is the grid's voxel volume, and the source's orientation."""
    row_step, column_step = first.place.spacing_mm
    across = segmentation.geometry.voxel_volume_ml * 1000.0 / (row_step * column_step)
    shared = Dataset()
    shared.PixelMeasuresSequence = PixelMeasuresSequence(
        pixel_spacing=(row_step, column_step), slice_thickness=across, spacing_between_slices=across
    )
    shared.PlaneOrientationSequence = PlaneOrientationSequence("PATIENT", list(first.place.orientation))
    return shared


def _frame_groups(frame: _Frame, source: SliceSource, *, rank: int) -> Dataset:
    content = Dataset()
    content.DimensionIndexValues = [frame.segment_number, rank]
    identification = Dataset()
    identification.ReferencedSegmentNumber = frame.segment_number
    image = _sop_reference(source)
    if source.frame_number is not None:
        image.ReferencedFrameNumber = source.frame_number
    image.PurposeOfReferenceCodeSequence = [coded(SOURCE_IMAGE)]
    image.SpatialLocationsPreserved = "YES"
    derivation = Dataset()
    derivation.DerivationCodeSequence = [coded(SEGMENTATION_DERIVATION)]
    derivation.SourceImageSequence = [image]
    groups = Dataset()
    groups.FrameContentSequence = [content]
    groups.SegmentIdentificationSequence = [identification]
    groups.DerivationImageSequence = [derivation]
    groups.PlanePositionSequence = PlanePositionSequence("PATIENT", list(source.place.position))
    return groups


def _sop_reference(source: SliceSource) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.instance.sop_class_uid
    item.ReferencedSOPInstanceUID = source.instance.sop_instance_uid
    return item


def _position_ranks(frames: tuple[_Frame, ...]) -> dict[int, int]:
    """Dimension index of each slice that is used: its rank among them, from 1."""
    return {index: rank for rank, index in enumerate(sorted({frame.slice_index for frame in frames}), 1)}
