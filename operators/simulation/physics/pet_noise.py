"""How noisy PET is where: counts along the rays through every place, beds, decay; log-normal as iterations leave it.

Filtered back-projection would have the variance of what the rays through a place count, corrected for their
attenuation. Iterative reconstructions have less where there is little activity and more where there is much; their
noise is close to log-normal (Barrett, Wilson and Tsui, Phys Med Biol 1994;39:833), so nothing is negative
and the mean stays the truth.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from operators.simulation.physics import pet_table as table
from operators.simulation.physics.attenuation import mu_palette, water_mu
from operators.simulation.physics.ct_grid import coarse
from operators.simulation.physics.filters import blur, generator
from operators.simulation.physics.mixture import paint
from operators.simulation.physics.rays import back_project, project
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.scene import Scene

ANNIHILATION_KEV = 511.0
_STREAM = 71


def noisy(suv: torch.Tensor, scene: Scene, protocol: PetProtocol, *, seed: int) -> torch.Tensor:
    """The blurred uptake (slice, row, column) with the noise of the scan: mean kept, never negative."""
    spacing = scene.geometry.spacing_mm
    width = table.NOISE_FWHM_SHARE * protocol.resolution_mm
    random = generator(seed, _STREAM, device=str(suv.device))
    white = torch.randn(suv.shape, generator=random, device=suv.device)
    grain = blur(white, fwhm_mm=(width,) * 3, spacing_mm=spacing)
    grain /= grain.std()
    known = suv.clamp_min(table.BACKGROUND_SUV)
    relative = relative_sd(suv, scene, protocol)
    log_sd = torch.sqrt(torch.log1p(relative**2)).clamp_max(table.LARGEST_LOG_SD)
    return known * torch.exp(log_sd * grain - 0.5 * log_sd**2)


def relative_sd(suv: torch.Tensor, scene: Scene, protocol: PetProtocol) -> torch.Tensor:
    """Standard deviation of the noise by the value, at every place of a blurred uptake (slice, row, column)."""
    variance, mean = _along_rays(suv, scene)
    per_suv = protocol.dose_mbq * 1e6 * protocol.tracer.nuclide.left_after(protocol.uptake_minutes * 60.0)
    per_suv /= float(scene.person["weight_kg"]) * 1000.0
    counted = (
        per_suv
        / table.REFERENCE_BQML
        * (protocol.seconds_per_bed / table.REFERENCE_SECONDS)
        * (protocol.sensitivity_cps_kbq / table.REFERENCE_CPS_KBQ)
        * (protocol.tracer.nuclide.branching / table.REFERENCE_BRANCHING)
    )
    sharp = (table.REFERENCE_FWHM_MM / protocol.resolution_mm) ** (2.0 * table.RESOLUTION_EXPONENT)
    along_axis = bed_sensitivity(scene.geometry.shape[0], scene.geometry.spacing_mm[0], protocol).to(suv.device)
    known = suv.clamp_min(table.BACKGROUND_SUV)
    squared = table.REFERENCE_COV**2 * sharp / counted * variance / (mean * known) / along_axis[:, None, None]
    return torch.sqrt(squared)


def bed_sensitivity(slices: int, slice_mm: float, protocol: PetProtocol) -> torch.Tensor:
    """Counts of every slice against the middle of the first bed: triangles of the beds, and decay while they wait.

    The couch starts at the lowest slice; the beds are centred on the scan.
    """
    length = slices * slice_mm
    beds = max(1, math.ceil((length - table.BED_MM) / table.BED_STEP_MM) + 1)
    first = length / 2.0 - (beds - 1) / 2.0 * table.BED_STEP_MM
    place = (torch.arange(slices, dtype=torch.float32) + 0.5) * slice_mm
    total = torch.zeros(slices)
    for bed in range(beds):
        left = protocol.tracer.nuclide.left_after(bed * protocol.seconds_per_bed)
        away = (place - first - bed * table.BED_STEP_MM).abs()
        total += left * (1.0 - away / (table.BED_MM / 2.0)).clamp_min(0.0)
    return total.clamp_min(table.LEAST_SENSITIVITY)


def _along_rays(suv: torch.Tensor, scene: Scene) -> tuple[torch.Tensor, torch.Tensor]:
    """Variance of filtered back-projection (1 in the reference disc of SUV 1), and mean uptake along the rays."""
    spacing = scene.geometry.spacing_mm
    step = max(1, min(round(table.COARSE_MM / spacing[1]), min(suv.shape[1:]) // 2))
    steps = (max(1, round(table.COARSE_MM / spacing[0])), step)
    mu = paint(coarse(scene, steps), mu_palette(ANNIHILATION_KEV, person=scene.person), device=str(suv.device))
    middle = step // 2
    few = suv[:: steps[0], middle::step, middle::step].clamp_min(table.BACKGROUND_SUV)
    body = (mu > 0).float()
    pixel = spacing[1] * step
    variance, mean = torch.zeros_like(mu), torch.zeros_like(mu)
    for view in range(table.VIEWS):
        angle = view * math.pi / table.VIEWS
        activity, path = project(few, angle, pixel), project(mu, angle, pixel)
        length = project(body, angle, pixel) + pixel
        variance += back_project(activity * torch.exp(path), angle, (mu.shape[1], mu.shape[2]))
        mean += back_project(activity / length, angle, (mu.shape[1], mu.shape[2]))
    reference = table.REFERENCE_DISC_MM * math.exp(table.REFERENCE_DISC_MM * water_mu(ANNIHILATION_KEV))
    wide = [
        _at_image(found / table.VIEWS, steps, (suv.shape[0], suv.shape[1], suv.shape[2])) for found in (variance, mean)
    ]
    return wide[0] / reference, wide[1]


def _at_image(values: torch.Tensor, steps: tuple[int, int], shape: tuple[int, int, int]) -> torch.Tensor:
    """From the coarse grid to the image's, linear; (slice, row, column)."""
    size = [n * step for n, step in zip(values.shape, (steps[0], steps[1], steps[1]), strict=True)]
    wide = functional.interpolate(values[None, None], size=size, mode="trilinear", align_corners=False)
    missing = (0, max(shape[2] - size[2], 0), 0, max(shape[1] - size[1], 0), 0, max(shape[0] - size[0], 0))
    return functional.pad(wide, missing, mode="replicate")[0, 0, : shape[0], : shape[1], : shape[2]]
