"""Segmentation -> Label Map Segmentation object: one frame a slice, whose values are the segments' numbers.

A voxel has one number, so segments that overlap cannot be in one object (see `layers`).
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import SegmentDescription
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from bmnode.domain.results import ResultSet, Segmentation
from bmnode.errors import ResultError
from bmnode.results.concepts import BACKGROUND, coded
from bmnode.results.context import WriteContext
from bmnode.results.encoded_frames import EncodedSlice, set_frames
from bmnode.results.labels import Labels
from bmnode.results.rle import encode_frame
from bmnode.results.seg import begin_segmentation, fill_places
from bmnode.results.seg_parts import POSITION_DIMENSION, fill_dimensions, fill_image, segments_overlap
from bmnode.results.sources import SourceStudy

_BYTE_SEGMENTS = 255
"""As many segments as 8 bits can number beside the background."""


def build_label_map(result_set: ResultSet, index: int, *, source: SourceStudy, context: WriteContext) -> Dataset:
    """The Label Map Segmentation object of `result_set.segmentations[index]`, in RLE Lossless.

    Slices without a voxel are left out. Raises ResultError where the grid is not that of the source, a segment is
    empty, or segments overlap.
    """
    segmentation = result_set.segmentations[index]
    if segments_overlap(segmentation.segments):
        raise ResultError("segments of a label map overlap")
    dataset, slices = begin_segmentation(result_set, index, source=source, context=context)
    used = _occupied(segmentation)
    is_byte = len(segmentation.segments) <= _BYTE_SEGMENTS
    dtype: np.dtype[np.unsignedinteger] = np.dtype(np.uint8) if is_byte else np.dtype(np.uint16)
    fill_image(dataset, slices[0].instance, frame_count=len(used), overlap=False)
    dataset.SegmentationType = "LABELMAP"
    dataset.BitsAllocated = dataset.BitsStored = dtype.itemsize * 8
    dataset.HighBit = dtype.itemsize * 8 - 1
    dataset.add(DataElement("PixelPaddingValue", "US", 0))
    dataset.SegmentSequence = [_background(dataset.SegmentSequence[0]), *dataset.SegmentSequence]
    fill_dimensions(dataset, (POSITION_DIMENSION,), organization_uid=context.uid("dimension organization", index))
    ranks = fill_places(dataset, slices, used)
    set_frames(dataset, (EncodedSlice.from_source(slices[k]).frame((ranks[k],), segment_number=None) for k in used))
    dataset.PixelData = encapsulate([encode_frame(label_plane(segmentation, k, dtype=dtype)) for k in used])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = RLELossless
    return dataset


def label_plane(segmentation: Segmentation, slice_index: int, *, dtype: np.dtype[np.unsignedinteger]) -> Labels:
    """The segments' numbers on one slice (row, column), 0 where there is none."""
    plane: Labels = np.zeros(segmentation.geometry.shape[1:], dtype=dtype)
    for number, segment in enumerate(segmentation.segments, 1):
        at = slice_index - segment.mask.origin[0]
        if 0 <= at < len(segment.mask.values):
            plane[segment.mask.box[1:]][segment.mask.values[at]] = number
    return plane


def _occupied(segmentation: Segmentation) -> list[int]:
    """The slices on which any segment has a voxel, in order."""
    used: set[int] = set()
    for number, segment in enumerate(segmentation.segments, 1):
        occupied = np.flatnonzero(segment.mask.values.any(axis=(1, 2)))
        if not occupied.size:
            raise ResultError(f"segment {number} ({segment.label!r}) is empty")
        used.update(segment.mask.origin[0] + int(offset) for offset in occupied)
    return sorted(used)


def _background(first: SegmentDescription) -> Dataset:
    """The item of segment 0: every value that occurs is described (PS3.3 C.8.20.2)."""
    item = Dataset()
    item.SegmentNumber = 0
    item.SegmentLabel = "Background"
    item.SegmentAlgorithmType = first.SegmentAlgorithmType
    item.SegmentAlgorithmName = first.SegmentAlgorithmName
    item.SegmentedPropertyCategoryCodeSequence = [deepcopy(coded(BACKGROUND))]
    item.SegmentedPropertyTypeCodeSequence = [deepcopy(coded(BACKGROUND))]
    item.RecommendedDisplayCIELabValue = list(CIELabColor.from_rgb(0, 0, 0).value)
    return item
