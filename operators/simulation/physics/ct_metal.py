"""What metal does to the slices that hold it: dark bands along its long paths, bright and noisy streaks around.

The attenuation of a slice is projected; where rays pass metal, they are read as too bright (the beam has hardened)
and noisy (few photons are left). What these errors alone reconstruct to is added to the slice.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from operators.simulation.physics import ct_table as table
from operators.simulation.physics.attenuation import effective_kev, water_mu
from operators.simulation.physics.ct_texture import white_slice
from operators.simulation.physics.rays import back_project, project
from operators.simulation.protocols.ct import CtProtocol

_STREAM = 63
_COARSER = 2
_NOISE_LIMIT = 0.5
"""Of a ray's error, in attenuation."""


def add_metal_artefacts(
    hu: torch.Tensor, *, slices: range, pixel_mm: float, protocol: CtProtocol, seed: int | None
) -> torch.Tensor:
    """Add the artefacts of metal to the slices that hold some (slice, row, column).

    Args:
        hu: uncut Hounsfield units; metal is what has more than `METAL_FROM_HU`.
        slices: their numbers in the scan.
        pixel_mm: of rows and columns.
        protocol: tube voltage and current.
        seed: of the streaks' noise; None leaves it out.
    """
    for place, number in enumerate(slices):
        if float(hu[place].amax()) > table.METAL_FROM_HU:
            white = None if seed is None else (seed, number)
            hu[place] += _artefact(hu[place], pixel_mm=pixel_mm, protocol=protocol, seed=white)
    return hu


def _artefact(hu: torch.Tensor, *, pixel_mm: float, protocol: CtProtocol, seed: tuple[int, int] | None) -> torch.Tensor:
    water = water_mu(effective_kev(protocol.kvp))
    coarse = functional.avg_pool2d(hu[None, None], _COARSER, ceil_mode=True)[0]
    mu = (1.0 + coarse / 1000.0).clamp_min(0.0) * water
    metal = torch.where(coarse > table.METAL_FROM_HU / _COARSER, mu, torch.zeros_like(mu))
    pixel = pixel_mm * _COARSER
    total = torch.zeros_like(mu)
    for view in range(table.METAL_VIEWS):
        angle = view * math.pi / table.METAL_VIEWS
        through = project(metal, angle, pixel)
        if not bool((through > 0).any()):
            continue
        grown = through * through / (1.0 + through / table.METAL_HARDENING_LIMIT)
        error = -table.METAL_HARDENING * grown
        if seed is not None:
            everything = project(mu, angle, pixel)
            photons = table.METAL_PHOTONS * protocol.effective_mas / table.REFERENCE_MAS
            sd = torch.exp(0.5 * everything.clamp_max(20.0)) / math.sqrt(photons)
            white = white_slice(*seed, _STREAM, view, shape=tuple(through.shape), device=str(hu.device))
            error += white * sd.clamp_max(_NOISE_LIMIT) * (through > 0)
        total += back_project(_ramp(error, pixel), angle, (mu.shape[1], mu.shape[2]))
    artefact = total * (math.pi / table.METAL_VIEWS) * (1000.0 / water)
    size = (hu.shape[0] + hu.shape[0] % _COARSER, hu.shape[1] + hu.shape[1] % _COARSER)
    wide = functional.interpolate(artefact[None], size=size, mode="bilinear", align_corners=False)
    return wide[0, 0, : hu.shape[0], : hu.shape[1]]


def _ramp(rows: torch.Tensor, pixel_mm: float) -> torch.Tensor:
    """The ramp filter of back-projection, with a Hann window."""
    size = 2 * rows.shape[-1]
    frequency = torch.fft.rfftfreq(size, pixel_mm, device=rows.device)
    window = 0.5 * (1.0 + torch.cos(2.0 * math.pi * frequency * pixel_mm))
    filtered: torch.Tensor = torch.fft.irfft(torch.fft.rfft(rows, n=size) * frequency * window, n=size)
    return filtered[..., : rows.shape[-1]]
