"""The regions of a view: what of the parts must not depend on counts, place, pixel or the side it was seen from."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from operators.kernels.planar_regions.atlas import shipped_atlas
from operators.kernels.planar_regions.atlas_regions import AtlasRegions
from operators.kernels.planar_regions.contract import RegionMap, ViewImage
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap, PlanarPart, mirrored
from operators.kernels.scintigraphy import body_mask
from operators.kernels.scintigraphy_body import body_frame
from pipelines.bone_scan.profile import load

FEW = settings(max_examples=5, deadline=None)
PIXEL_MM = 4.8
ROOM = (20, 20)
LARGE = (PlanarPart.SKULL, PlanarPart.PELVIS_LEFT, PlanarPart.FEMUR_RIGHT, PlanarPart.LUMBAR_SPINE)
Counts = npt.NDArray[np.float64]


@cache
def person(*, is_posterior: bool, room: tuple[int, int] = ROOM) -> Counts:
    """Somebody who looks as the atlas does and has more uptake on the right than on the left, as the view shows it."""
    look = shipped_atlas().look_of(is_posterior=is_posterior)
    right = np.linspace(1.25, 0.85, look.shape[1])[None, :]
    counts = np.pad(20.0 * (look.astype(np.float64) * right) ** 2, ((room[0], 30), (room[1], 25)))
    return np.ascontiguousarray(counts[:, ::-1] if is_posterior else counts)


def regions(counts: Counts, *, is_posterior: bool, pixel_mm: float = PIXEL_MM) -> RegionMap:
    """The parts of a view."""
    pixel = (pixel_mm, pixel_mm)
    body = body_mask(counts, pixel_mm=pixel, rule=load().body)
    frame = body_frame(body, field=counts > 0)
    assert frame is not None
    view = ViewImage(counts=counts, body=body, frame=frame, pixel_mm=pixel, is_posterior=is_posterior)
    return AtlasRegions.shipped(load().regions).find(view)


@cache
def plain(*, is_posterior: bool) -> RegionMap:
    """The parts of the person as he is."""
    return regions(person(is_posterior=is_posterior), is_posterior=is_posterior)


def differ(one: PartMap, other: PartMap) -> float:
    """Pixels that differ, by those that either map calls bone."""
    return float(np.count_nonzero(one != other)) / float(np.count_nonzero((one > 0) | (other > 0)))


@FEW
@given(factor=st.floats(0.2, 20.0), is_posterior=st.booleans())
def test_counts_do_not_change_the_parts(factor: float, *, is_posterior: bool) -> None:
    """A scan of longer duration, or of more activity, has the same parts and the same upper normal uptake."""
    other = regions(person(is_posterior=is_posterior) * factor, is_posterior=is_posterior)
    expected = plain(is_posterior=is_posterior)
    assert differ(other.parts, expected.parts) < 0.002
    assert other.agreement == pytest.approx(expected.agreement, abs=1e-4)
    assert other.upper_normal == pytest.approx(expected.upper_normal, abs=0.02)


@FEW
@given(up=st.integers(0, 40), left=st.integers(0, 40), is_posterior=st.booleans())
def test_the_place_in_the_field_moves_the_parts_alike(up: int, left: int, *, is_posterior: bool) -> None:
    """A patient who lies elsewhere in the field has the same parts, moved by as much."""
    moved = np.pad(person(is_posterior=is_posterior), ((up, 0), (left, 0)))
    found = regions(moved, is_posterior=is_posterior)
    expected = np.pad(plain(is_posterior=is_posterior).parts, ((up, 0), (left, 0)))
    assert differ(found.parts, expected) < 0.01


@pytest.mark.parametrize("is_posterior", [False, True])
def test_a_mirrored_patient_has_the_mirrored_parts(*, is_posterior: bool) -> None:
    """Sides change places and nothing else does: the atlas prefers none."""
    flipped = np.ascontiguousarray(person(is_posterior=is_posterior)[:, ::-1])
    found = regions(flipped, is_posterior=is_posterior)
    expected = plain(is_posterior=is_posterior)
    assert differ(found.parts, mirrored(expected.parts)) < 0.03
    assert found.agreement == pytest.approx(expected.agreement, abs=0.005)


def test_sides_are_the_detectors_and_not_the_images() -> None:
    """The same image called anterior or posterior has every part on the other side of the patient."""
    counts = person(is_posterior=False)
    front, back = (regions(counts, is_posterior=posterior) for posterior in (False, True))
    for part in (PlanarPart.FEMUR_LEFT, PlanarPart.FEMUR_RIGHT, PlanarPart.PELVIS_LEFT):
        one, other = front.parts == PART_NUMBERS[part], back.parts == PART_NUMBERS[part.partner]
        assert 2.0 * np.count_nonzero(one & other) > 0.8 * (np.count_nonzero(one) + np.count_nonzero(other)), part


@FEW
@given(pixel=st.sampled_from([2.4, 3.2, 4.0]), is_posterior=st.booleans())
def test_finer_pixels_show_the_same_parts(pixel: float, *, is_posterior: bool) -> None:
    """The same person on another matrix has every large part at the same place and of the same size."""
    coarse = person(is_posterior=is_posterior)
    factor = PIXEL_MM / pixel
    fine = ndimage.zoom(coarse, factor, order=1, grid_mode=True, mode="nearest") / factor**2
    found = regions(fine, is_posterior=is_posterior, pixel_mm=pixel)
    back = ndimage.zoom(found.parts, (coarse.shape[0] / fine.shape[0], coarse.shape[1] / fine.shape[1]), order=0)
    expected = plain(is_posterior=is_posterior).parts
    for part in LARGE:
        one, other = back == PART_NUMBERS[part], expected == PART_NUMBERS[part]
        assert 2.0 * np.count_nonzero(one & other) > 0.85 * (np.count_nonzero(one) + np.count_nonzero(other)), part
