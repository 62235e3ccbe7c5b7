"""CT images of phantoms: calibration, noise, sharpness, metal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from operators.simulation.anatomy.bones import Bone
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics.attenuation import hu_palette
from operators.simulation.physics.ct import CtScanner, scan_ct, slice_profile
from operators.simulation.physics.ct_noise import noise_level
from operators.simulation.physics.rays import back_project, project
from operators.simulation.protocols.ct import CtProtocol, Kernel
from operators.simulation.scene import Scene
from tests.unit.simulation.ct_pet.discs import ball, cylinder, grid, scene_of

PROTOCOL = CtProtocol(pixel_mm=1.0, slice_mm=1.5, increment_mm=1.5, field_mm=360.0, couch=False)


def disc(slices: int = 12, *, width_mm: float = 300.0, depth_mm: float = 300.0) -> Scene:
    """A cylinder of liver on a CT's grid."""
    geometry = grid((slices, 360, 360), spacing_mm=(1.5, 1.0, 1.0))
    return scene_of(geometry, matter=cylinder(geometry, width_mm=width_mm, depth_mm=depth_mm))


def noise_of(scene: Scene, protocol: CtProtocol, *, seed: int = 1) -> npt.NDArray[np.float32]:
    """What noise alone adds, without the texture of tissues."""
    scanner = CtScanner.of(scene, protocol, seed=seed, noise=True)
    assert scanner.level is not None
    scanner = replace(scanner, texture=None)
    still = CtScanner.of(scene, protocol, seed=seed, noise=False)
    slices = range(scene.geometry.shape[0])
    return (scanner.slices(slices) - still.slices(slices)).numpy()


def middle(values: npt.NDArray[np.float32], half: int = 40) -> npt.NDArray[np.float32]:
    """A square about the axis, in every slice."""
    rows, columns = values.shape[1] // 2, values.shape[2] // 2
    return values[:, rows - half : rows + half, columns - half : columns + half]


def test_even_regions_have_the_palettes_units() -> None:
    """Without noise, the middle of liver and of spongiosa has the palette's HU within 1, and air has -1000."""
    geometry = grid((16, 160, 160), spacing_mm=(1.5, 1.0, 1.0))
    bone = np.rint(255 * ball(geometry, radius_mm=11.0))
    matter = cylinder(geometry, width_mm=120.0, depth_mm=100.0)
    scene = scene_of(geometry, matter=matter, bones=np.where(bone > 0, Bone.L3, 0), bone_fraction=bone)
    values = scan_ct(scene, PROTOCOL, seed=1, noise=False).values
    palette = hu_palette()
    assert values[8, 40:50, 75:85] == pytest.approx(palette.matter[Matter.LIVER], abs=1.0)
    assert values[7:9, 78:82, 78:82] == pytest.approx(palette.spongiosa[Bone.L3], abs=1.0)
    assert values[:, :10, :10] == pytest.approx(-1000.0, abs=1.0)


def test_noise_and_texture_keep_the_mean() -> None:
    """With noise, a large even region keeps its mean within 1 HU."""
    values = scan_ct(disc(24), PROTOCOL, seed=3).values
    assert float(middle(values, 60).mean()) == pytest.approx(hu_palette().matter[Matter.LIVER], abs=1.0)


def test_the_reference_body_has_the_reference_noise() -> None:
    """In a 300 mm body at 120 kVp, 150 mAs and 1.5 mm the standard kernel has 20 to 25 HU of noise in the middle."""
    assert 20.0 < float(middle(noise_of(disc(), PROTOCOL)).std()) < 25.0


@pytest.mark.parametrize(
    ("changed", "factor"),
    [
        (replace(PROTOCOL, effective_mas=600.0), 0.5),
        (replace(PROTOCOL, slice_mm=3.0), 0.5**0.5),
        (replace(PROTOCOL, kernel=Kernel.SOFT), 0.64),
        (replace(PROTOCOL, kernel=Kernel.BONE), 3.95),
    ],
)
def test_noise_follows_dose_slice_and_kernel(changed: CtProtocol, factor: float) -> None:
    """Noise falls with the root of dose and slice thickness; a soft kernel has less of it, a bone kernel much more."""
    scene = disc(8)
    plain = float(middle(noise_of(scene, PROTOCOL)).std())
    other = float(middle(noise_of(scene, changed)).std())
    assert other / plain == pytest.approx(factor, rel=0.06)


