"""PET images of phantoms: SUV, conservation, resolution, noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from operators.simulation.images import Volume
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics.pet import resolution_mm, scan_pet
from operators.simulation.physics.pet_noise import bed_sensitivity
from operators.simulation.physics.uptake import suv_palette
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.scene import Scene
from operators.simulation.tracer import Tracer
from tests.unit.simulation.ct_pet.discs import PERSON, ball, cylinder, grid, scene_of

PROTOCOL = PetProtocol()


def body(slices: int = 60, *, size_mm: float = 300.0) -> Scene:
    """A cylinder of liver on a PET's grid."""
    geometry = grid((slices, 110, 110), spacing_mm=(4.0, 4.0, 4.0))
    return scene_of(geometry, matter=cylinder(geometry, width_mm=size_mm, depth_mm=size_mm))


def hot_ball(radius_mm: float, *, spacing_mm: float = 2.0, suv: float = 10.0) -> Scene:
    """A ball of activity in cold air, on a fine grid."""
    geometry = grid((61, 61, 61), spacing_mm=(spacing_mm,) * 3)
    part = np.rint(255 * ball(geometry, radius_mm=radius_mm))
    look = Appearance(suv=dict.fromkeys(Tracer, suv))
    matter = np.full(geometry.shape, Matter.AIR)
    return scene_of(geometry, appearance=look, matter=matter, decoys=part > 0, decoy_fraction=part)


def suv_of(volume: Volume, protocol: PetProtocol, *, seconds: float) -> npt.NDArray[np.float32]:
    """SUVbw by its definition: value times weight by the dose that is left after a time."""
    left = 2.0 ** (-seconds / protocol.tracer.nuclide.half_life_s)
    weight_g = 1000.0 * float(PERSON["weight_kg"])
    return np.asarray(volume.values * weight_g / (protocol.dose_mbq * 1e6 * left))


def inside(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The middle of a body, off its ends and edges."""
    k = len(values) // 2
    return values[k - 6 : k + 6, 40:70, 40:70]


@pytest.mark.parametrize("tracer", [Tracer.FDG, Tracer.NAF, Tracer.PSMA_11, Tracer.PSMA_1007])
@pytest.mark.parametrize("reference", ["start", "admin"])
def test_suv_is_what_the_palette_says(tracer: Tracer, reference: str) -> None:
    """The noise-free image gives the palette's SUV back by the definition, whatever it is decay-corrected to."""
    protocol = replace(PROTOCOL, tracer=tracer, uptake_minutes=75.0, decay_corrected_to=reference)
    volume = scan_pet(body(), protocol, seed=1, noise=False)
    seconds = 75.0 * 60.0 if reference == "start" else 0.0
    expected = suv_palette(tracer, person=PERSON, uptake_minutes=75.0).matter[Matter.LIVER]
    assert inside(suv_of(volume, protocol, seconds=seconds)) == pytest.approx(expected, rel=1e-4)


def test_blur_keeps_the_activity() -> None:
    """All activity of a ball is in the image: its SUV times its volume."""
    radius, suv = 9.0, 10.0
    volume = scan_pet(hot_ball(radius, suv=suv), PROTOCOL, seed=1, noise=False)
    total = float(suv_of(volume, PROTOCOL, seconds=3600.0).sum()) * 8.0
    assert total == pytest.approx(suv * 4.0 / 3.0 * np.pi * radius**3, rel=0.01)


@pytest.mark.parametrize(("radius_mm", "tracer"), [(5.0, Tracer.FDG), (10.0, Tracer.FDG), (5.0, Tracer.PSMA_11)])
def test_balls_recover_as_their_size_allows(radius_mm: float, tracer: Tracer) -> None:
    """The middle of a ball has the part of its activity that a Gaussian of the resolution leaves, within 3 %."""
    protocol = replace(PROTOCOL, tracer=tracer, resolution_mm=6.5)
    peak = suv_of(scan_pet(hot_ball(radius_mm), protocol, seed=1, noise=False), protocol, seconds=3600.0).max() / 10.0
    sigma = resolution_mm(protocol) / 2.3548
    samples = np.linspace(0.0, radius_mm, 4001)
    shells = samples**2 * np.exp(-0.5 * (samples / sigma) ** 2)
    expected = float(np.trapezoid(shells, samples)) * np.sqrt(2.0 / np.pi) / sigma**3
    assert peak == pytest.approx(expected, rel=0.03)


def test_the_positrons_of_gallium_go_further() -> None:
    """68Ga has a wider point spread than 18F, both at least that of the scanner."""
    widths = [resolution_mm(replace(PROTOCOL, tracer=tracer)) for tracer in (Tracer.PSMA_1007, Tracer.PSMA_11)]
    assert PROTOCOL.resolution_mm < widths[0] < widths[1]


def cov(protocol: PetProtocol, *, size_mm: float = 300.0, seed: int = 1) -> float:
    """Relative standard deviation that noise makes in the middle of a body."""
    scene = body(size_mm=size_mm)
    noisy = scan_pet(scene, protocol, seed=seed).values
    still = scan_pet(scene, protocol, seed=seed, noise=False).values
    return float((inside(noisy) / inside(still)).std())


def test_a_liver_has_the_noise_of_harmonised_protocols() -> None:
    """280 MBq of FDG, an hour, 150 s a bed in 75 kg: 7 to 15 % in the liver."""
    assert 0.07 < cov(PROTOCOL) < 0.15


def test_noise_falls_with_the_root_of_time_and_dose() -> None:
    """Four times the time or the dose halve the noise; a sharper reconstruction and a larger body have more of it."""
    plain = cov(PROTOCOL)
    assert cov(replace(PROTOCOL, seconds_per_bed=600.0)) == pytest.approx(plain / 2.0, rel=0.15)
    assert cov(replace(PROTOCOL, dose_mbq=70.0)) == pytest.approx(plain * 2.0, rel=0.15)
    assert cov(replace(PROTOCOL, resolution_mm=4.0)) > 1.3 * plain
    assert cov(PROTOCOL, size_mm=400.0) > 1.3 * plain


def test_noise_keeps_the_mean_and_is_never_negative() -> None:
    """Over a large warm region the noisy mean is the noise-free one within 1 %; nothing is below zero."""
    scene = body()
    protocol = replace(PROTOCOL, seconds_per_bed=60.0)
    noisy = scan_pet(scene, protocol, seed=4).values
    still = scan_pet(scene, protocol, seed=4, noise=False).values
    assert float(noisy[8:-8, 25:85, 25:85].mean()) == pytest.approx(float(still[8:-8, 25:85, 25:85].mean()), rel=0.01)
    assert float(noisy.min()) >= 0.0


def test_the_ends_of_a_scan_are_noisier() -> None:
    """The first and the last slices count least; overlaps count less than a bed's middle; later beds have decayed."""
    counts = bed_sensitivity(200, 4.0, PROTOCOL)
    assert float(counts[0]) < 0.6 * float(counts.max())
    assert float(counts[-1]) < 0.6 * float(counts.max())
    assert float(counts[40:160].min()) < 0.9 * float(counts[40:160].max())
    short = bed_sensitivity(200, 4.0, replace(PROTOCOL, tracer=Tracer.PSMA_11, seconds_per_bed=600.0))
    assert float(short[150:].max()) < 0.8 * float(short[:50].max())


def test_a_seed_gives_the_same_bytes() -> None:
    """The same seed gives the same bytes, another seed other noise."""
    scene = body(20)
    first, again, other = (scan_pet(scene, PROTOCOL, seed=seed).values for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert not np.array_equal(first, other)
