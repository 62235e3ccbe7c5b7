"""Diffusion MR: the ADC map in um2/s, read or fitted, and the high b-value image on its grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bmnode.domain.study import Reason
from operators.graph.contract import NotAssessableError
from operators.kernels.adc import FitLimits, fit_adc, map_scale, noise_sd
from operators.readers.volume import ImageVolume, read_stacks, read_volume


@dataclass(frozen=True, kw_only=True, slots=True)
class MapLimits:
    """Between which values the median of a body's ADC map lies, um2/s (convention of this project)."""

    lowest_median_um2_s: float
    highest_median_um2_s: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AdcVolume:
    """ADC in um2/s, 0 where it is not known.

    `fitted` tells that it was computed here, `b_values` from which, `excluded_count` how many voxels
    could not be; `scale` what the map's stored values were multiplied with.
    """

    volume: ImageVolume
    fitted: bool
    b_values: tuple[float, ...] = ()
    scale: float = 1.0
    excluded_count: int = 0


def read_adc_map(files: Sequence[Path], *, limits: MapLimits) -> AdcVolume:
    """A scanner's ADC map in um2/s.

    Raises NotAssessableError: missing_calibration where its unit is not plausible, and whatever `read_volume` raises.
    """
    volume = read_volume(files)
    scale = map_scale(volume.array, lowest_um2_s=limits.lowest_median_um2_s, highest_um2_s=limits.highest_median_um2_s)
    if scale is None:
        raise NotAssessableError(
            Reason.MISSING_CALIBRATION, "The values of the ADC map fit none of the units that scanners use."
        )
    np.maximum(volume.array, 0.0, out=volume.array)
    if scale != 1.0:
        volume.array[...] *= np.float32(scale)
    return AdcVolume(volume=volume, fitted=False, scale=scale)


def read_b_values(series: Sequence[Sequence[Path]]) -> Mapping[float, ImageVolume]:
    """One volume a b-value, from all series on the grid of the first; directions of one b-value are averaged.

    Series on another grid and images without a b-value are left out. Raises as `read_stacks`.
    """
    gathered: dict[float, list[ImageVolume]] = {}
    first: ImageVolume | None = None
    for files in series:
        for stack in read_stacks(files):
            if stack.b_value is None:
                continue
            first = first or stack
            if stack.geometry.is_same_grid(first.geometry, tolerance_mm=0.1):
                gathered.setdefault(stack.b_value, []).append(stack)
    return {b: _averaged(stacks) for b, stacks in sorted(gathered.items())}


def _averaged(stacks: Sequence[ImageVolume]) -> ImageVolume:
    if len(stacks) == 1:
        return stacks[0]
    total = np.zeros(stacks[0].array.shape, dtype=np.float32)
    for stack in stacks:
        total += stack.array / np.float32(len(stacks))
    return replace(stacks[0], array=total)


def fit_adc_map(by_b: Mapping[float, ImageVolume], *, limits: FitLimits) -> AdcVolume:
    """ADC from the b-values. Raises NotAssessableError (missing_diffusion) where there are fewer than two.

    Where only one b-value reaches the limit that suppresses perfusion, all are used.
    """
    used = [b for b in by_b if b >= limits.minimum_b]
    if len(used) < 2:
        used = list(by_b)
    if len(used) < 2:
        raise NotAssessableError(
            Reason.MISSING_DIFFUSION, "The diffusion series holds fewer than two b-values and no ADC map."
        )
    first = by_b[used[0]]
    fit = fit_adc(
        [by_b[b].array for b in used],
        b_values=used,
        noise_sd=noise_sd(by_b[used[-1]].array),
        limits=replace(limits, minimum_b=min(used)),
    )
    return AdcVolume(
        volume=replace(first, array=fit.adc), fitted=True, b_values=tuple(used), excluded_count=fit.excluded_count
    )