def test_thick_bodies_and_low_voltages_are_noisier() -> None:
    """A body of 360 mm is noisier than one of 260 mm, 80 kVp than 120 kVp."""
    thin, thick = (noise_level(disc(2, width_mm=size, depth_mm=size), PROTOCOL) for size in (240.0, 340.0))
    low = noise_level(disc(2, width_mm=240.0, depth_mm=240.0), replace(PROTOCOL, kvp=80.0))

    def centre(level: torch.Tensor) -> float:
        return float(level[0, :, level.shape[2] // 2, level.shape[3] // 2].mean())

    assert centre(thick.sd) > 1.25 * centre(thin.sd)
    assert 1.4 * centre(thin.sd) < centre(low.sd) < 2.2 * centre(thin.sd)


def test_wide_bodies_get_horizontal_streaks() -> None:
    """Across a body as wide as shoulders, noise changes more from row to row than from column to column."""
    noise = middle(noise_of(disc(8, width_mm=350.0, depth_mm=170.0), replace(PROTOCOL, effective_mas=20.0)))
    down, across = np.diff(noise, axis=1).std(), np.diff(noise, axis=2).std()
    assert down > 1.25 * across


def test_the_bone_kernel_is_sharper_and_overshoots() -> None:
    """At a bone's edge the bone kernel rises faster than the soft one and goes beyond the bone's own HU."""
    geometry = grid((3, 120, 120), spacing_mm=(1.5, 0.6, 0.6))
    dense = np.zeros(geometry.shape)
    dense[:, 40:80, 40:80] = 255
    matter = np.full(geometry.shape, Matter.LIVER)
    scene = scene_of(geometry, matter=matter, bones=np.where(dense > 0, Bone.FEMUR_LEFT, 0), bone_fraction=dense)
    edge = {
        kernel: scan_ct(scene, replace(PROTOCOL, kernel=kernel), seed=1, noise=False).values[1, 60, 36:60]
        for kernel in Kernel
    }
    slope = {kernel: float(np.diff(values).max()) for kernel, values in edge.items()}
    assert slope[Kernel.SOFT] < slope[Kernel.STANDARD] < slope[Kernel.BONE]
    inside = float(hu_palette().spongiosa[Bone.FEMUR_LEFT])
    assert edge[Kernel.BONE].max() > inside + 5.0
    assert edge[Kernel.SOFT].max() < inside + 1.0


def test_slice_profiles_have_their_width() -> None:
    """Box and weights together have the variance of a Gaussian with the slice's FWHM, for overlapping slices too."""
    for thick, step in ((5.0, 2.5), (3.0, 3.0), (2.0, 1.0)):
        weights = slice_profile(thick, step)
        places = (np.arange(len(weights)) - len(weights) // 2) * step
        variance = float(np.sum(np.array(weights) * places**2)) + step**2 / 12.0
        assert sum(weights) == pytest.approx(1.0)
        assert variance == pytest.approx((thick / 2.3548) ** 2, rel=0.01)


def test_parts_equal_the_whole() -> None:
    """Some slices computed alone are those of the whole scan, noise and texture included."""
    scene = disc(40)
    whole = scan_ct(scene, PROTOCOL, seed=9).values
    part = CtScanner.of(scene, PROTOCOL, seed=9, noise=True).slices(range(13, 22)).numpy()
    assert np.abs(part - whole[13:22]).max() < 0.02


def test_a_seed_gives_the_same_bytes() -> None:
    """The same seed gives the same bytes, another seed other noise."""
    scene = disc(4)
    first, again, other = (scan_ct(scene, PROTOCOL, seed=seed).values for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert float(np.abs(first - other).mean()) > 5.0


def test_metal_is_cut_and_darkens_what_lies_beside_it() -> None:
    """A metal bar is cut at 3071 HU, leaves a dark band along its length, and only in its own slices."""
    geometry = grid((9, 240, 240), spacing_mm=(3.0, 1.0, 1.0))
    bar = np.zeros(geometry.shape)
    bar[4, 110:130, 80:160] = 255
    matter = cylinder(geometry, width_mm=220.0, depth_mm=180.0)
    metal = Appearance(metal=True)
    protocol = replace(PROTOCOL, slice_mm=3.0, increment_mm=3.0)
    scene = scene_of(geometry, appearance=metal, matter=matter, decoys=bar > 0, decoy_fraction=bar)
    values = scan_ct(scene, protocol, seed=1, noise=False).values
    liver = float(hu_palette().matter[Matter.LIVER])
    assert values.max() == 3071.0
    assert float(values[4, 117:123, 175:195].mean()) < liver - 100.0
    assert values[0, 100:140, 100:140] == pytest.approx(liver, abs=1.0)


def test_the_couch_lies_below_the_patient() -> None:
    """With a couch there is something between air and water behind the back, and nothing in front; the body stays."""
    geometry = grid((4, 200, 260), spacing_mm=(3.0, 2.0, 2.0))
    scene = scene_of(geometry, matter=cylinder(geometry, width_mm=300.0, depth_mm=200.0))
    bare, couched = (
        scan_ct(scene, replace(PROTOCOL, couch=couch), seed=1, noise=False).values for couch in (False, True)
    )
    change = couched - bare
    rows = np.flatnonzero(np.abs(change[2]).max(axis=1) > 20.0)
    assert rows.min() > 100
    assert couched[2, 152:, 130].max() > -600.0
    assert np.abs(middle(change, 30)).max() < 1.0


def test_rays_sum_what_they_cross() -> None:
    """Each view of a disc has the disc's area as its sum and its diameter as its height, also where it goes back."""
    geometry = grid((1, 101, 101), spacing_mm=(1.0, 2.0, 2.0))
    image = torch.from_numpy((cylinder(geometry, width_mm=120.0, depth_mm=120.0) > 0).astype(np.float32))
    for angle in (0.0, 0.7, 1.6):
        paths = project(image, angle, 2.0)
        assert float(paths.sum()) * 2.0 == pytest.approx(np.pi * 60.0**2, rel=0.01)
        assert float(paths.max()) == pytest.approx(120.0, abs=3.0)
        assert float(back_project(paths, angle, (101, 101))[0, 50, 50]) == pytest.approx(120.0, abs=3.0)
