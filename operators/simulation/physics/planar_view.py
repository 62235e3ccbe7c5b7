"""One view of a gamma camera over a whole body: what leaves each voxel and where it is counted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from operators.simulation.physics import camera_table as table
from operators.simulation.physics.camera import Window, coarse, counted_share, fine, fwhm_mm, scattered
from operators.simulation.physics.filters import FWHM_PER_SIGMA, blur
from operators.simulation.protocols.planar import PIXELS_A_VOXEL, PlanarProtocol

ANT, POST = 0, 1
_SCATTER_CELL = 3
"""Scatter is smooth: it is computed on cubes of this many voxels."""
_BODY_MU_MM = 0.002
"""What attenuates more is body."""
_REACH_SIGMA = 3.5


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class View:
    """A body as one detector sees it.

    Args:
        number: ANT or POST.
        activity: MBq in each voxel, float32 (depth from the detector, row from the head, column of the image).
        mu: attenuation on the same grid, 1/mm.
        step_mm: width of a voxel, a cube.
    """

    number: int
    activity: torch.Tensor
    mu: torch.Tensor
    step_mm: float

    @classmethod
    def of(cls, number: int, *, activity: torch.Tensor, mu: torch.Tensor, step_mm: float) -> View:
        """From arrays (slice, row, column) of a grid along LPS, slice 0 lowest."""
        return cls(number=number, activity=seen(activity, number), mu=seen(mu, number), step_mm=step_mm)

    def transmission(self) -> torch.Tensor:
        """Share of the photons towards the detector that leave body and couch from each voxel's centre."""
        path = (self.mu.cumsum(dim=0) - 0.5 * self.mu) * self.step_mm
        return torch.exp(-path) * (table.COUCH_TRANSMISSION if self.number == POST else 1.0)

    def counts(self, protocol: PlanarProtocol, window: Window, *, higher_orders: float) -> torch.Tensor:
        """MBq as counted in a window, in each pixel (row, column) of the image; its sum is that of `leaving`."""
        return _image(
            self.leaving(protocol, window, higher_orders=higher_orders), self._distances(protocol), self, protocol
        )

    def leaving(self, protocol: PlanarProtocol, window: Window, *, higher_orders: float) -> torch.Tensor:
        """MBq whose photons leave from each voxel towards the detector, primary or scattered, and are counted."""
        primary = self.activity * float(counted_share(1.0, window))
        cells = coarse(self.activity, _SCATTER_CELL)
        turned = scattered(
            cells,
            kev=protocol.tracer.nuclide.photon_kev,
            mu_water=table.WATER_MU_MM,
            step_mm=self.step_mm * _SCATTER_CELL,
            window=window,
        )
        turned = fine(turned, _SCATTER_CELL, self.activity.shape)
        electrons = self.mu * (higher_orders / table.WATER_MU_MM)
        return (primary + turned * electrons) * self.transmission()

    def _distances(self, protocol: PlanarProtocol) -> torch.Tensor:
        """Of the first plane from the collimator in every row, in voxels; negative where it lies behind it."""
        body = (self.mu > _BODY_MU_MM).any(dim=2)
        planes = body.shape[0]
        first = torch.where(body.any(dim=0), body.int().argmax(dim=0), planes)
        gap = protocol.collimator_distance_mm / self.step_mm
        if self.number == POST:
            return -first.amin().float().expand(first.shape) + gap + table.COUCH_MM / self.step_mm
        reach = round(table.CONTOUR_MM / self.step_mm)
        nearest = -functional.max_pool1d(-first[None, None].float(), 2 * reach + 1, stride=1, padding=reach)[0, 0]
        return -nearest.clamp_max(float(first.amin()) + planes) + gap


def seen(volume: torch.Tensor, number: int) -> torch.Tensor:
    """An array (slice, row, column) along LPS, turned to (depth from the detector, row from the head, image column).

    The anterior detector sees the patient's right on its left, the posterior one the patient's left.
    """
    turned = volume.flip(0).transpose(0, 1)
    return (turned.flip((0, 2)) if number == POST else turned).contiguous()


def enlarged(image: torch.Tensor) -> torch.Tensor:
    """From voxels to pixels (row, column), linear between centres; every voxel's counts are kept."""
    factor = PIXELS_A_VOXEL
    for axis in (-2, -1):
        spread = image.repeat_interleave(factor, dim=axis) / factor
        image = _three_points(spread, axis=axis)
    return image


