"""Places on bones: where they are said to be, there they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from operators.simulation.anatomy.bones import CERVICAL, LUMBAR, THORACIC, VERTEBRAE, Bone, Side
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.landmarks import JointKind, VertebraPart
from operators.simulation.anatomy.person import Arms, PersonSpec, Posture
from operators.simulation.anatomy.templates import STEP_MM, Template

_BODIES = (*CERVICAL[2:], *THORACIC, *LUMBAR[:5])


def _depth(template: Template, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    node = (np.atleast_2d(points) - np.array(template.origin_mm)) / template.step_mm
    units = ndimage.map_coordinates(
        template.depth.astype(np.float64), node[:, ::-1].T, order=1, mode="constant", cval=-127.0
    )
    return np.asarray(units * STEP_MM)


def _templates(builder: AnatomyBuilder, bone: Bone) -> list[Template]:
    return [builder.templates[part.name] for part in builder.source.parts if part.bone is bone]


@pytest.mark.parametrize("bone", _BODIES, ids=lambda bone: bone.name)
def test_a_vertebral_body_lies_between_its_endplates_and_before_its_canal(builder: AnatomyBuilder, bone: Bone) -> None:
    """The body's centre is deep in bone, the endplates are its surface, the canal's centre is in no bone."""
    (template,) = _templates(builder, bone)
    found = builder.landmarks.vertebrae[bone]
    assert _depth(template, found.body_centre_mm)[0] > 0.6 * found.half_height_mm
    ends = _depth(template, np.stack([found.upper_mm, found.lower_mm]))
    assert np.all(np.abs(ends) < 2.0)
    assert _depth(template, found.canal_mm)[0] < -1.5
    assert (found.upper_mm - found.lower_mm) @ found.up > 0
    assert found.upper_normal @ found.up > 0.8
    assert found.lower_normal @ found.up < -0.8
    assert found.canal_mm[1] > found.body_centre_mm[1]


@pytest.mark.parametrize("bone", [Bone.T4, Bone.T9, Bone.L1, Bone.L4], ids=lambda bone: bone.name)
def test_the_parts_of_a_vertebra_follow_from_front_to_back(builder: AnatomyBuilder, bone: Bone) -> None:
    """Of the bone about half is body, the pedicles lie behind it on both sides, the spinous process is posterior."""
    (template,) = _templates(builder, bone)
    found = builder.landmarks.vertebrae[bone]
    index = np.argwhere(template.depth > 0)[:, ::-1]
    points = np.array(template.origin_mm) + template.step_mm * index
    parts = found.parts(points)
    share = np.bincount(parts, minlength=4)[1:] / len(parts)
    assert 0.35 < share[VertebraPart.BODY - 1] < 0.75
    assert 0.03 < share[VertebraPart.PEDICLE - 1] < 0.35
    assert share[VertebraPart.POSTERIOR - 1] > 0.1
    assert found.parts(found.body_centre_mm[None])[0] == VertebraPart.BODY
    assert parts[np.argmax(points @ found.back)] == VertebraPart.POSTERIOR
    for side, sign in ((Side.LEFT, 1.0), (Side.RIGHT, -1.0)):
        pedicle = found.pedicle_mm(side)
        assert sign * pedicle[0] > 4.0
        assert found.parts(pedicle[None])[0] == VertebraPart.PEDICLE
        assert _depth(template, pedicle)[0] > -1.0


def test_joints_lie_between_their_bones_on_their_side(builder: AnatomyBuilder) -> None:
    """Each joint's surface points lie on its two bones, and left joints mirror right ones within a few millimetres."""
    right = {
        (joint.kind, joint.bones[0].partner or joint.bones[0]): joint
        for joint in builder.landmarks.joints
        if joint.side is Side.RIGHT
    }
    for joint in builder.landmarks.joints:
        for bone, point in zip(joint.bones, joint.surface_mm, strict=True):
            deepest = max(_depth(template, point)[0] for template in _templates(builder, bone))
            assert -8.0 < deepest < 6.0, (joint.kind, joint.bones)
        if joint.side is Side.LEFT:
            other = right[joint.kind, joint.bones[0]]
            assert joint.centre_mm[0] > 4.0
            np.testing.assert_allclose(other.centre_mm * [-1.0, 1.0, 1.0], joint.centre_mm, atol=6.0)


