"""Candidates of abnormal marrow on an ADC map, by published ADC ranges inside a region of bone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from operators.kernels.components import components, minimum_voxels
from operators.kernels.orientation import PatientAxes

METHOD = "MRI_ADC_655_1400_V2"


@dataclass(frozen=True, kw_only=True, slots=True)
class MarrowLimits:
    """Above the lower ADC limit marrow is abnormal (Messiou 2011), under the upper one viable tumour (MET-RADS-P).

    The rest are conventions of this project. The map is averaged over `smoothing_mm` (standard deviation) before it
    is compared. Around a candidate's voxels `measured_share` of the map have a value: tumour gives signal, fatty
    marrow noise that scanners write as 0.

    With a high b-value image, its signal is `high_b_multiple` times the region's median or more, and the candidate
    runs `minimum_extent_mm` along the patient: a disc's free water is dark there and needs no other rule. On an ADC
    map alone a disc looks like tumour, so that a candidate must run `map_alone_extent_mm`, longer than a disc.
    """

    lowest_um2_s: float
    highest_um2_s: float
    smoothing_mm: float
    measured_share: float
    minimum_ml: float
    minimum_extent_mm: float
    map_alone_extent_mm: float
    high_b_multiple: float

    def __post_init__(self) -> None:
        if not 0.0 < self.lowest_um2_s < self.highest_um2_s:
            raise ValueError("the ADC limits are positive and in order")
        if self.high_b_multiple <= 1.0:
            raise ValueError("tumour is brighter than the region: high_b_multiple lies above 1")


def find_marrow_candidates(
    adc: npt.NDArray[np.float32],
    region: BoolArray,
    geometry: VolumeGeometry,
    *,
    limits: MarrowLimits,
    high_b: npt.NDArray[np.float32] | None = None,
) -> tuple[CroppedMask, ...]:
    """Candidates (slice, row, column) inside the region; voxels without an ADC (0) are in none."""
    measured = adc > 0.0
    smooth = _masked_mean(adc, region & measured, geometry, sd_mm=limits.smoothing_mm)
    share = _masked_mean(measured.astype(np.float32), region, geometry, sd_mm=limits.smoothing_mm)
    raised = region & (smooth >= limits.lowest_um2_s) & (smooth <= limits.highest_um2_s)
    raised &= share >= limits.measured_share
    extent_mm = limits.map_alone_extent_mm
    if high_b is not None:
        extent_mm = limits.minimum_extent_mm
        bright = _masked_mean(high_b, region, geometry, sd_mm=limits.smoothing_mm)
        raised &= bright >= limits.high_b_multiple * float(np.median(high_b[region]))
    least = minimum_voxels(limits.minimum_ml, voxel_volume_ml=geometry.voxel_volume_ml)
    axis = PatientAxes.from_geometry(geometry).axes[0]
    found = []
    for part in components(raised, minimum_voxels=least):
        if part.values.shape[axis] * geometry.spacing_mm[axis] < extent_mm:
            continue
        kept = part.values & measured[part.box]
        if np.count_nonzero(kept) >= least:
            whole = np.zeros(adc.shape, dtype=np.bool_)
            whole[part.box] = kept
            found.append(CroppedMask.from_array(whole))
    return tuple(found)


def _masked_mean(
    values: npt.NDArray[np.float32], mask: BoolArray, geometry: VolumeGeometry, *, sd_mm: float
) -> npt.NDArray[np.float32]:
    """A Gaussian mean of the masked voxels alone, 0 where there is none near."""
    sigma = [sd_mm / spacing for spacing in geometry.spacing_mm]
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(mask, values, 0.0).astype(np.float32), sigma)
    return np.where(weight > 1e-3, total / np.maximum(weight, 1e-3), 0.0).astype(np.float32)
