"""PET: activity concentration of a scene as an iterative reconstruction shows it."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional

from operators.simulation.images import Content, Volume
from operators.simulation.matter import Matter
from operators.simulation.physics import pet_table as table
from operators.simulation.physics.filters import FWHM_PER_SIGMA, blur
from operators.simulation.physics.lattice import Lattice
from operators.simulation.physics.mixture import Palette, paint
from operators.simulation.physics.pet_noise import noisy
from operators.simulation.physics.uptake import activity_bqml, suv_map
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.scene import Scene

_LEAST_SHARPNESS = 0.3
_SLAB_SLICES = 48
_STREAM = 72


def scan_pet(scene: Scene, protocol: PetProtocol, *, seed: int, noise: bool = True, device: str = "cpu") -> Volume:
    """The attenuation-corrected series of a scene, in Bq/mL (slice, row, column).

    The stored activity is decay-corrected to the scan's start or to the administration, as the protocol says,
    so SUVbw = value times weight / (dose decayed to that time) is the scene's uptake, blurred.

    Args:
        scene: the patient on the image's grid (`fields.pet.pet_field`).
        protocol: tracer, dose and times.
        seed: of noise and unevenness.
        noise: False leaves out noise and the unevenness of uptake within tissues.
        device: where it is computed.
    """
    suv = _seen(_uptake(scene, protocol, seed=seed if noise else None, device=device), protocol, scene)
    if noise:
        suv = noisy(suv, scene, protocol, seed=seed)
    values = activity_bqml(
        suv,
        tracer=protocol.tracer,
        dose_mbq=protocol.dose_mbq,
        weight_kg=float(scene.person["weight_kg"]),
        minutes=reference_minutes(protocol),
    )
    return Volume(values=values.cpu().numpy(), geometry=scene.geometry, content=Content.ACTIVITY_BQML)


def reference_minutes(protocol: PetProtocol) -> float:
    """From the injection to the time to which the stored activity is decay-corrected."""
    return protocol.uptake_minutes if protocol.decay_corrected_to == "start" else 0.0


def resolution_mm(protocol: PetProtocol) -> float:
    """FWHM of scanner, reconstruction and the positron's range together."""
    return math.hypot(protocol.resolution_mm, protocol.tracer.nuclide.positron_range_mm)


def _uptake(scene: Scene, protocol: PetProtocol, *, seed: int | None, device: str) -> torch.Tensor:
    """SUV (slice, row, column), uneven within tissues where there is a seed; the means are kept."""
    count = scene.geometry.shape[0]
    uneven = None
    if seed is not None:
        uneven = Lattice.of(scene.geometry, grain_mm=table.GRAIN_MM, seed=(seed, _STREAM), device=device)
    parts = []
    for first in range(0, count, _SLAB_SLICES):
        slab = range(first, min(first + _SLAB_SLICES, count))
        part = slice(slab.start, slab.stop)
        suv = suv_map(scene, tracer=protocol.tracer, uptake_minutes=protocol.uptake_minutes, device=device, slices=part)
        if uneven is not None:
            sd = paint(scene, _unevenness(), device=device, slices=part)
            suv *= torch.exp(sd * uneven.at(slab) - 0.5 * sd * sd)
        parts.append(suv)
    return torch.cat(parts)


def _unevenness() -> Palette:
    matter, bone = np.zeros(256, dtype=np.float32), np.full(256, table.BONE_LOG_SD, dtype=np.float32)
    for item in Matter:
        matter[item] = table.LOG_SD.get(item.kind, 0.0)
    return Palette(matter=matter, cortex=bone, spongiosa=bone, yellow=bone, focus=lambda _: (0.0, 0.0))


def _seen(suv: torch.Tensor, protocol: PetProtocol, scene: Scene) -> torch.Tensor:
    """Blur to the scan's resolution; the body goes on beyond the first and the last slice as it is there.

    The voxel's own box is part of the resolution twice: in the fractions of the scene and in `blur`.
    """
    whole, spacing = resolution_mm(protocol), scene.geometry.spacing_mm
    widths = []
    for step in spacing:
        boxes = 2.0 * step**2 / 12.0 * FWHM_PER_SIGMA**2
        widths.append(math.sqrt(max(whole**2 - boxes, (_LEAST_SHARPNESS * whole) ** 2)))
    reach = math.ceil(2.0 * whole / spacing[0])
    padded = functional.pad(suv[None, None], (0, 0, 0, 0, reach, reach), mode="replicate")[0, 0]
    return blur(padded, fwhm_mm=widths, spacing_mm=spacing)[reach:-reach]
