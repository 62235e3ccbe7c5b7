"""Smooth random fields on a coarse lattice, read at any slices of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.physics.filters import blur, generator

_NODES_PER_GRAIN = 2.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lattice:
    """Gaussian noise of mean 0 and variance 1 with a grain.

    Args:
        nodes: float32 (slice, row, column), `step_mm` apart; the first one lies on the image's first voxel.
        geometry: the image's.
    """

    nodes: torch.Tensor
    step_mm: float
    geometry: VolumeGeometry

    @classmethod
    def of(cls, geometry: VolumeGeometry, *, grain_mm: float, seed: tuple[int, ...], device: str = "cpu") -> Lattice:
        """Noise over a whole image.

        Args:
            geometry: the image's.
            grain_mm: FWHM with which white noise is smoothed.
            seed: of the noise.
            device: of the nodes.
        """
        step = grain_mm / _NODES_PER_GRAIN
        spans = (n * spacing for n, spacing in zip(geometry.shape, geometry.spacing_mm, strict=True))
        size = [math.ceil(span / step) + 2 for span in spans]
        white = torch.randn(size, generator=generator(*seed, device=device), device=device)
        smooth = blur(white, fwhm_mm=(grain_mm,) * 3, spacing_mm=(step,) * 3)
        return cls(nodes=smooth * unit_gain(grain_mm, step) ** 3, step_mm=step, geometry=geometry)

    def at(self, slices: range) -> torch.Tensor:
        """The field in some slices of the image (slice, row, column), linear between the nodes."""
        shape, spacing = self.geometry.shape, self.geometry.spacing_mm
        planes = []
        for number in slices:
            place = number * spacing[0] / self.step_mm
            low = int(place)
            planes.append(torch.lerp(self.nodes[low], self.nodes[low + 1], place - low))
        size = [math.ceil(n * step / self.step_mm) for n, step in zip(shape[1:], spacing[1:], strict=True)]
        part = torch.stack(planes)[:, : size[0] + 1, : size[1] + 1]
        return functional.interpolate(part[None], size=shape[1:], mode="bilinear", align_corners=True)[0]


def unit_gain(fwhm_mm: float, spacing_mm: float) -> float:
    """What gives blurred white noise its variance back, along one axis."""
    probe = torch.zeros(1, 1, 129)
    probe[0, 0, 64] = 1.0
    return float(blur(probe, fwhm_mm=(fwhm_mm,), spacing_mm=(spacing_mm,)).square().sum() ** -0.5)
