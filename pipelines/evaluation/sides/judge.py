"""Found parts against true ones: sides and order, whatever the overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bmnode.domain.geometry import BoolArray
from bmnode.domain.models import SidesReport
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap, PlanarPart

NAMED_MIN, RIGHT_SIDE_MIN = 0.5, 0.98
"""Shares that a model must reach [P]. A region that is badly drawn is no danger here; one on the wrong side is."""
_ORDER = (("skull",), ("pelvis_left", "pelvis_right"), ("lower_leg_left", "lower_leg_right"))


def judge(truth: Sequence[PartMap], found: Sequence[PartMap]) -> SidesReport:
    """Both views, each (row, column), head up. Raises ValueError where a view's truth has no paired bone."""
    sided = named = right = 0
    for true, seen in zip(truth, found, strict=True):
        true_left, true_right = _side(true, is_left=True), _side(true, is_left=False)
        if not (true_left.any() and true_right.any()):
            raise ValueError("the true parts have no left or no right")
        left, other = _side(seen, is_left=True), _side(seen, is_left=False)
        sided += int((true_left | true_right).sum())
        named += int(((true_left | true_right) & (left | other)).sum())
        right += int(((true_left & left) | (true_right & other)).sum())
    named_share, right_share = named / sided, right / named if named else None
    upright = all(_is_upright(seen) for seen in found)
    problems = []
    if named_share < NAMED_MIN:
        problems.append(f"{named_share:.0%} of the paired bones are found; {NAMED_MIN:.0%} are needed to judge sides")
    if right_share is not None and right_share < RIGHT_SIDE_MIN:
        problems.append(f"{right_share:.1%} of them have the right side; {RIGHT_SIDE_MIN:.0%} are needed")
    if not upright:
        problems.append("head, pelvis and legs are not found in this order from the top")
    return SidesReport(
        named_share=named_share, right_side_share=right_share, is_upright=upright, problems=tuple(problems)
    )


def _side(parts: PartMap, *, is_left: bool) -> BoolArray:
    numbers = [number for part, number in PART_NUMBERS.items() if (part.is_left if is_left else part.is_right)]
    return np.isin(parts, numbers)


def _is_upright(parts: PartMap) -> bool:
    rows = []
    for names in _ORDER:
        at = np.nonzero(np.isin(parts, [PART_NUMBERS[PlanarPart(name)] for name in names]))[0]
        if not at.size:
            return False
        rows.append(float(np.median(at)))
    return rows == sorted(set(rows))
