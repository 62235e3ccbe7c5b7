"""CT type, ADC, SPECT and decay against the worked cases of the clinical reference (sections 3, 5.1, 6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.codes import Code, LesionType
from operators.kernels.adc import FitLimits, fit_adc, map_scale, noise_sd
from operators.kernels.decay import HALF_LIFE_S, decayed, net_injected_dose
from operators.kernels.lesion_type import BoneReference, TypeLimits, type_of
from operators.kernels.spect import activity_bq_ml, suv_factor, trimmed_level

TECHNETIUM = HALF_LIFE_S["Tc-99m"]
LIMITS = FitLimits(minimum_b=50.0, noise_multiple=3.0, highest_adc=4000.0)


def mixture(shares: dict[float, int]) -> npt.NDArray[np.float64]:
    """Values by their share in percent."""
    return np.concatenate([np.full(count, value) for value, count in shares.items()])


@pytest.mark.parametrize(
    ("shares", "lytic", "sclerotic", "kind"),
    [
        ({20.0: 40, 180.0: 60}, 0.40, 0.0, LesionType.LYTIC),
        ({600.0: 30, 20.0: 30, 180.0: 40}, 0.30, 0.30, LesionType.MIXED),
        ({600.0: 10, 180.0: 90}, 0.0, 0.10, LesionType.INDETERMINATE),
        ({600.0: 25, 180.0: 75}, 0.0, 0.25, LesionType.SCLEROTIC),
    ],
)
def test_ct_type(shares: dict[float, int], lytic: float, sclerotic: float, kind: Code) -> None:
    """The shares beyond mean +- 2 SD of the bone name the type; the limit itself counts."""
    typed = type_of(mixture(shares), reference=BoneReference(mean_hu=180.0, sd_hu=40.0), limits=TypeLimits())
    assert (typed.lytic_share, typed.sclerotic_share) == pytest.approx((lytic, sclerotic))
    assert typed.type == kind


def test_soft_tissue_and_300_hu_bound_the_type() -> None:
    """Dense bone makes nothing above 100 HU lytic, thin bone nothing under 300 HU sclerotic."""
    dense = type_of(np.full(4, 150.0), reference=BoneReference(mean_hu=400.0, sd_hu=20.0), limits=TypeLimits())
    thin = type_of(np.full(4, 250.0), reference=BoneReference(mean_hu=80.0, sd_hu=20.0), limits=TypeLimits())
    assert dense.type == thin.type == LesionType.INDETERMINATE


@pytest.mark.parametrize(
    ("signals", "adc", "s0"),
    [
        ({50.0: 1000.0, 900.0: 400.0}, 1077.989, None),
        ({50.0: 1000.0, 900.0: 500.0}, 815.467, None),
        ({50.0: 950.0, 400.0: 700.0, 900.0: 430.0}, 935.440, 1003.642),
        ({50.0: 950.0, 900.0: 430.0}, 932.561, None),
    ],
)
def test_adc_fit(signals: dict[float, float], adc: float, s0: float | None) -> None:
    """Least squares on ln S gives the reference's ADC and S0."""
    arrays = [np.full((1, 2, 2), value) for value in signals.values()]
    fit = fit_adc(arrays, b_values=list(signals), noise_sd=0.0, limits=LIMITS)
    np.testing.assert_allclose(fit.adc, adc, atol=6e-4)
    if s0 is not None:
        np.testing.assert_allclose(fit.s0, s0, atol=1e-3)


def test_b_values_under_the_limit_are_not_fitted() -> None:
    """b = 0 is left out, so a perfusion drop does not change the ADC."""
    arrays = [np.full((1, 1, 1), value) for value in (3000.0, 1000.0, 400.0)]
    fit = fit_adc(arrays, b_values=[0.0, 50.0, 900.0], noise_sd=0.0, limits=LIMITS)
    assert float(fit.adc[0, 0, 0]) == pytest.approx(1077.989, abs=1e-3)


def test_noise_rising_signal_and_impossible_adc_are_excluded_and_counted() -> None:
    """Three bad voxels of four are excluded and counted."""
    low = np.array([[[1000.0, 20.0, 100.0, 1000.0]]])
    high = np.array([[[400.0, 10.0, 200.0, 20.0]]])
    fit = fit_adc([low, high], b_values=[50.0, 900.0], noise_sd=5.0, limits=LIMITS)
    assert fit.valid.tolist() == [[[True, False, False, False]]]
    assert fit.excluded_count == 3


