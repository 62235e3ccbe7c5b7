"""Checks of a written Label Map Segmentation against its segmentation, as highdicom reads it."""

from __future__ import annotations

import numpy as np
from highdicom.seg import Segmentation as HighdicomSegmentation
from highdicom.seg import SegmentationTypeValues

from bmnode.errors import ResultError
from bmnode.results.examined import Examined, segmentation_index
from bmnode.results.grid import slice_sources
from bmnode.results.label_map import label_plane


def check_label_map(examined: Examined) -> None:
    """Every frame lies where its source lies and has the numbers of the segments there; no slice is missing or
    repeated. The frames are decoded by highdicom, which takes the data set over."""
    segmentation = examined.result_set.segmentations[segmentation_index(examined.dataset)]
    slices = slice_sources(segmentation, examined.source)
    by_source = {(item.instance.sop_instance_uid, item.frame_number): k for k, item in enumerate(slices)}
    read = HighdicomSegmentation.from_dataset(examined.dataset, copy=False)
    if read.segmentation_type is not SegmentationTypeValues.LABELMAP:
        raise ResultError("the segmentation is no label map")
    # highdicom's number_of_segments leaves the background out twice
    if read.segment_numbers != list(range(1, len(segmentation.segments) + 1)):
        raise ResultError("highdicom reads other segments")
    missing = np.array([0, *(segment.mask.voxel_count for segment in segmentation.segments)])
    seen: list[int] = []
    for number, groups in enumerate(read.PerFrameFunctionalGroupsSequence, 1):
        image = groups.DerivationImageSequence[0].SourceImageSequence[0]
        frame = image.get("ReferencedFrameNumber")
        k = by_source[str(image.ReferencedSOPInstanceUID), None if frame is None else int(frame)]
        position = [float(value) for value in groups.PlanePositionSequence[0].ImagePositionPatient]
        if not np.allclose(position, slices[k].place.position, rtol=0.0, atol=1e-6):
            raise ResultError(f"frame {number} does not lie where its source lies")
        written = read.get_stored_frame(number)
        if not np.array_equal(written, label_plane(segmentation, k, dtype=written.dtype)):
            raise ResultError(f"frame {number} does not hold the segments of its slice")
        missing[1:] -= np.bincount(written.ravel(), minlength=len(missing))[1:]
        seen.append(k)
    if np.any(missing) or seen != sorted(set(seen)):
        raise ResultError("voxels of a segment are missing or repeated")
