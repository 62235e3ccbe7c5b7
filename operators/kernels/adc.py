"""Apparent diffusion coefficients, um2/s: the fit from several b-values, and whether a map is in that unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray

FIT_METHOD = "ADC_LSQ_LOG_V1"
_UNITS_UM2 = 1e6
"""1 mm2/s is 10^6 um2/s; b-values are in s/mm2."""
_SCALES = (1.0, 1e-3, 1e3, 1e6)
"""Stored units met in practice, as factors to um2/s: um2/s, 10^-3 of it, 10^-3 mm2/s, mm2/s."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AdcFit:
    """ADC in um2/s (0 where excluded), S0 in the signal's unit, and which voxels were fitted."""

    adc: npt.NDArray[np.float32]
    s0: npt.NDArray[np.float32]
    valid: BoolArray
    excluded_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FitLimits:
    """`minimum_b` suppresses perfusion; voxels outside the ADC range or under the noise floor are excluded."""

    minimum_b: float = 50.0
    noise_multiple: float = 3.0
    highest_adc: float = 4000.0


def fit_adc(
    signals: Sequence[npt.NDArray[np.floating]], *, b_values: Sequence[float], noise_sd: float, limits: FitLimits
) -> AdcFit:
    """Least squares of ln S over b, for every voxel of equally shaped signals.

    Excluded are voxels with a signal at or under `noise_multiple` times the noise, a signal that rises
    with b, or an ADC outside 0 to `highest_adc`. Raises ValueError with fewer than two b-values of
    `minimum_b` or more.
    """
    chosen = sorted((b, index) for index, b in enumerate(b_values) if b >= limits.minimum_b)
    if len({b for b, _ in chosen}) < 2:
        raise ValueError("an ADC needs two different b-values")
    b = np.asarray([value for value, _ in chosen], dtype=np.float64)
    weights = (b - b.mean()) / np.sum((b - b.mean()) ** 2)
    shape = signals[0].shape
    slope, mean_log = np.zeros(shape), np.zeros(shape)
    valid, previous = np.ones(shape, dtype=np.bool_), None
    for weight, (_value, index) in zip(weights, chosen, strict=True):
        signal = signals[index]
        valid &= signal > max(limits.noise_multiple * noise_sd, 0.0)
        if previous is not None:
            valid &= signal <= previous
        logarithm = np.log(np.maximum(signal, 1e-6).astype(np.float64))
        slope += weight * logarithm
        mean_log += logarithm / len(b)
        previous = signal
    adc = -slope * _UNITS_UM2
    valid &= (adc >= 0.0) & (adc <= limits.highest_adc)
    s0 = np.exp(mean_log - slope * b.mean())
    return AdcFit(
        adc=np.where(valid, adc, 0.0).astype(np.float32),
        s0=np.where(valid, s0, 0.0).astype(np.float32),
        valid=valid,
        excluded_count=int(np.count_nonzero(~valid)),
    )


def map_scale(array: npt.NDArray[np.floating], *, lowest_um2_s: float, highest_um2_s: float) -> float | None:
    """The factor that brings an ADC map to um2/s, or None where none is plausible.

    Tissue of a body has a median ADC between the two limits; the four units met in practice lie a
    thousandfold apart, so that at most one of them fits. Zero voxels are background.
    """
    values = array[array > 0]
    if values.size == 0:
        return None
    median = float(np.median(values))
    return next((scale for scale in _SCALES if lowest_um2_s <= median * scale <= highest_um2_s), None)


def noise_sd(signal: npt.NDArray[np.floating], *, edge_share: float = 0.05) -> float:
    """Noise of a magnitude image from the corners of its slices: their root mean square over sqrt 2 (Rayleigh).

    0 where the corners hold nothing, as after a scanner's masking.
    """
    rows, columns = (max(2, int(size * edge_share)) for size in signal.shape[1:])
    corners = [
        signal[:, row, column]
        for row in (slice(0, rows), slice(-rows, None))
        for column in (slice(0, columns), slice(-columns, None))
    ]
    squares = np.concatenate([corner.ravel() for corner in corners]).astype(np.float64) ** 2
    return float(np.sqrt(np.median(squares) / (2.0 * np.log(2.0))))
