"""What makes tissues uneven on CT: fat in muscle, vessels in lung, trabeculae in bone; mean zero."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics import ct_table as table
from operators.simulation.physics.attenuation_table import MARROW_HU, SOFT_HU
from operators.simulation.physics.filters import FWHM_PER_SIGMA, blur, generator
from operators.simulation.physics.lattice import Lattice, unit_gain
from operators.simulation.physics.mixture import Palette, Table, paint
from operators.simulation.scene import Scene

_FINE_STREAM, _COARSE_STREAM = 61, 62


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Texture:
    """The unevenness of one patient's tissues in one scan.

    Args:
        fine, coarse: standard deviation of both textures, in HU, of everything a voxel can hold.
        skew: of the fine one, by value of `Matter`.
        vessels: HU of blood against the tissue, by value of `Matter`, times how much of it shows.
        swell: unit noise with the coarse grain.
        courses: two unit fields; vessels run where both are about zero, which is along curves.
    """

    scene: Scene
    seed: int
    fine: Palette
    coarse: Palette
    skew: Table
    vessels: Table
    swell: Lattice
    courses: tuple[Lattice, Lattice]

    @classmethod
    def of(cls, scene: Scene, hu: Palette, *, seed: int, device: str = "cpu") -> Texture:
        """The texture of a scene whose Hounsfield units are `hu`."""
        skew, vessels = np.zeros(256, dtype=np.float32), np.zeros(256, dtype=np.float32)
        for matter in Matter:
            skew[matter] = table.TEXTURE_HU.get(matter.kind, (0.0, 0.0, 0.0))[2]
            vessels[matter] = table.VESSELS.get(matter.kind, 0.0) * (hu.matter[Matter.BLOOD] - hu.matter[matter])

        def field(grain_mm: float, number: int) -> Lattice:
            return Lattice.of(scene.geometry, grain_mm=grain_mm, seed=(seed, _COARSE_STREAM, number), device=device)

        return cls(
            scene=scene,
            seed=seed,
            fine=_palette(hu, part=0, damping=_damping(scene, table.FINE_MM)),
            coarse=_palette(hu, part=1, damping=_damping(scene, table.COARSE_TEXTURE_MM)),
            skew=skew,
            vessels=vessels,
            swell=field(table.COARSE_TEXTURE_MM, 0),
            courses=(field(table.VESSEL_COURSE_MM, 1), field(table.VESSEL_COURSE_MM, 2)),
        )

    def at(self, slices: range) -> torch.Tensor:
        """Texture in HU of some slices (slice, row, column)."""
        part = slice(slices.start, slices.stop)
        device = str(self.swell.nodes.device)
        matter = torch.from_numpy(np.ascontiguousarray(self.scene.matter[part])).to(device).int()
        grain = self._grain(slices)
        skew = torch.from_numpy(self.skew).to(device)[matter]
        value = (grain + skew * (grain * grain - 1.0)) * paint(self.scene, self.fine, device=device, slices=part)
        value += self.swell.at(slices) * paint(self.scene, self.coarse, device=device, slices=part)
        bone = torch.from_numpy(np.ascontiguousarray(self.scene.bone_fraction[part])).to(device)
        return value + torch.from_numpy(self.vessels).to(device)[matter] * self._vessels(slices) * (bone == 0)

    def _vessels(self, slices: range) -> torch.Tensor:
        """How much of each voxel is vessel, less the mean: the mean of exp(-(a2 + b2) / w2) is w2 / (w2 + 2)."""
        first, second = (course.at(slices) for course in self.courses)
        width = table.VESSEL_WIDTH**2
        return torch.exp(-(first**2 + second**2) / width) - width / (width + 2.0)

    def _grain(self, slices: range) -> torch.Tensor:
        """Unit noise with the fine grain; every slice has a random stream of its own, so that parts equal the whole."""
        spacing = self.scene.geometry.spacing_mm
        weights = correlation(table.FINE_MM, spacing[0])
        reach = len(weights) // 2
        shape = self.scene.geometry.shape[1:]
        device = str(self.swell.nodes.device)
        white = torch.stack(
            [
                white_slice(self.seed, _FINE_STREAM, number, shape=shape, device=device)
                for number in range(slices.start - reach, slices.stop + reach)
            ]
        )
        mixed = along_slices(white, weights)
        fine = blur(mixed, fwhm_mm=(table.FINE_MM,) * 2, spacing_mm=spacing[1:])
        return fine * unit_gain(table.FINE_MM, spacing[1]) * unit_gain(table.FINE_MM, spacing[2])


def white_slice(*seed: int, shape: tuple[int, ...], device: str) -> torch.Tensor:
    """White noise of variance 1 that depends on the numbers alone; negative ones are allowed."""
    random = generator(*(number % 2**32 for number in seed), device=device)
    return torch.randn(shape, generator=random, device=device)


def correlation(fwhm_mm: float, spacing_mm: float) -> list[float]:
    """Weights along an axis that correlate white noise over a width and leave its variance."""
    sigma = fwhm_mm / FWHM_PER_SIGMA / spacing_mm
    reach = math.ceil(2.5 * sigma)
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-reach, reach + 1)]
    norm = math.sqrt(sum(weight * weight for weight in weights))
    return [weight / norm for weight in weights]


def along_slices(values: torch.Tensor, weights: list[float]) -> torch.Tensor:
    """Weighted sums of neighbouring slices; the first axis gets shorter by the weights' reach on both sides."""
    count = values.shape[0] - len(weights) + 1
    total = weights[0] * values[:count]
    for offset, weight in enumerate(weights[1:], start=1):
        total = total.add_(values[offset : offset + count], alpha=weight)
    return total


def _damping(scene: Scene, grain_mm: float) -> float:
    """What voxels leave of a texture's standard deviation: they average over it."""
    factors = (grain_mm / math.hypot(grain_mm, 0.75 * step) for step in scene.geometry.spacing_mm)
    return math.sqrt(math.prod(factors))


def _palette(hu: Palette, *, part: int, damping: float) -> Palette:
    matter, none = np.zeros(256, dtype=np.float32), np.zeros(256, dtype=np.float32)
    for item in Matter:
        matter[item] = table.TEXTURE_HU.get(item.kind, (0.0, 0.0, 0.0))[part] * damping
    spongiosa = table.TRABECULAR[part] * damping * np.clip(hu.spongiosa - MARROW_HU, 0.0, None)

    def focus(appearance: Appearance) -> tuple[float, float]:
        if appearance.metal:
            return 0.0, 0.0
        soft, dense = (
            damping * (4.0 + table.FOCUS_TEXTURE[part] * max(value - SOFT_HU, 0.0))
            for value in (appearance.lytic_hu, appearance.sclerotic_hu)
        )
        return soft, dense

    return Palette(matter=matter, cortex=none, spongiosa=spongiosa.astype(np.float32), yellow=none, focus=focus)
