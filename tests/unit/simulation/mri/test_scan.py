"""Images of pure blocks: what comes out is what was put in."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from operators.simulation.anatomy.bones import Bone
from operators.simulation.images import Content, Volume
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics.mri import noise_sd, scan_mri
from operators.simulation.physics.mri_grid import MrField
from operators.simulation.physics.mri_palettes import Echo, palettes
from operators.simulation.physics.mri_properties import Properties
from operators.simulation.physics.mri_receive import with_rician_noise
from operators.simulation.physics.mri_table import MARROW_FAT, TISSUES
from operators.simulation.protocols.mri import MrProtocol, Sequence
from operators.simulation.scene import Scene
from tests.unit.simulation.mri.blocks import axial_field, block_scene, half_and_half

_FLAT = MrProtocol(bias_field=0.0, slice_mm=5.0, gap_mm=0.0)
_MIDDLE = (slice(1, 3), slice(6, 18), slice(6, 18))


def _scan(scene: Scene, protocol: MrProtocol, field: MrField, *, noise: bool = False, seed: int = 1) -> list[Volume]:
    return list(scan_mri(scene, protocol, field, seed=seed, noise=noise))


@pytest.mark.parametrize("matter", [Matter.MUSCLE, Matter.LIVER, Matter.CSF, Matter.BLADDER])
def test_the_noise_free_map_of_a_pure_tissue_is_its_coefficient(matter: Matter) -> None:
    """The fit gives back the table to better than 1 um2/s, under any shading."""
    field = axial_field(Sequence.DWI)
    protocol = dataclasses.replace(_FLAT, bias_field=0.3)
    *_, adc = _scan(block_scene(field, matter), protocol, field)
    assert adc.content is Content.ADC_UM2_S
    assert np.abs(adc.values[_MIDDLE] - TISSUES[matter.kind].adc_um2_s).max() < 1.0


def test_the_noise_free_map_of_a_focus_is_its_coefficient_where_it_is_half_sclerotic() -> None:
    """A mixed lesion has one coefficient: mineral takes protons and leaves their motion."""
    field = axial_field(Sequence.DWI)
    scene = block_scene(field, lesion=Appearance(adc_um2_s=987.0), lesions=1, lesion_fraction=255, sclerosis=128)
    *_, adc = _scan(scene, _FLAT, field)
    assert np.abs(adc.values[_MIDDLE] - 987.0).max() < 1.0


def test_texture_leaves_the_coefficient_as_it_is() -> None:
    """Patches of fat change a tissue's signal and not its diffusion."""
    field = axial_field(Sequence.DWI)
    scene = block_scene(field, Matter.MUSCLE, spread=1.0)
    first, *_, adc = _scan(scene, _FLAT, field)
    own = Properties.of(scene.person, field_strength_t=1.5).matter.adc_um2_s[Matter.MUSCLE]
    assert np.abs(adc.values[_MIDDLE] - own).max() < 1.0
    assert first.values[_MIDDLE].std() / first.values[_MIDDLE].mean() > 0.005


def test_fat_by_fat_and_water_is_the_fat_fraction() -> None:
    """Dixon measures the proton density fat fraction of marrow, under any shading."""
    field = axial_field(Sequence.DIXON)
    scene = block_scene(field, bones=Bone.L4, bone_fraction=255)
    water, fat = _scan(scene, dataclasses.replace(_FLAT, bias_field=0.4), field)
    fraction = fat.values / (fat.values + water.values)
    expected = MARROW_FAT["vertebra"] + 0.1 * (Bone.L4 - Bone.L3) / (Bone.L5 - Bone.C7)
    assert (water.content, fat.content) == (Content.DIXON_WATER, Content.DIXON_FAT)
    assert fraction[_MIDDLE] == pytest.approx(expected, abs=1e-4)


def test_a_voxel_of_two_tissues_has_their_mean_signal() -> None:
    """Signals mix linearly: 60 % bone of which 20 % is cortex beside muscle."""
    field = axial_field(Sequence.T1)
    scene = block_scene(field, Matter.MUSCLE, bones=Bone.L3, bone_fraction=153, cortex_fraction=51)
    (mixed,) = _scan(scene, _FLAT, field)
    (muscle,) = _scan(block_scene(field, Matter.MUSCLE), _FLAT, field)
    (marrow,) = _scan(block_scene(field, bones=Bone.L3, bone_fraction=255), _FLAT, field)
    expected = 0.4 * muscle.values[_MIDDLE] + 0.4 * marrow.values[_MIDDLE]
    assert mixed.values[_MIDDLE] == pytest.approx(expected, rel=1e-4)


