"""SPECT: counts to activity, activity to SUVbw, and the ratio to normal skeleton where neither is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from operators.kernels.decay import decayed

SUV_METHOD = "SPECT_SUV_V1"
RATIO_METHOD = "SPECT_RATIO_V1"


def activity_bq_ml(counts: float, *, acquisition_s: float, sensitivity_cps_bq: float, voxel_volume_ml: float) -> float:
    """Bq/ml from counts of a voxel. Raises ValueError where time, sensitivity or volume is not positive."""
    if min(acquisition_s, sensitivity_cps_bq, voxel_volume_ml) <= 0.0:
        raise ValueError("time, sensitivity and voxel volume are positive")
    return counts / (acquisition_s * sensitivity_cps_bq * voxel_volume_ml)


def suv_factor(*, dose_bq: float, elapsed_s: float, half_life_s: float, weight_kg: float) -> float:
    """What Bq/ml at scan time is multiplied with to give SUVbw: weight in g over the dose decayed to the scan.

    Raises ValueError where dose or weight is not positive or the scan precedes the injection.
    """
    if dose_bq <= 0.0 or weight_kg <= 0.0 or elapsed_s < 0.0:
        raise ValueError("dose and weight are positive, and the scan follows the injection")
    return weight_kg * 1000.0 / decayed(dose_bq, elapsed_s=elapsed_s, half_life_s=half_life_s)


def trimmed_level(values: npt.NDArray[np.floating], *, multiple: float = 2.0, rounds: int = 20) -> float:
    """The normal level of a skeleton: the mean of the values at or under `multiple` times itself, iterated.

    A convention of this project (NORM_TRIM2): starts from the mean of all, ends when the level moves by
    less than a thousandth. Raises ValueError where no value is positive.
    """
    level = float(values.mean(dtype=np.float64)) if values.size else 0.0
    if level <= 0.0:
        raise ValueError("no counts to take a level from")
    for _ in range(rounds):
        kept = values[values <= multiple * level]
        moved = float(kept.mean(dtype=np.float64)) if kept.size else level
        if abs(moved - level) < 1e-3 * level:
            return moved
        level = moved
    return level
