"""What a gamma camera does to photons: blur with distance, energy windows, Compton scatter on the way."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from operators.simulation.physics import camera_table as table
from operators.simulation.physics.filters import FWHM_PER_SIGMA

Window = tuple[float, float]
"""Limits of an energy window, relative to the photopeak's energy."""
_NEAR_CELLS, _SUBCELLS = 2, 6


def photopeak_window(percent: float) -> Window:
    """The window of a full width around the photopeak."""
    return 1.0 - percent / 200.0, 1.0 + percent / 200.0


def fwhm_mm(distance_mm: float, *, at_100_mm: float) -> float:
    """Resolution at a distance from the collimator in air, from that at 100 mm.

    Intrinsic and geometric blur add in quadrature; the geometric one grows linearly with the distance
    (Cherry, Sorenson, Phelps: Physics in Nuclear Medicine, chapter 14).
    """
    geometric = math.sqrt(max(at_100_mm**2 - table.INTRINSIC_FWHM_MM**2, 1.0))
    geometric *= (distance_mm + table.HOLE_MM) / (100.0 + table.HOLE_MM)
    return math.hypot(table.INTRINSIC_FWHM_MM, geometric)


def counted_share(energy: npt.ArrayLike, window: Window) -> npt.NDArray[np.float64]:
    """Share of photons of an energy (relative to the photopeak's) that a window counts.

    The energy resolution is Gaussian, its FWHM grows with the square root of the energy.
    """
    mean = np.asarray(energy, dtype=np.float64)
    sigma = table.ENERGY_RESOLUTION * np.sqrt(mean) / FWHM_PER_SIGMA

    def below(limit: float) -> npt.NDArray[np.float64]:
        return np.asarray(torch.special.erf(torch.from_numpy(np.asarray((limit - mean) / (sigma * math.sqrt(2.0))))))

    return np.asarray(0.5 * (below(window[1]) - below(window[0])))


def scattered(activity: torch.Tensor, *, kev: float, mu_water: float, step_mm: float, window: Window) -> torch.Tensor:
    """Photons that turn towards the detector in water everywhere, per primary photon emitted towards it.

    First-order Compton scatter (Klein and Nishina): from where it is emitted, a photon travels through
    water, scatters by the angle that leads to the detector, and is counted in the window with the energy
    that is left. Multiply by the density of electrons relative to water.

    Args:
        activity: float32 (depth, row, column), depth counted from the detector; cubes.
        kev: energy of the photons.
        mu_water: attenuation of water at that energy, 1/mm.
        step_mm: width of a cube.
        window: energy window.
    """
    kernel = torch.from_numpy(_kernel(kev, mu_water, step_mm, window)).to(activity)
    size = [a + k - 1 for a, k in zip(activity.shape, kernel.shape, strict=True)]
    fast = [_fast_size(length) for length in size]
    product = torch.fft.rfftn(activity, s=fast) * torch.fft.rfftn(kernel, s=fast)
    whole = torch.fft.irfftn(product, s=fast)
    depth, row, column = ((k - 1) // 2 for k in kernel.shape)
    n = activity.shape
    part: torch.Tensor = whole[depth : depth + n[0], row : row + n[1], column : column + n[2]]
    return part.clamp_min(0.0)


def coarse(volume: torch.Tensor, factor: int) -> torch.Tensor:
    """Means of cubes of voxels; what is missing at the far ends counts as 0."""
    padding = [pad for size in reversed(volume.shape) for pad in (0, -size % factor)]
    padded = functional.pad(volume, padding)
    return functional.avg_pool3d(padded[None, None], factor)[0, 0]


def fine(volume: torch.Tensor, factor: int, shape: torch.Size) -> torch.Tensor:
    """The inverse of `coarse`, interpolated linearly."""
    scaled = functional.interpolate(volume[None, None], scale_factor=factor, mode="trilinear", align_corners=False)
    return scaled[0, 0, : shape[0], : shape[1], : shape[2]]


@lru_cache(maxsize=8)
def _kernel(kev: float, mu_water: float, step_mm: float, window: Window) -> npt.NDArray[np.float32]:
    """Scatter at (depth, row, column) from the emission; depth -1 is one cell nearer to the detector."""
    reach = math.ceil(table.SCATTER_REACH_MM / step_mm)
    axis = np.arange(-reach, reach + 1, dtype=np.float64) * step_mm
    kernel = _density(axis, axis, axis, kev=kev, mu_water=mu_water, window=window)
    near = slice(reach - _NEAR_CELLS, reach + _NEAR_CELLS + 1)
    cells = 2 * _NEAR_CELLS + 1
    within = ((np.arange(cells * _SUBCELLS) + 0.5) / _SUBCELLS - cells / 2) * step_mm
    dense = _density(within, within, within, kev=kev, mu_water=mu_water, window=window)
    kernel[near, near, near] = dense.reshape(cells, _SUBCELLS, cells, _SUBCELLS, cells, _SUBCELLS).mean(axis=(1, 3, 5))
    return np.asarray(kernel * step_mm**3, dtype=np.float32)


def _density(
    depth: npt.NDArray[np.float64],
    row: npt.NDArray[np.float64],
    column: npt.NDArray[np.float64],
    *,
    kev: float,
    mu_water: float,
    window: Window,
) -> npt.NDArray[np.float64]:
    r = np.sqrt(depth[:, None, None] ** 2 + row[None, :, None] ** 2 + column[None, None, :] ** 2)
    r = np.maximum(r, 1e-6)
    cosine = -depth[:, None, None] / r
    left = 1.0 / (1.0 + kev / table.ELECTRON_KEV * (1.0 - cosine))
    klein_nishina = 0.5 * left**2 * (left + 1.0 / left - (1.0 - cosine**2))
    share = counted_share(left, window)
    return np.asarray(table.PHOTONS_MM * klein_nishina * share * np.exp(-mu_water * r) / r**2)


def _fast_size(length: int) -> int:
    """The next product of 2, 3 and 5."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1
