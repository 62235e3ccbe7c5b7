"""Bladder, kidneys, injection site and what lies beside the skeleton, told by the parts of the body."""

from __future__ import annotations

import numpy as np
import pytest

from operators.kernels.planar_regions.exclusions import LabelledView, label_by_regions, nearest_part, spot_part
from operators.kernels.planar_regions.parts import PART_NUMBERS, PlanarPart
from operators.kernels.scintigraphy import HotSpot
from operators.kernels.scintigraphy_body import Uptake
from pipelines.bone_scan.profile import load

PIXEL = (5.0, 5.0)
RULE = load().region_exclusions


def trunk() -> np.ndarray:
    """Lumbar spine in rows 40 to 69, sacrum below, a hip on either side, forearms far out."""
    parts = np.zeros((150, 100), dtype=np.uint8)
    for part, rows, columns in (
        (PlanarPart.THORACIC_SPINE, (0, 40), (47, 53)),
        (PlanarPart.LUMBAR_SPINE, (40, 70), (47, 53)),
        (PlanarPart.SACRUM, (70, 86), (44, 56)),
        (PlanarPart.PELVIS_RIGHT, (66, 104), (26, 42)),
        (PlanarPart.PELVIS_LEFT, (66, 104), (58, 74)),
        (PlanarPart.FOREARM_RIGHT, (50, 100), (6, 10)),
        (PlanarPart.FOREARM_LEFT, (50, 100), (90, 94)),
    ):
        parts[slice(*rows), slice(*columns)] = PART_NUMBERS[part]
    return parts


def spot(row: int, column: int, size: int = 3) -> HotSpot:
    """A square hot spot."""
    return HotSpot(origin=(row, column), mask=np.ones((size, size), dtype=np.bool_))


def label(*spots: HotSpot, posterior: bool = False, other: float | None = None) -> tuple[Uptake, ...]:
    """Labels on a body that fills the image but for its edge; uptake is 3, that of the other view as given."""
    body = np.zeros((150, 100), dtype=np.bool_)
    body[2:148, 2:98] = True
    uptake = np.full((150, 100), 3.0)
    distance_mm, nearest = nearest_part(trunk(), pixel_mm=PIXEL)
    return label_by_regions(
        LabelledView(
            spots=spots,
            body=body,
            parts=trunk(),
            distance_mm=distance_mm,
            nearest=nearest,
            uptake=uptake,
            other_uptake=None if other is None else np.full((150, 100), other),
            pixel_mm=PIXEL,
            is_posterior=posterior,
        ),
        rule=RULE,
    )


def test_the_largest_spot_below_the_sacrum_is_the_bladder() -> None:
    """Of two in the midline of the pelvis the larger; one on the upper sacrum stays a candidate."""
    labels = label(spot(92, 47, 6), spot(84, 49), spot(71, 49, 5), other=3.0)
    assert labels == (Uptake.BLADDER, Uptake.CANDIDATE, Uptake.CANDIDATE)


def test_a_bladder_is_hot_in_both_views() -> None:
    """What the other view does not show at all is no bladder; without another view place decides."""
    assert label(spot(88, 47, 6), other=1.0) != (Uptake.BLADDER,)
    assert label(spot(88, 47, 6), other=2.0) == (Uptake.BLADDER,)
    assert label(spot(88, 47, 6)) == (Uptake.BLADDER,)


PAIR = (spot(44, 38), spot(46, 60))


@pytest.mark.parametrize(
    ("posterior", "other", "expected"),
    [
        (True, 2.2, Uptake.KIDNEY),
        (True, 2.4, Uptake.OUTSIDE_SKELETON),
        (False, 2.2, Uptake.OUTSIDE_SKELETON),
        (True, None, Uptake.KIDNEY),
    ],
)
def test_kidneys_are_a_pair_that_is_brighter_behind(posterior: bool, other: float | None, expected: Uptake) -> None:
    """Two level spots beside T12 to L3 are kidneys if the posterior counts exceed 1.3 times the anterior ones."""
    assert label(*PAIR, posterior=posterior, other=other) == (expected, expected)


def test_one_alone_or_too_low_is_no_kidney() -> None:
    """A single paraspinal spot, and a pair beside L4, are not kidneys."""
    assert Uptake.KIDNEY not in label(PAIR[0], posterior=True, other=1.0)
    assert Uptake.KIDNEY not in label(spot(62, 40), spot(62, 57), posterior=True, other=1.0)


def test_forearm_and_hip_are_told_apart() -> None:
    """A spot on the forearm may be the injection site; one on the hip bone is a candidate however far out it lies."""
    assert label(spot(70, 7)) == (Uptake.INJECTION_SITE,)
    assert label(spot(80, 26)) == (Uptake.CANDIDATE,)


def test_activity_beside_bone_is_not_counted() -> None:
    """A spot in the body away from every bone, and one outside the body, are set aside under names of their own."""
    assert label(spot(120, 50)) == (Uptake.OUTSIDE_SKELETON,)
    assert label(HotSpot(origin=(70, 0), mask=np.ones((3, 2), dtype=np.bool_))) == (Uptake.OUTSIDE_BODY,)


def test_a_spot_at_the_rim_belongs_to_its_bone() -> None:
    """Within 10 mm of the spine a spot is the spine's; the nearest part names it."""
    assert label(spot(50, 53)) == (Uptake.CANDIDATE,)
    _, nearest = nearest_part(trunk(), pixel_mm=PIXEL)
    assert spot_part(spot(50, 53), nearest) is PlanarPart.LUMBAR_SPINE


def test_without_bones_nothing_is_near() -> None:
    """An empty map names no part."""
    distance, nearest = nearest_part(np.zeros((8, 8), dtype=np.uint8), pixel_mm=PIXEL)
    assert np.isinf(distance).all()
    assert spot_part(spot(2, 2), nearest) is None
