"""What a reconstruction kernel does to contrast and to noise, by spatial frequency."""

from __future__ import annotations

import math

import torch

from operators.simulation.physics import ct_table as table
from operators.simulation.protocols.ct import Kernel


def transfer(frequency: torch.Tensor, kernel: Kernel) -> torch.Tensor:
    """In-plane modulation transfer at frequencies in 1/mm; 1 at 0."""
    scale, lift = table.KERNEL_SHAPE[kernel]
    u = (frequency / scale) ** 2
    return (1.0 + lift * u) * torch.exp(-u)


def noise_factor(kernel: Kernel) -> float:
    """Standard deviation of the noise against the standard kernel's.

    White noise of the projections, filtered by ramp and kernel, has the power f transfer(f)^2; its integral over
    the plane is in closed form.
    """
    return math.sqrt(_power(kernel) / _power(Kernel.STANDARD))


def _power(kernel: Kernel) -> float:
    """Integral of f^2 (1 + b u)^2 exp(-2 u) over f, for u = (f / scale)^2."""
    scale, lift = table.KERNEL_SHAPE[kernel]
    terms = ((1.0, 1.5), (2.0 * lift, 2.5), (lift * lift, 3.5))
    return scale**3 / 2.0 * math.fsum(factor * math.gamma(order) / 2.0**order for factor, order in terms)


def frequencies(shape: tuple[int, int], pixel_mm: float, *, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(rows, columns / 2 + 1): length in 1/mm and angle in radians, 0 to pi, of the frequencies of a real transform."""
    down = torch.fft.fftfreq(shape[0], pixel_mm, device=device)[:, None]
    right = torch.fft.rfftfreq(shape[1], pixel_mm, device=device)[None, :]
    return torch.sqrt(down**2 + right**2), torch.atan2(down, right.expand_as(down * right)) % math.pi


def noise_amplitude(shape: tuple[int, int], pixel_mm: float, *, kernel: Kernel, device: str) -> torch.Tensor:
    """Amplitude by frequency that turns white noise of variance 1 into scanner noise of variance 1."""
    length, _ = frequencies(shape, pixel_mm, device=device)
    power = torch.sqrt(length**2 + table.NOISE_FLOOR_PER_MM**2) * transfer(length, kernel) ** 2
    columns = torch.full((length.shape[1],), 2.0, device=device)
    columns[0] = 1.0
    if shape[1] % 2 == 0:
        columns[-1] = 1.0
    mean = float((power * columns).sum()) / (shape[0] * shape[1])
    return torch.sqrt(power / mean)


def sector_weights(shape: tuple[int, int], pixel_mm: float, *, device: str) -> torch.Tensor:
    """(sector, rows, columns / 2 + 1): how much of each frequency belongs to each sector of directions; sums to 1."""
    _, angle = frequencies(shape, pixel_mm, device=device)
    width = math.pi / table.SECTORS
    weights = []
    for sector in range(table.SECTORS):
        off = torch.remainder(angle - sector * width + math.pi / 2.0, math.pi) - math.pi / 2.0
        weights.append(torch.cos((off / width).clamp(-1.0, 1.0) * (math.pi / 2.0)) ** 2)
    return torch.stack(weights)