def test_a_slice_is_the_mean_over_its_thickness_and_blind_in_its_gap() -> None:
    """Of five parts, 1 mm each, a slice of 3 mm sees the middle three."""
    field = axial_field(Sequence.T1, slices=3, slice_step_mm=5.0, fine=5)
    matter = np.zeros(field.scene_geometry.shape, dtype=np.uint8)
    matter[5:7] = Matter.MUSCLE  # the second slice's parts 0 (in the gap) and 1
    protocol = dataclasses.replace(_FLAT, slice_mm=3.0, gap_mm=2.0)
    (part,) = _scan(block_scene(field, matter), protocol, field)
    (full,) = _scan(block_scene(field, Matter.MUSCLE), protocol, field)
    share = part.values[:, 6:18, 6:18] / full.values[:, 6:18, 6:18]
    assert share[0] == pytest.approx(0.0)
    assert share[1] == pytest.approx(1.0 / 3.0, rel=1e-5)


def test_noise_in_air_is_rayleigh_and_in_signal_nearly_normal() -> None:
    """Mean sqrt(pi/2) sigma in air; sigma about S + sigma^2 / 2S in a strong signal (Gudbjartsson 1995)."""
    signal = torch.zeros((4, 128, 128))
    signal[2:] = 30.0
    noisy = with_rician_noise(signal, sd=2.0, fwhm_pixels=(1.2, 1.2), random=torch.Generator().manual_seed(4))
    air, tissue = noisy[:2].numpy(), noisy[2:].numpy()
    assert air.mean() == pytest.approx(2.0 * np.sqrt(np.pi / 2), rel=0.02)
    assert air.std() == pytest.approx(2.0 * np.sqrt(2 - np.pi / 2), rel=0.03)
    assert tissue.mean() == pytest.approx(30.0 + 2.0**2 / (2 * 30.0), abs=0.05)
    assert tissue.std() == pytest.approx(2.0, rel=0.03)


def test_muscle_in_t1_has_the_protocol_s_signal_to_noise_ratio() -> None:
    """Mean over standard deviation of reference muscle without shading."""
    field = axial_field(Sequence.T1, pixels=96)
    protocol = dataclasses.replace(_FLAT, signal_to_noise=25.0)
    (image,) = _scan(block_scene(field, Matter.MUSCLE), protocol, field, noise=True)
    inside = image.values[:, 4:-4, 4:-4]
    assert inside.mean() / inside.std() == pytest.approx(25.0, rel=0.06)


def test_every_sequence_s_noise_follows_from_the_protocol() -> None:
    """Twice the signal-to-noise ratio is half the noise; diffusion's pixels gather four times the signal."""
    for sequence in Sequence:
        once, twice = (noise_sd(MrProtocol(signal_to_noise=snr), sequence) for snr in (20.0, 40.0))
        assert once == pytest.approx(2 * twice)
    assert noise_sd(MrProtocol(), Sequence.DWI) < noise_sd(MrProtocol(), Sequence.T1)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    """Everything random comes from the seed."""
    field = axial_field(Sequence.T1, Sequence.DWI)
    scene = block_scene(field, Matter.MUSCLE, spread=1.0)
    first, again, other = (_scan(scene, MrProtocol(), field, noise=True, seed=seed) for seed in (3, 3, 4))
    assert all(one.values.tobytes() == two.values.tobytes() for one, two in zip(first, again, strict=True))
    assert all(one.values.tobytes() != two.values.tobytes() for one, two in zip(first, other, strict=True))


def test_noise_off_changes_noise_alone() -> None:
    """Gain and shading are the same: the difference has the mean 0 and the spread of the noise."""
    field = axial_field(Sequence.T1, pixels=64)
    scene = block_scene(field, Matter.FAT)
    ((quiet,), (noisy,)) = (_scan(scene, MrProtocol(), field, noise=noise) for noise in (False, True))
    difference = noisy.values - quiet.values
    assert abs(difference.mean()) < 0.1 * difference.std()
    assert 0.002 < difference.std() / quiet.values.mean() < 0.05


