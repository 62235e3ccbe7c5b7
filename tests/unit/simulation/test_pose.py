"""Bones where they belong, for any person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from operators.simulation.anatomy.bones import CERVICAL, LUMBAR, THORACIC, VERTEBRAE, Bone, Side
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import Arms, PersonSpec, Posture, Sex
from operators.simulation.anatomy.pose import PosedSkeleton

_PERSONS = [PersonSpec.drawn(seed) for seed in range(20)]


@pytest.mark.parametrize("spec", _PERSONS, ids=lambda spec: f"seed {spec.seed}")
def test_bones_are_in_order_on_their_sides(builder: AnatomyBuilder, spec: PersonSpec) -> None:
    """Left bones lie left of their partners, vertebrae from the head down, ribs one below the other on both sides."""
    skeleton = builder.skeleton(spec)
    present = set(skeleton.bones)
    assert len(present) >= 75
    for bone in present:
        if bone.side is Side.LEFT and bone.partner is not None:
            assert skeleton.centre(bone)[0] > skeleton.centre(bone.partner)[0]
    spine = [bone for bone in VERTEBRAE if bone in present]
    heights = [skeleton.centre(bone)[2] for bone in (*spine, Bone.SACRUM, Bone.COCCYX)]
    assert np.all(np.diff(heights) < -5.0)
    for side in ("LEFT", "RIGHT"):
        ribs = [
            skeleton.vertices(bone)[:, 2].max()
            for number in range(1, 13)
            if (bone := Bone[f"RIB_{number}_{side}"]) in present
        ]
        assert np.all(np.diff(ribs) < 0)


@pytest.mark.parametrize("spec", _PERSONS[:8], ids=lambda spec: f"seed {spec.seed}")
def test_ribs_meet_their_vertebrae(builder: AnatomyBuilder, spec: PersonSpec) -> None:
    """Each rib begins within three centimetres of the vertebra with its number, nearer than to the next but one."""
    skeleton = builder.skeleton(spec)
    for rib in (bone for bone in skeleton.bones if bone.kind == "rib"):
        number = int(rib.name.split("_")[1])
        own = _gap(skeleton, rib, Bone[f"T{number}"])
        assert own < 30.0
        if number <= 10:
            assert own < _gap(skeleton, rib, Bone[f"T{number + 2}"])


def _gap(skeleton: PosedSkeleton, first: Bone, second: Bone) -> float:
    a, b = skeleton.vertices(first), skeleton.vertices(second)
    return float(np.linalg.norm(a[:, None] - b[None], axis=2).min())


@pytest.mark.parametrize("height_cm", [145.0, 163.0, 176.0, 200.0])
def test_stature_is_the_height(builder: AnatomyBuilder, height_cm: float) -> None:
    """From sole to crown the skeleton and its soft tissue measure the height."""
    spec = PersonSpec(seed=3, sex=Sex.FEMALE, height_cm=height_cm, weight_kg=75.0)
    skeleton = builder.skeleton(spec)
    crown = skeleton.vertices(Bone.SKULL)[:, 2].max()
    ankles = (skeleton.vertices(Bone.TIBIA_LEFT)[:, 2].min() + skeleton.vertices(Bone.TIBIA_RIGHT)[:, 2].min()) / 2
    # Feet point down when lying; the ankle, about 4 % of the height above the sole, keeps its place.
    assert crown - ankles == pytest.approx(10.0 * height_cm * 0.95, rel=0.02)


def test_raised_arms_leave_the_spine_alone(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """Another arm position moves hands by more than half a metre and vertebrae and ribs not at all."""
    beside = builder.skeleton(man)
    above = builder.skeleton(replace(man, posture=Posture(arms=Arms.ABOVE_HEAD)))
    for bone in (*CERVICAL, *THORACIC, *LUMBAR[:5], Bone.RIB_5_LEFT, Bone.SKULL, Bone.HIP_LEFT):
        np.testing.assert_allclose(above.vertices(bone), beside.vertices(bone), atol=1e-6)
    for hand in (Bone.HAND_LEFT, Bone.HAND_RIGHT):
        assert np.linalg.norm(above.centre(hand) - beside.centre(hand)) > 500.0
        assert above.centre(hand)[2] > above.centre(Bone.SKULL)[2]


def test_the_head_turns_to_the_side_it_is_told(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """A positive turn brings the chin to the patient's left, by its angle, and leaves the chest."""
    straight = builder.skeleton(man)
    turned = builder.skeleton(replace(man, posture=Posture(head_turn_deg=40.0)))
    np.testing.assert_allclose(turned.vertices(Bone.T1), straight.vertices(Bone.T1), atol=1e-6)
    direction = turned.centre(Bone.MANDIBLE) - turned.centre(Bone.SKULL)
    before = straight.centre(Bone.MANDIBLE) - straight.centre(Bone.SKULL)
    angle = np.degrees(np.arctan2(direction[0], -direction[1]) - np.arctan2(before[0], -before[1]))
    assert angle == pytest.approx(40.0, abs=1.0)


