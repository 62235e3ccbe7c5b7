"""The frames of any Segmentation object, whoever wrote it: whose segment, of which source, where, and their pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from bmnode.errors import ResultError
from bmnode.results.bits import unpack_frame
from bmnode.results.concepts import FICTITIOUS_GEOMETRY

BACKGROUND = 0
"""The pixel value of no segment in a label map (PS3.3 C.8.20.2)."""
Pixels = npt.NDArray[np.integer]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyFrame:
    """One frame: its place in the file (from 0), its segment (None: a label map holds several), its source (empty and
    None where it names none) and the position of its first pixel (LPS, mm; empty where it has no place)."""

    index: int
    segment_number: int | None
    source_instance_uid: str
    source_frame_number: int | None
    position: tuple[float, ...]


def any_frames(dataset: Dataset) -> Iterator[AnyFrame]:
    """Every frame in file order. Raises what pydicom raises on a damaged object."""
    is_label_map = dataset.SegmentationType == "LABELMAP"
    for index, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        number = None
        if not is_label_map:
            number = int(macro(dataset, groups, "SegmentIdentificationSequence").ReferencedSegmentNumber)
        source = _source_image(groups)
        frame_number = source.get("ReferencedFrameNumber")
        plane = macro(dataset, groups, "PlanePositionSequence")
        yield AnyFrame(
            index=index,
            segment_number=number,
            source_instance_uid=str(source.get("ReferencedSOPInstanceUID") or ""),
            source_frame_number=None if frame_number is None else int(frame_number),
            position=tuple(float(value) for value in plane.get("ImagePositionPatient") or ()),
        )


def macro(dataset: Dataset, groups: Dataset, keyword: str) -> Dataset:
    """A functional group of a frame: its own before the shared one; empty where it has none (PS3.3 C.7.6.16)."""
    for place in (groups, *dataset.get("SharedFunctionalGroupsSequence", [])):
        if place.get(keyword):
            found: Dataset = place[keyword].value[0]
            return found
    return Dataset()


def _source_image(groups: Dataset) -> Dataset:
    for derivation in groups.get("DerivationImageSequence") or ():
        for image in derivation.get("SourceImageSequence") or ():
            found: Dataset = image
            return found
    return Dataset()


def frame_pixels(dataset: Dataset, frames: Iterable[AnyFrame]) -> Iterator[tuple[AnyFrame, Pixels]]:
    """Each frame's pixels (row, column): not 0 inside the frame's segment; in a label map the segment's number.

    Raises ResultError on a fractional segmentation, and what pydicom raises on damaged pixels.
    """
    if dataset.SegmentationType not in ("BINARY", "LABELMAP"):
        raise ResultError("a segmentation is neither binary nor a label map")
    is_packed = dataset.SegmentationType == "BINARY" and not dataset.file_meta.TransferSyntaxUID.is_encapsulated
    several = int(dataset.get("NumberOfFrames") or 1) > 1
    for frame in frames:
        if is_packed:
            rows, columns = int(dataset.Rows), int(dataset.Columns)
            yield frame, unpack_frame(dataset.PixelData, index=frame.index, rows=rows, columns=columns).astype(np.uint8)
        else:
            yield frame, pixel_array(dataset, index=frame.index) if several else pixel_array(dataset)


def is_of_a_view(dataset: Dataset, frames: Iterable[AnyFrame]) -> bool:
    """Whether the object is of planar views: it has no place in the patient, or one that it calls invented."""
    invented = str(dataset.get("ContentDescription") or "") == FICTITIOUS_GEOMETRY
    return invented or not any(frame.position for frame in frames)
