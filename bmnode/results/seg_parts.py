"""What Segmentation objects of volumes and of planar views share (PS3.3 A.51)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentDescription
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from bmnode.domain.codes import Finding
from bmnode.domain.results import Algorithm, FindingResult, Segment
from bmnode.errors import ResultError
from bmnode.results.concepts import (
    ANATOMY_COLOURS_RGB,
    LESION_COLOURS_RGB,
    SEGMENTATION_DERIVATION,
    SOURCE_IMAGE,
    coded,
)
from bmnode.results.regions import shared_voxels
from bmnode.results.sources import SourceInstance
from bmnode.results.text import plain

Dimension = tuple[str, str, str]
"""Dimension Index Pointer, Functional Group Pointer (keywords), label."""
SEGMENT_DIMENSION: Dimension = ("ReferencedSegmentNumber", "SegmentIdentificationSequence", "Segment Number")
POSITION_DIMENSION: Dimension = ("ImagePositionPatient", "PlanePositionSequence", "Image Position Patient")


def fill_image(dataset: Dataset, source: SourceInstance, *, frame_count: int, overlap: bool) -> None:
    """Image Pixel and Segmentation Image modules (PS3.3 C.8.20.2), on the source's matrix."""
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.Rows, dataset.Columns = source.rows, source.columns
    dataset.NumberOfFrames = frame_count
    dataset.LossyImageCompression = "00"
    for keyword, value in source.lossy:
        setattr(dataset, keyword, value)
    dataset.SegmentationType = "BINARY"
    dataset.SegmentsOverlap = "YES" if overlap else "NO"
    dataset.ContentLabel = "BMNODE"
    dataset.ContentDescription = dataset.SeriesDescription
    dataset.ContentCreatorName = "bmnode^automatic"


def fill_references(dataset: Dataset, used: Iterable[SourceInstance]) -> None:
    """Common Instance Reference (PS3.3 C.12.2): the series, and those of its instances that have a frame here."""
    instances = list(used)
    series = Dataset()
    series.SeriesInstanceUID = instances[0].series_uid
    series.ReferencedInstanceSequence = [sop_reference(item) for item in instances]
    dataset.ReferencedSeriesSequence = [series]


def fill_dimensions(dataset: Dataset, dimensions: Sequence[Dimension], *, organization_uid: str) -> None:
    """Multi-frame Dimension module (PS3.3 C.7.6.17)."""
    organization = Dataset()
    organization.DimensionOrganizationUID = organization_uid
    dataset.DimensionOrganizationSequence = [organization]
    items = []
    for pointer, group, label in dimensions:
        item = Dataset()
        item.DimensionIndexPointer = tag_for_keyword(pointer)
        item.FunctionalGroupPointer = tag_for_keyword(group)
        item.DimensionOrganizationUID = organization_uid
        item.DimensionDescriptionLabel = label
        items.append(item)
    dataset.DimensionIndexSequence = items


def frame_groups(
    segment_number: int, source: SourceInstance, *, frame_number: int | None, dimension_values: Sequence[int]
) -> Dataset:
    """The functional groups of a frame that every Segmentation has: dimensions, segment, source image."""
    content = Dataset()
    content.DimensionIndexValues = list(dimension_values)
    identification = Dataset()
    identification.ReferencedSegmentNumber = segment_number
    groups = Dataset()
    groups.FrameContentSequence = [content]
    groups.SegmentIdentificationSequence = [identification]
    groups.DerivationImageSequence = [derivation_of(source, frame_number=frame_number)]
    return groups


def derivation_of(source: SourceInstance, *, frame_number: int | None) -> Dataset:
    """The item of Derivation Image Sequence (PS3.3 C.7.6.16.2.6): segmented from this image or this frame of it."""
    image = sop_reference(source)
    if frame_number is not None:
        image.ReferencedFrameNumber = frame_number
    image.PurposeOfReferenceCodeSequence = [coded(SOURCE_IMAGE)]
    image.SpatialLocationsPreserved = "YES"
    derivation = Dataset()
    derivation.DerivationCodeSequence = [coded(SEGMENTATION_DERIVATION)]
    derivation.SourceImageSequence = [image]
    return derivation


def sop_reference(source: SourceInstance) -> Dataset:
    """SOP Instance Reference macro (PS3.3 10.8)."""
    item = Dataset()
    item.ReferencedSOPClassUID = source.sop_class_uid
    item.ReferencedSOPInstanceUID = source.sop_instance_uid
    return item


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


def segments_overlap(segments: Sequence[Segment]) -> bool:
    """Whether any voxel belongs to two segments; only the boxes' common part is looked at."""
    return any(shared_voxels(one.mask, other.mask) for one, other in combinations(segments, 2))


def _colour(segment: Segment, number: int) -> tuple[int, int, int]:
    """Bright for what is taken for a lesion, pale for anatomy and for physiological uptake."""
    is_lesion = segment.category == Finding.ABNORMAL_STRUCTURE
    table = LESION_COLOURS_RGB if is_lesion else ANATOMY_COLOURS_RGB
    return table[(number - 1) % len(table)]
