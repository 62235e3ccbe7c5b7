"""Where a tracer is: SUV of every voxel, and the blur and noise of a tomograph."""

from __future__ import annotations

import numpy as np

from bmnode.testing.patients.anatomy import Anatomy, BodyModel
from bmnode.testing.patients.grid import FloatVolume, Grid, correlated_noise, gaussian_blur
from bmnode.testing.patients.lesions import Lesion
from bmnode.testing.patients.organs import lookup
from bmnode.testing.patients.spec import LesionKind
from bmnode.testing.patients.tracers import Tracer


def activity(tracer: Tracer, *, model: BodyModel, lesions: tuple[Lesion, ...], lesion_unit: float = 1.0) -> FloatVolume:
    """True SUV (slice, row, column), before any blur. A lesion's value is in units of `lesion_unit` SUV."""
    suv = lookup(tracer.uptake)[model.tissue]
    share = model.bone_share()
    per_bone = model.per_bone(attribute="uptake") if tracer.follows_bone else np.ones(len(model.bones) + 1)
    bone = np.float32(tracer.bone) * per_bone.astype(np.float32)
    suv += share * (bone[model.bone] - suv)
    for lesion in lesions:
        if lesion.spec.kind is LesionKind.HOT:
            lesion.blend(suv, grid=model.grid, value=lesion.spec.value * lesion_unit)
    return suv


def reconstructed(
    tracer: Tracer, *, grid: Grid, anatomy: Anatomy, lesions: tuple[Lesion, ...], fwhm_mm: float, seed: int
) -> FloatVolume:
    """SUV as a tomograph shows it: Gaussian blur, and noise that grows with the square root of the signal.

    The noise is 8 % of the signal at SUV 1, as blobs of the resolution's size; nothing is negative.
    """
    rng = np.random.default_rng([seed, 3])
    suv = activity(tracer, model=anatomy.on_grid(grid), lesions=lesions)
    fwhm = tuple(fwhm_mm / step for step in grid.spacing_mm)
    blurred = gaussian_blur(suv, fwhm=fwhm)
    noise = correlated_noise(rng, grid.shape, fwhm=tuple(0.7 * width for width in fwhm))
    noisy: FloatVolume = np.maximum(blurred + np.float32(0.08) * np.sqrt(blurred) * noise, 0)
    return noisy
