"""Segmentation object -> segments on a grid: what an earlier run wrote, or what a reader's viewer made of it.

Tolerant where the meaning is safe: macros may be shared or per frame, segments may have any numbers, frames any order,
pixels any encoding that pydicom decodes; frames without a voxel may be there or not. A frame is placed by its position
in the patient, never by its number.

The grid is that of the source series where its images are given. Without them it reaches from the first to the last
frame, and `Segmentation.source_instance_uids` has an empty text for every slice that no frame names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from bmnode.domain.results import PlanarSegmentation, Segment, Segmentation
from bmnode.errors import ResultError
from bmnode.results.content_tree import code_of
from bmnode.results.damage import DAMAGED, explain
from bmnode.results.seg_frames import BACKGROUND, AnyFrame, any_frames, frame_pixels, is_of_a_view
from bmnode.results.seg_grid import Planes, slice_at
from bmnode.results.sources import SourceInstance, SourceStudy

_Corner = tuple[int, int]
_Piece = tuple[_Corner, BoolArray]
"""The first row and column of a slice's voxels, and the box that holds them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReadSegmentation:
    """A segmentation object read back, with the Segment Number of each of its segments."""

    sop_instance_uid: str
    series_number: int
    segmentation: Segmentation | PlanarSegmentation
    numbers: tuple[int, ...]


def read_segmentation(
    dataset: Dataset, *, images: SourceStudy | None = None, like: Sequence[VolumeGeometry] = ()
) -> ReadSegmentation:
    """Every segment that has a voxel, on the source's grid; on one of `like` where all frames lie on it.

    Raises ResultError where the object is damaged, its frames are not parallel or lie on no regular grid.
    """
    try:
        frames = tuple(any_frames(dataset))
        if is_of_a_view(dataset, frames):
            segmentation, numbers = _planar(dataset, frames)
        else:
            segmentation, numbers = _volume(dataset, frames, images=images, like=like)
        return ReadSegmentation(
            sop_instance_uid=str(dataset.SOPInstanceUID),
            series_number=int(dataset.get("SeriesNumber") or 0),
            segmentation=segmentation,
            numbers=numbers,
        )
    except DAMAGED as error:
        raise ResultError(f"a segmentation cannot be understood: {explain(error)}") from None


def _volume(
    dataset: Dataset, frames: Sequence[AnyFrame], *, images: SourceStudy | None, like: Sequence[VolumeGeometry]
) -> tuple[Segmentation | PlanarSegmentation, tuple[int, ...]]:
    series_uid = _series_uid(dataset, frames, images)
    series = () if images is None else tuple(images.series([series_uid]))
    planes = Planes.from_dataset(dataset, frames)
    geometry = next((item for item in like if planes.lie_on(item)), None) or planes.grid(series)
    masks = _masks(dataset, frames, geometry)
    items = [item for item in dataset.SegmentSequence if int(item.SegmentNumber) in masks]
    uids = _uids_of_frames(frames, geometry)
    if isinstance(uids, dict):
        by_place = _uids_of_series(series, geometry)
        uids = tuple((by_place | uids).get(index, "") for index in range(geometry.shape[0]))
    segmentation = Segmentation(
        source_series_uid=series_uid,
        source_instance_uids=uids,
        geometry=geometry,
        segments=tuple(_segment(item, masks[int(item.SegmentNumber)]) for item in items),
    )
    return segmentation, tuple(int(item.SegmentNumber) for item in items)


def _series_uid(dataset: Dataset, frames: Sequence[AnyFrame], images: SourceStudy | None) -> str:
    named = [str(item.SeriesInstanceUID) for item in dataset.get("ReferencedSeriesSequence") or ()]
    if images is not None:
        uids = {frame.source_instance_uid for frame in frames}
        named += [item.series_uid for uid, item in images.instances.items() if uid in uids]
    if not named:
        raise ResultError("a segmentation does not name the series that it is of")
    return named[0]


def _uids_of_frames(frames: Sequence[AnyFrame], geometry: VolumeGeometry) -> tuple[str, ...] | dict[int, str]:
    """The instance that the frames on each slice name; of one multi-frame instance its UID alone."""
    several = [frame.source_instance_uid for frame in frames if frame.source_frame_number is not None]
    if several:
        return (several[0],)
    placed = {slice_at(frame.position, geometry): frame.source_instance_uid for frame in frames}
    return {index: uid for index, uid in placed.items() if index is not None and uid}


