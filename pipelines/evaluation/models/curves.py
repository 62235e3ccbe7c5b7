"""Figures of detection and agreement with their intervals, each from its published definition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from bmnode.domain.evaluations import Interval
from bmnode.domain.model_evaluations import ModelFigure
from pipelines.evaluation.agreement import CONFIDENCE, wilson


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """All candidates of one kind of view over a cohort.

    Args:
        hits: the score of the candidate that found each lesion; None of one that nobody found.
        false: the scores of the candidates that touch no lesion.
        views: how many were searched.
    """

    hits: tuple[float | None, ...]
    false: tuple[float, ...]
    views: int


def sensitivity_at(detection: Detection, *, most_false: float) -> ModelFigure:
    """The highest sensitivity with at most `most_false` false candidates a view (free-response operating
    characteristic: Bunch et al., Proc SPIE 1977;127:124), over levels of the score that candidates have.

    The interval is Wilson's and takes lesions for independent of each other. No value without a lesion or a view.
    """
    if not detection.hits or detection.views == 0:
        return ModelFigure(value=None, interval=None, n=len(detection.hits))
    scores = [score for score in detection.hits if score is not None]
    allowed = math.floor(most_false * detection.views + 1e-9)
    false = sorted(detection.false, reverse=True)
    # With one false candidate more than is allowed, everything up to that one's score is given up.
    limit = -math.inf if len(false) <= allowed else false[allowed]
    found = sum(score > limit for score in scores)
    return ModelFigure(
        value=found / len(detection.hits),
        interval=wilson(found, len(detection.hits)),
        n=len(detection.hits),
    )


def area_under_curve(diseased: Sequence[float], healthy: Sequence[float]) -> ModelFigure:
    """The chance that a diseased patient scores above a healthy one, ties as one half (Hanley and McNeil, Radiology
    1982;143:29), with their interval; none where the area is 0 or 1, of which their formula knows no spread.
    """
    n = len(diseased) + len(healthy)
    if not diseased or not healthy:
        return ModelFigure(value=None, interval=None, n=n)
    one, other = np.asarray(diseased, dtype=np.float64)[:, None], np.asarray(healthy, dtype=np.float64)[None]
    area = float(np.mean((one > other) + 0.5 * (one == other)))
    return ModelFigure(value=area, interval=_of_area(area, len(diseased), len(healthy)), n=n)


def _of_area(area: float, diseased: int, healthy: int) -> Interval | None:
    if area in (0.0, 1.0):
        return None
    first, second = area / (2.0 - area), 2.0 * area**2 / (1.0 + area)
    spread = area * (1.0 - area) + (diseased - 1) * (first - area**2) + (healthy - 1) * (second - area**2)
    half = float(stats.norm.ppf(0.5 + CONFIDENCE / 2.0)) * math.sqrt(spread / (diseased * healthy))
    return max(0.0, area - half), min(1.0, area + half)


def correlation(pairs: Sequence[tuple[float, float]]) -> ModelFigure:
    """Pearson's r with the interval of Fisher's z (Metron 1921;1:3), which needs four pairs; no value below three pairs
    or where one side does not vary.
    """
    values = np.asarray(pairs, dtype=np.float64).reshape(-1, 2)
    if len(values) < 3 or bool((values.std(axis=0) == 0.0).any()):
        return ModelFigure(value=None, interval=None, n=len(values))
    r = float(np.clip(stats.pearsonr(values[:, 0], values[:, 1]).statistic, -1.0, 1.0))
    if len(values) < 4 or abs(r) == 1.0:
        return ModelFigure(value=r, interval=None, n=len(values))
    half = float(stats.norm.ppf(0.5 + CONFIDENCE / 2.0)) / math.sqrt(len(values) - 3)
    z = math.atanh(r)
    return ModelFigure(value=r, interval=(math.tanh(z - half), math.tanh(z + half)), n=len(values))


def mean(values: Sequence[float]) -> ModelFigure:
    """The mean with Student's interval, which needs two values; no value of none."""
    data: npt.NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    if not data.size:
        return ModelFigure(value=None, interval=None, n=0)
    middle = float(data.mean())
    if data.size == 1:
        return ModelFigure(value=middle, interval=None, n=1)
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2.0, data.size - 1)) * float(data.std(ddof=1)) / math.sqrt(data.size)
    return ModelFigure(value=middle, interval=(middle - half, middle + half), n=int(data.size))
