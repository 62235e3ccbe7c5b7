"""Radioactive decay: half-lives, decayed doses, means over a frame."""

from __future__ import annotations

import math
from collections.abc import Mapping

HALF_LIFE_S: Mapping[str, float] = {
    "C-11": 1223.4,
    "N-13": 597.9,
    "O-15": 122.24,
    "F-18": 6586.2,
    "Cu-64": 45723.6,
    "Ga-68": 4057.7,
    "Ge-68": 23_410_080.0,
    "Rb-82": 76.4,
    "Zr-89": 282_276.0,
    "Tc-99m": 21624.1,
    "In-111": 242_326.0,
    "I-123": 47_604.0,
    "Lu-177": 574_300.0,
}
"""Physical half-lives in seconds; F-18 as the IBSI reference objects state it, Tc-99m 6.0067 h."""


def decay_constant(half_life_s: float) -> float:
    """ln 2 over the half-life, 1/s. Raises ValueError where the half-life is not positive."""
    if not half_life_s > 0.0:
        raise ValueError("a half-life is positive")
    return math.log(2.0) / half_life_s


def decayed(activity: float, *, elapsed_s: float, half_life_s: float) -> float:
    """The activity after `elapsed_s` (negative: before), in the unit given."""
    return activity * math.exp(-decay_constant(half_life_s) * elapsed_s)


def frame_decay_factor(*, duration_s: float, half_life_s: float) -> float:
    """Activity at the frame's start over its mean during the frame: lambda T / (1 - exp(-lambda T))."""
    exponent = decay_constant(half_life_s) * duration_s
    return 1.0 if exponent == 0.0 else exponent / -math.expm1(-exponent)


def mean_activity_time_s(*, duration_s: float, half_life_s: float) -> float:
    """When, after the frame's start, the activity equals its mean: ln(lambda T / (1 - exp(-lambda T))) / lambda."""
    factor = frame_decay_factor(duration_s=duration_s, half_life_s=half_life_s)
    return math.log(factor) / decay_constant(half_life_s)


def net_injected_dose(
    measured_before: float, *, minutes_before: float, residual: float, minutes_after: float, half_life_s: float
) -> float:
    """The dose in the patient at injection: syringe before minus residual after, both carried to the injection.

    Activities in one unit; minutes counted away from the injection.
    """
    before = decayed(measured_before, elapsed_s=minutes_before * 60.0, half_life_s=half_life_s)
    after = decayed(residual, elapsed_s=-minutes_after * 60.0, half_life_s=half_life_s)
    return before - after
