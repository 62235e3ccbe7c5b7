"""An independent reader: from files to voxels by DICOM's own attributes, with nothing of the writers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset

Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Volume:
    """Rescaled values (slice, row, column) with the matrix from index to LPS millimetres."""

    values: npt.NDArray[np.float64]
    to_lps: npt.NDArray[np.float64]
    header: Dataset

    def near(self, point: Point, *, radius_mm: float) -> npt.NDArray[np.float64]:
        """The values of all voxels whose centre lies within a radius of a point."""
        middle = np.linalg.solve(self.to_lps, np.array([*point, 1.0]))[:3]
        reach = radius_mm / np.linalg.norm(self.to_lps[:3, :3], axis=0)
        first = np.maximum(np.floor(middle - reach), 0).astype(int)
        last = np.minimum(np.ceil(middle + reach) + 1, self.values.shape).astype(int)
        index = np.stack(np.meshgrid(*map(np.arange, first, last), indexing="ij")).reshape(3, -1)
        lps = self.to_lps[:3, :3] @ index + self.to_lps[:3, 3:]
        inside = np.linalg.norm(lps - np.array(point)[:, None], axis=0) <= radius_mm
        chosen: npt.NDArray[np.float64] = self.values[tuple(index[:, inside])]
        return chosen

    def mean_near(self, point: Point, *, radius_mm: float) -> float:
        """The mean of `near`; fails where no voxel is that near."""
        values = self.near(point, radius_mm=radius_mm)
        assert values.size > 0, "the point lies outside the volume"
        return float(values.mean())


def read_slices(files: Iterable[Path], *, keep: Callable[[Dataset], bool]) -> Volume:
    """The slices that `keep` chooses, sorted along the normal (PS3.3 C.7.6.2.1.1)."""
    slices = [ds for ds in map(pydicom.dcmread, files) if keep(ds)]
    row, column = (np.array(slices[0].ImageOrientationPatient[part], dtype=float) for part in (slice(3), slice(3, 6)))
    normal = np.cross(row, column)
    slices.sort(key=lambda ds: float(normal @ np.array(ds.ImagePositionPatient, dtype=float)))
    positions = np.array([ds.ImagePositionPatient for ds in slices], dtype=float)
    values = np.stack(
        [ds.pixel_array * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0)) for ds in slices]
    )
    return Volume(values=values, to_lps=_matrix(slices[0], positions, row=row, column=column), header=slices[0])


def read_tomogram(path: Path) -> Volume:
    """A reconstructed NM image: place in its detector item, units by Real World Value Mapping where there is one."""
    ds = pydicom.dcmread(path)
    detector = ds.DetectorInformationSequence[0]
    orientation = np.array(detector.ImageOrientationPatient, dtype=float)
    first = np.array(detector.ImagePositionPatient, dtype=float)
    normal = np.cross(orientation[:3], orientation[3:])
    steps = (np.array(ds.SliceVector) - 1) * float(ds.SpacingBetweenSlices)
    values = ds.pixel_array.astype(float)
    if "RealWorldValueMappingSequence" in ds:
        mapping = ds.RealWorldValueMappingSequence[0]
        values = values * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
    positions = first + steps[:, None] * normal
    return Volume(values=values, to_lps=_matrix(ds, positions, row=orientation[:3], column=orientation[3:]), header=ds)


def _matrix(
    header: Dataset,
    positions: npt.NDArray[np.float64],
    *,
    row: npt.NDArray[np.float64],
    column: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    between_rows, between_columns = (float(value) for value in header.PixelSpacing)
    matrix = np.eye(4)
    matrix[:3, 0] = (positions[-1] - positions[0]) / (len(positions) - 1)
    matrix[:3, 1] = column * between_rows
    matrix[:3, 2] = row * between_columns
    matrix[:3, 3] = positions[0]
    return matrix
