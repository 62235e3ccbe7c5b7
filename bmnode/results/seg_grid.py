"""On which grid the frames of any Segmentation object lie, by their places in the patient alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from bmnode.domain.geometry import VolumeGeometry
from bmnode.errors import ResultError
from bmnode.results.grid import (
    COSINE_TOLERANCE,
    POSITION_TOLERANCE_MM,
    POSITION_TOLERANCE_STEPS,
    SPACING_TOLERANCE,
)
from bmnode.results.seg_frames import AnyFrame, macro
from bmnode.results.sources import SourceInstance

_SAME_PLACE_MM = 0.01
_Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Planes:
    """The planes of a segmentation's frames: row and column cosines, spacing (rows, columns) and across (0: not
    stated) in mm, matrix (rows, columns), and each frame's position (frame, 3) in LPS mm."""

    row: _Array
    column: _Array
    spacing_mm: tuple[float, float]
    across_mm: float
    shape: tuple[int, int]
    positions: _Array
    frame_of_reference_uid: str

    @classmethod
    def from_dataset(cls, dataset: Dataset, frames: Sequence[AnyFrame]) -> Planes:
        """Read the planes. Raises ResultError where they are not parallel, AttributeError where they are not stated."""
        groups = dataset.PerFrameFunctionalGroupsSequence
        cosines = np.asarray(
            [
                [float(value) for value in macro(dataset, item, "PlaneOrientationSequence").ImageOrientationPatient]
                for item in groups
            ]
        )
        if np.ptp(cosines, axis=0).max() > COSINE_TOLERANCE:
            raise ResultError("the frames of a segmentation are not parallel")
        measures = macro(dataset, groups[0], "PixelMeasuresSequence")
        rows, columns = (float(value) for value in measures.PixelSpacing)
        return cls(
            row=cosines[0, :3],
            column=cosines[0, 3:],
            spacing_mm=(rows, columns),
            across_mm=abs(float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 0.0)),
            shape=(int(dataset.Rows), int(dataset.Columns)),
            positions=np.asarray([frame.position for frame in frames], dtype=np.float64).reshape(-1, 3),
            frame_of_reference_uid=str(dataset.get("FrameOfReferenceUID") or ""),
        )

    @property
    def normal(self) -> _Array:
        """The direction along which slices are counted."""
        return np.asarray(np.cross(self.row, self.column))

    def lie_on(self, geometry: VolumeGeometry) -> bool:
        """Whether matrix, spacing, orientation and frame of reference are the grid's, and every frame on a slice."""
        _, row_step, column_step = geometry.spacing_mm
        matrix = geometry.matrix
        gap = np.abs(np.r_[matrix[:3, 2] / column_step - self.row, matrix[:3, 1] / row_step - self.column])
        named = {self.frame_of_reference_uid, geometry.frame_of_reference_uid} - {""}
        return (
            self.shape == geometry.shape[1:]
            and float(gap.max()) <= COSINE_TOLERANCE
            and np.allclose(self.spacing_mm, (row_step, column_step), rtol=SPACING_TOLERANCE)
            and len(named) < 2
            and all(slice_at(position, geometry) is not None for position in self.positions)
        )

    def grid(self, series: Iterable[SourceInstance]) -> VolumeGeometry:
        """The grid of the series' slices that are parallel to the planes; without any, of the frames alone.

        Raises ResultError where the frames do not lie on it.
        """
        instances = tuple(series)
        geometry = self._grid_of(self._places(instances))
        if not self.lie_on(geometry):
            raise ResultError("the frames of a segmentation do not lie on one regular grid")
        stated = {item.frame_of_reference_uid for item in instances}
        # an object about images without a frame of reference states one of its own
        return replace(geometry, frame_of_reference_uid=stated.pop()) if len(stated) == 1 else geometry

    def _places(self, instances: Iterable[SourceInstance]) -> _Array:
        across = np.r_[self.row, self.column]
        places = [
            place.position
            for item in instances
            for place in item.places
            if np.abs(np.asarray(place.orientation) - across).max() <= COSINE_TOLERANCE
        ]
        return np.asarray(places, dtype=np.float64).reshape(-1, 3)

    def _grid_of(self, series: _Array) -> VolumeGeometry:
        places = self._distinct(series if len(series) else self.positions)
        count = len(places)
        if not len(series) and count > 1:
            step_mm = self.across_mm or float(np.diff(places @ self.normal).min())
            count = round(float(self.normal @ (places[-1] - places[0])) / step_mm) + 1
        step = (places[-1] - places[0]) / (count - 1) if count > 1 else self.normal * self.across_mm
        matrix = np.eye(4)
        matrix[:3, 0] = step
        matrix[:3, 1] = self.column * self.spacing_mm[0]
        matrix[:3, 2] = self.row * self.spacing_mm[1]
        matrix[:3, 3] = places[0]
        return VolumeGeometry.from_matrix(
            matrix, shape=(count, *self.shape), frame_of_reference_uid=self.frame_of_reference_uid
        )

    def _distinct(self, positions: _Array) -> _Array:
        """Each place once, along the normal."""
        ordered = positions[np.argsort(positions @ self.normal, kind="stable")]
        return np.asarray(ordered[np.r_[True, np.diff(ordered @ self.normal) > _SAME_PLACE_MM]])


def slice_at(position: Sequence[float] | _Array, geometry: VolumeGeometry) -> int | None:
    """The grid's slice whose first pixel lies here (LPS, mm); None where it has none."""
    index = int(np.rint((np.linalg.inv(geometry.matrix) @ [*position, 1.0])[0]))
    if not 0 <= index < geometry.shape[0]:
        return None
    offset = np.linalg.norm(np.subtract(position, geometry.position_lps((float(index), 0.0, 0.0))))
    tolerance = max(POSITION_TOLERANCE_MM, POSITION_TOLERANCE_STEPS * geometry.spacing_mm[0])
    return index if offset <= tolerance else None
