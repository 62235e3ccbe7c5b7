"""Computed tomography: Hounsfield units of a scene as a scanner with its kernel, slices and dose shows them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from operators.simulation.images import Content, Volume
from operators.simulation.matter import Matter
from operators.simulation.physics import ct_table as table
from operators.simulation.physics.attenuation import hu_palette
from operators.simulation.physics.ct_couch import add_couch, back_mm
from operators.simulation.physics.ct_grid import body_box, cropped
from operators.simulation.physics.ct_kernel import frequencies, noise_amplitude, sector_weights, transfer
from operators.simulation.physics.ct_metal import add_metal_artefacts
from operators.simulation.physics.ct_noise import NoiseLevel, noise_level
from operators.simulation.physics.ct_texture import Texture, along_slices, correlation, white_slice
from operators.simulation.physics.filters import FWHM_PER_SIGMA
from operators.simulation.physics.mixture import Palette, paint
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.scene import Scene

_NOISE_STREAM = 64
_SLAB_SLICES = 16
_PROFILE_STEPS = 30
_MARGIN_MM = 10.0
"""Around the image, so that what is cut at one edge does not come back at the other."""


def scan_ct(scene: Scene, protocol: CtProtocol, *, seed: int, noise: bool = True, device: str = "cpu") -> Volume:
    """The series that a scanner makes of a scene, in HU (slice, row, column), cut to -1024 to 3071.

    The scene's grid is the image's (`fields.ct.ct_field`). Its fractions stand for what a voxel integrates; the
    kernel blurs in the plane, the slice profile along the axis.

    Args:
        scene: the patient on the image's grid.
        protocol: how it is acquired; its field and slices are those of the grid.
        seed: of noise and texture.
        noise: False leaves out noise and the texture of tissues: the middle of every even region has the
            palette's value.
        device: where it is computed.
    """
    scanner = CtScanner.of(scene, protocol, seed=seed, noise=noise, device=device)
    values = np.empty(scene.geometry.shape, dtype=np.float32)
    for first in range(0, len(values), _SLAB_SLICES):
        slab = range(first, min(first + _SLAB_SLICES, len(values)))
        values[slab.start : slab.stop] = scanner.slices(slab).cpu().numpy()
    return Volume(values=values, geometry=scene.geometry, content=Content.HU)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CtScanner:
    """A scene in the scanner: any of its slices on demand, the same whether alone or with others.

    Args:
        body: the rows and columns `box` of the scene; beyond them is air.
        texture, level: None without noise.
        back: where the couch begins; None without one.
        profile: weights of neighbouring slices.
        kernel: in-plane transfer of the margined image.
        streaks: (sector, ...) amplitude of the noise of every sector of directions.
    """

    scene: Scene
    body: Scene
    box: tuple[slice, slice]
    protocol: CtProtocol
    seed: int
    device: str
    hu: Palette
    texture: Texture | None
    level: NoiseLevel | None
    back: float | None
    profile: list[float]
    margin: int
    kernel: torch.Tensor
    streaks: torch.Tensor

    @classmethod
    def of(cls, scene: Scene, protocol: CtProtocol, *, seed: int, noise: bool, device: str = "cpu") -> CtScanner:
        """Everything that the slices share."""
        palette = hu_palette(kvp=protocol.kvp, contrast=protocol.contrast, person=scene.person)
        box = body_box(scene)
        body = cropped(scene, box)
        spacing, size = scene.geometry.spacing_mm, scene.geometry.shape[1:]
        margin = math.ceil(_MARGIN_MM / spacing[1])
        wide = _even_size((size[0] + 2 * margin, size[1] + 2 * margin))
        length, _ = frequencies(wide, spacing[1], device=device)
        amplitude = noise_amplitude(_even_size(size), spacing[1], kernel=protocol.kernel, device=device)
        return cls(
            scene=scene,
            body=body,
            box=box,
            protocol=protocol,
            seed=seed,
            device=device,
            hu=palette,
            texture=Texture.of(body, palette, seed=seed, device=device) if noise else None,
            level=noise_level(scene, protocol, device=device) if noise else None,
            back=back_mm(scene) if protocol.couch else None,
            profile=slice_profile(protocol.slice_mm, spacing[0]),
            margin=margin,
            kernel=transfer(length, protocol.kernel),
            streaks=sector_weights(_even_size(size), spacing[1], device=device) * amplitude,
        )

    def slices(self, wanted: range) -> torch.Tensor:
        """HU of some slices, float32 (slice, row, column)."""
        reach = len(self.profile) // 2
        last = self.scene.geometry.shape[0] - 1
        inner = range(max(wanted.start - reach, 0), min(wanted.stop + reach, last + 1))
        painted = self._tissue(inner)
        index = [min(max(number, 0), last) - inner.start for number in range(wanted.start - reach, wanted.stop + reach)]
        value = self._blurred(along_slices(painted[index], self.profile))
        noise_seed = None if self.level is None else self.seed
        value = add_metal_artefacts(
            value,
            slices=wanted,
            pixel_mm=self.scene.geometry.spacing_mm[1],
            protocol=self.protocol,
            seed=noise_seed,
        )
        if self.level is not None:
            value += self._noise(wanted, self.level)
        return value.clamp_(*table.HU_RANGE)

    def _tissue(self, slices: range) -> torch.Tensor:
        part = slice(slices.start, slices.stop)
        inside = paint(self.body, self.hu, device=self.device, slices=part)
        if self.texture is not None:
            inside += self.texture.at(slices)
        air = float(self.hu.matter[Matter.AIR])
        value = torch.full((len(slices), *self.scene.geometry.shape[1:]), air, device=self.device)
        value[:, self.box[0], self.box[1]] = inside
        if self.back is not None:
            value = add_couch(value, self.scene, slices=slices, back=self.back)
        return value

    def _blurred(self, value: torch.Tensor) -> torch.Tensor:
        rows, columns = value.shape[1:]
        wide = _full_size(self.kernel)
        down, right = wide[0] - rows - self.margin, wide[1] - columns - self.margin
        padded = functional.pad(value[None], (self.margin, right, self.margin, down), mode="replicate")[0]
        done: torch.Tensor = torch.fft.irfft2(torch.fft.rfft2(padded) * self.kernel, s=wide)
        return done[:, self.margin : self.margin + rows, self.margin : self.margin + columns].contiguous()

    def _noise(self, slices: range, level: NoiseLevel) -> torch.Tensor:
        rows, columns = self.scene.geometry.shape[1:]
        weights = correlation(table.SLICE_NOISE_SHARE * self.protocol.slice_mm, self.scene.geometry.spacing_mm[0])
        reach = len(weights) // 2
        size = _full_size(self.streaks[0])
        white = torch.stack(
            [
                white_slice(self.seed, _NOISE_STREAM, number, shape=size, device=self.device)
                for number in range(slices.start - reach, slices.stop + reach)
            ]
        )
        spectrum = torch.fft.rfft2(along_slices(white, weights))
        total = torch.zeros((len(slices), rows, columns), device=self.device)
        for place, number in enumerate(slices):
            levels = level.at(range(number, number + 1))[0]
            streaks = torch.fft.irfft2(spectrum[place] * self.streaks, s=size)[:, :rows, :columns]
            total[place] = (streaks * levels).sum(dim=0)
        return total


def slice_profile(slice_mm: float, increment_mm: float) -> list[float]:
    """Weights of neighbouring slices (odd number, sum 1) for a profile of a Gaussian's variance with FWHM `slice_mm`.

    A painted slice already integrates over the increment; the weights have the variance that is missing.
    """
    missing = (slice_mm / FWHM_PER_SIGMA / increment_mm) ** 2 - 1.0 / 12.0
    if missing <= 0:
        return [1.0]
    low, high = 0.0, math.sqrt(missing)
    for _ in range(_PROFILE_STEPS):
        sigma = (low + high) / 2.0
        weights = _binned(sigma)
        reach = len(weights) // 2
        wide = sum(weight * (step - reach) ** 2 for step, weight in enumerate(weights)) > missing
        low, high = (low, sigma) if wide else (sigma, high)
    return weights


def _binned(sigma: float) -> list[float]:
    """A Gaussian (in slices) integrated over every slice; sum 1."""
    reach = max(1, math.ceil(3.5 * sigma))
    edges = [0.5 * math.erf((step - 0.5) / (sigma * math.sqrt(2.0))) for step in range(-reach, reach + 2)]
    weights = [high - low for low, high in itertools.pairwise(edges)]
    return [weight / sum(weights) for weight in weights]


def _even_size(size: tuple[int, int]) -> tuple[int, int]:
    """The next sizes that transform quickly: multiples of 32 where images are large, else even."""
    rows, columns = (math.ceil(n / step) * step for n, step in ((n, 32 if n > 256 else 2) for n in size))
    return rows, columns


def _full_size(spectrum: torch.Tensor) -> tuple[int, int]:
    """Of the real image of even size that has this spectrum."""
    return int(spectrum.shape[0]), 2 * (int(spectrum.shape[1]) - 1)
