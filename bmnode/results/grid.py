"""Which source frame every slice of a segmentation's grid is, proved by its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.results import Segmentation
from bmnode.errors import ResultError
from bmnode.results.sources import FramePlace, SourceInstance, SourceStudy

POSITION_TOLERANCE_MM = 0.1
POSITION_TOLERANCE_STEPS = 0.05
"""A slice may lie off the regular grid by the larger of the two: real scanners round, and join bed positions
with a step that is a few per cent off. The source's own position is what is written."""
COSINE_TOLERANCE = 1e-3
SPACING_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceSource:
    """The source of one grid slice. `frame_number` counts from 1 and is None for an instance of one frame."""

    instance: SourceInstance
    frame_number: int | None
    place: FramePlace


def slice_sources(segmentation: Segmentation, source: SourceStudy) -> tuple[SliceSource, ...]:
    """The source of every slice, in the order of the grid's first axis; proved once for each grid of a study.

    Raises ResultError where an instance is missing, its frames state no place, or the grid is
    another one than that of the images: other matrix, spacing, orientation or position.
    """
    grid = (segmentation.source_series_uid, segmentation.source_instance_uids, segmentation.geometry)
    if grid not in source.proved:
        source.proved[grid] = _prove(segmentation, source)
    return source.proved[grid]


def _prove(segmentation: Segmentation, source: SourceStudy) -> tuple[SliceSource, ...]:
    geometry = segmentation.geometry
    uids = segmentation.source_instance_uids
    instances = [source.instance(uid) for uid in uids]
    if any(instance.series_uid != segmentation.source_series_uid for instance in instances):
        raise ResultError("a segmentation names slices of another series than its own")
    if len(instances) == 1 and instances[0].frame_count > 1:
        slices = _frames_by_place(instances[0], geometry)
    elif len(instances) == geometry.shape[0]:
        slices = tuple(_only_frame(instance) for instance in instances)
    else:
        raise ResultError(f"the grid has {geometry.shape[0]} slices and {len(instances)} source instances")
    for index, item in enumerate(slices):
        _require_same_place(item, geometry, index)
    return slices


def _only_frame(instance: SourceInstance) -> SliceSource:
    if len(instance.places) != 1:
        raise ResultError(f"{instance.sop_instance_uid} does not say where it lies")
    return SliceSource(instance=instance, frame_number=None, place=instance.places[0])


def _frames_by_place(instance: SourceInstance, geometry: VolumeGeometry) -> tuple[SliceSource, ...]:
    """The frame at each slice's place; the first of them where frames repeat (phases, b-values)."""
    if not instance.places:
        raise ResultError(f"{instance.sop_instance_uid} does not say where its frames lie")
    positions = np.asarray([place.position for place in instance.places])
    chosen = []
    for index in range(geometry.shape[0]):
        expected = np.asarray(geometry.position_lps((float(index), 0.0, 0.0)))
        frame = int(np.argmin(np.round(np.linalg.norm(positions - expected, axis=1), 3)))
        chosen.append(SliceSource(instance=instance, frame_number=frame + 1, place=instance.places[frame]))
    return tuple(chosen)


def _require_same_place(item: SliceSource, geometry: VolumeGeometry, index: int) -> None:
    instance, place = item.instance, item.place
    step, row_step, column_step = geometry.spacing_mm
    matrix = geometry.matrix
    expected_cosines = np.r_[matrix[:3, 2] / column_step, matrix[:3, 1] / row_step]
    offset = _distance(place.position, geometry.position_lps((float(index), 0.0, 0.0)))
    if (instance.rows, instance.columns) != geometry.shape[1:]:
        raise ResultError(f"slice {index + 1}: the grid and the image differ in rows and columns")
    if np.max(np.abs(expected_cosines - np.asarray(place.orientation))) > COSINE_TOLERANCE:
        raise ResultError(f"slice {index + 1}: the grid and the image differ in orientation")
    if not np.allclose(place.spacing_mm, (row_step, column_step), rtol=SPACING_TOLERANCE):
        raise ResultError(f"slice {index + 1}: the grid and the image differ in pixel spacing")
    if offset > max(POSITION_TOLERANCE_MM, POSITION_TOLERANCE_STEPS * step):
        raise ResultError(f"slice {index + 1}: the grid and the image lie {offset:.3f} mm apart")
    frames = {instance.frame_of_reference_uid, geometry.frame_of_reference_uid} - {""}
    if len(frames) > 1:
        raise ResultError(f"slice {index + 1}: the grid and the image are in different frames of reference")


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    return float(np.linalg.norm(np.asarray(one) - np.asarray(other)))
