"""The two-view network: each view by its own arms, joined where both meet."""

from __future__ import annotations

import pytest
import torch

from operators.networks.butterfly import Butterfly


@pytest.fixture
def network() -> Butterfly:
    """A small one with fixed weights."""
    torch.manual_seed(1)
    return Butterfly(in_channels=1, regions=3, blocks=1, widths=(4, 8, 8)).eval()


def _views(seed: int, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    first, second = torch.rand((2, batch, 1, 16, 8), generator=random)
    return first, second


def test_every_pixel_of_both_views_is_judged(network: Butterfly) -> None:
    """Regions with a class for no bone, and hot spots, on the grid of the input."""
    for view in network(*_views(1)):
        assert view.regions.shape == (1, 4, 16, 8)
        assert view.lesions.shape == (1, 1, 16, 8)


def test_each_view_hears_of_the_other(network: Butterfly) -> None:
    """A change in the posterior view alone changes what is said of the anterior one: both are read together."""
    anterior, posterior = _views(1)
    before = network(anterior, posterior)[0].lesions
    after = network(anterior, posterior * 2.0 + torch.rand(posterior.shape))[0].lesions
    assert not torch.allclose(before, after)


def test_one_scan_gives_the_same_alone_and_in_a_batch(network: Butterfly) -> None:
    """No scan's result depends on whose lies beside it."""
    anterior, posterior = _views(2, batch=3)
    together = network(anterior, posterior)
    for number in range(3):
        alone = network(anterior[number : number + 1], posterior[number : number + 1])
        for one, other in zip(alone, together, strict=True):
            torch.testing.assert_close(one.regions[0], other.regions[number], rtol=1e-4, atol=1e-5)


def test_the_same_input_gives_the_same_output(network: Butterfly) -> None:
    """Run to run on a CPU, bit for bit."""
    views = _views(3)
    assert all(torch.equal(a, b) for a, b in zip(network(*views)[1], network(*views)[1], strict=True))


@pytest.mark.parametrize("shape", [(1, 1, 15, 8), (1, 1, 16, 6)])
def test_a_grid_that_does_not_divide_is_refused(network: Butterfly, shape: tuple[int, ...]) -> None:
    """Rather than cut off without a word."""
    with pytest.raises(ValueError, match="multiples of 4"):
        network(torch.zeros(shape), torch.zeros(shape))


@pytest.mark.parametrize("widths", [(4,), (4, 6)])
def test_widths_that_cannot_be_are_refused(widths: tuple[int, ...]) -> None:
    """Before a weight is made."""
    with pytest.raises(ValueError, match="multiples of 4"):
        Butterfly(in_channels=1, regions=3, blocks=1, widths=widths)


def test_an_untrained_network_calls_few_pixels_a_lesion(network: Butterfly) -> None:
    """Hot spots are rare: the first steps of a training are not spent on unlearning that half of all pixels are hot."""
    with torch.inference_mode():
        found = network(*_views(3))
    assert all(0.01 < float(torch.sigmoid(view.lesions).mean()) < 0.15 for view in found)
