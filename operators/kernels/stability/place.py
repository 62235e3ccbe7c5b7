"""Where a lesion lies beside the spinal canal: in the spine or not, before it or in the posterolateral elements.

A convention of this project (SINS_PLACE_V1): boxes around the canal, no vertebra is segmented.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmnode.domain.geometry import BoolArray
from operators.kernels.morphology import Spacing
from operators.kernels.stability.sins import Posterolateral

METHOD = "SINS_PLACE_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceLimits:
    """How far a vertebra reaches from its canal, mm; a lesion is in the spine where half of it lies so near.

    `posterior_ml` of it beside or behind the canal, on one side, make a posterolateral involvement.
    """

    beside_mm: float
    ahead_mm: float
    behind_mm: float
    posterior_ml: float


def spine_place(
    lesion: BoolArray, canal: BoolArray, *, spacing_mm: Spacing, limits: PlaceLimits
) -> Posterolateral | None:
    """The posterolateral involvement of a lesion in the spine; None where it is not known to lie in the spine.

    Arrays are in patient orientation (z, y to the back, x to the left). Slices without canal tell nothing.
    """
    near, right, left = 0, 0, 0
    for part, hole in zip(lesion, canal, strict=True):
        if not part.any() or not hole.any():
            continue
        rows, columns = np.nonzero(hole)
        y, x = np.nonzero(part)
        beside = (x - columns.mean()) * spacing_mm[2]
        behind = (y - rows.min()) * spacing_mm[1]
        inside = (np.abs(beside) <= limits.beside_mm) & (behind >= -limits.ahead_mm) & (behind <= limits.behind_mm)
        posterior = inside & (behind > 0.0)
        near += int(np.count_nonzero(inside))
        right += int(np.count_nonzero(posterior & (beside < 0.0)))
        left += int(np.count_nonzero(posterior & (beside > 0.0)))
    if near == 0 or 2 * near < np.count_nonzero(lesion):
        return None
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    sides = sum(count * voxel_ml >= limits.posterior_ml for count in (right, left))
    return (Posterolateral.NONE, Posterolateral.UNILATERAL, Posterolateral.BILATERAL)[sides]
