"""What HU, type and ADC must not depend on: gain, the order of voxels and b-values, how a region is stored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bmnode.domain.geometry import CroppedMask
from operators.kernels.adc import FitLimits, fit_adc
from operators.kernels.lesion_type import BoneReference, TypeLimits, type_of
from operators.kernels.measurement import percentiles, statistics
from operators.kernels.resample import values_on_grid
from tests.unit.operators.series import geometry_of

SHAPE = (3, 4, 5)
B_VALUES = (50.0, 400.0, 900.0)
hounsfield = arrays.arrays(np.float64, SHAPE, elements=st.integers(-200, 1500).map(float))
maps = arrays.arrays(np.float64, SHAPE, elements=st.integers(100, 3500).map(float))
axes = st.sets(st.sampled_from([0, 1, 2]))
references = st.builds(BoneReference, mean_hu=st.floats(0.0, 300.0), sd_hu=st.floats(10.0, 120.0))


def whole(values: npt.NDArray[np.float64]) -> CroppedMask:
    """All voxels."""
    return CroppedMask.from_array(np.ones(values.shape, dtype=np.bool_))


def decay(adc: npt.NDArray[np.float64], *, gain: float) -> list[npt.NDArray[np.float64]]:
    """Signals without noise."""
    return [gain * 500.0 * np.exp(-b * adc * 1e-6) for b in B_VALUES]


@settings(max_examples=40, deadline=None)
@given(adc=maps, gain=st.floats(0.1, 50.0), order=st.permutations([0, 1, 2]), flips=axes)
def test_adc_depends_on_neither_gain_nor_order(
    adc: npt.NDArray[np.float64], gain: float, order: list[int], flips: set[int]
) -> None:
    """Signals have no unit; b-values come in any order; a mirrored image has the mirrored map."""
    signals = [np.flip(signal, tuple(flips)) for signal in decay(adc, gain=gain)]
    fit = fit_adc(
        [signals[index] for index in order],
        b_values=[B_VALUES[index] for index in order],
        noise_sd=0.0,
        limits=FitLimits(),
    )
    np.testing.assert_allclose(np.flip(fit.adc, tuple(flips)), adc, rtol=1e-4)
    assert fit.excluded_count == 0


@settings(max_examples=40, deadline=None)
@given(hu=hounsfield, reference=references, flips=axes, times=st.integers(1, 3))
def test_type_depends_on_the_shares_alone(
    hu: npt.NDArray[np.float64], reference: BoneReference, flips: set[int], times: int
) -> None:
    """Mirrored, or with each voxel split, a lesion has the same type; both shares never exceed the whole."""
    plain = type_of(hu, reference=reference, limits=TypeLimits())
    other = type_of(np.flip(hu, tuple(flips)).repeat(times, axis=0), reference=reference, limits=TypeLimits())
    assert other.type == plain.type
    assert other.lytic_share == pytest.approx(plain.lytic_share)
    assert other.sclerotic_share == pytest.approx(plain.sclerotic_share)
    assert plain.lytic_share + plain.sclerotic_share <= 1.0


@settings(max_examples=40, deadline=None)
@given(hu=hounsfield, flips=axes, factor=st.floats(0.5, 4.0), offset=st.floats(-500.0, 500.0))
def test_statistics_follow_the_unit_and_not_the_order(
    hu: npt.NDArray[np.float64], flips: set[int], factor: float, offset: float
) -> None:
    """In another unit every value is that of the other unit, spread by the factor alone; percentiles stand in order."""
    plain, other = statistics(hu, whole(hu)), np.flip(factor * hu + offset, tuple(flips))
    found = statistics(other, whole(other))
    for name in ("mean", "maximum", "minimum", "median"):
        assert getattr(found, name) == pytest.approx(factor * getattr(plain, name) + offset, abs=1e-6)
    assert found.standard_deviation == pytest.approx(factor * plain.standard_deviation, abs=1e-6)
    low, middle, high = percentiles(hu, whole(hu), percents=(10.0, 50.0, 90.0))
    assert plain.minimum <= low <= middle <= high <= plain.maximum
    assert middle == plain.median


def test_percentiles_are_linear_between_ranks() -> None:
    """Of 0 to 10: 1, 5 and 9."""
    values = np.arange(11, dtype=np.float64).reshape(1, 1, 11)
    assert percentiles(values, whole(values), percents=(10.0, 50.0, 90.0)) == (1.0, 5.0, 9.0)


@settings(max_examples=30, deadline=None)
@given(slope=st.tuples(*(st.floats(-2.0, 2.0) for _ in range(3))), offset=st.floats(-50.0, 50.0))
def test_a_linear_image_is_the_same_on_another_grid(slope: tuple[float, float, float], offset: float) -> None:
    """Between voxels an image is linear, so a linear one is met exactly; beyond its field it is not known."""
    source = geometry_of((6, 8, 8), spacing_mm=(4.0, 2.0, 2.0))
    target = geometry_of((12, 8, 8), spacing_mm=(1.5, 1.0, 1.5))
    image, expected = (
        np.einsum("kjia,ba,b->kji", _index(grid.shape), grid.matrix[:3, :3], np.asarray(slope))
        + float(np.asarray(slope) @ grid.matrix[:3, 3])
        + offset
        for grid in (source, target)
    )
    found = values_on_grid(image, source=source, target=target)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    wider = geometry_of((40, 8, 8), spacing_mm=(1.5, 1.0, 1.5))
    assert np.isnan(values_on_grid(image, source=source, target=wider)[-1]).all()


def _index(shape: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    return np.stack(np.meshgrid(*(np.arange(size, dtype=np.float64) for size in shape), indexing="ij"), axis=-1)
