"""What a two-view network is given of a planar scan, and how its maps come back: `PLANAR_INPUT_V1` [P].

Both views head up on one grid of square pixels; the posterior view is mirrored, so that in both the patient's right
is on the left. Uptake is counts by the median of the body's pixels, its root taken, since that makes the spread of
Poisson counts nearly independent of their mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from operators.kernels.scintigraphy import PixelSize

Image = npt.NDArray[np.float32]

METHOD = "PLANAR_INPUT_V1"
WORKING_MM = 4.8
WORKING_SHAPE = (512, 128)
"""(row, column): 2.46 m by 61 cm; what lies beyond is cut at the feet, and equally at both sides."""
_BODY_SHARE, _BODY_QUANTILE = 0.1, 0.9
"""Body is what exceeds this share of this quantile of the pixels that counted anything."""
_LARGEST = 6.0
"""Of the root of the uptake: a bladder of 36 times the median and one of 100 look alike."""


def to_working(counts: npt.NDArray[np.floating], *, pixel_mm: PixelSize, is_posterior: bool) -> Image:
    """One view, head up in its own orientation, as counts a pixel of the working grid (row, column).

    Counts are kept: each working pixel holds the counts of its area, interpolated between pixels. Raises ValueError
    where a pixel is larger than the working one.
    """
    if max(pixel_mm) > WORKING_MM:
        raise ValueError(f"pixels of {max(pixel_mm):g} mm are coarser than the working grid of {WORKING_MM:g} mm")
    seen = np.asarray(counts[:, ::-1] if is_posterior else counts, dtype=np.float64)
    for axis, step in enumerate(pixel_mm):
        seen = _resampled(seen, axis=axis, step=step)
    return np.asarray(seen, dtype=np.float32)


def network_input(counts: Image) -> Image:
    """Counts of the working grid as the network takes them, with a channel axis: (1, row, column), 0 to 6.

    Raises ValueError where nothing was counted.
    """
    level = body_level(counts)
    return np.minimum(np.sqrt(np.maximum(counts, 0.0) / level), _LARGEST)[np.newaxis].astype(np.float32)


def body_level(counts: Image) -> float:
    """Median counts of the body's pixels. Raises ValueError where nothing was counted."""
    some = counts[counts > 0]
    if not some.size:
        raise ValueError("the view has no counts")
    return float(np.median(some[some >= _BODY_SHARE * np.quantile(some, _BODY_QUANTILE)]))


def from_working(
    maps: npt.NDArray[np.floating], *, shape: tuple[int, int], pixel_mm: PixelSize, is_posterior: bool
) -> Image:
    """Maps of the working grid (..., row, column) on a view's own grid, head up, in its own orientation.

    Interpolated linearly; a pixel beyond the working grid has the value at its edge.
    """
    rows, columns = (
        _places(size, step=step, axis=axis) for axis, (size, step) in enumerate(zip(shape, pixel_mm, strict=True))
    )
    flat = maps.reshape(-1, *WORKING_SHAPE)
    places = np.meshgrid(rows, columns, indexing="ij")
    found = [ndimage.map_coordinates(one, places, order=1, mode="nearest", output=np.float32) for one in flat]
    whole = np.stack(found).reshape(*maps.shape[:-2], *shape)
    return np.ascontiguousarray(whole[..., ::-1] if is_posterior else whole)


def _places(size: int, *, step: float, axis: int) -> npt.NDArray[np.float64]:
    """Where the centres of a view's pixels lie on the working grid, in its pixels."""
    centres = (np.arange(size, dtype=np.float64) + 0.5) * step
    return np.asarray((centres - _start_mm(size, step=step, axis=axis)) / WORKING_MM - 0.5, dtype=np.float64)


def _start_mm(size: int, *, step: float, axis: int) -> float:
    """Of the working grid, from the view's own edge: at the head the same edge, sideways the same middle."""
    return 0.0 if axis == 0 else (size * step - WORKING_SHAPE[1] * WORKING_MM) / 2.0


def _resampled(values: npt.NDArray[np.float64], *, axis: int, step: float) -> npt.NDArray[np.float64]:
    """Counts of working pixels: differences of the running sum at their edges, linear between pixels' edges."""
    size = values.shape[axis]
    running = np.concatenate([np.zeros((1, values.shape[1 - axis])), np.moveaxis(values, axis, 0).cumsum(axis=0)])
    edges = (np.arange(WORKING_SHAPE[axis] + 1) * WORKING_MM + _start_mm(size, step=step, axis=axis)) / step
    low = np.clip(np.floor(edges), 0, size - 1).astype(np.intp)
    share = np.clip(edges - low, 0.0, 1.0)[:, np.newaxis]
    at = running[low] * (1.0 - share) + running[low + 1] * share
    return np.asarray(np.moveaxis(np.diff(at, axis=0), 0, axis), dtype=np.float64)


def planar_features(anterior: Image, posterior: Image) -> dict[str, float]:
    """Numbers by which a scan is compared with those of a training, of both views' inputs (1, row, column).

    Of each view the mean and the 99th percentile of what counted anything, and its share of the grid. Raises ValueError
    where a view is empty.
    """
    found: dict[str, float] = {}
    for name, view in (("anterior", anterior), ("posterior", posterior)):
        some = view[view > 0]
        if not some.size:
            raise ValueError("the view has no counts")
        found[f"{name}_mean"] = float(some.mean())
        found[f"{name}_p99"] = float(np.quantile(some, 0.99))
        found[f"{name}_share"] = some.size / view.size
    return found
