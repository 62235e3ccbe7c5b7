"""Blur and noise on tensors, the same on CPU and GPU."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
_REACH_SIGMA = 4.0


def generator(*seed: int, device: str = "cpu") -> torch.Generator:
    """A random generator that depends on the numbers alone, in their order."""
    state = 0
    for number in seed:
        state = (state * 6364136223846793005 + number + 1442695040888963407) % 2**63
    return torch.Generator(device=device).manual_seed(state)


def blur(volume: torch.Tensor, *, fwhm_mm: Sequence[float], spacing_mm: Sequence[float]) -> torch.Tensor:
    """Convolve the last axes with a Gaussian that integrates each voxel; sums are kept but for what leaves the edges.

    Args:
        volume: float32, at least as many axes as `fwhm_mm` has.
        fwhm_mm: of each of the last axes; 0 leaves an axis as it is.
        spacing_mm: of the same axes.
    """
    first = volume.ndim - len(fwhm_mm)
    for axis, (fwhm, spacing) in enumerate(zip(fwhm_mm, spacing_mm, strict=True), start=first):
        sigma = fwhm / FWHM_PER_SIGMA / spacing
        if sigma > 0:
            volume = _along(volume, axis=axis, sigma=sigma)
    return volume


def _along(volume: torch.Tensor, *, axis: int, sigma: float) -> torch.Tensor:
    reach = max(1, math.ceil(_REACH_SIGMA * sigma))
    edges = torch.arange(-reach, reach + 2, dtype=torch.float64) - 0.5
    cumulative = 0.5 * (1.0 + torch.erf(edges / (sigma * math.sqrt(2.0))))
    kernel = cumulative.diff()
    kernel = (kernel / kernel.sum()).to(volume.dtype).to(volume.device)
    moved = volume.movedim(axis, -1)
    rows = moved.reshape(-1, 1, moved.shape[-1])
    done = functional.conv1d(rows, kernel.reshape(1, 1, -1), padding=reach)
    return done.reshape(moved.shape).movedim(-1, axis).contiguous()


def poisson(expected: torch.Tensor, *, random: torch.Generator) -> torch.Tensor:
    """Counts with these expected values; negative expectations count as none."""
    return torch.poisson(expected.clamp_min(0.0), generator=random)