def _uids_of_series(series: Sequence[SourceInstance], geometry: VolumeGeometry) -> dict[int, str]:
    """The instance of every slice; a slice that several instances could be is left out (phases, b-values)."""
    found: dict[int, list[str]] = {}
    for item in series:
        index = slice_at(item.places[0].position, geometry) if len(item.places) == 1 else None
        if index is not None:
            found.setdefault(index, []).append(item.sop_instance_uid)
    return {index: uids[0] for index, uids in found.items() if len(uids) == 1}


def _masks(dataset: Dataset, frames: Sequence[AnyFrame], geometry: VolumeGeometry) -> Mapping[int, CroppedMask]:
    """The voxels of every segment that has any, by Segment Number."""
    pieces: dict[int, list[tuple[int, _Piece]]] = {}
    for frame, pixels in frame_pixels(dataset, frames):
        index = slice_at(frame.position, geometry)
        one = frame.segment_number
        for number in np.unique(pixels).tolist() if one is None else [one]:
            plane = pixels != 0 if one is not None else pixels == number
            if index is not None and number != BACKGROUND and plane.any():
                pieces.setdefault(int(number), []).append((index, _crop(plane)))
    return {number: _assemble(found, geometry.shape) for number, found in pieces.items()}


def _crop(plane: BoolArray) -> _Piece:
    rows, columns = np.flatnonzero(plane.any(axis=1)), np.flatnonzero(plane.any(axis=0))
    box = plane[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return (int(rows[0]), int(columns[0])), np.ascontiguousarray(box)


def _assemble(pieces: Sequence[tuple[int, _Piece]], grid_shape: tuple[int, int, int]) -> CroppedMask:
    origin = (
        min(index for index, _ in pieces),
        min(corner[0] for _, (corner, _) in pieces),
        min(corner[1] for _, (corner, _) in pieces),
    )
    ends = (
        max(index for index, _ in pieces) + 1,
        max(corner[0] + plane.shape[0] for _, (corner, plane) in pieces),
        max(corner[1] + plane.shape[1] for _, (corner, plane) in pieces),
    )
    values = np.zeros([end - start for start, end in zip(origin, ends, strict=True)], dtype=np.bool_)
    for index, (corner, plane) in pieces:
        row, column = corner[0] - origin[1], corner[1] - origin[2]
        values[index - origin[0], row : row + plane.shape[0], column : column + plane.shape[1]] |= plane
    return CroppedMask(grid_shape=grid_shape, origin=origin, values=values)


def _planar(dataset: Dataset, frames: Sequence[AnyFrame]) -> tuple[Segmentation | PlanarSegmentation, tuple[int, ...]]:
    views = {(frame.source_instance_uid, frame.source_frame_number) for frame in frames}
    if len(views) != 1 or not frames[0].source_instance_uid:
        raise ResultError("a segmentation without a place in the patient is not of one view")
    masks = {
        frame.segment_number: CroppedMask.from_array((pixels != 0)[np.newaxis])
        for frame, pixels in frame_pixels(dataset, frames)
    }
    items = [item for item in dataset.SegmentSequence if int(item.SegmentNumber) in masks]
    orientation = [str(item) for item in dataset.get("PatientOrientation") or ()]
    view = PlanarSegmentation(
        source_instance_uid=frames[0].source_instance_uid,
        frame_number=frames[0].source_frame_number,
        shape=(int(dataset.Rows), int(dataset.Columns)),
        patient_orientation=(orientation[0], orientation[1]) if len(orientation) == 2 else None,
        segments=tuple(_segment(item, masks[int(item.SegmentNumber)]) for item in items),
    )
    return view, tuple(int(item.SegmentNumber) for item in items)


def _segment(item: Dataset, mask: CroppedMask) -> Segment:
    regions = item.get("AnatomicRegionSequence") or ()
    modifiers = (regions[0].get("AnatomicRegionModifierSequence") or ()) if regions else ()
    return Segment(
        label=str(item.SegmentLabel),
        category=code_of(item.SegmentedPropertyCategoryCodeSequence[0]),
        type=code_of(item.SegmentedPropertyTypeCodeSequence[0]),
        mask=mask,
        site=code_of(regions[0]) if regions else None,
        laterality=code_of(modifiers[0]) if modifiers else None,
        tracking_id=None if item.get("TrackingID") is None else str(item.TrackingID),
        tracking_uid=None if item.get("TrackingUID") is None else str(item.TrackingUID),
    )
