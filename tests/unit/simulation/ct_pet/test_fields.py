"""Where CT and PET look, on a real anatomy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import LUMBAR, Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.compose import SceneBuilder
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.one_per_bone import one_per_bone
from operators.simulation.fields.ct import ct_field
from operators.simulation.fields.pet import pet_field
from operators.simulation.patient import Patient, Physiology
from operators.simulation.physics.ct import scan_ct
from operators.simulation.physics.pet import scan_pet
from operators.simulation.protocols.ct import CtProtocol, Region
from operators.simulation.protocols.pet import PetProtocol

COARSE = CtProtocol(region=Region.CHEST, slice_mm=5.0, increment_mm=5.0, pixel_mm=2.5, couch=False)


def heights_mm(geometry: VolumeGeometry) -> tuple[float, float]:
    """z of the first and the last slice."""
    last = geometry.shape[0] - 1
    return geometry.position_lps((0, 0, 0))[2], geometry.position_lps((last, 0, 0))[2]


@pytest.mark.parametrize(
    ("region", "whole", "absent"),
    [
        (Region.SPINE, (Bone.C1, Bone.L5, Bone.SACRUM), (Bone.FOOT_LEFT,)),
        (Region.CHEST_TO_PELVIS, (Bone.T1, Bone.RIB_1_LEFT, Bone.HIP_LEFT), (Bone.C2, Bone.TIBIA_LEFT)),
        (Region.ABDOMEN_PELVIS, (Bone.L1, Bone.SACRUM, Bone.HIP_RIGHT), (Bone.T1, Bone.TIBIA_LEFT)),
        (Region.CHEST, (Bone.T1, Bone.T12, Bone.RIB_7_RIGHT), (Bone.SACRUM, Bone.SKULL)),
        (Region.SKULL_TO_THIGH, (Bone.SKULL, Bone.HIP_LEFT), (Bone.TIBIA_LEFT,)),
        (Region.WHOLE_BODY, (Bone.SKULL, Bone.FOOT_LEFT, Bone.FOOT_RIGHT), ()),
    ],
)
def test_regions_hold_what_they_say(
    builder: AnatomyBuilder,
    man: PersonSpec,
    skeleton: PosedSkeleton,
    region: Region,
    whole: tuple[Bone, ...],
    absent: tuple[Bone, ...],
) -> None:
    """A region shows its bones from end to end and nothing of those beyond it; CT and PET show the same."""
    ct = ct_field(replace(COARSE, region=region), builder, man, frame_of_reference_uid="1.2.3")
    pet = pet_field(PetProtocol(region=region), builder, man, frame_of_reference_uid="1.2.3")
    for geometry in (ct, pet):
        low, high = heights_mm(geometry)
        for bone in whole:
            z = skeleton.vertices(bone)[:, 2]
            assert low < z.min() < z.max() < high
        for bone in absent:
            z = skeleton.vertices(bone)[:, 2]
            assert z.max() < low or z.min() > high
    assert heights_mm(ct) == pytest.approx(heights_mm(pet), abs=5.0)
    assert ct.frame_of_reference_uid == pet.frame_of_reference_uid


def test_a_field_is_as_wide_as_asked(builder: AnatomyBuilder, man: PersonSpec, skeleton: PosedSkeleton) -> None:
    """A narrow field of the spine holds the vertebrae's width and depth, in square pixels of the size asked."""
    protocol = replace(COARSE, region=Region.SPINE, field_mm=200.0, pixel_mm=0.8)
    geometry = ct_field(protocol, builder, man, frame_of_reference_uid="1.2.3")
    assert geometry.shape[1:] == (250, 250)
    assert geometry.spacing_mm == pytest.approx((5.0, 0.8, 0.8))
    points = np.concatenate([skeleton.vertices(bone) for bone in LUMBAR if bone in skeleton.bones])
    index = np.c_[points, np.ones(len(points))] @ np.linalg.inv(geometry.matrix).T
    assert index[:, 1:3].min() > 0
    assert index[:, 1:3].max() < 249