def test_a_signal_that_rises_between_two_b_values_is_excluded() -> None:
    """Falling over all, but rising in between: noise, not diffusion."""
    arrays = [np.full((1, 1, 1), value) for value in (1000.0, 1100.0, 500.0)]
    fit = fit_adc(arrays, b_values=[50.0, 400.0, 900.0], noise_sd=0.0, limits=LIMITS)
    assert fit.excluded_count == 1


def test_one_b_value_gives_no_adc() -> None:
    """A fit needs two b-values."""
    with pytest.raises(ValueError, match="two different b-values"):
        fit_adc([np.ones((1, 1, 1))], b_values=[800.0], noise_sd=0.0, limits=LIMITS)


@given(adc=st.floats(10.0, 3500.0), s0=st.floats(100.0, 4000.0))
def test_a_noiseless_decay_is_recovered(adc: float, s0: float) -> None:
    """Whatever ADC and S0 made the signals comes out of the fit."""
    b_values = [50.0, 400.0, 900.0]
    arrays = [np.full((1, 1, 1), s0 * np.exp(-b * adc * 1e-6)) for b in b_values]
    fit = fit_adc(arrays, b_values=b_values, noise_sd=0.0, limits=LIMITS)
    assert float(fit.adc[0, 0, 0]) == pytest.approx(adc, rel=1e-4)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3, 1e6])
def test_the_unit_of_a_map_is_found_from_its_median(scale: float) -> None:
    """um2/s and the units a thousandfold apart are told from each other."""
    array = np.array([0.0, 900.0, 1000.0, 1100.0]) / scale
    found = map_scale(array, lowest_um2_s=200.0, highest_um2_s=3500.0)
    assert found == pytest.approx(scale)


def test_an_implausible_map_has_no_unit() -> None:
    """A map of 12-bit grey values that fits no unit is not guessed at."""
    assert map_scale(np.full(10, 50.0), lowest_um2_s=200.0, highest_um2_s=3500.0) is None
    assert map_scale(np.zeros(10), lowest_um2_s=200.0, highest_um2_s=3500.0) is None


def test_noise_is_estimated_from_the_corners() -> None:
    """Rayleigh noise of a known deviation is found again; a masked background has none."""
    generator = np.random.default_rng(7)
    noise = np.hypot(*generator.normal(scale=5.0, size=(2, 20, 100, 100)))
    noise[:, 30:70, 30:70] += 500.0
    assert noise_sd(noise) == pytest.approx(5.0, rel=0.1)
    assert noise_sd(np.zeros((4, 50, 50))) == 0.0


def test_spect_suv() -> None:
    """SPECT-1: 25 kBq/ml, 680 MBq, 3 h, 70 kg."""
    assert decayed(680.0, elapsed_s=3 * 3600.0, half_life_s=TECHNETIUM) == pytest.approx(481.0185, rel=1e-6)
    factor = suv_factor(dose_bq=680e6, elapsed_s=3 * 3600.0, half_life_s=TECHNETIUM, weight_kg=70.0)
    assert 25000.0 * factor == pytest.approx(3.63811, rel=1e-5)


def test_spect_counts_to_activity() -> None:
    """SPECT-2: 1200 counts in a 4.42 mm voxel, 1200 s, 80 cps/MBq."""
    activity = activity_bq_ml(1200.0, acquisition_s=1200.0, sensitivity_cps_bq=80e-6, voxel_volume_ml=0.442**3)
    assert activity == pytest.approx(144758.21, rel=1e-6)
    factor = suv_factor(dose_bq=680e6, elapsed_s=3 * 3600.0, half_life_s=TECHNETIUM, weight_kg=70.0)
    assert activity * factor == pytest.approx(21.0659, rel=1e-5)


def test_net_dose() -> None:
    """SPECT-3: 720 MBq ten minutes before, 25 MBq five minutes after the injection."""
    dose = net_injected_dose(720.0, minutes_before=10.0, residual=25.0, minutes_after=5.0, half_life_s=TECHNETIUM)
    assert dose == pytest.approx(681.0433, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "level"),
    [({100.0: 90, 500.0: 10}, 100.0), ({100.0: 60, 180.0: 20, 260.0: 10, 900.0: 10}, 1000.0 / 7.377049)],
)
def test_trimmed_level(values: dict[float, int], level: float) -> None:
    """NORM-1 and NORM-2: hot voxels leave the normal level."""
    assert trimmed_level(mixture(values)) == pytest.approx(level, rel=1e-6)


def test_no_counts_have_no_level() -> None:
    """An empty skeleton has no normal level."""
    with pytest.raises(ValueError, match="no counts"):
        trimmed_level(np.zeros(5))
