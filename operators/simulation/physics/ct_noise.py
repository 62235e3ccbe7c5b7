"""How noisy CT is where: photons that pass a body, summed along the rays of every direction.

The noise of filtered back-projection at a place comes from all rays through it; the part that a view
contributes has frequencies across its rays. So the level is kept for each sector of directions, and wide
shoulders, crossed by dark lateral rays, come out with horizontal streaks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from operators.simulation.physics import ct_table as table
from operators.simulation.physics.attenuation import effective_kev, mu_palette, water_mu
from operators.simulation.physics.ct_grid import coarse
from operators.simulation.physics.ct_kernel import noise_factor
from operators.simulation.physics.mixture import paint
from operators.simulation.physics.rays import back_project, project
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.scene import Scene


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NoiseLevel:
    """Standard deviation of the noise in HU, (slice, sector, row, column), on a grid coarser than the image's.

    Args:
        steps: voxels of the image to one of the level, along (slice, row or column).
    """

    sd: torch.Tensor
    steps: tuple[int, int]
    shape: tuple[int, int, int]

    def at(self, slices: range) -> torch.Tensor:
        """(slice, sector, row, column) of the image for these slices, linear between the nodes."""
        rows = [self._slice(number) for number in slices]
        return torch.stack(rows)

    def _slice(self, number: int) -> torch.Tensor:
        place = min(number / self.steps[0], self.sd.shape[0] - 1.0)
        low = int(place)
        high = min(low + 1, self.sd.shape[0] - 1)
        level = torch.lerp(self.sd[low], self.sd[high], place - low)
        step = self.steps[1]
        size = (level.shape[-2] * step, level.shape[-1] * step)
        wide = functional.interpolate(level[None], size=size, mode="bilinear", align_corners=False)
        missing = (0, max(self.shape[2] - size[1], 0), 0, max(self.shape[1] - size[0], 0))
        return functional.pad(wide, missing, mode="replicate")[0, :, : self.shape[1], : self.shape[2]]


def noise_level(scene: Scene, protocol: CtProtocol, *, device: str = "cpu") -> NoiseLevel:
    """The level of the noise everywhere in a scan."""
    spacing = scene.geometry.spacing_mm
    middle_fits = min(scene.geometry.shape[1:])
    steps = (
        max(1, round(table.COARSE_MM / spacing[0])),
        min(max(1, round(table.COARSE_MM / spacing[1])), max(1, middle_fits // 2)),
    )
    mu = paint(coarse(scene, steps), mu_palette(effective_kev(protocol.kvp), person=scene.person), device=device)
    pixel = spacing[1] * steps[1]
    sectors = []
    for sector in range(table.SECTORS):
        views = [
            (sector + (view + 0.5) / table.VIEWS_PER_SECTOR - 0.5) * math.pi / table.SECTORS
            for view in range(table.VIEWS_PER_SECTOR)
        ]
        sectors.append(torch.stack([_variance(mu, angle, pixel, protocol=protocol) for angle in views]).mean(dim=0))
    return NoiseLevel(
        sd=torch.sqrt(torch.stack(sectors, dim=1)) * _scale_hu(protocol), steps=steps, shape=scene.geometry.shape
    )


def _scale_hu(protocol: CtProtocol) -> float:
    """Noise in the middle of the reference disc, before the path's own part, HU."""
    dose = protocol.effective_mas / table.REFERENCE_MAS * protocol.slice_mm / table.REFERENCE_SLICE_MM
    photons = dose * (protocol.kvp / table.REFERENCE_KVP) ** table.OUTPUT_EXPONENT
    per_mu = water_mu(effective_kev(table.REFERENCE_KVP)) / water_mu(effective_kev(protocol.kvp))
    return table.REFERENCE_NOISE_HU * noise_factor(protocol.kernel) * per_mu / math.sqrt(photons)


def _variance(mu: torch.Tensor, angle: float, pixel: float, *, protocol: CtProtocol) -> torch.Tensor:
    """Of the rays of one view at every place (slice, row, column); 1 in the middle of the reference disc."""
    paths = project(mu, angle, pixel)
    reference = water_mu(effective_kev(table.REFERENCE_KVP)) * table.REFERENCE_PATH_MM
    hardest = paths.amax(dim=1, keepdim=True)
    current = torch.exp(table.EXPOSURE_CONTROL * (hardest - reference)).clamp(*table.EXPOSURE_RANGE)
    seen = table.STARVED_PATH - functional.softplus(table.STARVED_PATH - paths)
    across = (torch.arange(paths.shape[1], device=mu.device) - (paths.shape[1] - 1) / 2.0) * pixel
    radius = table.REFERENCE_PATH_MM / 2.0
    thickness = 2.0 * torch.sqrt((radius**2 - across**2).clamp_min(0.0))
    bowtie = table.BOWTIE_SHARE * water_mu(effective_kev(protocol.kvp)) * (2.0 * radius - thickness)
    dark = torch.exp(seen + bowtie - reference) / current
    weak = table.ELECTRONIC * table.REFERENCE_MAS / protocol.effective_mas * math.exp(reference)
    return back_project(dark * (1.0 + weak * dark), angle, (mu.shape[1], mu.shape[2]))
