"""Fat in marrow from Dixon images: the signal fat fraction, and the signal lost in opposed phase."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FAT_METHOD = "FAT_FRACTION_SUM_V1"
OPPOSED_METHOD = "OPPOSED_PHASE_SUM_V1"
SUSPICIOUS_RATIO = 0.80
"""At 1.5 T, this and more: marrow that loses less than a fifth of its signal (clinical reference 6)."""
_FIELD_T, _FIELD_SPREAD_T = 1.5, 0.15
"""The field that the limit holds for; scanners state it rounded."""


def fat_fraction(fat: npt.NDArray[np.floating], water: npt.NDArray[np.floating]) -> float | None:
    """F / (F + W) of a region, 0 to 1, from the sums of both signals over its voxels; None without signal.

    The sums weigh voxels by their signal, so that noise where there is none does not count. It is a signal fat
    fraction: without correction for T1 and T2* it is not the proton density fat fraction (clinical reference 6).
    Negative values count as 0.
    """
    fat_sum, water_sum = (float(np.maximum(part, 0.0).sum(dtype=np.float64)) for part in (fat, water))
    return None if fat_sum + water_sum <= 0.0 else fat_sum / (fat_sum + water_sum)


def opposed_ratio(opposed: npt.NDArray[np.floating], in_phase: npt.NDArray[np.floating]) -> float | None:
    """Signal in opposed phase over that in phase of a region, from the sums over its voxels; None without signal.

    What it means at 1.5 T is `is_suspicious`'s; the branch reports the ratio and draws no verdict.
    """
    total = float(in_phase.sum(dtype=np.float64))
    return None if total <= 0.0 else float(opposed.sum(dtype=np.float64)) / total


def is_suspicious(ratio: float, *, field_t: float) -> bool | None:
    """Whether marrow with this ratio is suspicious of replacement; the limit itself is [P]. None but at 1.5 T.

    At other field strengths fat and water part at another rate, and echo times differ: the limit was not found there.
    """
    if not math.isclose(field_t, _FIELD_T, abs_tol=_FIELD_SPREAD_T):
        return None
    return ratio >= SUSPICIOUS_RATIO or math.isclose(ratio, SUSPICIOUS_RATIO, rel_tol=1e-9)
