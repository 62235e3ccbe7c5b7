"""Every person has bones of their own form, which are the same at every scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.composition import compositions
from operators.simulation.anatomy.person import Arms, PersonSpec, Posture
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.anatomy.voxels import axial_geometry


def test_the_form_is_the_person_s_and_not_the_posture_s(builder: AnatomyBuilder) -> None:
    """In another posture every bone has the same surface in its rest frame, and the same size."""
    spec = PersonSpec.drawn(5)
    first = builder.skeleton(spec)
    second = builder.skeleton(replace(spec, posture=Posture(arms=Arms.ABOVE_HEAD, kyphosis_deg=6.0, seed=77)))
    for one, other in zip(first.parts, second.parts, strict=True):
        np.testing.assert_array_equal(one.part.vertices, other.part.vertices)
        assert np.linalg.det(one.affine[:3, :3]) == pytest.approx(np.linalg.det(other.affine[:3, :3]), rel=1e-9)
        assert one.cortex == other.cortex


def _form(skeleton: PosedSkeleton, bone: Bone) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Distances between a bone's vertices, free of place and size."""
    points = skeleton.vertices(bone)[:60]
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    return np.asarray(distances / distances.mean())


@pytest.mark.parametrize("bone", [Bone.SKULL, Bone.L3, Bone.HIP_LEFT, Bone.RIB_6_LEFT, Bone.FEMUR_LEFT])
def test_persons_differ_in_the_form_of_their_bones(builder: AnatomyBuilder, bone: Bone) -> None:
    """Two persons of one height have bones that no scaling makes equal; without variation they have."""
    base = PersonSpec.drawn(1)
    forms = [_form(builder.skeleton(replace(base, seed=seed)), bone) for seed in (1, 2)]
    assert np.abs(forms[0] - forms[1]).max() > 0.01
    plain = [
        _form(builder.skeleton(replace(base, seed=seed, shape_variation=0.0, size_variation=0.0)), bone)
        for seed in (1, 2)
    ]
    np.testing.assert_allclose(plain[0], plain[1], atol=1e-9)


def test_partners_resemble_each_other(builder: AnatomyBuilder) -> None:
    """A person's left femur differs from the right one less than from another person's left one."""
    one, other = (builder.skeleton(PersonSpec.drawn(seed)) for seed in (11, 12))

    def mirrored(skeleton: PosedSkeleton) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        warp, part = skeleton.warps["r_femur"], _part(builder, "l_femur")
        points = part * [-1.0, 1.0, 1.0]
        return warp.at(points) * [-1.0, 1.0, 1.0]

    own = one.warps["l_femur"].at(_part(builder, "l_femur"))
    assert np.abs(own - mirrored(one)).mean() < np.abs(own - mirrored(other)).mean()


def _part(builder: AnatomyBuilder, name: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return next(part.vertices for part in builder.source.parts if part.name == name)


def test_field_and_mesh_have_one_form(builder: AnatomyBuilder) -> None:
    """The depth field in a person's form is zero, within a millimetre, where the person's mesh is."""
    spec = PersonSpec.drawn(6)
    skeleton, templates = builder.skeleton(spec), builder.templates_of(spec)
    for bone in (Bone.L2, Bone.FEMUR_RIGHT, Bone.TIBIA_LEFT):
        placed = skeleton.placed(bone)
        template = templates[placed.part.name]
        node = np.rint((placed.part.vertices - np.array(template.origin_mm)) / template.step_mm).astype(int)
        depth = template.depth[tuple(node[:, ::-1].T)] * 0.1
        assert np.abs(np.median(depth)) < 1.0
        assert np.percentile(np.abs(depth), 90) < 3.0


def test_landmarks_and_warp_are_inverse(builder: AnatomyBuilder) -> None:
    """A place of the source, moved into the person's form, is looked up at that very place."""
    warp = builder.skeleton(PersonSpec.drawn(6)).warps["l_pelvis"]
    points = _part(builder, "l_pelvis")
    there = warp.shaped(points)
    np.testing.assert_allclose(there + warp.at(there), points, atol=0.05)
    assert np.linalg.norm(warp.at(points), axis=1).max() <= 8.0 + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_varied_bones_keep_a_plausible_volume(builder: AnatomyBuilder, seed: int) -> None:
    """No bone of a varied person holds less than 0.7 or more than 1.4 times what it holds without variation."""
    spec = replace(PersonSpec.drawn(seed), osteopenia=0.0, posture=Posture())
    varied = compositions(builder.skeleton(spec), builder.templates_of(spec))
    plain = compositions(builder.skeleton(replace(spec, shape_variation=0.0)), builder.templates)
    for bone, one in varied.items():
        assert 0.7 < one.total_ml / plain[bone].total_ml < 1.4, bone.name


def test_a_varied_pelvis_is_still_several_bones(builder: AnatomyBuilder) -> None:
    """At 1.5 mm hardly any voxel of a varied hip joint or sacroiliac joint joins two bones."""
    spec = replace(PersonSpec.drawn(8), posture=Posture())
    centre = builder.skeleton(spec).centre(Bone.SACRUM)
    reach = np.array([150.0, 110.0, 130.0])
    grid = axial_geometry(centre - reach, centre + reach, spacing_mm=1.5, frame_of_reference_uid="1.2.3")
    bones = builder.volume(spec, grid).bones
    for first, second in ((Bone.HIP_LEFT, Bone.FEMUR_LEFT), (Bone.HIP_RIGHT, Bone.SACRUM)):
        touching = sum(
            np.count_nonzero((np.roll(bones == first, shift, axis=axis)) & (bones == second))
            for axis in range(3)
            for shift in (-1, 1)
        )
        assert touching < 0.02 * np.count_nonzero(bones == first)


def test_osteopenia_thins_the_cortex(builder: AnatomyBuilder, woman: PersonSpec) -> None:
    """At the greatest osteopenia a quarter to a third of the cortex is gone and every bone keeps its size."""
    sound = compositions(builder.skeleton(woman), builder.templates)
    thin = compositions(builder.skeleton(replace(woman, osteopenia=1.0)), builder.templates)
    ratio = sum(one.cortex_ml for one in thin.values()) / sum(one.cortex_ml for one in sound.values())
    assert 0.65 < ratio < 0.8
    for bone in (Bone.L3, Bone.FEMUR_LEFT):
        assert thin[bone].total_ml == pytest.approx(sound[bone].total_ml, rel=1e-6)
