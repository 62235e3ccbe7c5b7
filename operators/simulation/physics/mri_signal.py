"""The signal equations: what a voxel of one tissue gives in each sequence.

All functions take numbers or arrays; times are milliseconds, b-values s/mm2, diffusion
coefficients um2/s. Bernstein, King, Zhou, Handbook of MRI Pulse Sequences (2004), chapters 14 and 17.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def spin_echo(t1_ms: Array, t2_ms: Array, *, tr_ms: float, te_ms: float) -> Array:
    """(1 - exp(-TR/T1)) exp(-TE/T2), for one proton; a turbo factor only sets the effective echo time."""
    return np.asarray((1.0 - np.exp(-tr_ms / t1_ms)) * np.exp(-te_ms / t2_ms))


def inversion_recovery(t1_ms: Array, t2_ms: Array, *, tr_ms: float, te_ms: float, ti_ms: float) -> Array:
    """|1 - 2 exp(-TI/T1) + exp(-TR/T1)| exp(-TE/T2), for one proton."""
    longitudinal = 1.0 - 2.0 * np.exp(-ti_ms / t1_ms) + np.exp(-tr_ms / t1_ms)
    return np.asarray(np.abs(longitudinal) * np.exp(-te_ms / t2_ms))


def nulling_inversion_time_ms(t1_ms: float, *, tr_ms: float) -> float:
    """The inversion time at which a tissue gives no signal: T1 ln(2 / (1 + exp(-TR/T1)))."""
    return t1_ms * math.log(2.0 / (1.0 + math.exp(-tr_ms / t1_ms)))


def diffusion_decay(adc_um2_s: Array, *, b_value: float) -> Array:
    """exp(-b ADC)."""
    return np.asarray(np.exp(-1e-6 * b_value * adc_um2_s))
