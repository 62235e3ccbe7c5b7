"""What the voxels of a written segmentation say, computed anew from the files: the witness against the SR."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from bmnode.errors import ResultError
from bmnode.results.reading import SegmentFrame, frame_mask, read_object, segment_frames, voxel_volume_ml
from bmnode.results.sources import UNREADABLE

Values = npt.NDArray[np.float64]
ReadValues = Callable[[Path, int], Values]
"""A source file and a frame (from 0) -> values (row, column) in the unit of the measurement."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RecomputedSegment:
    """One segment: its volume, and its voxels' values in no particular order."""

    number: int
    voxel_count: int
    volume_ml: float
    values: Values

    @property
    def maximum(self) -> float:
        """Largest value."""
        return float(self.values.max())

    @property
    def minimum(self) -> float:
        """Smallest value."""
        return float(self.values.min())

    @property
    def mean(self) -> float:
        """Arithmetic mean."""
        return float(self.values.mean())

    @property
    def total(self) -> float:
        """Mean times volume in millilitres: total lesion glycolysis where the values are SUV."""
        return self.mean * self.volume_ml


def rescaled_values(path: Path, frame_index: int) -> Values:
    """Stored values after Rescale Slope and Intercept: HU of a CT, Bq/ml of a PET, the map of an ADC series.

    Enhanced objects state them per frame or shared (Pixel Value Transformation), others once.
    Raises ResultError where the pixels cannot be decoded.
    """
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        several = int(header.get("NumberOfFrames") or 1) > 1
        stored = pixel_array(path, index=frame_index) if several else pixel_array(path)
    except (*UNREADABLE, RuntimeError) as error:
        raise ResultError("a source image cannot be decoded") from error
    slope, intercept = _rescale(header, frame_index)
    return np.asarray(stored, dtype=np.float64) * slope + intercept


def recompute_segments(
    segmentation: Path, *, source_files: Iterable[Path], read_values: ReadValues = rescaled_values
) -> tuple[RecomputedSegment, ...]:
    """Every segment's volume and values, each source frame decoded once.

    Raises ResultError where the segmentation is damaged or a source is missing.
    """
    dataset = read_object(segmentation)
    paths = _paths_by_instance(source_files)
    by_source: dict[tuple[str, int], list[SegmentFrame]] = {}
    for frame in segment_frames(dataset):
        by_source.setdefault((frame.source_instance_uid, (frame.source_frame_number or 1) - 1), []).append(frame)
    parts: dict[int, list[Values]] = {int(item.SegmentNumber): [] for item in dataset.SegmentSequence}
    for (uid, frame_index), frames in by_source.items():
        if uid not in paths:
            raise ResultError(f"the source {uid} of the segmentation is missing")
        values = read_values(paths[uid], frame_index)
        for frame in frames:
            parts[frame.segment_number].append(values[frame_mask(dataset, frame)])
    voxel_ml = voxel_volume_ml(dataset)
    return tuple(_segment(number, chunks, voxel_ml) for number, chunks in parts.items())


def _segment(number: int, chunks: list[Values], voxel_ml: float) -> RecomputedSegment:
    values = np.concatenate(chunks) if chunks else np.zeros(0)
    return RecomputedSegment(number=number, voxel_count=values.size, volume_ml=values.size * voxel_ml, values=values)


def _paths_by_instance(files: Iterable[Path]) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    for path in files:
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
        except UNREADABLE:
            continue  # what is not DICOM is no source; a source that is missing is reported by its UID
        paths[str(header.get("SOPInstanceUID", ""))] = path
    return paths


def _rescale(header: Dataset, frame_index: int) -> tuple[float, float]:
    candidates: list[Dataset] = [header]
    for keyword, index in (("SharedFunctionalGroupsSequence", 0), ("PerFrameFunctionalGroupsSequence", frame_index)):
        if keyword in header:
            candidates = [*header[keyword].value[index].get("PixelValueTransformationSequence", []), *candidates]
    return _first(candidates, "RescaleSlope", 1.0), _first(candidates, "RescaleIntercept", 0.0)


def _first(candidates: list[Dataset], keyword: str, default: float) -> float:
    for candidate in candidates:
        value: Any = candidate.get(keyword)
        if value is not None:
            return float(value)
    return default
