"""`NETWORK_SPOTS_V1`: candidates from a network's output on a planar view, beside what place alone sets aside [P].

Arrays are (row, column), head up, in the view's own orientation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray
from operators.kernels.planar_regions.parts import NUMBERED_PARTS, PartMap
from operators.kernels.scintigraphy import NORMALISED_LEVEL, HotSpot, hot_spots
from operators.kernels.scintigraphy_body import Uptake

METHOD = "NETWORK_SPOTS_V1"
Output = npt.NDArray[np.float32]
LabelledSpot = tuple[HotSpot, Uptake]

_OVER_THE_NETWORK = frozenset({Uptake.BLADDER, Uptake.KIDNEY, Uptake.INJECTION_SITE, Uptake.OUTSIDE_BODY})
"""Told by place and by both views: a network that calls one of these a metastasis is not followed."""


def network_spots(output: Output, *, level: float, minimum_size: int) -> tuple[HotSpot, ...]:
    """8-connected regions where the output exceeds `level`, holes filled, largest first.

    Args:
        output: for a metastasis, between 0 and 1.
        level: above 0, below 1.
        minimum_size: regions of fewer pixels are dropped.
    """
    scaled = output.astype(np.float64) * NORMALISED_LEVEL
    return hot_spots(scaled, thresholds=np.full(output.shape, level), peak_factor=1.0, minimum_size=minimum_size)


def beside_place(
    found: Sequence[HotSpot], ruled: Sequence[LabelledSpot], *, shape: tuple[int, int]
) -> tuple[tuple[HotSpot, ...], tuple[LabelledSpot, ...]]:
    """The network's spots that stay candidates, and the rules' spots that stay set aside; no pixel is in both.

    A network's spot that touches bladder, kidney, injection site or what lies outside the body is left to the rules.
    Activity that the rules set aside as beside the skeleton is given up where a remaining spot of the network touches
    it. What the rules take for a candidate does not count: the network was asked instead.
    """
    firm = [(spot, uptake) for spot, uptake in ruled if uptake in _OVER_THE_NETWORK]
    taken = _pixels([spot for spot, _ in firm], shape)
    kept = tuple(spot for spot in found if not (taken[spot.box] & spot.mask).any())
    called = _pixels(kept, shape)
    loose = [
        (spot, uptake)
        for spot, uptake in ruled
        if uptake is Uptake.OUTSIDE_SKELETON and not (called[spot.box] & spot.mask).any()
    ]
    return kept, (*firm, *loose)


def highest(output: Output, spot: HotSpot) -> float:
    """The largest output among a spot's pixels, 0 to 1."""
    return float(output[spot.box][spot.mask].max())


def same_side_share(one: PartMap, other: PartMap) -> float | None:
    """Of the pixels that both maps give to a paired bone, the share with the same side; None where there are none.

    Raises ValueError where the maps differ in shape.
    """
    if one.shape != other.shape:
        raise ValueError("two part maps of one view have one shape")
    first, second = _SIDE[one], _SIDE[other]
    both = (first != 0) & (second != 0)
    return float(np.mean(first[both] == second[both])) if both.any() else None


def _pixels(spots: Sequence[HotSpot], shape: tuple[int, int]) -> BoolArray:
    mask = np.zeros(shape, dtype=np.bool_)
    for spot in spots:
        mask[spot.box] |= spot.mask
    return mask


_SIDE = np.zeros(256, dtype=np.int8)
for _number, _part in NUMBERED_PARTS.items():
    _SIDE[_number] = 1 if _part.is_left else -1 if _part.is_right else 0
"""Of every part number: 1 left, -1 right, 0 on the midline or no bone."""
