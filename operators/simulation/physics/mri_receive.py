"""What coils, reconstruction and electronics make of a signal: shading, resolution, noise, metal, distortion."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from operators.simulation.physics.filters import blur
from operators.simulation.physics.mri_grid import FOOT_HEAD_AXIS, FRONT_BACK_AXIS, MrField

_MODES = 3
"""Cosines along each axis, the constant one included."""
_SPINE_COIL = 0.8
"""Strength of the shading from back to front against that of each random mode: the spine coil lies under the back."""
_SEAM_MM = 15.0
"""Over which composed stations are blended."""


def shading(field: MrField, *, relative_sd: float, random: torch.Generator) -> torch.Tensor:
    """The receive field (slice, row, column): smooth, log-normal with this standard deviation, 1 at the centre.

    Composed stations have a shading each and meet in a narrow blend.
    """
    shape = field.geometry.shape
    if relative_sd == 0.0:
        return torch.ones(shape, device=random.device)
    along, back = FOOT_HEAD_AXIS[field.plane], FRONT_BACK_AXIS[field.plane]
    place = (torch.arange(shape[along], device=random.device) + 0.5) / shape[along] * field.joined
    blend_width = max(_SEAM_MM / (shape[along] * field.geometry.spacing_mm[along] / field.joined), 1e-3)
    total = torch.zeros(shape, device=random.device)
    for station in range(field.joined):
        weights = torch.randn((_MODES,) * 3, generator=random, device=random.device)
        index = [0, 0, 0]
        index[back] = 1
        weights[tuple(index)] -= _SPINE_COIL * _MODES
        weights[0, 0, 0] = 0.3 * torch.randn((), generator=random, device=random.device)
        parts = [_cosines((torch.arange(count, device=random.device) + 0.5) / count) for count in shape]
        parts[along] = _cosines((place - station).clamp(0.0, 1.0)) * _share(place, station, field.joined, blend_width)
        total += torch.einsum("abc,ai,bj,ck->ijk", weights, *parts)
    total *= math.log1p(relative_sd) / total.std().clamp_min(1e-6)
    middle = tuple(count // 2 for count in shape)
    return (total - total[middle]).exp()


def _cosines(place: torch.Tensor) -> torch.Tensor:
    """(mode, place): cosines from half a period upwards; higher modes are weaker."""
    return torch.stack([torch.cos(math.pi * mode * place) / (1.0 + mode) for mode in range(_MODES)])


def _share(place: torch.Tensor, station: int, count: int, width: float) -> torch.Tensor:
    """How much a station gives along the body: 1 in its own part, with soft ends where it meets another."""
    share = torch.ones_like(place)
    if station > 0:
        share = share * torch.sigmoid(4.0 * (place - station) / width)
    if station < count - 1:
        share = share * torch.sigmoid(4.0 * (station + 1 - place) / width)
    return share


def resolve(volume: torch.Tensor, *, fwhm_pixels: tuple[float, float]) -> torch.Tensor:
    """Blur rows and columns by the reconstruction's point spread; the field's edge continues outwards."""
    reach = max(1, math.ceil(2 * max(fwhm_pixels)))
    padded = functional.pad(volume, (reach, reach, reach, reach), mode="replicate")
    blurred = blur(padded, fwhm_mm=fwhm_pixels, spacing_mm=(1.0, 1.0))
    return blurred[:, reach:-reach, reach:-reach].contiguous()


def with_rician_noise(
    signal: torch.Tensor, *, sd: float, fwhm_pixels: tuple[float, float], random: torch.Generator
) -> torch.Tensor:
    """The magnitude of a signal with complex noise: sqrt((S + n1)^2 + n2^2).

    Real and imaginary part have the standard deviation `sd` each and the reconstruction's point spread as
    correlation. Gudbjartsson 1995, Magn Reson Med 34:910.
    """
    scale = sd / _noise_left(fwhm_pixels)
    result = torch.empty_like(signal)
    for number, piece in enumerate(signal):
        noise = torch.randn((2, *piece.shape), generator=random, device=signal.device)
        noise = blur(noise, fwhm_mm=fwhm_pixels, spacing_mm=(1.0, 1.0)) * scale
        result[number] = torch.hypot(piece + noise[0], noise[1])
    return result


def _noise_left(fwhm_pixels: tuple[float, float]) -> float:
    """Standard deviation of white unit noise after the point spread."""
    size = 2 * math.ceil(4 * max(fwhm_pixels)) + 1
    point = torch.zeros((size, size))
    point[size // 2, size // 2] = 1.0
    return float(blur(point, fwhm_mm=fwhm_pixels, spacing_mm=(1.0, 1.0)).square().sum().sqrt())


_SCALES_MM = (6.0, 12.0, 24.0, 48.0)
_REACH_MM = 90.0
_PILE_UP = 1.2
"""Signal that the metal pushed aside piles up at the void's rim (chosen)."""


def void_around(metal: torch.Tensor, *, field: MrField, tolerance: float) -> torch.Tensor:
    """What signal is left beside metal (1 is all): none in it and around it, a bright rim beyond.

    The disturbance of a piece of metal falls with the cube of the distance; here a sum of Gaussians of doubling
    widths, about 1 at the metal's surface. So a void's radius is a multiple of the metal's, whatever its size.

    Args:
        metal: its fraction of each voxel (slice, row, column).
        tolerance: the disturbance at which nothing is left: 0.5 makes the void a quarter wider than the metal,
            0.12 nearly twice as wide (echo-planar images).
    """
    left = torch.ones_like(metal)
    places = (metal > 0).nonzero()
    if not len(places):
        return left
    spacing, box = field.geometry.spacing_mm, []
    for axis, count in enumerate(metal.shape):
        reach = math.ceil(_REACH_MM / spacing[axis])
        first, last = int(places[:, axis].min()), int(places[:, axis].max())
        box.append(slice(max(first - reach, 0), min(last + reach + 1, count)))
    near = tuple(box)
    halo = torch.stack([blur(metal[near], fwhm_mm=(scale,) * 3, spacing_mm=spacing) for scale in _SCALES_MM]).sum(dim=0)
    rim = torch.exp(-(((halo / tolerance - 0.6) / 0.2) ** 2))
    left[near] = (1.0 - halo / tolerance).clamp(0.0, 1.0) * (1.0 + _PILE_UP * rim) * (1.0 - metal[near])
    return left


def distorted(volumes: torch.Tensor, *, field: MrField, largest_mm: float, random: torch.Generator) -> torch.Tensor:
    """Shift echo-planar images along anterior-posterior by a smooth field of at most `largest_mm`.

    Args:
        volumes: (image, slice, row, column), all shifted alike.
    """
    if largest_mm == 0.0:
        return volumes
    shape, axis = field.geometry.shape, FRONT_BACK_AXIS[field.plane]
    coarse = torch.randn((1, 1, 4, 5, 5), generator=random, device=random.device)
    smooth = functional.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0, 0]
    shift = largest_mm * torch.tanh(smooth) / field.geometry.spacing_mm[axis]
    ticks = torch.arange(shape[axis], device=random.device, dtype=torch.float32)
    view = [1, 1, 1]
    view[axis] = shape[axis]
    place = (ticks.reshape(view) + shift).clamp(0.0, shape[axis] - 1.0)
    low = place.floor().long().clamp(max=max(shape[axis] - 2, 0))
    part = place - low
    high = (low + 1).clamp(max=shape[axis] - 1)
    return torch.stack([image.gather(axis, low) * (1.0 - part) + image.gather(axis, high) * part for image in volumes])