def test_a_tilted_stack_is_rectangular(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """A tilt turns the slices about the left-right axis by its angle, which stay perpendicular to each other."""
    geometry = ct_field(replace(COARSE, tilt_deg=15.0), builder, man, frame_of_reference_uid="1.2.3")
    axes = geometry.matrix[:3, :3] / np.array(geometry.spacing_mm)
    assert np.allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    assert axes[:, 2] == pytest.approx((1.0, 0.0, 0.0))
    assert np.degrees(np.arccos(axes[2, 0])) == pytest.approx(15.0)
    assert np.linalg.det(np.c_[axes[:, 2], axes[:, 1], axes[:, 0]]) == pytest.approx(1.0)


def few(geometry: VolumeGeometry, first: int, count: int) -> VolumeGeometry:
    """Some slices of a grid."""
    matrix = geometry.matrix
    matrix[:3, 3] = geometry.position_lps((first, 0, 0))
    shape = (count, geometry.shape[1], geometry.shape[2])
    return VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid=geometry.frame_of_reference_uid)


def about(geometry: VolumeGeometry, z_mm: float) -> VolumeGeometry:
    """Nine slices of a grid about a height."""
    first = round((z_mm - heights_mm(geometry)[0]) / geometry.spacing_mm[0]) - 4
    return few(geometry, first, 9)


def test_a_narrow_field_cuts_the_body(scenes: SceneBuilder, man: PersonSpec) -> None:
    """Where the field is narrower than the chest, tissue reaches its edges; where it is wide, air does."""
    patient = Patient(person=man, physiology=Physiology(spread=0.0))
    for field_mm, share in ((200.0, 0.9), (700.0, 0.0)):
        protocol = replace(COARSE, increment_mm=5.0, field_mm=field_mm, region=Region.ABDOMEN_PELVIS)
        geometry = few(ct_field(protocol, scenes.anatomy, man, frame_of_reference_uid="1.2.3"), 24, 6)
        values = scan_ct(scenes.scene(patient, geometry), protocol, seed=1, noise=False).values
        rows = values.shape[1] // 2
        sides = values[:, rows - 5 : rows + 5, [0, -1]] > -300.0
        assert float(sides.mean()) >= share
        if share == 0.0:
            assert not sides.any()


@pytest.mark.parametrize("bone", [Bone.RIB_7_LEFT, Bone.RIB_7_RIGHT])
def test_lesions_lie_where_they_are(scenes: SceneBuilder, man: PersonSpec, skeleton: PosedSkeleton, bone: Bone) -> None:
    """A dense, hot lesion in a rib shows at its own place, left or right, in CT and in PET."""
    ground = Ground.of(skeleton, scenes.anatomy.templates)
    lesion = next(lesion for lesion in one_per_bone(ground) if lesion.bone is bone)
    place = ground.main_part(bone).placed.affine @ np.array([*lesion.shapes[0].centre_mm, 1.0])
    assert (place[0] > 0) == (bone is Bone.RIB_7_LEFT)
    patient = Patient(person=man, lesions=(lesion,), physiology=Physiology(spread=0.0))
    hot = PetProtocol(region=Region.CHEST, voxel_mm=5.0, slice_mm=5.0)
    ct_grid = about(ct_field(COARSE, scenes.anatomy, man, frame_of_reference_uid="1.2.3"), place[2])
    pet_grid = about(pet_field(hot, scenes.anatomy, man, frame_of_reference_uid="1.2.3"), place[2])
    sick, well = (scenes.scene(who, ct_grid) for who in (patient, replace(patient, lesions=())))
    change = scan_ct(sick, COARSE, seed=1, noise=False).values - scan_ct(well, COARSE, seed=1, noise=False).values
    activity = scan_pet(scenes.scene(patient, pet_grid), hot, seed=1).values
    for values, geometry in ((change, ct_grid), (activity, pet_grid)):
        k, j, i = (int(index) for index in np.unravel_index(int(values.argmax()), values.shape))
        assert np.linalg.norm(np.array(geometry.position_lps((k, j, i))) - place[:3]) < 15.0
