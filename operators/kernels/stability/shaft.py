"""The diameter of a long bone's shaft, against which Mirels' score holds a lesion's size.

A convention of this project (MIRELS_SHAFT_V1): of an axial slice through a bone the smaller axis of the ellipse with
the same second moments, which a shaft that lies oblique keeps; of a bone the lowest tenth of its slices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmnode.domain.geometry import BoolArray
from operators.kernels.components import largest
from operators.kernels.morphology import Spacing

METHOD = "MIRELS_SHAFT_V1"
_TENTH = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class ShaftLimits:
    """When a diameter is believed.

    `end_mm` at each end of the bone that lies in the field are no shaft; `length_mm` between must remain. Its slices
    are rounder than `roundness`, smaller over greater axis: else the bone lies along the slices. The diameter lies
    between `thinnest_mm` and `thickest_mm`.
    """

    end_mm: float
    length_mm: float
    roundness: float
    thinnest_mm: float
    thickest_mm: float

    def __post_init__(self) -> None:
        if not 0.0 < self.thinnest_mm < self.thickest_mm or not 0.0 < self.roundness <= 1.0:
            raise ValueError("a shaft's limits are positive and in order")


def shaft_diameter_mm(bone: BoolArray, *, spacing_mm: Spacing, limits: ShaftLimits) -> float | None:
    """The outer diameter of the shaft of one bone (z, y, x, filled); None where the field shows too little of it.

    Slices that the bone leaves at the image's border are no measure of it.
    """
    whole = largest(bone)
    shown = np.flatnonzero(whole.any(axis=(1, 2)))
    if not shown.size:
        return None
    ends = round(limits.end_mm / spacing_mm[0])
    first = int(shown[0]) + (ends if shown[0] > 0 else 0)
    last = int(shown[-1]) - (ends if shown[-1] < len(whole) - 1 else 0)
    axes = [_axes_mm(part, spacing_mm=spacing_mm) for part in whole[first : last + 1] if not _cut(part)]
    round_ones = [small for small, great in axes if great > 0.0 and small >= limits.roundness * great]
    if len(round_ones) * spacing_mm[0] < limits.length_mm:
        return None
    diameter = float(np.quantile(round_ones, _TENTH))
    return diameter if limits.thinnest_mm <= diameter <= limits.thickest_mm else None


def _cut(part: BoolArray) -> bool:
    return bool(part[[0, -1]].any() or part[:, [0, -1]].any())


def _axes_mm(part: BoolArray, *, spacing_mm: Spacing) -> tuple[float, float]:
    """Both axes of the ellipse with a slice's second moments, those of the pixels themselves included."""
    places = np.argwhere(part) * np.asarray(spacing_mm[1:])
    if len(places) < 2:
        return 0.0, 0.0
    moments = np.cov(places.T, bias=True) + np.diag(np.square(spacing_mm[1:])) / 12.0
    small, great = np.sqrt(np.maximum(np.linalg.eigvalsh(moments), 0.0)) * 4.0
    return float(small), float(great)
