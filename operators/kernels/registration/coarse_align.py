"""By which shifts two images of bone lie on each other: masked normalised cross-correlation of all of them at once.

Padfield, Masked object registration in the Fourier domain, IEEE Trans Image Process 2012;21:2706. What lies beyond
either field counts for nothing, so fields of view may differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

FloatArray = npt.NDArray[np.float64]
Volume = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """An index of `fixed` plus `steps` is the index of `moving` with the same content.

    `correlation` is that of the overlap, `overlap` its voxels, `weight` by how much it stands out of chance: Fisher's
    z of the correlation times the root of the overlap's share of bone.
    """

    steps: tuple[int, int, int]
    correlation: float
    overlap: int
    weight: float


def best_shifts(
    fixed: Volume, moving: Volume, *, valid: tuple[Volume, Volume], least_overlap: float, count: int
) -> tuple[Shift, ...]:
    """Up to `count` shifts of the highest weight that are peaks in their surroundings, the best first.

    Args:
        fixed, moving: bone (z, y, x) on grids of one spacing, 0 where there is none.
        valid: of each, 1 within its field and 0 beyond.
        least_overlap: share of the smaller field's voxels that must lie on the other.
    """
    size = tuple(fft.next_fast_len(a + b - 1, real=True) for a, b in zip(fixed.shape, moving.shape, strict=True))
    correlation, overlap, bone = _maps(fixed, moving, valid, size=(size[0], size[1], size[2]))
    least = max(1.0, least_overlap * float(min(valid[0].sum(), valid[1].sum())))
    allowed = overlap >= least
    weight = np.where(allowed, np.arctanh(np.clip(correlation, -0.999, 0.999)) * np.sqrt(np.maximum(bone, 0.0)), 0.0)
    peaks = (weight == ndimage.maximum_filter(weight, size=3, mode="wrap")) & (weight > 0.0)
    places = np.argwhere(peaks)
    order = np.argsort(-weight[peaks], kind="stable")[:count]
    found = []
    for place in places[order]:
        at = (int(place[0]), int(place[1]), int(place[2]))
        z, y, x = (
            step if step < there else step - whole for step, there, whole in zip(at, moving.shape, size, strict=True)
        )
        found.append(
            Shift(
                steps=(z, y, x),
                correlation=float(correlation[at]),
                overlap=round(float(overlap[at])),
                weight=float(weight[at]),
            )
        )
    return tuple(found)


def _maps(
    fixed: Volume, moving: Volume, valid: tuple[Volume, Volume], *, size: tuple[int, int, int]
) -> tuple[Volume, Volume, Volume]:
    """Correlation, voxels and the fixed image's bone in the overlap, at every shift."""
    a, b = fixed * valid[0], moving * valid[1]
    of_a, of_aa, of_ma = (np.conj(fft.rfftn(part, size)) for part in (a, a * a, valid[0]))
    of_b, of_bb, of_mb = (fft.rfftn(part, size) for part in (b, b * b, valid[1]))

    def back(product: npt.NDArray[np.complexfloating]) -> Volume:
        return np.asarray(fft.irfftn(product, size), dtype=np.float32)

    overlap = np.maximum(np.rint(back(of_ma * of_mb)), 0.0)
    n = np.maximum(overlap, 1.0)
    sum_a, sum_b = back(of_a * of_mb), back(of_ma * of_b)
    varied_a = np.maximum(back(of_aa * of_mb) - sum_a * sum_a / n, 0.0)
    varied_b = np.maximum(back(of_ma * of_bb) - sum_b * sum_b / n, 0.0)
    together = back(of_a * of_b) - sum_a * sum_b / n
    size_of = np.sqrt(varied_a * varied_b)
    floor = 1e-4 * float(np.sqrt(np.sum(a * a) * np.sum(b * b)))
    correlation = np.where(size_of > floor, together / np.maximum(size_of, floor), 0.0)
    return correlation.astype(np.float32), overlap, sum_a
