"""Blur keeps sums and has the width that it says; noise depends on the seed alone."""

from __future__ import annotations

import math

import pytest
import torch

from operators.simulation.physics.filters import blur, generator, poisson


def _point() -> torch.Tensor:
    volume = torch.zeros((41, 43, 45), dtype=torch.float32)
    volume[20, 21, 22] = 1.0
    return volume


def test_blur_keeps_the_sum() -> None:
    """What a point loses its surroundings gain."""
    blurred = blur(_point(), fwhm_mm=(8.0, 6.0, 10.0), spacing_mm=(2.0, 2.0, 2.0))
    assert float(blurred.sum()) == pytest.approx(1.0, abs=1e-5)
    assert torch.argmax(blurred) == torch.argmax(_point())


@pytest.mark.parametrize(("axis", "fwhm", "spacing"), [(0, 12.0, 2.0), (1, 9.0, 1.5), (2, 14.0, 2.0)])
def test_blur_has_its_width_along_each_axis(axis: int, fwhm: float, spacing: float) -> None:
    """The variance is that of the Gaussian and, for integrating over the voxel, a twelfth of a voxel's square."""
    widths = [0.0, 0.0, 0.0]
    widths[axis] = fwhm
    blurred = blur(_point(), fwhm_mm=widths, spacing_mm=(spacing,) * 3)
    others = tuple(other for other in range(3) if other != axis)
    profile = blurred.sum(dim=others).double()
    place = torch.arange(len(profile), dtype=torch.float64) * spacing
    mean = float((profile * place).sum())
    variance = float((profile * (place - mean) ** 2).sum())
    sigma = fwhm / (2 * math.sqrt(2 * math.log(2)))
    assert variance == pytest.approx(sigma**2 + spacing**2 / 12, rel=0.01)


def test_no_width_changes_nothing() -> None:
    """A FWHM of zero is no blur."""
    assert torch.equal(blur(_point(), fwhm_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0)), _point())


def test_a_seed_gives_the_same_noise_and_another_seed_another() -> None:
    """Order and value of the seed's numbers both count."""
    expected = torch.full((1000,), 20.0)
    first = poisson(expected, random=generator(1, 2))
    assert torch.equal(first, poisson(expected, random=generator(1, 2)))
    assert not torch.equal(first, poisson(expected, random=generator(2, 1)))
    assert not torch.equal(first, poisson(expected, random=generator(1, 3)))
    assert float(first.mean()) == pytest.approx(20.0, abs=0.7)
    assert float(first.var()) == pytest.approx(20.0, rel=0.15)


def test_negative_expectations_count_as_none() -> None:
    """A filter's undershoot cannot make counts."""
    assert float(poisson(torch.tensor([-3.0]), random=generator(1))) == 0.0
