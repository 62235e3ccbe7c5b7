"""Magnetic resonance images of a scene."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

from operators.simulation.images import Content, Volume
from operators.simulation.matter import Matter
from operators.simulation.physics.filters import generator
from operators.simulation.physics.mixture import Palette, paint
from operators.simulation.physics.mri_adc import fit_adc
from operators.simulation.physics.mri_grid import MrField
from operators.simulation.physics.mri_palettes import Echo, metal_palette, palettes
from operators.simulation.physics.mri_properties import Properties
from operators.simulation.physics.mri_receive import distorted, resolve, shading, void_around, with_rician_noise
from operators.simulation.physics.mri_texture import texture
from operators.simulation.physics.mri_timing import timing
from operators.simulation.protocols.mri import MrProtocol, Sequence
from operators.simulation.scene import Scene

SIGNAL_UNITS = 800.0
"""Image units of a signal of 1 at the usual receiver gain."""
_GAIN_LOG_SD = 0.35
"""Of the receiver gain between examinations: MR images have no unit (P)."""
_PIXELS = (1.15, 1.15)
_ECHO_PLANAR_PIXELS = (1.5, 1.2)
"""FWHM of the point spread in pixels along rows and columns (P): pixels are interpolated, EPI's phase axis is worse."""
_METAL_TOLERANCE = {Sequence.DIXON: 0.3, Sequence.DWI: 0.12}
_REFOCUSED_TOLERANCE = 0.5
"""Of the disturbance that metal makes (P): refocused echoes bear most, gradient echoes less, echo-planar ones least."""
_CHUNK_VOXELS = 3_000_000
_SHADING, _GAIN, _DISTORTION = range(3)
_SEQUENCE_NUMBER = {sequence: number for number, sequence in enumerate(Sequence)}
_CONTENTS = {Sequence.T1: Content.T1, Sequence.STIR: Content.STIR, Sequence.T2_FS: Content.T2_FS}


def scan_mri(
    scene: Scene, protocol: MrProtocol, field: MrField, *, seed: int, noise: bool = True, device: str = "cpu"
) -> tuple[Volume, ...]:
    """Every image of a field, on `field.geometry`, in the order of its sequences.

    DIXON gives water and fat, DWI one volume for each b-value and the ADC map fitted to them. Units are
    arbitrary but for the ADC (um2/s); one sequence has one gain. Without noise everything else stays.

    Args:
        scene: on the field's `scene_geometry`, or on its `geometry` (then every slice is as thin as a sheet).
        protocol: of the examination.
        field: one of `mri_fields`.
        seed: of gain, shading, distortion and noise; stations of one examination share it.
        noise: whether there is any.
        device: where to compute.

    Raises:
        ValueError: the scene lies on neither grid.
    """
    scan = _Scan.of(scene, protocol, field, seed=seed, noise=noise, device=device)
    volumes: list[Volume] = []
    for sequence in field.sequences:
        if sequence is Sequence.DWI:
            volumes += scan.diffusion()
        elif sequence is Sequence.DIXON:
            water, fat = scan.images([Echo(sequence=sequence), Echo(sequence=sequence, fat_image=True)])
            volumes += [scan.volume(water, Content.DIXON_WATER), scan.volume(fat, Content.DIXON_FAT)]
        else:
            (image,) = scan.images([Echo(sequence=sequence)])
            volumes.append(scan.volume(image, _CONTENTS[sequence]))
    return tuple(volumes)


