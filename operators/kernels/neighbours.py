"""`NEIGHBOUR_CORRELATION_V1`: whether an image shows anything at all.

A scanner's resolution is wider than its voxel, and a body wider than both, so that neighbours in any image of a
patient are alike. In noise, in a data set whose rows were mixed up, or in bytes read as another type they are not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

METHOD = "NEIGHBOUR_CORRELATION_V1"


def neighbour_correlation(values: npt.NDArray[np.floating | np.integer]) -> float | None:
    """Pearson's correlation of voxels with their neighbours within the slices, -1 to 1, the lower of both directions.

    Args:
        values: (slice, row, column), or (row, column).

    None where all voxels are equal, or a direction has one voxel alone. Raises ValueError for other dimensions.
    """
    if values.ndim not in (2, 3):
        raise ValueError("an image has two dimensions or three")
    if min(values.shape[-2:]) < 2:
        return None
    numbers = values.astype(np.float64)
    pairs = ((numbers[..., 1:, :], numbers[..., :-1, :]), (numbers[..., :, 1:], numbers[..., :, :-1]))
    found = [_correlation(one.ravel(), other.ravel()) for one, other in pairs]
    return None if None in found else min(value for value in found if value is not None)


def _correlation(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float | None:
    a, b = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip((a @ b) / scale, -1.0, 1.0)) if scale > 0.0 else None
