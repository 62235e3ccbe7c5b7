"""Which candidate is which lesion: one to one, by overlap.

A candidate and a lesion may be one thing where they share a voxel. Of all ways to pair them one to one, that
with the most shared voxels is taken [P]. A candidate that overlaps a lesion without a partner left is a part of
something that was found: neither a find nor a false candidate. One that overlaps no lesion is false, also where
it lies on a benign change that was put in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matches:
    """Of lesions 0 ... n-1 and candidates 0 ... m-1.

    Args:
        partner: the candidate of each lesion, or None.
        parts: candidates that overlap a lesion and are nobody's partner.
        false: candidates that overlap no lesion.
    """

    partner: tuple[int | None, ...]
    parts: tuple[int, ...]
    false: tuple[int, ...]

    def __post_init__(self) -> None:
        taken = [item for item in self.partner if item is not None]
        if len(taken) != len(set(taken)) or set(taken) & {*self.parts, *self.false}:
            raise ValueError("a candidate is one lesion's partner, a part, or false")


def match(overlap: IntArray) -> Matches:
    """Pair by the voxels shared (lesion, candidate). Raises ValueError where a number is negative."""
    if overlap.ndim != 2 or (overlap < 0).any():
        raise ValueError("overlap is a table of counts, (lesion, candidate)")
    partner: list[int | None] = [None] * overlap.shape[0]
    for lesion, candidate in zip(*linear_sum_assignment(overlap, maximize=True), strict=True):
        if overlap[lesion, candidate] > 0:
            partner[int(lesion)] = int(candidate)
    alone = [number for number in range(overlap.shape[1]) if number not in partner]
    touching = overlap.sum(axis=0) > 0
    return Matches(
        partner=tuple(partner),
        parts=tuple(number for number in alone if touching[number]),
        false=tuple(number for number in alone if not touching[number]),
    )
