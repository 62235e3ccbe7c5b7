"""Normalisation, hot spots, zones: the worked cases of the clinical reference and cases of known truth."""

from __future__ import annotations

import numpy as np
import pytest

from operators.kernels.scintigraphy import (
    BodyRule,
    HotSpot,
    SkeletonRule,
    TrimRule,
    body_mask,
    hot_spots,
    minimum_pixels,
    normal_level,
    skeleton_mask,
)
from operators.kernels.scintigraphy_body import (
    BodyFrame,
    ExclusionRule,
    ThresholdMap,
    Uptake,
    Zone,
    body_frame,
    label_uptake,
)
from pipelines.bone_scan.profile import load

TRIM = TrimRule(trim=2.0, tolerance=1e-3, max_iterations=20)
PIXEL = (2.4, 2.4)
RULE: ExclusionRule = load().exclusions
BODY: BodyRule = load().body
SKELETON: SkeletonRule = load().skeleton


def values(*pairs: tuple[int, float]) -> np.ndarray:
    """So many pixels of each value."""
    return np.concatenate([np.full(count, value) for count, value in pairs])


def test_norm_1() -> None:
    """NORM-1: 90 pixels of 100 and 10 of 500 normalise to 100, scale 10."""
    level = normal_level(values((90, 100.0), (10, 500.0)), rule=TRIM)
    assert level is not None
    assert level.counts_per_pixel == pytest.approx(100.0)
    assert level.scale == pytest.approx(10.0)
    assert level.pixels == 90


def test_norm_2() -> None:
    """NORM-2: three levels of uptake and hot pixels normalise to 135.5556, scale 7.377049."""
    level = normal_level(values((60, 100.0), (20, 180.0), (10, 260.0), (10, 900.0)), rule=TRIM)
    assert level is not None
    assert level.counts_per_pixel == pytest.approx(135.555556, abs=1e-6)
    assert level.scale == pytest.approx(7.377049, abs=1e-6)


def test_no_level_without_counts() -> None:
    """Nothing, and nothing but zeros, have no normal level."""
    assert normal_level([], rule=TRIM) is None
    assert normal_level(np.zeros(5), rule=TRIM) is None


def test_normal_level_follows_the_counts() -> None:
    """Twice the counts give twice the level, so ratios do not depend on dose or time."""
    data = np.random.default_rng(1).poisson(40, 5000).astype(float)
    one, two = normal_level(data, rule=TRIM), normal_level(2 * data, rule=TRIM)
    assert one is not None
    assert two is not None
    assert two.counts_per_pixel == pytest.approx(2 * one.counts_per_pixel)


def find(image: np.ndarray, *, threshold: float = 2.0, peak: float = 1.0, size: int = 4) -> tuple[HotSpot, ...]:
    """Hot spots with one threshold everywhere."""
    return hot_spots(image, thresholds=np.full(image.shape, threshold), peak_factor=peak, minimum_size=size)


def test_hot_spots_are_8_connected_and_large_enough() -> None:
    """Pixels that touch by a corner are one hot spot; three pixels are none."""
    image = np.full((12, 12), 1000.0)
    for row in range(4):
        image[row, row] = 3000.0
    image[8, 8:11] = 9000.0
    (spot,) = find(image)
    assert spot.pixel_count == 4
    assert spot.origin == (0, 0)


def test_hole_belongs_to_its_hot_spot() -> None:
    """A cold pixel inside a hot ring is part of the hot spot, so that one outline is exact."""
    image = np.full((7, 7), 1000.0)
    image[2:5, 2:5] = 3000.0
    image[3, 3] = 0.0
    (spot,) = find(image)
    assert spot.pixel_count == 9


def test_bone_about_the_threshold_is_no_hot_spot() -> None:
    """A region that nowhere exceeds the peak factor is dropped, one that does is kept whole."""
    image = np.full((10, 20), 1000.0)
    image[2:6, 2:6] = 2100.0
    image[2:6, 12:16] = 2100.0
    image[3, 13] = 2500.0
    (spot,) = find(image, peak=1.2)
    assert spot.origin == (2, 12)
    assert spot.pixel_count == 16


def test_minimum_size_scales_with_the_pixel() -> None:
    """Four pixels at 2.4 mm are sixteen at 1.2 mm and one at 4.8 mm."""
    assert [minimum_pixels(23.04, pixel_mm=(size, size)) for size in (2.4, 1.2, 4.8)] == [4, 16, 1]


def test_contrast_finds_bone_in_soft_tissue() -> None:
    """Bars that stand out from a body are bone; the body between them and the background are not."""
    rng = np.random.default_rng(2)
    mean = np.full((300, 120), 0.2)
    mean[20:280, 20:100] = 15.0
    mean[30:270, 56:62] = 45.0
    mean[100:106, 25:95] = 45.0
    counts = rng.poisson(mean).astype(float)
    body = body_mask(counts, pixel_mm=PIXEL, rule=BODY)
    bone = skeleton_mask(counts, body, pixel_mm=PIXEL, rule=SKELETON)
    assert body[25:275, 25:95].all()
    assert not body[:10].any()
    assert bone[30:270, 57:61].mean() > 0.98
    assert bone[150:250, 30:45].mean() < 0.01


def test_noise_has_no_skeleton() -> None:
    """An image of noise alone shows no bone-like contrast."""
    counts = np.random.default_rng(3).poisson(20, (256, 128)).astype(float)
    body = body_mask(counts, pixel_mm=PIXEL, rule=BODY)
    bone = skeleton_mask(counts, body, pixel_mm=PIXEL, rule=SKELETON)
    assert bone.mean() < 0.01


