"""A lesion's diameters in the axial plane: the longest, and the one across it, as radiologists measure them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.orientation import PatientAxes

METHOD = "AXIAL_DIAMETERS_V1"
_EQUAL = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class AxialSize:
    """Diameters in one slice, between voxel centres, mm; `short_mm` is the extent across the long axis."""

    long_mm: float
    short_mm: float


def axial_size(mask: CroppedMask, geometry: VolumeGeometry) -> AxialSize:
    """The long axis in the slice where it is longest, and the extent perpendicular to it in that slice.

    Slices are those across the array axis that runs closest to the patient's long axis, whatever the acquisition's
    plane. Of equal long axes the one with the greater extent across counts. 0 by 0 mm for a single voxel.
    RECIST 1.1 (Eisenhauer 2009) measures so; that centres are taken is a convention of this project, as it is for the
    three-dimensional long axis: outlines are a voxel longer.
    """
    axis = PatientAxes.from_geometry(geometry).axes[0]
    in_plane = [other for other in range(3) if other != axis]
    steps = geometry.matrix[:3, in_plane]
    best = (0.0, 0.0)
    for plane in np.moveaxis(mask.values, axis, 0):
        if plane.any():
            best = max(best, _diameters(np.argwhere(plane) @ _flat(steps).T))
    return AxialSize(long_mm=best[0], short_mm=best[1])


def _flat(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The two steps in coordinates of their own plane: 2 by 2."""
    first = steps[:, 0] / np.linalg.norm(steps[:, 0])
    across = steps[:, 1] - first * float(first @ steps[:, 1])
    second = across / np.linalg.norm(across)
    return np.asarray(np.stack([first, second]) @ steps)


def _diameters(points: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Greatest distance between two points, and the greatest extent across a pair that far apart."""
    if len(points) > 3:
        try:
            points = points[ConvexHull(points).vertices]
        except QhullError:  # the points lie on a line, which has no hull
            centred = points - points.mean(axis=0)
            along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
            points = points[[int(np.argmin(along)), int(np.argmax(along))]]
    between = points[:, None, :] - points[None, :, :]
    lengths = np.linalg.norm(between, axis=-1)
    long_mm = float(lengths.max())
    if long_mm == 0.0:
        return 0.0, 0.0
    pairs = between[lengths >= long_mm * (1.0 - _EQUAL)] / long_mm
    across = np.stack([-pairs[:, 1], pairs[:, 0]], axis=1) @ points.T
    return long_mm, float(np.ptp(across, axis=1).max())