@pytest.mark.parametrize(
    ("posture", "between", "axis", "degrees"),
    [
        (Posture(lordosis_deg=8.0), (Bone.SACRUM, Bone.L1), 0, -8.0),
        (Posture(scoliosis_deg=8.0), (Bone.SACRUM, Bone.L1), 1, 8.0),
        (Posture(kyphosis_deg=8.0), (Bone.L1, Bone.T1), 0, 8.0),
    ],
    ids=["lordosis", "scoliosis", "kyphosis"],
)
def test_the_spine_bends_as_told(
    builder: AnatomyBuilder, man: PersonSpec, posture: Posture, between: tuple[Bone, Bone], axis: int, degrees: float
) -> None:
    """Lordosis extends the lumbar spine, scoliosis bends it left, kyphosis flexes the chest, each by its angle."""

    def bend(spec: PersonSpec) -> float:
        turns = {placed.bone: placed.affine[:3, :3] for placed in builder.skeleton(spec).parts}
        turn = turns[between[1]] @ np.linalg.inv(turns[between[0]])
        turn /= np.cbrt(np.linalg.det(turn))
        first, second = (axis + 1) % 3, (axis + 2) % 3
        return float(np.degrees(np.arctan2(turn[second, first], turn[first, first])))

    assert bend(replace(man, posture=posture)) - bend(man) == pytest.approx(degrees, abs=0.5)


def test_malformations_change_what_is_there(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """A sixth lumbar vertebra lies between L5 and sacrum at the same stature; missing twelfth ribs are missing."""
    skeleton = builder.skeleton(replace(man, sixth_lumbar=True, missing_twelfth_ribs=True))
    assert set(skeleton.bones) == set(Bone) - {Bone.RIB_12_LEFT, Bone.RIB_12_RIGHT}
    assert skeleton.centre(Bone.SACRUM)[2] < skeleton.centre(Bone.L6)[2] < skeleton.centre(Bone.L5)[2]
    normal = builder.skeleton(man)

    def span(one: PosedSkeleton) -> float:
        return float(one.vertices(Bone.SKULL)[:, 2].max() - one.vertices(Bone.TIBIA_LEFT)[:, 2].min())

    assert span(skeleton) == pytest.approx(span(normal), rel=0.005)
    with pytest.raises(ValueError, match="no RIB_12_LEFT"):
        skeleton.vertices(Bone.RIB_12_LEFT)


def test_the_same_person_has_the_same_bones(builder: AnatomyBuilder) -> None:
    """Posing is deterministic, and another posture keeps every bone's size."""
    spec = PersonSpec.drawn(5)
    first, second = builder.skeleton(spec), builder.skeleton(spec)
    moved = builder.skeleton(replace(spec, posture=Posture(arms=Arms.ABOVE_HEAD, scoliosis_deg=5.0, seed=99)))
    for one, again, other in zip(first.parts, second.parts, moved.parts, strict=True):
        np.testing.assert_array_equal(one.affine, again.affine)
        assert np.linalg.det(other.affine[:3, :3]) == pytest.approx(np.linalg.det(one.affine[:3, :3]), rel=0.01)


def test_persons_differ_in_their_bones(builder: AnatomyBuilder) -> None:
    """Two persons of the same height and weight have thighs of different length."""
    lengths = set()
    for seed in range(3):
        spec = PersonSpec(seed=seed, sex=Sex.MALE, height_cm=175.0, weight_kg=75.0)
        lengths.add(round(float(np.ptp(builder.skeleton(spec).vertices(Bone.FEMUR_LEFT)[:, 2])), 1))
    assert len(lengths) == 3


_BENT = Posture(lordosis_deg=8.0, kyphosis_deg=8.0, scoliosis_deg=8.0)


def test_the_chest_takes_back_what_the_lumbar_spine_tilts(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """With more lordosis and a scoliosis the first thoracic vertebra still stands as it did over the sacrum."""

    def upright(spec: PersonSpec) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        turns = {placed.bone: placed.affine[:3, :3] for placed in builder.skeleton(spec).parts}
        return turns[Bone.T1] @ np.linalg.inv(turns[Bone.SACRUM])

    bent = replace(man, posture=Posture(lordosis_deg=8.0, scoliosis_deg=8.0))
    np.testing.assert_allclose(upright(bent), upright(man), atol=0.02)


def test_the_shoulder_girdle_goes_with_the_chest(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """A bent spine carries collar bones, shoulder blades and arms along with the upper ribs."""
    straight, bent = builder.skeleton(man), builder.skeleton(replace(man, posture=_BENT))
    for bone in (Bone.CLAVICLE_LEFT, Bone.SCAPULA_RIGHT, Bone.RIB_4_LEFT):
        before = np.linalg.norm(straight.centre(bone) - straight.centre(Bone.T4))
        after = np.linalg.norm(bent.centre(bone) - bent.centre(Bone.T4))
        assert after == pytest.approx(before, rel=0.03)
    np.testing.assert_allclose(
        _offset(bent, Bone.HUMERUS_LEFT, Bone.T4), _offset(straight, Bone.HUMERUS_LEFT, Bone.T4), atol=25.0
    )


def _offset(skeleton: PosedSkeleton, first: Bone, second: Bone) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(skeleton.centre(first) - skeleton.centre(second))
