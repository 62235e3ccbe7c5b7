"""Lesions of two scans in one frame: what overlaps is one group, what is left is assigned to the nearest.

First the graph of lesions that share a voxel: its connected components are groups. Lesions that
share none are then paired one to one, so that all distances together are the least: those not
farther apart than `link_mm` edge to edge first, then those whose centroids lie within `gate_mm`
(Munkres' assignment, not the greedy one: clinical reference 8.2, cases M-1 and M-2).

Two points where the project's rule is stricter than overlap after a dilation of 10 mm [P]:
nearness never makes a split or a merger, since a new lesion often lies beside an old one; and a
lesion in another bone is never paired by nearness. What overlaps is one lesion even where the two
bones' names differ, since names may be off at the border of two bones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from operators.kernels.lesion_matching.contract import Lesion, LesionEvent, LesionGroup, MatchRule, event_of
from operators.kernels.lesion_matching.gaps import Gaps

LESION_MATCH = MatchRule(method="BMNODE_LESION_MATCH_V1", link_mm=10.0, gate_mm=25.0)
"""Distances of the clinical reference, 8.2; the rule itself is the project's."""

Pairs = list[tuple[int, int]]
_Bools = npt.NDArray[np.bool_]


def match_lesions(
    prior: Sequence[Lesion], current: Sequence[Lesion], *, gaps_mm: Gaps, rule: MatchRule = LESION_MATCH
) -> tuple[LesionGroup, ...]:
    """Every lesion of both times in exactly one group, ordered by prior lesion, then by current one.

    `gaps_mm` (prior, current) is the distance edge to edge, 0 where lesions share a voxel, infinite
    where they lie far apart (`gaps.gaps_mm`). Raises ValueError where it has another shape or is
    negative or NaN.
    """
    gaps = np.asarray(gaps_mm, dtype=np.float64)
    if gaps.shape != (len(prior), len(current)) or not (gaps >= 0.0).all():
        raise ValueError("gaps_mm is a table of distances, (prior, current)")
    links = gaps == 0.0
    allowed = _may_share_a_bone(prior, current)
    for costs, limit in ((gaps, rule.link_mm), (_distances(prior, current), rule.gate_mm)):
        free = allowed & ~links.any(axis=1)[:, None] & ~links.any(axis=0)[None, :]
        for before, now in assign(np.where(free, costs, np.inf), limit=limit):
            links[before, now] = True
    groups = [_group(*members, prior=prior, current=current) for members in _components(links)]
    return tuple(sorted(groups, key=lambda group: (not group.prior, group.prior, group.current)))


def assign(costs: npt.NDArray[np.float64], *, limit: float) -> Pairs:
    """Pairs (row, column) with the least sum, where a row may stay alone at the cost of `limit`.

    A pair that costs more than the limit is never made.
    """
    rows, columns = costs.shape
    never = (limit + 1.0) * (min(rows, columns) + 1)  # dearer than leaving all alone
    alone = np.full((rows, rows), never)
    np.fill_diagonal(alone, limit)
    table = np.hstack([np.where(costs <= limit, costs, never), alone])
    chosen = zip(*linear_sum_assignment(table), strict=True)
    return [(int(row), int(column)) for row, column in chosen if column < columns and costs[row, column] <= limit]


def _may_share_a_bone(prior: Sequence[Lesion], current: Sequence[Lesion]) -> _Bools:
    """Whether two lesions lie in one bone, as far as is known."""
    return np.array(
        [[None in (before.bone, now.bone) or before.bone == now.bone for now in current] for before in prior],
        dtype=np.bool_,
    ).reshape(len(prior), len(current))


def _distances(prior: Sequence[Lesion], current: Sequence[Lesion]) -> npt.NDArray[np.float64]:
    """Distance of centroids in mm, (prior, current)."""
    before = np.array([lesion.centroid_mm for lesion in prior]).reshape(-1, 1, 3)
    now = np.array([lesion.centroid_mm for lesion in current]).reshape(1, -1, 3)
    return np.asarray(np.linalg.norm(before - now, axis=2))


def _components(links: _Bools) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Connected components as (prior lesions, current lesions)."""
    rows, columns = links.shape
    if rows + columns == 0:
        return []
    graph = np.zeros((rows + columns, rows + columns), dtype=np.bool_)
    graph[:rows, rows:] = links
    count, labels = connected_components(csr_array(graph), directed=False)
    return [
        (
            tuple(int(n) for n in np.flatnonzero(labels[:rows] == number)),
            tuple(int(n) for n in np.flatnonzero(labels[rows:] == number)),
        )
        for number in range(count)
    ]


def _group(
    before: tuple[int, ...], now: tuple[int, ...], *, prior: Sequence[Lesion], current: Sequence[Lesion]
) -> LesionGroup:
    alone = [prior[n] for n in before] + [current[n] for n in now]
    event = event_of(len(before), len(now))
    if len(alone) == 1 and not alone[0].shown_by_both:
        event = LesionEvent.NOT_ASSESSABLE
    return LesionGroup(event=event, prior=before, current=now)
