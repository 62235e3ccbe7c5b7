"""The fitted map of diffusion coefficients."""

from __future__ import annotations

import pytest
import torch

from operators.simulation.physics.mri_adc import ADC_MAX_UM2_S, fit_adc


def _images(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("b_values", "signals", "adc"),
    [
        ((50, 900), (1000.0, 400.0), 1077.989),
        ((50, 900), (1000.0, 500.0), 815.467),
        ((50, 400, 900), (950.0, 700.0, 430.0), 935.440),
    ],
)
def test_published_cases_are_reproduced(b_values: tuple[int, ...], signals: tuple[float, ...], adc: float) -> None:
    """The worked cases of the clinical reference, least squares on the logarithm."""
    assert float(fit_adc(_images(*signals), b_values=b_values)) == pytest.approx(adc, abs=0.01)


def test_the_fit_of_a_pure_decay_is_the_truth() -> None:
    """Whatever the b-values and their order, exp(-b ADC) gives back its coefficient to a thousandth."""
    b_values = (900, 50, 400)
    images = torch.stack([torch.exp(torch.tensor(-1e-6 * b * 1234.5)) * 300 for b in b_values]).reshape(-1, 1, 1, 1)
    assert float(fit_adc(images, b_values=b_values)) == pytest.approx(1234.5, abs=0.01)


def test_perfusion_at_b_0_is_left_out() -> None:
    """A first signal raised by blood changes nothing where two images with b of 50 and more remain."""
    assert float(fit_adc(_images(2000.0, 1000.0, 400.0), b_values=(0, 50, 900))) == pytest.approx(1077.989, abs=0.01)
    assert float(fit_adc(_images(1000.0, 500.0), b_values=(0, 900))) == pytest.approx(770.164, abs=0.01)


def test_the_map_is_clipped_and_empty_where_only_noise_is() -> None:
    """Rising signals have the coefficient 0, falling noise the largest, and air none."""
    assert float(fit_adc(_images(100.0, 200.0), b_values=(50, 900))) == 0.0
    assert float(fit_adc(_images(100.0, 0.0), b_values=(50, 900))) == ADC_MAX_UM2_S
    assert float(fit_adc(_images(100.0, 50.0), b_values=(50, 900), noise_sd=40.0)) == 0.0
    assert float(fit_adc(_images(100.0, 50.0), b_values=(50, 900), noise_sd=30.0)) > 0.0


def test_too_few_b_values_are_refused() -> None:
    """A line needs two different points."""
    with pytest.raises(ValueError, match="two or more different b-values"):
        fit_adc(_images(1.0, 2.0), b_values=(50, 50))
