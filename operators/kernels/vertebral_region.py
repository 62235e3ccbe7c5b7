"""A region of the vertebral bodies on an ADC map, found from the cerebrospinal fluid behind them.

A convention of this project (MRI_CANAL_REGION_V3): fluid behind marrow is the one landmark that an ADC map shows
without a model. The canal is followed from slice to slice as the smooth path near the middle of the back with the
brightest fluid that has marrow before it: heart, aorta and bladder are as bright, and have none. In front of it an
ellipse narrower than a lower vertebral body is taken. Discs are in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray, VolumeGeometry
from operators.kernels.components import largest
from operators.kernels.morphology import Spacing, fill_slices
from operators.kernels.orientation import PatientAxes

METHOD = "MRI_CANAL_REGION_V3"


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionLimits:
    """`canal_um2_s` is what the canal shows at least, averaged over `canal_radius_mm`: fluid, with roots or cord in it.
    Over a stretch of `minimum_length_mm` it shows `fluid_um2_s` in the mean; muscle does not reach it.

    The canal is sought within `midline_mm` of the patient's middle and `back_from` to `back_to` of the way
    from front to back; it moves `step_mm` a centimetre at most. The body's centre lies `ahead_mm` in front
    of the canal's, with semi-axes `half_width_mm` and `half_depth_mm`; `marrow_share` of it, averaged along
    `marrow_along_mm` so that discs do not count, shows no more than `marrow_um2_s`.
    Muscle of the back is sought in discs of `muscle_radius_mm` behind and to both sides of the canal: one counts where
    `muscle_share` of it lies between the two ADC limits, and then these voxels of it.
    """

    canal_um2_s: float
    fluid_um2_s: float
    canal_radius_mm: float
    midline_mm: float
    back_from: float
    back_to: float
    step_mm: float
    ahead_mm: float
    half_width_mm: float
    half_depth_mm: float
    marrow_um2_s: float
    marrow_along_mm: float
    marrow_share: float
    minimum_length_mm: float
    muscle_beside_mm: float
    muscle_behind_mm: float
    muscle_radius_mm: float
    muscle_lowest_um2_s: float
    muscle_highest_um2_s: float
    muscle_share: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VertebralRegion:
    """The region on the map's own grid, the length of spine it follows, and the fluid's mean ADC along it.

    `muscle` is muscle of the back on the same grid, empty where none was found.
    """

    mask: BoolArray
    muscle: BoolArray
    length_mm: float
    fluid_um2_s: float


def find_region(
    adc: npt.NDArray[np.float32], geometry: VolumeGeometry, *, limits: RegionLimits
) -> VertebralRegion | None:
    """The vertebral bodies' region of an axial ADC map in um2/s (slice, row, column); None where no canal is found."""
    axes = PatientAxes.from_geometry(geometry)
    turned = np.asarray(axes.turn(adc), dtype=np.float32)
    score = _fluid_score(turned, spacing_mm=axes.spacing_mm, limits=limits)
    marrow = _marrow_ahead(turned, spacing_mm=axes.spacing_mm, limits=limits)
    path = _best_path(score * marrow, spacing_mm=axes.spacing_mm, limits=limits)
    places = np.arange(len(path)), path[:, 0], path[:, 1]
    along = score[places]
    first, last = _longest_run((along >= limits.canal_um2_s) & (marrow[places] >= limits.marrow_share))
    length_mm = (last - first) * axes.spacing_mm[0]
    if length_mm < limits.minimum_length_mm:
        return None
    stretch = max(1, int(limits.minimum_length_mm / axes.spacing_mm[0]))
    means = np.convolve(along[first:last], np.full(stretch, 1.0 / stretch), mode="valid")
    if float(means.max()) < limits.fluid_um2_s:
        return None
    mask, muscle = np.zeros(turned.shape, dtype=np.bool_), np.zeros(turned.shape, dtype=np.bool_)
    rows, columns = np.indices(turned.shape[1:])
    for index in range(first, last):
        row = path[index, 0] - limits.ahead_mm / axes.spacing_mm[1]
        depth = (rows - row) * axes.spacing_mm[1] / limits.half_depth_mm
        width = (columns - path[index, 1]) * axes.spacing_mm[2] / limits.half_width_mm
        mask[index] = depth**2 + width**2 <= 1.0
        muscle[index] = _muscle(turned[index], path[index], spacing_mm=axes.spacing_mm, limits=limits)
    return VertebralRegion(
        mask=np.ascontiguousarray(axes.turn_back(mask)).astype(np.bool_, copy=False),
        muscle=np.ascontiguousarray(axes.turn_back(muscle)).astype(np.bool_, copy=False),
        length_mm=float(length_mm),
        fluid_um2_s=float(along[first:last].mean(dtype=np.float64)),
    )


