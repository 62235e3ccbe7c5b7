"""Remnants: what lies beside the part that goes on, where a lesion fell apart, or where one grew over another.

A lesion that splits leaves parts at its ends, so that half of a part or more may lie beyond where the lesion was. Such
a part has nothing in common with any other lesion, and would be called new. What tells it from a new lesion that just
touches an old one is the whole [P]: its parts together are no larger than it was, and their common middle lies nearer
to its own than the middle of those known so far. Backwards in time the same holds of lesions that became one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.kernels.lesion_matching.contract import Lesion

Links = npt.NDArray[np.bool_]
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    """A lesion without a partner, and one of the other scan of which it may be a part; places in the tables."""

    share: float
    tie: float
    part: int
    whole: int
    is_prior: bool
    """Whether the part is of the prior scan."""


def with_parts(
    links: Links, *, shares: Shares, ties: Shares, prior: Sequence[Lesion], current: Sequence[Lesion], least: float
) -> Links:
    """The links (prior, current) and those of parts, the part with the largest share first.

    Args:
        links: so far; a lesion with a link is never a part.
        shares: what lesions share of the smaller one, 0 where they may not be one.
        ties: what decides between equal shares.
        prior, current: the lesions; one without a volume is no part and no whole.
        least: a part shares so much, or more.
    """
    found = links.copy()
    for item in sorted(_candidates(links, shares=shares, ties=ties, least=least), key=lambda c: (-c.share, c.tie)):
        table = found.T if item.is_prior else found  # (whole, part)
        wholes, parts = (current, prior) if item.is_prior else (prior, current)
        if table[:, item.part].any():
            continue  # of another one
        known = [parts[number] for number in np.flatnonzero(table[item.whole]).tolist()]
        if _completes(parts[item.part], known, whole=wholes[item.whole]):
            table[item.whole, item.part] = True
    return found


def _candidates(links: Links, *, shares: Shares, ties: Shares, least: float) -> Iterator[_Candidate]:
    """A part has no link, its whole has one."""
    for is_prior in (False, True):
        table, share, tie = (item.T if is_prior else item for item in (links, shares, ties))
        has_link, is_linked = table.any(axis=1, keepdims=True), table.any(axis=0, keepdims=True)
        for whole, part in np.argwhere((share >= least) & has_link & ~is_linked):
            yield _Candidate(
                share=float(share[whole, part]),
                tie=float(tie[whole, part]),
                part=int(part),
                whole=int(whole),
                is_prior=is_prior,
            )


def _completes(part: Lesion, known: Sequence[Lesion], *, whole: Lesion) -> bool:
    """Whether a part makes the known ones look more like the whole, and there is room for it."""
    volumes = [item.volume_ml for item in (*known, part)]
    sizes = np.array([volume for volume in volumes if volume is not None])
    if whole.volume_ml is None or len(sizes) < len(volumes) or sizes.sum() > whole.volume_ml:
        return False
    places = np.array([item.centroid_mm for item in (*known, part)])
    middle = np.asarray(whole.centroid_mm)
    without = np.average(places[:-1], axis=0, weights=sizes[:-1])
    together = np.average(places, axis=0, weights=sizes)
    return bool(np.linalg.norm(together - middle) < np.linalg.norm(without - middle))
