"""Patches of more and less fat within a tissue, the same for every sequence of a person."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.physics.filters import blur, generator
from operators.simulation.physics.mri_table import TEXTURE_MM

_LATTICE = 96
_TEXTURE_STREAM = 7003


def texture(geometry: VolumeGeometry, *, seed: int, slices: slice, device: str = "cpu") -> torch.Tensor:
    """Standard normal noise with patches of `TEXTURE_MM`, float32 (slice, row, column).

    The noise is a function of the place in LPS: a periodic lattice of random numbers, read between its nodes.
    So T1 and diffusion show the same patches on different grids.

    Args:
        geometry: where to read it.
        seed: of the person.
        slices: of the grid, to bound memory.
        device: of the result.
    """
    layers = [
        _read(_lattice(seed, number, device), geometry, step_mm=size_mm / 2.0, slices=slices)
        for number, size_mm in enumerate(TEXTURE_MM)
    ]
    return torch.stack(layers).sum(dim=0) / math.sqrt(len(layers))


def _lattice(seed: int, number: int, device: str) -> torch.Tensor:
    """Smooth periodic noise of unit variance, with one node more than a period on each axis."""
    random = generator(seed, _TEXTURE_STREAM, number)
    white = torch.randn((_LATTICE,) * 3, generator=random)
    padded = functional.pad(white[None, None], (4,) * 6, mode="circular")[0, 0]
    smooth = blur(padded, fwhm_mm=(2.0,) * 3, spacing_mm=(1.0,) * 3)[4:-4, 4:-4, 4:-4]
    smooth = (smooth - smooth.mean()) / smooth.std()
    return functional.pad(smooth[None, None], (0, 1) * 3, mode="circular").to(device)


def _read(lattice: torch.Tensor, geometry: VolumeGeometry, *, step_mm: float, slices: slice) -> torch.Tensor:
    start, stop, _ = slices.indices(geometry.shape[0])
    shape = (stop - start, *geometry.shape[1:])
    matrix = geometry.matrix
    origin = matrix[:3, 3] + matrix[:3, 0] * start
    place = torch.zeros((*shape, 3), device=lattice.device)
    for axis in range(3):
        ticks = torch.arange(shape[axis], device=lattice.device, dtype=torch.float32)
        view = [1, 1, 1, 1]
        view[axis] = shape[axis]
        step = torch.as_tensor((matrix[:3, axis] / step_mm).astype(np.float32), device=lattice.device)
        place += ticks.reshape(view) * step
    place += torch.as_tensor((np.mod(origin / step_mm, _LATTICE)).astype(np.float32), device=lattice.device)
    grid = torch.remainder(place, float(_LATTICE)) * (2.0 / _LATTICE) - 1.0
    read = functional.grid_sample(lattice, grid[None], mode="bilinear", align_corners=True)
    return read[0, 0]