def test_every_joint_has_its_number(builder: AnatomyBuilder) -> None:
    """Both sides: 21 facet levels from C3 to L5, 12 rib heads, 10 rib ends, one of each large joint; one symphysis."""
    kinds = [joint.kind for joint in builder.landmarks.joints]
    expected = {JointKind.FACET: 42, JointKind.COSTOVERTEBRAL: 24, JointKind.COSTOCHONDRAL: 20, JointKind.SYMPHYSIS: 1}
    for kind in JointKind:
        assert kinds.count(kind) == expected.get(kind, 2)
    hip = builder.landmarks.joint(JointKind.HIP, Side.LEFT)
    assert hip.bones == (Bone.FEMUR_LEFT, Bone.HIP_LEFT)
    (femur,) = _templates(builder, Bone.FEMUR_LEFT)
    assert _depth(femur, hip.centre_mm)[0] > 10.0
    with pytest.raises(KeyError, match="no symphysis"):
        builder.landmarks.joint(JointKind.SYMPHYSIS, Side.LEFT)


@pytest.mark.parametrize("number", range(1, 13))
@pytest.mark.parametrize("side", ["LEFT", "RIGHT"])
def test_a_rib_is_walked_from_the_spine_to_its_front_end(builder: AnatomyBuilder, number: int, side: str) -> None:
    """Points along a rib lie in it, advance steadily and start at its vertebra."""
    bone = Bone[f"RIB_{number}_{side}"]
    (template,) = _templates(builder, bone)
    points = np.array([builder.landmarks.rib(bone, share) for share in np.linspace(0.05, 0.95, 10)])
    assert np.all(_depth(template, points) > -1.0)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert steps.max() < 2.5 * steps.min()
    spine = builder.landmarks.vertebrae[Bone[f"T{number}"]].body_centre_mm
    assert np.linalg.norm(points[0] - spine) < np.linalg.norm(points[-1] - spine)


@pytest.mark.parametrize("bone", [Bone.FEMUR_LEFT, Bone.TIBIA_RIGHT, Bone.HUMERUS_LEFT, Bone.RADIUS_RIGHT])
def test_a_shaft_is_walked_from_the_trunk(builder: AnatomyBuilder, bone: Bone) -> None:
    """The middle of a shaft lies in the bone; its beginning is nearer to the trunk than its end."""
    (template,) = _templates(builder, bone)
    first, middle, last = (builder.landmarks.shaft(bone, share) for share in (0.05, 0.5, 0.95))
    assert _depth(template, middle)[0] > 3.0
    assert first[2] > middle[2] > last[2]


def test_landmarks_follow_a_person_s_shape(builder: AnatomyBuilder) -> None:
    """In a person's own shape the body's centre is deep in bone and the canal is free, and the frames agree."""
    spec = PersonSpec.drawn(3)
    skeleton, templates = builder.skeleton(spec), builder.templates_of(spec)
    for bone in _BODIES:
        found, placed = builder.landmarks.vertebrae[bone], skeleton.placed(bone)
        centre, canal = placed.shaped(np.stack([found.body_centre_mm, found.canal_mm]))
        template = templates[placed.part.name]
        assert _depth(template, centre)[0] > 0.5 * found.half_height_mm
        assert _depth(template, canal)[0] < -1.0
        np.testing.assert_allclose(placed.to_rest(placed.to_lps(centre[None]))[0], centre, atol=1e-9)


def test_a_landmark_moves_with_its_bone(builder: AnatomyBuilder) -> None:
    """With another posture a place in a bone's rest frame is the same place on the bone."""
    spec = PersonSpec.drawn(4)
    other = replace(spec, posture=Posture(arms=Arms.ABOVE_HEAD, kyphosis_deg=5.0, seed=9))
    place = builder.landmarks.shaft(Bone.HUMERUS_LEFT, 0.5)
    distances = []
    for one in (spec, other):
        placed = builder.skeleton(one).placed(Bone.HUMERUS_LEFT)
        distances.append(np.linalg.norm(placed.vertices_lps - placed.to_lps(placed.shaped(place)), axis=1))
    np.testing.assert_allclose(distances[0], distances[1], rtol=1e-6)


def test_a_sixth_lumbar_has_the_landmarks_of_the_fifth(builder: AnatomyBuilder) -> None:
    """L6 is a copy of L5, whose frame it has."""
    assert builder.landmarks.vertebrae[Bone.L6] is builder.landmarks.vertebrae[Bone.L5]
    assert set(builder.landmarks.vertebrae) == set(VERTEBRAE)
