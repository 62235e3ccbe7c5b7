"""The map of apparent diffusion coefficients, fitted to the images as scanners fit it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

ADC_MAX_UM2_S = 4000.0
LOWEST_B = 50
"""Below it blood in small vessels adds to the decay: such images are left out where two others remain."""
NOISE_CUT = 3.0
"""Voxels whose first signal is below this many standard deviations of the noise have no coefficient: 0."""
_LEAST = 1e-12


def fit_adc(images: torch.Tensor, *, b_values: Sequence[int], noise_sd: float = 0.0) -> torch.Tensor:
    """Least squares of ln S over b: S = S0 exp(-b ADC), in um2/s, clipped to 0 and `ADC_MAX_UM2_S`.

    Args:
        images: float32 (b-value, slice, row, column).
        b_values: s/mm2, at least two different ones, in the order of the images.
        noise_sd: of each image's real part.

    Raises:
        ValueError: fewer than two different b-values.
    """
    if len(set(b_values)) < 2 or len(b_values) != len(images):
        raise ValueError(f"a fit needs an image for each of two or more different b-values, got {tuple(b_values)}")
    kept = [number for number, b in enumerate(b_values) if b >= LOWEST_B]
    if len({b_values[number] for number in kept}) < 2:
        kept = list(range(len(b_values)))
    mean_b = sum(b_values[number] for number in kept) / len(kept)
    spread = sum((b_values[number] - mean_b) ** 2 for number in kept)
    slope = torch.zeros_like(images[0])
    for number in kept:
        slope += images[number].clamp_min(_LEAST).log() * ((b_values[number] - mean_b) / spread)
    first = images[min(kept, key=lambda number: b_values[number])]
    shown = first > max(NOISE_CUT * noise_sd, _LEAST)
    return torch.where(shown, (-1e6 * slope).clamp(0.0, ADC_MAX_UM2_S), torch.zeros_like(slope))