def whole_frame(**changes: object) -> BodyFrame:
    """A body of 100 rows whose midline is column 50."""
    parts: dict[str, object] = {
        "top": 0,
        "bottom": 99,
        "midline": 50.0,
        "width": 30,
        "touches_side": False,
        "touches_end": False,
        "split_top": 0.0,
        "split_bottom": 1.0,
    }
    return BodyFrame(**{**parts, **changes})  # type: ignore[arg-type]  # built from the field names


def spot_at(row: int, column: int, size: int = 2) -> HotSpot:
    """A square hot spot."""
    return HotSpot(origin=(row, column), mask=np.ones((size, size), dtype=np.bool_))


def test_thresholds_follow_the_zones() -> None:
    """Rows take their zone's threshold, arms their own, everything the default without a frame."""
    zones = (Zone(name="upper", start=0.0, stop=0.5, threshold=3.0),)
    table = ThresholdMap(default=2.0, zones=zones, arms=1.6)
    placed = table.over((100, 100), frame=whole_frame(), rule=RULE)
    assert placed[10, 50] == 3.0
    assert placed[90, 50] == 2.0
    assert placed[40, 5] == 1.6
    assert np.all(table.over((100, 100), frame=None, rule=RULE) == 2.0)


def test_zone_threshold_has_a_floor() -> None:
    """A threshold below 1.5 times the normal skeleton is refused when the profile is read."""
    with pytest.raises(ValueError, match=r"1\.5"):
        Zone(name="x", start=0.0, stop=1.0, threshold=1.4)
    with pytest.raises(ValueError, match=r"1\.5"):
        ThresholdMap(default=1.4, zones=(), arms=2.0)


def label(*spots: HotSpot, posterior: bool = False, frame: BodyFrame | None = None) -> tuple[Uptake, ...]:
    """Labels on a body that fills columns 20 to 80."""
    body = np.zeros((100, 100), dtype=np.bool_)
    body[:, 20:80] = True
    used = frame or whole_frame()
    return label_uptake(spots, body=body, frame=used, is_posterior=posterior, rule=RULE)


def test_largest_midline_pelvic_spot_is_the_bladder() -> None:
    """Of the midline pelvic hot spots only the largest is taken for the bladder."""
    assert label(spot_at(45, 49, 4), spot_at(50, 49), spot_at(20, 49, 5)) == (
        Uptake.BLADDER,
        Uptake.CANDIDATE,
        Uptake.CANDIDATE,
    )


def test_spot_in_the_forearm_is_a_possible_injection_site() -> None:
    """Far from the midline at the height of forearms and hands, uptake is taken for an injection site."""
    assert label(spot_at(50, 70)) == (Uptake.INJECTION_SITE,)
    assert label(spot_at(80, 70)) == (Uptake.CANDIDATE,)


def test_spot_outside_the_body_is_contamination() -> None:
    """Activity beside the body is told from activity in it, with or without a whole body."""
    assert label(spot_at(80, 5)) == (Uptake.OUTSIDE_BODY,)


def test_kidneys_are_a_pair_on_the_posterior_view() -> None:
    """Two level paraspinal spots are kidneys on a posterior view only; one alone stays a candidate."""
    pair = (spot_at(30, 44), spot_at(31, 54))
    assert label(*pair, posterior=True) == (Uptake.KIDNEY, Uptake.KIDNEY)
    assert label(*pair) == (Uptake.CANDIDATE, Uptake.CANDIDATE)
    assert label(pair[0], posterior=True) == (Uptake.CANDIDATE,)
    assert label(pair[0], spot_at(38, 54), posterior=True) == (Uptake.CANDIDATE, Uptake.CANDIDATE)


def test_nothing_is_placed_without_a_whole_body() -> None:
    """Without a frame no bladder, kidney or injection site is claimed."""
    body = np.ones((100, 100), dtype=np.bool_)
    spots = (spot_at(45, 49), spot_at(50, 70))
    found = label_uptake(spots, body=body, frame=None, is_posterior=False, rule=RULE)
    assert found == (Uptake.CANDIDATE, Uptake.CANDIDATE)


def legs_down() -> np.ndarray:
    """A figure with a head above and two legs below."""
    body = np.zeros((200, 60), dtype=np.bool_)
    body[10:40, 25:35] = True
    body[40:100, 15:45] = True
    body[100:190, 15:25] = body[100:190, 35:45] = True
    return body


def test_legs_tell_which_end_is_up() -> None:
    """A body turned by 180 degrees is noticed, and is not taken for whole."""
    field = np.ones((200, 60), dtype=np.bool_)
    upright, turned = body_frame(legs_down(), field=field), body_frame(legs_down()[::-1], field=field)
    assert upright is not None
    assert turned is not None
    assert (upright.is_upside_down, turned.is_upside_down) == (False, True)
    assert upright.is_whole(pixel_mm=(8.0, 8.0), minimum_height_mm=1200, minimum_aspect=2.2)
    assert not turned.is_whole(pixel_mm=(8.0, 8.0), minimum_height_mm=1200, minimum_aspect=2.2)
    assert not upright.is_whole(pixel_mm=(4.0, 4.0), minimum_height_mm=1200, minimum_aspect=2.2)


def test_body_at_the_edge_of_the_field_is_cut() -> None:
    """A body that reaches the first or last recorded row is not whole."""
    field = np.zeros((200, 60), dtype=np.bool_)
    field[:150] = True
    frame = body_frame(legs_down() & field, field=field)
    assert frame is not None
    assert frame.touches_end
