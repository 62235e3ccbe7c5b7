"""Fat in marrow from Dixon images: the signal fat fraction, and the signal lost in opposed phase."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FAT_METHOD = "FAT_FRACTION_SUM_V1"
OPPOSED_METHOD = "OPPOSED_PHASE_SUM_V1"


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

    At 1.5 T marrow that loses less than 20 % (0.80 or more) is suspicious (clinical reference 6); no verdict is drawn.
    """
    total = float(in_phase.sum(dtype=np.float64))
    return None if total <= 0.0 else float(opposed.sum(dtype=np.float64)) / total
