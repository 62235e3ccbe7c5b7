"""Bias and limits of agreement of paired values.

Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of clinical
measurement. Lancet 1986;1:307-310; the confidence intervals of the limits after the same authors,
Measuring agreement in method comparison studies, Stat Methods Med Res 1999;8:135-160.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from bmnode.domain.evaluations import Agreement, Interval

LIMITS_SD = 1.96
"""Half width of the limits of agreement, in standard deviations of the differences."""
CONFIDENCE = 0.95


def agreement(differences: Sequence[float]) -> Agreement | None:
    """The agreement of these differences; None of none. Raises ValueError where one is not finite."""
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if not np.isfinite(values).all():
        raise ValueError("a difference is finite; what is not evaluable is counted apart")
    if n == 0:
        return None
    bias, median = float(values.mean()), float(np.median(values))
    if n == 1:
        return Agreement(n=1, bias=bias, median=median)
    sd = float(values.std(ddof=1))
    t = float(stats.t.ppf(0.5 + CONFIDENCE / 2.0, n - 1))
    low, high = bias - LIMITS_SD * sd, bias + LIMITS_SD * sd
    of_bias = t * sd / math.sqrt(n)
    of_limit = t * sd * math.sqrt(1.0 / n + LIMITS_SD**2 / (2.0 * (n - 1)))
    return Agreement(
        n=n,
        bias=bias,
        median=median,
        sd=sd,
        limits=(low, high),
        bias_interval=(bias - of_bias, bias + of_bias),
        low_limit_interval=(low - of_limit, low + of_limit),
        high_limit_interval=(high - of_limit, high + of_limit),
    )


def differences(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """Measured minus true of (measured, true)."""
    return [measured - true for measured, true in pairs]


def percent_differences(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """The same in per cent of the true value. Raises ValueError where a true value is not above zero."""
    if any(true <= 0.0 for _, true in pairs):
        raise ValueError("a difference in per cent needs a true value above zero")
    return [100.0 * (measured - true) / true for measured, true in pairs]


def wilson(successes: int, trials: int) -> Interval | None:
    """The 95 % score interval of a share (Wilson, J Am Stat Assoc 1927;22:209); None without trials.

    Raises ValueError where there are more successes than trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share")
    if trials == 0:
        return None
    z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2.0))
    share = successes / trials
    middle = (share + z * z / (2.0 * trials)) / (1.0 + z * z / trials)
    half = z / (1.0 + z * z / trials) * math.sqrt(share * (1.0 - share) / trials + z * z / (4.0 * trials**2))
    return max(0.0, middle - half), min(1.0, middle + half)
