"""A vertebral body's heights from the outline of its vertebra and the canal behind it.

A convention of this project (BODY_HEIGHTS_V1): anterior, middle and posterior height, as Genant et al. (J Bone Miner
Res 1993;8:1137) compare them. It needs vertebrae that were outlined one by one in the image. Borders that an atlas lays
through the spine are none: they are as far apart in a collapsed vertebra as in a sound one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray
from operators.kernels.morphology import Spacing
from operators.kernels.stability.collapse import BodyHeights

METHOD = "BODY_HEIGHTS_V1"
FloatArray = npt.NDArray[np.float64]
_STEP_MM = 0.5
_ACROSS, _BESIDE_DEPTH = 9, (-0.08, 0.0, 0.08)
"""Columns from side to side, and how far before and behind each depth, in depths of the body."""
_DEPTHS = (5.0 / 6.0, 0.5, 1.0 / 6.0)
"""Anterior, middle, posterior: the middles of the body's thirds, from its rear wall."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeightLimits:
    """Where a body is measured.

    Its axis is the canal's front wall over `course_mm` above and below; columns lie within `beside_mm` of the canal's
    middle. A body that is less than `least_depth_mm` deep is none.
    """

    course_mm: float
    beside_mm: float
    least_depth_mm: float

    def __post_init__(self) -> None:
        if min(self.course_mm, self.beside_mm, self.least_depth_mm) <= 0.0:
            raise ValueError("the limits of a body's heights are positive")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OutlinedBody:
    """A vertebra's body, its voxels on the vertebra's grid, and its heights."""

    mask: BoolArray
    heights: BodyHeights


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Frame:
    """Origin on the canal's front wall, mm (z, y, x); unit vectors up the spine, to the front, and aside."""

    origin: FloatArray
    up: FloatArray
    front: FloatArray
    aside: FloatArray


def outlined_body(
    vertebra: BoolArray, canal: BoolArray, *, spacing_mm: Spacing, limits: HeightLimits
) -> OutlinedBody | None:
    """The body of one outlined vertebra; None where the field cuts it, or no canal or no body is found.

    Arrays are in patient orientation (z up, y to the back, x to the left). A height is the mean length in the vertebra
    of the columns about its depth, side by side: of a slanted border finer than a voxel.
    """
    slices = np.flatnonzero(vertebra.any(axis=(1, 2)))
    if slices.size == 0 or slices[0] == 0 or slices[-1] == len(vertebra) - 1:
        return None
    frame = _frame(canal, (int(slices[0]), int(slices[-1])), spacing_mm=spacing_mm, limits=limits)
    if frame is None:
        return None
    voxels = np.argwhere(vertebra)
    places = voxels * np.asarray(spacing_mm) - frame.origin
    ahead, aside = places @ frame.front, np.abs(places @ frame.aside)
    middle = ahead[(ahead > 0.0) & (aside <= limits.beside_mm)]
    depth = float(np.percentile(middle, 98.0)) if middle.size else 0.0
    if depth < limits.least_depth_mm:
        return None
    mask = np.zeros_like(vertebra)
    mask[tuple(voxels[ahead > 0.0].T)] = True
    along = places[ahead > 0.0] @ frame.up
    reach = (float(along.min()) - 4.0, float(along.max()) + 4.0)
    anterior, central, posterior = (
        np.mean(
            [
                _height(vertebra, frame, (share + more) * depth, reach=reach, spacing_mm=spacing_mm, limits=limits)
                for more in _BESIDE_DEPTH
            ]
        )
        for share in _DEPTHS
    )
    return OutlinedBody(
        mask=mask,
        heights=BodyHeights(anterior_mm=float(anterior), middle_mm=float(central), posterior_mm=float(posterior)),
    )


def _frame(canal: BoolArray, slices: tuple[int, int], *, spacing_mm: Spacing, limits: HeightLimits) -> _Frame | None:
    """By lines through the canal's front wall and its middle; None where fewer than three slices show it."""
    more = int(limits.course_mm / spacing_mm[0])
    low, high = max(0, slices[0] - more), min(len(canal), slices[1] + 1 + more)
    shown = low + np.flatnonzero(canal[low:high].any(axis=(1, 2)))
    if len(shown) < 3:
        return None
    rows = [float(np.flatnonzero(canal[index].any(axis=1))[0]) for index in shown]
    columns = [float(np.nonzero(canal[index])[1].mean()) for index in shown]
    z = shown * spacing_mm[0]
    back, sideways = (
        np.polyfit(z, np.asarray(values) * step, 1)
        for values, step in ((rows, spacing_mm[1]), (columns, spacing_mm[2]))
    )
    middle = (slices[0] + slices[1]) / 2.0 * spacing_mm[0]
    up = np.array([1.0, back[0], sideways[0]])
    up /= np.linalg.norm(up)
    front = np.array([0.0, -1.0, 0.0]) + up * up[1]
    front /= np.linalg.norm(front)
    # Half a voxel before the canal's first row ends the body.
    origin = np.array([middle, np.polyval(back, middle) - spacing_mm[1] / 2.0, np.polyval(sideways, middle)])
    return _Frame(origin=origin, up=up, front=front, aside=np.cross(up, front))


def _height(
    vertebra: BoolArray,
    frame: _Frame,
    ahead_mm: float,
    *,
    reach: tuple[float, float],
    spacing_mm: Spacing,
    limits: HeightLimits,
) -> float:
    """The mean length in the vertebra of the columns at one depth, mm."""
    along = np.arange(reach[0], reach[1], _STEP_MM)
    aside = np.linspace(-limits.beside_mm, limits.beside_mm, _ACROSS)
    start = frame.origin + ahead_mm * frame.front
    places = start + aside[:, None, None] * frame.aside + along[None, :, None] * frame.up
    index = np.moveaxis(places / np.asarray(spacing_mm), -1, 0)
    inside = ndimage.map_coordinates(vertebra.astype(np.float32), index, order=1, mode="constant")
    return float(np.mean(inside.sum(axis=1)) * _STEP_MM)
