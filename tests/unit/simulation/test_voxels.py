"""The person on a grid."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import Bone, Side, Tissue
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.composition import compositions
from operators.simulation.anatomy.outline import body_volume_ml, subcutaneous_volume_ml
from operators.simulation.anatomy.person import Arms, PersonSpec, Posture, Sex
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.anatomy.voxels import AnatomyVolume, axial_geometry


def test_every_bone_is_on_the_grid(volume: AnatomyVolume, skeleton: PosedSkeleton) -> None:
    """At 4 mm each bone of the person has voxels, and no others have."""
    assert set(np.unique(volume.bones)) - {0} == set(skeleton.bones)


def test_left_labels_lie_left(volume: AnatomyVolume) -> None:
    """In the label map itself, by the grid's affine, each left bone lies on +x of its partner."""
    for bone in Bone:
        if bone.side is Side.LEFT and bone.partner is not None:
            left, right = (_centre(volume, one) for one in (bone, bone.partner))
            assert left[0] > right[0] + 20.0
            assert left[2] == pytest.approx(right[2], abs=60.0)


def _centre(volume: AnatomyVolume, bone: Bone) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    index = np.argwhere(volume.bones == bone).mean(axis=0)
    return np.array(volume.geometry.position_lps((float(index[0]), float(index[1]), float(index[2]))))


def test_bones_lie_where_their_meshes_are(volume: AnatomyVolume, skeleton: PosedSkeleton) -> None:
    """The label map's centre of each compact bone is that of its mesh within a voxel."""
    for bone in (Bone.T8, Bone.L3, Bone.PATELLA_LEFT, Bone.C7, Bone.FIBULA_RIGHT):
        expected = skeleton.mesh(bone).center_mass
        assert np.linalg.norm(_centre(volume, bone) - expected) < 4.0


def test_volumes_are_those_of_the_depth_fields(
    builder: AnatomyBuilder, volume: AnatomyVolume, skeleton: PosedSkeleton
) -> None:
    """Bone and cortex fractions at 4 mm sum to the volumes that the fields have at their own resolution."""
    found = compositions(skeleton, builder.templates).values()
    voxel = volume.geometry.voxel_volume_ml
    assert volume.bone_fraction.sum() / 255 * voxel == pytest.approx(sum(one.total_ml for one in found), rel=0.04)
    assert volume.cortex_fraction.sum() / 255 * voxel == pytest.approx(sum(one.cortex_ml for one in found), rel=0.06)
    assert np.all(volume.cortex_fraction <= volume.bone_fraction.astype(int) + 2)


def test_closed_meshes_keep_their_volume(builder: AnatomyBuilder, skeleton: PosedSkeleton) -> None:
    """The depth field of a closed bone holds the volume of its mesh; of a rib, as thin as its smoothing, nearly so."""
    found = compositions(skeleton, builder.templates)
    for bone in (Bone.L3, Bone.T5, Bone.FEMUR_LEFT, Bone.FIBULA_RIGHT, Bone.PATELLA_LEFT, Bone.RIB_6_LEFT):
        near = 0.1 if bone.kind == "rib" else 0.04
        assert found[bone].total_ml == pytest.approx(abs(skeleton.mesh(bone).volume) / 1000.0, rel=near)


@pytest.mark.parametrize(
    ("sex", "height_cm", "weight_kg", "arms"),
    [
        (Sex.MALE, 176.0, 73.0, Arms.BESIDE_BODY),
        (Sex.FEMALE, 160.0, 48.0, Arms.ABOVE_HEAD),
        (Sex.FEMALE, 165.0, 110.0, Arms.ABOVE_HEAD),
        (Sex.MALE, 190.0, 140.0, Arms.BESIDE_BODY),
    ],
)
def test_the_body_has_the_person_s_volume(
    builder: AnatomyBuilder, sex: Sex, height_cm: float, weight_kg: float, arms: Arms
) -> None:
    """The outline holds the volume that the weight implies within 2 %, its fat within 5 %, and every bone."""
    spec = PersonSpec(seed=7, sex=sex, height_cm=height_cm, weight_kg=weight_kg, posture=Posture(arms=arms))
    geometry = builder.whole_body(spec, spacing_mm=6.0, frame_of_reference_uid="1.2.3")
    volume, body = builder.volume(spec, geometry), builder.body(spec)
    voxel = geometry.voxel_volume_ml
    assert np.count_nonzero(volume.body) * voxel == pytest.approx(body_volume_ml(spec), rel=0.02)
    fat = np.count_nonzero(volume.tissue == Tissue.FAT) * voxel
    assert fat == pytest.approx(subcutaneous_volume_ml(spec), rel=0.05)
    skin = body.on_grid(body.skin, geometry, slices=slice(0, geometry.shape[0]))
    assert np.mean(skin[volume.bones > 0] > 0) < 0.002
    edges = np.concatenate([np.take(volume.body, side, axis=axis).ravel() for axis in range(3) for side in (0, -1)])
    assert not edges.any()


