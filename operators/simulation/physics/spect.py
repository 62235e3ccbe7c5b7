"""SPECT as an iterative reconstruction shows it: resolution, calibration, and noise that follows the counts.

There is no projector: the reconstruction is the uptake at the protocol's resolution, with the noise that an
ordered-subsets reconstruction leaves. It is close to log-normal (Barrett, Wilson and Tsui, Phys Med Biol 1994;39:833),
its variance is proportional to the local activity, and it is correlated over the resolution; so nothing is
negative and the mean stays the truth. Streaks and edge overshoot are not modelled.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from operators.simulation.images import Content, Volume
from operators.simulation.physics import camera_table
from operators.simulation.physics import spect_table as table
from operators.simulation.physics.attenuation import mu_palette
from operators.simulation.physics.filters import FWHM_PER_SIGMA, blur, generator
from operators.simulation.physics.mixture import paint
from operators.simulation.physics.uptake import activity_bqml, suv_map
from operators.simulation.protocols.spect import SpectProtocol, SpectUnit
from operators.simulation.scene import Scene

_STREAM = 62
_CELL = 1.0645
"""A Gaussian of FWHM 1 has this integral along one axis."""
_LEAST_SHARPNESS = 0.3


def scan_spect(scene: Scene, protocol: SpectProtocol, *, seed: int, noise: bool = True, device: str = "cpu") -> Volume:
    """One reconstruction of a scene (slice, row, column).

    In Bq/mL it is corrected for attenuation and scatter and calibrated: without noise a large even region
    has its true activity at the start of the acquisition. In counts it is not corrected for either: a voxel
    holds the counts of all projections that its activity gives after attenuation, and the scattered ones.

    Args:
        scene: the patient on the image's grid (`fields.spect.spect_field`).
        protocol: tracer, dose, times and unit.
        seed: of the noise.
        noise: whether there is any.
        device: where it is computed.
    """
    suv = suv_map(scene, tracer=protocol.tracer, uptake_minutes=protocol.uptake_minutes, device=device)
    seen = _resolved(suv, scene, protocol)
    transmission = mean_transmission(scene, protocol, device=device)
    bqml = _bqml(seen, scene, protocol)
    if noise:
        bqml = _noisy(bqml, transmission, scene=scene, protocol=protocol, seed=seed)
    if protocol.unit is SpectUnit.BQML:
        return _volume(bqml, scene, Content.ACTIVITY_BQML)
    counts = bqml * transmission * (1.0 + table.SCATTER_SHARE) * counts_per_bqml(protocol)
    return _volume(counts, scene, Content.COUNTS)


def counts_per_bqml(protocol: SpectProtocol) -> float:
    """Counts of all projections from one voxel of 1 Bq/mL in air."""
    seconds = protocol.views * protocol.seconds_per_view
    return camera_table.SENSITIVITY_CPS_MBQ * 1e-6 * seconds * protocol.voxel_mm**3 / 1000.0


def relative_sd(bqml: torch.Tensor, transmission: torch.Tensor, protocol: SpectProtocol) -> torch.Tensor:
    """Standard deviation of the noise by the value, from the counts of the resolution cell around each voxel.

    Args:
        bqml: the noise-free reconstruction.
        transmission: `mean_transmission`.
        protocol: of the scan.
    """
    cell = (_CELL * protocol.resolution_mm / protocol.voxel_mm) ** 3
    counts = bqml * transmission * (counts_per_bqml(protocol) * cell)
    return torch.sqrt(table.NOISE_GAIN / counts.clamp_min(1e-6))


def mean_transmission(scene: Scene, protocol: SpectProtocol, *, device: str = "cpu") -> torch.Tensor:
    """Share of the photons that leave the body, as a mean of the four directions along rows and columns."""
    palette = mu_palette(protocol.tracer.nuclide.photon_kev, person=scene.person)
    mu = paint(scene, palette, device=device)
    total = torch.zeros_like(mu)
    for axis in (1, 2):
        step = scene.geometry.spacing_mm[axis]
        upto = (mu.cumsum(dim=axis) - 0.5 * mu) * step
        whole = mu.sum(dim=axis, keepdim=True) * step
        total += torch.exp(-upto) + torch.exp(upto - whole)
    return total / 4.0


def _bqml(suv: torch.Tensor, scene: Scene, protocol: SpectProtocol) -> torch.Tensor:
    return activity_bqml(
        suv,
        tracer=protocol.tracer,
        dose_mbq=protocol.dose_mbq,
        weight_kg=float(scene.person["weight_kg"]),
        minutes=protocol.uptake_minutes,
    )


def _resolved(suv: torch.Tensor, scene: Scene, protocol: SpectProtocol) -> torch.Tensor:
    """Blurred to the resolution; the body goes on beyond the first and the last slice as it is there.

    The voxel's own box is part of the resolution twice: in the fractions of the scene and in `blur`.
    """
    spacing = scene.geometry.spacing_mm
    whole = protocol.resolution_mm
    widths = []
    for step in spacing:
        boxes = 2.0 * step**2 / 12.0 * FWHM_PER_SIGMA**2
        widths.append(math.sqrt(max(whole**2 - boxes, (_LEAST_SHARPNESS * whole) ** 2)))
    reach = math.ceil(2.0 * whole / spacing[0])
    padded = functional.pad(suv[None, None], (0, 0, 0, 0, reach, reach), mode="replicate")[0, 0]
    return blur(padded, fwhm_mm=widths, spacing_mm=spacing)[reach:-reach]


def _noisy(
    bqml: torch.Tensor, transmission: torch.Tensor, *, scene: Scene, protocol: SpectProtocol, seed: int
) -> torch.Tensor:
    device = str(bqml.device)
    known = bqml.clamp_min(float(_bqml(torch.tensor(table.BACKGROUND_SUV), scene, protocol)))
    white = torch.randn(bqml.shape, generator=generator(seed, _STREAM, device=device), device=device)
    width = table.NOISE_FWHM_SHARE * protocol.resolution_mm
    grain = blur(white, fwhm_mm=(width,) * 3, spacing_mm=scene.geometry.spacing_mm)
    grain /= grain.std()
    relative = relative_sd(known, transmission, protocol)
    log_sd = torch.sqrt(torch.log1p(relative**2)).clamp_max(table.LARGEST_LOG_SD)
    return known * torch.exp(log_sd * grain - 0.5 * log_sd**2)


def _volume(values: torch.Tensor, scene: Scene, content: Content) -> Volume:
    return Volume(values=values.cpu().numpy(), geometry=scene.geometry, content=content)
