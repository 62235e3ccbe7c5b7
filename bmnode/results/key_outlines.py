"""One outline for every finding that is a segment: where viewers that know no segments can show it.

A report that refers to a segment alone is text to most viewers: they draw image coordinates (SCOORD)
and go to the image that these name. So a segment gets the outline of its largest part on the slice
where it covers the most pixels. Nothing is measured on it.
"""

from __future__ import annotations

import numpy as np

from bmnode.domain.geometry import CroppedMask, ImagePolygon
from bmnode.domain.outlines import outer_outline
from bmnode.domain.results import ResultSet
from bmnode.results.grid import SliceSource, slice_sources
from bmnode.results.sources import SourceStudy


def key_outlines(result_set: ResultSet, source: SourceStudy) -> dict[str, ImagePolygon]:
    """By Tracking UID, the outline of every finding that has a segment and none of its own, on an image of its series.

    Raises ResultError where the grid is not that of the source, ValueError where a segment is empty.
    """
    slices = [slice_sources(segmentation, source) for segmentation in result_set.segmentations]
    outlines = {}
    for finding in result_set.findings:
        if finding.segment is not None and not finding.polygons:
            index = finding.segment.segmentation_index
            segment = result_set.segmentations[index].segments[finding.segment.segment_number - 1]
            outlines[finding.tracking_uid] = key_outline(segment.mask, slices[index])
    return outlines


def key_outline(mask: CroppedMask, slices: tuple[SliceSource, ...]) -> ImagePolygon:
    """The outline on the slice with the most voxels of the mask; the first of equals. ValueError where it is empty."""
    offset = int(np.argmax(np.count_nonzero(mask.values, axis=(1, 2))))
    first, row, column = mask.origin
    source = slices[first + offset]
    return ImagePolygon(
        sop_instance_uid=source.instance.sop_instance_uid,
        frame_number=source.frame_number,
        points=outer_outline(mask.values[offset], origin=(row, column)),
    )
