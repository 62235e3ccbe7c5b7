"""Segmentation -> BINARY Segmentation object (PS3.3 A.51).

Encoded here rather than by `highdicom.seg.Segmentation`, for two reasons: that class wants all
segments of all slices as one array, which for overlapping lesions and bones of a whole-body CT is
gigabytes, and it refuses multi-frame nuclear medicine sources, which have no functional groups.
highdicom's macros are used, and it reads every object back before release (`verify`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from highdicom import PlaneOrientationSequence
from highdicom.content import PixelMeasuresSequence
from pydicom.dataset import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from bmnode.domain.geometry import BoolArray
from bmnode.domain.objects import ResultKind
from bmnode.domain.results import ResultSet, Segmentation, SegmentReference
from bmnode.errors import ResultError
from bmnode.results.bits import pack_frames
from bmnode.results.concepts import SEGMENTATION_CLASSES
from bmnode.results.context import WriteContext
from bmnode.results.encoded_frames import EncodedSlice, set_frames, set_references
from bmnode.results.grid import SliceSource, slice_sources
from bmnode.results.instance import NewInstance, algorithms_of, new_instance
from bmnode.results.seg_parts import (
    POSITION_DIMENSION,
    SEGMENT_DIMENSION,
    describe_segment,
    fill_dimensions,
    fill_image,
    segments_overlap,
)
from bmnode.results.sources import SourceStudy

DEFLATE_FROM_BYTES = 16_000_000
"""Pixel data below this are written as they are, which more programs read; the skeleton of a whole-body CT of 1 mm
slices is three times as large [P]."""


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
    dataset, slices = begin_segmentation(result_set, index, source=source, context=context)
    frames = tuple(_frames(segmentation))
    overlap = segments_overlap(segmentation.segments)
    fill_image(dataset, slices[0].instance, frame_count=len(frames), overlap=overlap)
    fill_dimensions(
        dataset,
        (SEGMENT_DIMENSION, POSITION_DIMENSION),
        organization_uid=context.uid("dimension organization", index),
    )
    ranks = fill_places(dataset, slices, {frame.slice_index for frame in frames})
    encoded = {k: EncodedSlice.from_source(slices[k]) for k in ranks}
    set_frames(
        dataset,
        (
            encoded[frame.slice_index].frame(
                (frame.segment_number, ranks[frame.slice_index]), segment_number=frame.segment_number
            )
            for frame in frames
        ),
    )
    dataset.PixelData = pack_frames(_frame_masks(segmentation, frames))
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = transfer_syntax(len(dataset.PixelData))
    return dataset


def begin_segmentation(
    result_set: ResultSet, index: int, *, source: SourceStudy, context: WriteContext
) -> tuple[Dataset, tuple[SliceSource, ...]]:
    """What the object has in every encoding: identification, segments, grid; and the source of every slice.

    Raises ResultError where the grid is not that of the source or there is no segment.
    """
    segmentation = result_set.segmentations[index]
    if not segmentation.segments:
        raise ResultError("a segmentation has no segments")
    slices = slice_sources(segmentation, source)
    sop_class = SEGMENTATION_CLASSES[context.encoding]
    what = NewInstance(kind=ResultKind.SEG, sop_class_uid=sop_class, modality="SEG", index=index)
    dataset = new_instance(what, source=source, context=context, result_set=result_set)
    dataset.FrameOfReferenceUID = _frame_of_reference(segmentation, context)
    dataset.PositionReferenceIndicator = ""
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
    dataset.SharedFunctionalGroupsSequence = [_shared_groups(segmentation, slices[0])]
    return dataset, slices


def fill_places(dataset: Dataset, slices: Sequence[SliceSource], used: Collection[int]) -> dict[int, int]:
    """Refer to the sources of the slices in use. Returns the dimension index of each: its rank among them, from 1."""
    ranks = {index: rank for rank, index in enumerate(sorted(used), 1)}
    sources = {slices[k].instance.sop_instance_uid: slices[k].instance for k in ranks}
    set_references(dataset, tuple(sources.values()))
    return ranks


def transfer_syntax(pixel_bytes: int) -> UID:
    """Explicit VR Little Endian; deflated (PS3.5 A.5) from `DEFLATE_FROM_BYTES` on.

    One bit a voxel is nearly all zeros, and RLE is for whole bytes (PS3.5 Annex G).
    """
    return DeflatedExplicitVRLittleEndian if pixel_bytes >= DEFLATE_FROM_BYTES else ExplicitVRLittleEndian


def _frames(segmentation: Segmentation) -> Iterator[_Frame]:
    for number, segment in enumerate(segmentation.segments, 1):
        occupied = segment.mask.values.any(axis=(1, 2))
        if not occupied.any():
            raise ResultError(f"segment {number} ({segment.label!r}) is empty")
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
