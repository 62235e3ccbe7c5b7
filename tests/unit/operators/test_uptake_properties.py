"""What SUV figures and regions must not depend on: the unit, the order of slices, the side that is seen first."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import CroppedMask
from operators.kernels.measurement import peak, statistics, volume_ml
from operators.kernels.uptake import UptakeLimits, find_uptake, qpsma_soft_tissue_suv
from tests.unit.operators.series import geometry_of

Array = npt.NDArray[np.float64]
SPACING = (3.0, 2.0, 2.5)
LIMITS = UptakeLimits(seed=4.0, floor=3.0, fraction=0.41, minimum_ml=0.1)


@st.composite
def images(draw: st.DrawFn) -> Array:
    """A background of 1 with up to four spheres of 2 to 20, and a little noise so that no two voxels are equal."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    shape = (14, 16, 18)
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * np.asarray(SPACING)
    image = random.uniform(0.9, 1.1, size=shape)
    for _ in range(draw(st.integers(0, 4))):
        centre = random.uniform(0.2, 0.8, size=3) * np.asarray(shape) * np.asarray(SPACING)
        inside = np.linalg.norm(places - centre, axis=-1) <= random.uniform(4.0, 9.0)
        image[inside] += random.uniform(1.0, 20.0)
    return image


def regions_of(image: Array, *, limits: UptakeLimits = LIMITS) -> tuple[CroppedMask, ...]:
    """The regions of an image."""
    return find_uptake(image, None, geometry_of(image.shape, spacing_mm=SPACING), limits=limits)


def figures_of(image: Array, mask: CroppedMask) -> tuple[float, ...]:
    """Maximum, mean, both peaks and volume of a region."""
    geometry = geometry_of(image.shape, spacing_mm=SPACING)
    values, highest = statistics(image, mask), peak(image, mask, geometry)
    return values.maximum, values.mean, highest.best, highest.local, volume_ml(mask, geometry)


@settings(max_examples=30, deadline=None)
@given(images(), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_turning_the_image_round_turns_the_regions_round(image: Array, flips: tuple[bool, bool, bool]) -> None:
    """Slices from the head or from the feet, rows from the front or from the back: the same regions and figures."""
    axes = tuple(axis for axis, flip in enumerate(flips) if flip)
    turned = np.ascontiguousarray(np.flip(image, axes))
    straight, back = regions_of(image), regions_of(turned)
    assert [figures_of(image, mask) for mask in straight] == [pytest.approx(figures_of(turned, mask)) for mask in back]
    whole = sum((mask.to_array().astype(int) for mask in straight), np.zeros(image.shape, dtype=int))
    other = sum((mask.to_array().astype(int) for mask in back), np.zeros(image.shape, dtype=int))
    np.testing.assert_array_equal(np.flip(other, axes), whole)


@settings(max_examples=30, deadline=None)
@given(images(), st.floats(1e-3, 1e3))
def test_another_unit_scales_the_figures_and_keeps_the_regions(image: Array, times: float) -> None:
    """With the limits in the same unit, regions stay, values scale and volumes do not."""
    limits = replace(LIMITS, seed=LIMITS.seed * times, floor=LIMITS.floor * times)
    before, after = regions_of(image), regions_of(image * times, limits=limits)
    assert [mask.voxel_count for mask in before] == [mask.voxel_count for mask in after]
    for mask, scaled in zip(before, after, strict=True):
        *values, volume = figures_of(image, mask)
        assert figures_of(image * times, scaled) == pytest.approx((*(value * times for value in values), volume))


@settings(max_examples=30, deadline=None)
@given(images())
def test_the_figures_of_a_region_are_in_order(image: Array) -> None:
    """No region overlaps another; the best peak is no less than the local one, and no peak exceeds the image."""
    found = regions_of(image)
    assert sum((mask.to_array().astype(int) for mask in found), np.zeros(image.shape, dtype=int)).max(initial=0) <= 1
    for mask in found:
        maximum, mean, best, local, volume = figures_of(image, mask)
        assert LIMITS.floor <= mean <= maximum
        assert maximum >= LIMITS.seed
        assert local <= best + 1e-12
        assert best <= image.max()
        inside = image[mask.to_array()]
        assert mean * volume == pytest.approx(math.fsum(inside) * math.prod(SPACING) / 1000.0)


@pytest.mark.parametrize(("mean", "sd", "threshold"), [(5.0, 1.0, 5.16), (4.2, 0.9, 5.221429)])
def test_the_qpsma_threshold_of_the_worked_cases(mean: float, sd: float, threshold: float) -> None:
    """Liver 5.0 +- 1.0 gives 5.16, 4.2 +- 0.9 gives 5.221429."""
    assert qpsma_soft_tissue_suv(liver_mean=mean, liver_sd=sd) == pytest.approx(threshold, abs=5e-7)


@given(mean=st.floats(0.1, 50.0), sd=st.floats(0.0, 20.0), factor=st.floats(0.01, 100.0))
def test_the_qpsma_threshold_goes_by_the_liver_s_evenness(mean: float, sd: float, factor: float) -> None:
    """Never below 4.30, which an even liver gives; the same for a liver twice as hot and twice as uneven."""
    found = qpsma_soft_tissue_suv(liver_mean=mean, liver_sd=sd)
    assert found >= 4.30 - 1e-9
    assert qpsma_soft_tissue_suv(liver_mean=mean * factor, liver_sd=sd * factor) == pytest.approx(found)
    assert qpsma_soft_tissue_suv(liver_mean=mean, liver_sd=0.0) == pytest.approx(4.30)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1.0), (-1.0, 1.0), (5.0, -0.1), (float("nan"), 1.0)])
def test_no_liver_no_threshold(mean: float, sd: float) -> None:
    """A liver without uptake is no reference."""
    with pytest.raises(ValueError, match="liver"):
        qpsma_soft_tissue_suv(liver_mean=mean, liver_sd=sd)