def _three_points(image: torch.Tensor, *, axis: int) -> torch.Tensor:
    """Convolve one axis with (1, 2, 1) / 4; what would leave the edge stays in the last pixel."""
    first, last = image.narrow(axis, 0, 1), image.narrow(axis, image.shape[axis] - 1, 1)
    padded = torch.cat([first, image, last], dim=axis)
    count = image.shape[axis]
    parts = [padded.narrow(axis, start, count) for start in range(3)]
    return 0.25 * parts[0] + 0.5 * parts[1] + 0.25 * parts[2]


def _image(leaving: torch.Tensor, distances: torch.Tensor, view: View, protocol: PlanarProtocol) -> torch.Tensor:
    step = view.step_mm
    shift = distances.round().long()
    planes = _from_collimator(leaving, shift)
    nearest = int(shift.amin())
    image = _blurred_sum(planes, [max(0, nearest + plane) * step for plane in range(planes.shape[0])], protocol, step)
    image = enlarged(image)
    pixel = (protocol.pixel_mm, protocol.pixel_mm)
    image = blur(image, fwhm_mm=(table.INTRINSIC_FWHM_MM,) * 2, spacing_mm=pixel)
    haze = blur(image, fwhm_mm=(table.HAZE_FWHM_MM,) * 2, spacing_mm=pixel)
    return _within_field(image * (1.0 - table.HAZE) + haze * table.HAZE, protocol)


def _from_collimator(volume: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Move each row's planes so that a plane has one distance from the collimator everywhere."""
    extra = shift - shift.amin()
    planes = volume.shape[0] + int(extra.amax())
    source = torch.arange(planes, device=volume.device)[:, None] - extra[None, :]
    inside = (source >= 0) & (source < volume.shape[0])
    index = source.clamp(0, volume.shape[0] - 1)[:, :, None].expand(-1, -1, volume.shape[2])
    return volume.gather(0, index) * inside[:, :, None]


def _blurred_sum(
    planes: torch.Tensor, distances_mm: list[float], protocol: PlanarProtocol, step_mm: float
) -> torch.Tensor:
    """The sum of the planes, each with the collimator's blur at its distance.

    What voxels and `enlarged` blur is taken off, so that the image has the camera's resolution; finer than
    that blur (6.4 mm for pixels of 2.4 mm) it cannot be, which concerns what lies within 50 mm of the collimator.
    """
    kept = [plane for plane in range(len(distances_mm)) if bool((planes[plane] != 0).any())]
    if not kept:
        return planes.sum(dim=0)
    pixel = step_mm / PIXELS_A_VOXEL
    already = step_mm**2 / 12.0 + 0.75 * pixel**2
    variances = [
        (fwhm_mm(distances_mm[plane], at_100_mm=protocol.resolution_mm) ** 2 - table.INTRINSIC_FWHM_MM**2)
        / FWHM_PER_SIGMA**2
        - already
        for plane in kept
    ]
    sigmas = torch.tensor([math.sqrt(max(one, 0.0)) / step_mm for one in variances], dtype=torch.float64)
    kernels = _kernels(sigmas).to(planes)
    reach = kernels.shape[1] // 2
    stack = planes[kept][None]
    count = len(kept)
    stack = functional.conv2d(stack, kernels[:, None, :, None], padding=(reach, 0), groups=count)
    stack = functional.conv2d(stack, kernels[:, None, None, :], padding=(0, reach), groups=count)
    return stack[0].sum(dim=0)


def _kernels(sigmas: torch.Tensor) -> torch.Tensor:
    """Normalised Gaussians that integrate each voxel, one a row, of these widths in voxels; 0 blurs nothing."""
    reach = max(1, math.ceil(_REACH_SIGMA * float(sigmas.amax())))
    edges = torch.arange(-reach, reach + 2, dtype=torch.float64) - 0.5
    scaled = edges[None, :] / (sigmas[:, None].clamp_min(1e-3) * math.sqrt(2.0))
    kernels = 0.5 * torch.erf(scaled).diff(dim=1)
    return kernels / kernels.sum(dim=1, keepdim=True)


def _within_field(image: torch.Tensor, protocol: PlanarProtocol) -> torch.Tensor:
    columns = image.shape[1]
    place = (torch.arange(columns, device=image.device) - (columns - 1) / 2.0).abs() * protocol.pixel_mm
    return image * (place <= protocol.field_width_mm / 2.0)[None, :]