def noise_sd(protocol: MrProtocol, sequence: Sequence) -> float:
    """Standard deviation of the real part's noise, in the signal of fully relaxed water.

    T1 has the protocol's signal-to-noise ratio in reference muscle; a sequence's noise follows from its own
    bandwidth and averages and from the volume of its voxels: diffusion has pixels four times as large.
    """
    everybody = Properties.of({}, field_strength_t=protocol.field_strength_t)
    t1 = palettes(Echo(sequence=Sequence.T1), protocol, everybody).signal
    reference = float(t1.matter[Matter.MUSCLE])
    pixels = 4.0 if sequence is Sequence.DWI else 1.0
    return reference / protocol.signal_to_noise * timing(protocol, sequence).noise / pixels


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Scan:
    scene: Scene
    protocol: MrProtocol
    field: MrField
    properties: Properties
    weights: tuple[float, ...]
    metal: torch.Tensor | None
    seed: int
    noise: bool
    device: str

    @classmethod
    def of(cls, scene: Scene, protocol: MrProtocol, field: MrField, *, seed: int, noise: bool, device: str) -> _Scan:
        if scene.geometry.is_same_grid(field.scene_geometry):
            weights = tuple(float(weight) for weight in field.slice_weights(protocol.slice_mm))
        elif scene.geometry.is_same_grid(field.geometry):
            weights = (1.0,)
        else:
            raise ValueError("the scene lies neither on the field's scene_geometry nor on its geometry")
        bare = cls(
            scene=scene,
            protocol=protocol,
            field=field,
            properties=Properties.of(scene.person, field_strength_t=protocol.field_strength_t),
            weights=weights,
            metal=None,
            seed=seed,
            noise=noise,
            device=device,
        )
        if not any(item.metal for item in (*scene.lesion_appearances, *scene.decoy_appearances)):
            return bare
        metal = torch.cat([bare.painted(metal_palette(), slices=part) for part in bare.parts()])
        return dataclasses.replace(bare, metal=metal)

    def parts(self) -> list[slice]:
        """The image's slices, a few at a time."""
        count, rows, columns = self.field.geometry.shape
        step = max(1, _CHUNK_VOXELS // (rows * columns * len(self.weights)))
        return [slice(first, min(first + step, count)) for first in range(0, count, step)]

    def painted(self, palette: Palette, *, slices: slice) -> torch.Tensor:
        """Some of the image's slices, averaged over their thickness."""
        count = len(self.weights)
        fine = paint(self.scene, palette, device=self.device, slices=slice(slices.start * count, slices.stop * count))
        weights = torch.tensor(self.weights, device=self.device)
        return torch.einsum("ijkl,j->ikl", fine.reshape(-1, count, *fine.shape[1:]), weights)

    def images(self, echoes: list[Echo]) -> list[torch.Tensor]:
        """Magnitude images of echoes that share gain, shading and distortion."""
        sequence = echoes[0].sequence
        signals = torch.stack(self.signals(echoes))
        if sequence is Sequence.DWI:
            random = self.random(sequence, _DISTORTION)
            signals = distorted(signals, field=self.field, largest_mm=self.protocol.distortion_mm, random=random)
        gain = self.gain(sequence)
        signals *= gain * shading(
            self.field, relative_sd=self.protocol.bias_field, random=self.random(sequence, _SHADING)
        )
        if not self.noise:
            return list(signals)
        sd = gain * noise_sd(self.protocol, sequence)
        return [
            with_rician_noise(
                signal, sd=sd, fwhm_pixels=_point_spread(sequence), random=self.random(sequence, 10 + number)
            )
            for number, signal in enumerate(signals)
        ]

    def signals(self, echoes: list[Echo]) -> list[torch.Tensor]:
        """Noise-free signals (slice, row, column) at the images' resolution."""
        sequence = echoes[0].sequence
        chosen = [palettes(echo, self.protocol, self.properties) for echo in echoes]
        seed = int(self.scene.person.get("person_seed", 0))
        textured = float(self.scene.person.get("spread", 0.0)) > 0
        pieces: list[list[torch.Tensor]] = [[] for _ in echoes]
        for part in self.parts():
            patches = texture(self.field.geometry, seed=seed, slices=part, device=self.device) if textured else None
            for pair, done in zip(chosen, pieces, strict=True):
                signal = self.painted(pair.signal, slices=part)
                if patches is not None:
                    signal += patches * self.painted(pair.texture, slices=part)
                done.append(resolve(signal.clamp_min(0.0), fwhm_pixels=_point_spread(sequence)))
        whole = [torch.cat(done) for done in pieces]
        if self.metal is not None:
            tolerance = _METAL_TOLERANCE.get(sequence, _REFOCUSED_TOLERANCE)
            left = void_around(self.metal, field=self.field, tolerance=tolerance)
            whole = [signal * left for signal in whole]
        return whole

    def diffusion(self) -> list[Volume]:
        """The images by b-value, and the map fitted to them."""
        b_values = self.protocol.b_values
        images = self.images([Echo(sequence=Sequence.DWI, b_value=b) for b in b_values])
        noise = self.gain(Sequence.DWI) * noise_sd(self.protocol, Sequence.DWI) if self.noise else 0.0
        adc = fit_adc(torch.stack(images), b_values=b_values, noise_sd=noise)
        shown = [self.volume(image, Content.DWI, b_value=b) for image, b in zip(images, b_values, strict=True)]
        return [*shown, self.volume(adc, Content.ADC_UM2_S)]

    def gain(self, sequence: Sequence) -> float:
        """Image units of a signal of 1: one draw for every sequence of an examination."""
        random = generator(self.seed, _SEQUENCE_NUMBER[sequence], _GAIN)
        return SIGNAL_UNITS * float(torch.exp(_GAIN_LOG_SD * torch.randn((), generator=random)))

    def random(self, sequence: Sequence, purpose: int) -> torch.Generator:
        numbers = (self.seed, _SEQUENCE_NUMBER[sequence], self.field.station, purpose)
        return generator(*numbers, device=self.device)

    def volume(self, image: torch.Tensor, content: Content, *, b_value: int | None = None) -> Volume:
        return Volume(
            values=image.cpu().numpy().astype(np.float32, copy=False),
            geometry=self.field.geometry,
            content=content,
            b_value=b_value,
            station=self.field.station,
        )


def _point_spread(sequence: Sequence) -> tuple[float, float]:
    return _ECHO_PLANAR_PIXELS if sequence is Sequence.DWI else _PIXELS
