"""A view onto the same view of an earlier scan: what moved is found again, by part, whatever counts and pixels are."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from operators.kernels.planar_regions.contract import ViewImage
from operators.kernels.planar_regions.part_motion import Points, ViewMotion, view_motion
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap, PlanarPart
from operators.kernels.scintigraphy import body_mask
from operators.kernels.scintigraphy_body import body_frame
from pipelines.bone_scan.profile import load
from pipelines.follow_up.registration import profile
from tests.unit.planar_regions.test_atlas_regions_properties import person, plain

FEW = settings(max_examples=5, deadline=None)
PIXEL_MM = 4.8
Counts = npt.NDArray[np.float64]
LARGE = (PlanarPart.SKULL, PlanarPart.PELVIS_LEFT, PlanarPart.FEMUR_RIGHT, PlanarPart.LUMBAR_SPINE)


def view(counts: Counts, *, is_posterior: bool, pixel_mm: float = PIXEL_MM) -> ViewImage:
    """The view with its body."""
    pixel = (pixel_mm, pixel_mm)
    body = body_mask(counts, pixel_mm=pixel, rule=load().body)
    frame = body_frame(body, field=counts > 0)
    assert frame is not None
    return ViewImage(counts=counts, body=body, frame=frame, pixel_mm=pixel, is_posterior=is_posterior)


def moved(current: ViewImage, prior: ViewImage, parts: PartMap) -> ViewMotion | None:
    """By the limits in force."""
    regions = load().regions
    return view_motion(current, prior, parts, look=regions.feature, fit=regions.fit, rule=profile().planar)


@cache
def still(*, is_posterior: bool) -> tuple[ViewImage, PartMap]:
    """The person as he is, with his parts."""
    return view(person(is_posterior=is_posterior), is_posterior=is_posterior), plain(is_posterior=is_posterior).parts


def middles(parts: PartMap, *, is_posterior: bool) -> Points:
    """The middle of each large part (n, 2), seen as from the front."""
    seen = parts[:, ::-1] if is_posterior else parts
    return np.array([np.argwhere(seen == PART_NUMBERS[part]).mean(axis=0) for part in LARGE])


@FEW
@given(factor=st.floats(0.3, 10.0), up=st.integers(0, 30), left=st.integers(0, 30), is_posterior=st.booleans())
def test_a_patient_who_lies_elsewhere_is_found(factor: float, up: int, left: int, *, is_posterior: bool) -> None:
    """Also with other counts: places move by as much, there and back."""
    now, parts = still(is_posterior=is_posterior)
    then = view(np.pad(now.counts * factor, ((up, 0), (left, 0))), is_posterior=is_posterior)
    motion = moved(now, then, parts)
    assert motion is not None
    places = middles(parts, is_posterior=is_posterior)
    expected = places + np.array([up, 0 if is_posterior else left])
    assert motion.apply(places) == pytest.approx(expected, abs=0.5)
    assert motion.apply_inverse(expected) == pytest.approx(places, abs=0.5)


def test_a_scan_with_smaller_pixels_is_the_same_patient() -> None:
    """Places are in each scan's own pixels."""
    now, parts = still(is_posterior=False)
    fine = ndimage.zoom(now.counts, 2, order=1, grid_mode=True, mode="nearest")
    motion = moved(now, view(fine, is_posterior=False, pixel_mm=PIXEL_MM / 2), parts)
    assert motion is not None
    places = middles(parts, is_posterior=False)
    assert motion.apply(places) == pytest.approx(2 * places + 0.5, abs=2.0)


def test_a_leg_that_turned_is_followed_by_itself() -> None:
    """The left leg lies five pixels further out: its places follow, those of the spine stay."""
    now, parts = still(is_posterior=False)
    legs = [PlanarPart.FEMUR_LEFT, PlanarPart.LOWER_LEG_LEFT]
    leg = np.argwhere(np.isin(parts, [PART_NUMBERS[part] for part in legs]))
    top, inner = leg[:, 0].min() + 15, leg[:, 1].min() - 3
    rows, columns = np.indices(now.counts.shape, dtype=np.float64)
    share = np.clip((rows - top) / 20.0, 0.0, 1.0) * np.clip((columns - inner) / 3.0, 0.0, 1.0)
    turned = ndimage.map_coordinates(now.counts, [rows, columns - 5.0 * share], order=1, mode="nearest")
    motion = moved(now, view(turned, is_posterior=False), parts)
    assert motion is not None
    low = leg[leg[:, 0] > top + 25].mean(axis=0)[np.newaxis]
    assert motion.apply(low) - low == pytest.approx(np.array([[0.0, 5.0]]), abs=1.5)
    spine = np.argwhere(parts == PART_NUMBERS[PlanarPart.THORACIC_SPINE]).mean(axis=0)[np.newaxis]
    assert motion.apply(spine) == pytest.approx(spine, abs=1.0)


def test_a_hot_spot_that_came_moves_nothing() -> None:
    """Where a metastasis grew, places lie where they did."""
    now, parts = still(is_posterior=False)
    middle = middles(parts, is_posterior=False)[3]
    rows, columns = np.indices(now.counts.shape)
    spot = 8.0 * now.counts.max() * np.exp(-((rows - middle[0] - 6) ** 2 + (columns - middle[1]) ** 2) / 18.0)
    motion = moved(view(now.counts + spot, is_posterior=False), now, parts)
    assert motion is not None
    places = middles(parts, is_posterior=False)
    assert motion.apply(places) == pytest.approx(places, abs=1.0)


def test_what_does_not_fit_is_no_motion() -> None:
    """Another kind of image, and a view without parts, are not brought together; another view is an error."""
    now, parts = still(is_posterior=False)
    block = np.where(now.body, 10.0 + 10.0 * (np.indices(now.counts.shape)[0] // 12 % 2), 0.0)
    assert moved(now, view(block, is_posterior=False), parts) is None
    assert moved(now, now, np.zeros_like(parts)) is None
    with pytest.raises(ValueError, match="anterior and a posterior"):
        moved(now, still(is_posterior=True)[0], parts)
