"""Lesions of two scans in one frame: what is one for the most part is one group, what is left is assigned.

First the graph of lesions that share half of the smaller one or more, and of which one at least shares as much with no
other: its connected components are groups. Of two with which a lesion shares the same, the one without a better partner
has it. Lesions without such a partner are then paired one to one, so that all costs together are the least: those that
share anything; then parts go to what they are parts of (`parts`); then those not farther apart than `link_mm` edge to
edge, then those whose centroids lie within `gate_mm` (Munkres' assignment, not the greedy one: clinical reference 8.2,
cases M-1 and M-2).

Two points where the project's rule is stricter than overlap after a dilation of 10 mm [P]. Nearness, and touching,
never make a split or a merger: a new lesion often lies beside an old one, and where disease is dense an error of
registration of a voxel makes every lesion touch its neighbours (`bmnode evaluate matching` prints both rules side by
side). And a lesion in another bone is never paired by nearness. What shares half of the smaller is one lesion even
where the two bones' names differ, since names may be off at the border of two bones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from operators.kernels.lesion_matching.contract import Lesion, LesionEvent, LesionGroup, MatchRule, event_of
from operators.kernels.lesion_matching.gaps import Gaps, Shares
from operators.kernels.lesion_matching.parts import with_parts

LESION_MATCH = MatchRule(method="BMNODE_LESION_MATCH_V3", least_share=0.5, link_mm=10.0, gate_mm=25.0, part_share=0.2)
"""Distances of the clinical reference, 8.2; the rule itself is the project's."""

_EQUAL = 1e-6
"""Costs that differ by less are equal."""
_DIRECTION = np.sqrt([2.0, 3.0, 5.0])
"""No two of a few lesions lie at one distance along it."""
Pairs = list[tuple[int, int]]
_Bools = npt.NDArray[np.bool_]


def match_lesions(
    prior: Sequence[Lesion],
    current: Sequence[Lesion],
    *,
    gaps_mm: Gaps,
    shares: Shares,
    rule: MatchRule = LESION_MATCH,
) -> tuple[LesionGroup, ...]:
    """Every lesion of both times in exactly one group, ordered by prior lesion, then by current one.

    `gaps_mm` (prior, current) is the distance edge to edge, 0 where lesions share a voxel, infinite where they lie far
    apart (`gaps.gaps_mm`); `shares` what they share of the smaller one (`gaps.shares_of_smaller`). Raises ValueError
    where one has another shape, is negative or NaN, or a share is above 1.
    """
    gaps, shared = np.asarray(gaps_mm, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if gaps.shape != (len(prior), len(current)) or not (gaps >= 0.0).all():
        raise ValueError("gaps_mm is a table of distances, (prior, current)")
    if shared.shape != gaps.shape or not ((shared >= 0.0) & (shared <= 1.0)).all():
        raise ValueError("shares is a table of shares, (prior, current)")
    allowed = _may_share_a_bone(prior, current)
    links = _best(shared) & (shared >= rule.least_share)
    if rule.dilation_mm > 0.0:
        links |= (gaps <= rule.dilation_mm) & allowed
    ties = _ties(prior, current)
    links = _assigned(links, np.where(shared > 0.0, 1.0 - shared, np.inf), limit=1.0, allowed=allowed, ties=ties)
    if rule.part_share is not None:
        own = np.where(allowed, shared, 0.0)
        links = with_parts(links, shares=own, ties=ties, prior=prior, current=current, least=rule.part_share)
    for costs, limit in ((gaps, rule.link_mm), (_distances(prior, current), rule.gate_mm)):
        links = _assigned(links, costs, limit=limit, allowed=allowed, ties=ties)
    return grouped(links, prior=prior, current=current)


def grouped(links: _Bools, *, prior: Sequence[Lesion], current: Sequence[Lesion]) -> tuple[LesionGroup, ...]:
    """The groups that links (prior, current) make, ordered by prior lesion, then by current one."""
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


def _best(shared: Shares) -> _Bools:
    """Whether nothing shares more with one of the two, and nothing as much, unless it is the best of the other too."""
    found = np.zeros(shared.shape, dtype=np.bool_)
    tops = [shared == shared.max(axis=axis, keepdims=True, initial=0.0) for axis in (1, 0)]
    for axis, top in zip((1, 0), tops, strict=True):
        found |= top & (top.sum(axis=axis, keepdims=True) == 1)
    return np.asarray(found | (tops[0] & tops[1]))


def _assigned(links: _Bools, costs: Shares, *, limit: float, allowed: _Bools, ties: Shares) -> _Bools:
    """The links, and the cheapest pairs of lesions that have none."""
    found = links.copy()
    free = allowed & ~links.any(axis=1, keepdims=True) & ~links.any(axis=0, keepdims=True)
    for before, now in assign(np.where(free & (costs <= limit), costs + ties, np.inf), limit=limit + _EQUAL):
        found[before, now] = True
    return found


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


def _ties(prior: Sequence[Lesion], current: Sequence[Lesion]) -> npt.NDArray[np.float64]:
    """What decides between sums that are equal, (prior, current): the lesions' places, never their numbers or order."""
    before, now = (
        np.array([lesion.centroid_mm for lesion in lesions]).reshape(-1, 3) @ _DIRECTION for lesions in (prior, current)
    )
    return np.asarray(_EQUAL * np.sin(before)[:, None] * np.sin(now)[None, :])


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