def test_the_skull_is_hollow(volume: AnatomyVolume) -> None:
    """A cavity of about a brain and the face's spaces lies within the skull, and has no bone label."""
    cavity = volume.tissue == Tissue.SKULL_CAVITY
    assert 900.0 < np.count_nonzero(cavity) * volume.geometry.voxel_volume_ml < 1800.0
    assert not volume.bones[cavity].any()


def test_long_bones_have_marrow_within_cortex(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """Across the middle of a femur the core is marrow and the rim is cortex; at its head there is spongiosa."""
    skeleton = builder.skeleton(man)
    points = skeleton.vertices(Bone.FEMUR_LEFT)
    low, high = points.min(axis=0) - 5, points.max(axis=0) + 5
    geometry = axial_geometry(low, high, spacing_mm=1.5, frame_of_reference_uid="1.2.3")
    volume = builder.volume(man, geometry)
    femur = volume.bones == Bone.FEMUR_LEFT
    middle = geometry.shape[0] // 2
    tissue = volume.tissue[middle][femur[middle]]
    assert set(np.unique(tissue)) == {Tissue.CORTEX, Tissue.MEDULLARY}
    top = slice(int(geometry.shape[0] * 0.92), int(geometry.shape[0] * 0.95))
    assert np.mean(volume.tissue[top][femur[top]] == Tissue.SPONGIOSA) > 0.5


def test_an_oblique_grid_holds_the_same_bone(builder: AnatomyBuilder, man: PersonSpec, skeleton: PosedSkeleton) -> None:
    """A vertebra has the same volume and place on a turned grid with thick slices as on a straight one."""
    centre = skeleton.centre(Bone.L3)
    straight = axial_geometry(centre - 60, centre + 60, spacing_mm=1.5, frame_of_reference_uid="1.2.3")
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("xyz", [20.0, -15.0, 30.0], degrees=True).as_matrix() @ np.array(
        [[0.0, 0.0, 1.2], [0.0, 1.2, 0.0], [3.0, 0.0, 0.0]]
    )
    turned[:3, 3] = centre - turned[:3, :3] @ np.array([20.0, 50.0, 50.0])
    oblique = VolumeGeometry.from_matrix(turned, shape=(41, 101, 101), frame_of_reference_uid="1.2.3")
    first, second = builder.volume(man, straight), builder.volume(man, oblique)
    assert second.volume_ml(Bone.L3) == pytest.approx(first.volume_ml(Bone.L3), rel=0.03)
    assert np.linalg.norm(_centre(first, Bone.L3) - _centre(second, Bone.L3)) < 0.5


def test_what_was_built_is_found_again(
    builder: AnatomyBuilder, man: PersonSpec, volume: AnatomyVolume, tmp_path: Path
) -> None:
    """A second builder on the same folder finds the same; a damaged file is built anew; another person differs."""
    stored = AnatomyBuilder(builder.cache_dir).volume(man, volume.geometry)
    np.testing.assert_array_equal(stored.bones, volume.bones)
    for path in builder.cache_dir.glob("*.npz"):  # a folder of its own: parallel workers write into the shared one
        if not path.name.startswith("volume-"):
            shutil.copy(path, tmp_path)
    another = replace(man, seed=1, size_variation=0.05)
    other = AnatomyBuilder(tmp_path).volume(another, volume.geometry)
    (written,) = tmp_path.glob("volume-*.npz")
    written.write_bytes(written.read_bytes()[:1000])
    rebuilt = AnatomyBuilder(tmp_path).volume(another, volume.geometry)
    np.testing.assert_array_equal(rebuilt.tissue, other.tissue)
    assert not np.array_equal(other.bones, volume.bones)


@pytest.mark.parametrize(("spacing_mm", "size"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0)])
def test_an_empty_grid_is_refused(spacing_mm: float, size: float) -> None:
    """A grid without spacing or without extent cannot be made."""
    with pytest.raises(ValueError, match="positive spacing"):
        axial_geometry([0, 0, 0], [size, size, size], spacing_mm=spacing_mm, frame_of_reference_uid="1.2.3")