def _muscle(
    adc: npt.NDArray[np.float32], canal: npt.NDArray[np.int64], *, spacing_mm: Spacing, limits: RegionLimits
) -> BoolArray:
    """Muscle of the back in one slice (row, column), beside and behind the canal's place."""
    rows, columns = np.indices(adc.shape)
    behind = (rows - canal[0]) * spacing_mm[1] - limits.muscle_behind_mm
    alike = (adc >= limits.muscle_lowest_um2_s) & (adc <= limits.muscle_highest_um2_s)
    found: BoolArray = np.zeros(adc.shape, dtype=np.bool_)
    for side in (-limits.muscle_beside_mm, limits.muscle_beside_mm):
        disc = np.hypot(behind, (columns - canal[1]) * spacing_mm[2] - side) <= limits.muscle_radius_mm
        if disc.any() and float(np.mean(alike[disc])) >= limits.muscle_share:
            found |= disc & alike
    return found


def _fluid_score(adc: npt.NDArray[np.float32], *, spacing_mm: Spacing, limits: RegionLimits) -> npt.NDArray[np.float32]:
    """Mean ADC over a disc around every pixel where the canal may lie, 0 elsewhere."""
    reach = [max(1, int(limits.canal_radius_mm / step)) for step in spacing_mm[1:]]
    rows, columns = np.indices((2 * reach[0] + 1, 2 * reach[1] + 1))
    disc = np.hypot((rows - reach[0]) * spacing_mm[1], (columns - reach[1]) * spacing_mm[2]) <= limits.canal_radius_mm
    kernel = (disc / disc.sum()).astype(np.float32)[None]
    mean = ndimage.convolve(np.minimum(adc, 4000.0), kernel, mode="constant")
    body = fill_slices(largest(adc > 0.0))
    score: npt.NDArray[np.float32] = np.zeros(adc.shape, dtype=np.float32)
    columns_mm = np.arange(adc.shape[2]) * spacing_mm[2]
    for index in range(adc.shape[0]):
        occupied = np.flatnonzero(body[index].any(axis=1))
        if len(occupied) == 0:
            continue
        middle_mm = float(np.average(columns_mm, weights=body[index].sum(axis=0)))
        front, depth = int(occupied[0]), len(occupied)
        band = slice(front + int(limits.back_from * depth), front + int(limits.back_to * depth))
        near = np.abs(columns_mm - middle_mm) <= limits.midline_mm
        score[index, band] = mean[index, band] * near
    return score


def _marrow_ahead(
    adc: npt.NDArray[np.float32], *, spacing_mm: Spacing, limits: RegionLimits
) -> npt.NDArray[np.float32]:
    """The share, 0 to 1, of the body's ellipse before every pixel that may be marrow, averaged along the patient.

    Marrow whose fat was suppressed has often no ADC at all (0).
    """
    reach = [int(limits.half_depth_mm / spacing_mm[1]), int(limits.half_width_mm / spacing_mm[2])]
    rows, columns = np.indices((2 * reach[0] + 1, 2 * reach[1] + 1))
    depth = (rows - reach[0]) * spacing_mm[1] / limits.half_depth_mm
    ellipse = depth**2 + ((columns - reach[1]) * spacing_mm[2] / limits.half_width_mm) ** 2 <= 1.0
    low = (adc <= limits.marrow_um2_s).astype(np.float32)
    share = ndimage.convolve(low, (ellipse / ellipse.sum()).astype(np.float32)[None], mode="constant")
    step = round(limits.ahead_mm / spacing_mm[1])
    ahead = np.zeros_like(share)
    ahead[:, step:] = share[:, : share.shape[1] - step]
    size = max(1, round(limits.marrow_along_mm / spacing_mm[0]))
    return np.asarray(ndimage.uniform_filter1d(ahead, size=size, axis=0, mode="nearest"), dtype=np.float32)


def _best_path(score: npt.NDArray[np.float32], *, spacing_mm: Spacing, limits: RegionLimits) -> npt.NDArray[np.int64]:
    """The path (one row and column a slice) with the highest sum of scores, by dynamic programming."""
    allowed_mm = limits.step_mm * max(spacing_mm[0], 1.0) / 10.0
    window = [2 * max(1, int(allowed_mm / step)) + 1 for step in spacing_mm[1:]]
    total = score[0].astype(np.float64)
    totals = [total]
    for index in range(1, score.shape[0]):
        total = ndimage.maximum_filter(total, size=window, mode="constant") + score[index]
        totals.append(total)
    row, column = np.unravel_index(int(np.argmax(totals[-1])), totals[-1].shape)
    path = [(int(row), int(column))]
    reach = [size // 2 for size in window]
    for total in reversed(totals[:-1]):
        low = [max(0, path[-1][axis] - reach[axis]) for axis in (0, 1)]
        around = total[low[0] : path[-1][0] + reach[0] + 1, low[1] : path[-1][1] + reach[1] + 1]
        step = np.unravel_index(int(np.argmax(around)), around.shape)
        path.append((low[0] + int(step[0]), low[1] + int(step[1])))
    return np.asarray(path[::-1], dtype=np.int64)


def _longest_run(good: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """The longest run of slices, bridging single bad ones: first and one past the last."""
    bridged = ndimage.binary_closing(np.pad(good, 1), structure=np.ones(3, dtype=np.bool_))[1:-1]
    labels, count = ndimage.label(bridged)
    if count == 0:
        return 0, 0
    sizes = np.bincount(labels)[1:]
    inside = np.flatnonzero(labels == int(np.argmax(sizes)) + 1)
    return int(inside[0]), int(inside[-1]) + 1