def test_the_shading_is_one_at_the_centre_and_has_the_asked_spread() -> None:
    """The relative standard deviation over the field is `bias_field`."""
    field = axial_field(Sequence.T1, slices=20, pixels=64)
    scene = block_scene(field, Matter.MUSCLE)
    ((flat,), (shaded,)) = (_scan(scene, dataclasses.replace(_FLAT, bias_field=bias), field) for bias in (0.0, 0.2))
    ratio = shaded.values[:, 3:-3, 3:-3] / flat.values[:, 3:-3, 3:-3]
    assert shaded.values[10, 32, 32] == pytest.approx(flat.values[10, 32, 32], rel=1e-4)
    assert np.log(ratio).std() == pytest.approx(np.log(1.2), rel=0.15)


def test_all_b_values_share_one_gain() -> None:
    """Between b 0 and b 1000 muscle loses exp(-1.45) and nothing else."""
    field = axial_field(Sequence.DWI)
    protocol = dataclasses.replace(_FLAT, b_values=(0, 1000))
    low, high, _ = _scan(block_scene(field, Matter.MUSCLE), protocol, field)
    assert (low.b_value, high.b_value) == (0, 1000)
    assert high.values[_MIDDLE] / low.values[_MIDDLE] == pytest.approx(np.exp(-1.45), rel=1e-4)


def test_metal_is_a_void_larger_than_itself_and_largest_in_diffusion() -> None:
    """Susceptibility takes signal beyond the implant's edge; echo-planar images lose more."""
    field = axial_field(Sequence.T1, Sequence.DWI, slices=9, pixels=64)
    lesions = np.zeros(field.scene_geometry.shape, dtype=np.uint8)
    lesions[3:6, 28:36, 28:36] = 1
    scene = block_scene(
        field, Matter.MUSCLE, lesion=Appearance(metal=True), lesions=lesions, lesion_fraction=lesions * np.uint8(255)
    )
    t1, dwi, *_ = _scan(scene, _FLAT, field)
    lost = [int((image.values[4] < 0.2 * np.median(image.values[4])).sum()) for image in (t1, dwi)]
    assert 64 < lost[0] < lost[1]


def test_distortion_moves_diffusion_and_not_t1() -> None:
    """Echo-planar images are shifted along anterior-posterior by up to the asked distance, all b-values alike."""
    field = axial_field(Sequence.T1, Sequence.DWI, pixels=64)
    matter = np.zeros(field.scene_geometry.shape, dtype=np.uint8)
    matter[:, 20:44, 20:44] = Matter.MUSCLE
    scene = block_scene(field, matter)
    straight, bent = (_scan(scene, dataclasses.replace(_FLAT, distortion_mm=mm), field) for mm in (0.0, 6.0))
    assert np.array_equal(straight[0].values, bent[0].values)
    rows = np.arange(64.0)[:, None]
    moved = [(rows * image.values[1]).sum(axis=0)[24:40] / image.values[1].sum(axis=0)[24:40] for image in bent[1:3]]
    assert 0.5 < np.abs(moved[0] - 31.5).max() * 2.0 <= 6.5
    assert moved[0] == pytest.approx(moved[1], abs=1e-3)


def test_left_stays_left() -> None:
    """The matter at high columns of an axial grid is at high columns of the image."""
    field = axial_field(Sequence.T1)
    (image,) = _scan(block_scene(field, half_and_half(field, Matter.FAT, Matter.MUSCLE)), _FLAT, field)
    palette = palettes(Echo(sequence=Sequence.T1), _FLAT, Properties.of({"spread": 0.0}, field_strength_t=1.5)).signal
    measured = image.values[1, 12, 20] / image.values[1, 12, 3]
    assert measured == pytest.approx(palette.matter[Matter.FAT] / palette.matter[Matter.MUSCLE], rel=1e-3)


def test_a_scene_on_another_grid_is_refused() -> None:
    """An image is only made where its patient was drawn."""
    field, other = axial_field(Sequence.T1), axial_field(Sequence.T1, slice_step_mm=6.0)
    with pytest.raises(ValueError, match="neither on the field's scene_geometry"):
        scan_mri(block_scene(other, Matter.MUSCLE), _FLAT, field, seed=1)
