"""How a person lies, and what a collapsed vertebra does to what is above it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from operators.simulation.anatomy.bones import VERTEBRAE, Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import Collapse, PersonSpec, Posture
from operators.simulation.anatomy.placed import bone_affines


def test_the_whole_person_moves_as_one(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """Shift and turns move every bone by one rigid motion about the sacrum."""
    straight = builder.skeleton(man)
    lying = builder.skeleton(
        replace(man, posture=Posture(shift_mm=(20.0, -10.0, 30.0), roll_deg=6.0, yaw_deg=-4.0, pitch_deg=2.0))
    )
    before, after = bone_affines(straight), bone_affines(lying)
    motions = np.array([after[bone] @ np.linalg.inv(before[bone]) for bone in before])
    np.testing.assert_allclose(motions, np.broadcast_to(motions[0], motions.shape), atol=1e-6)
    np.testing.assert_allclose(motions[0][:3, :3] @ motions[0][:3, :3].T, np.eye(3), atol=1e-9)
    moved = lying.centre(Bone.SACRUM) - straight.centre(Bone.SACRUM)
    np.testing.assert_allclose(moved, [20.0, -10.0, 30.0], atol=3.0)


@pytest.mark.parametrize(
    ("posture", "bone", "axis", "sign"),
    [
        (Posture(roll_deg=8.0), Bone.HIP_LEFT, 1, 1.0),
        (Posture(yaw_deg=8.0), Bone.SKULL, 0, -1.0),
        (Posture(pitch_deg=4.0), Bone.SKULL, 1, -1.0),
        (Posture(neck_flexion_deg=12.0), Bone.SKULL, 1, -1.0),
    ],
    ids=["roll", "yaw", "pitch", "neck"],
)
def test_turns_go_the_way_they_are_said_to(
    builder: AnatomyBuilder, man: PersonSpec, posture: Posture, bone: Bone, axis: int, sign: float
) -> None:
    """Roll brings the left side back, yaw the head to the right, pitch and neck flexion the head forward."""
    before, after = builder.skeleton(man).centre(bone), builder.skeleton(replace(man, posture=posture)).centre(bone)
    assert sign * (after - before)[axis] > 5.0


def test_feet_turn_outward(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """Both forefeet move away from the midline."""
    turned = builder.skeleton(replace(man, posture=Posture(feet_out_deg=15.0)))
    for bone, sign in ((Bone.FOOT_LEFT, 1.0), (Bone.FOOT_RIGHT, -1.0)):
        assert sign * (turned.centre(bone) - builder.skeleton(man).centre(bone))[0] > 5.0


@pytest.mark.parametrize("wedge", [0.0, 1.0])
def test_a_collapsed_vertebra_lets_what_is_above_it_down(
    builder: AnatomyBuilder, man: PersonSpec, wedge: float
) -> None:
    """T12 loses its height, all above follows, a wedge tilts it forward, and nothing below moves."""
    collapse = Collapse(bone=Bone.T12, height_loss=0.5, wedge=wedge)
    sound, broken = builder.skeleton(man), builder.skeleton(replace(man, collapses=(collapse,)))
    for bone in (Bone.L1, Bone.SACRUM, Bone.FEMUR_LEFT):
        np.testing.assert_allclose(broken.vertices(bone), sound.vertices(bone), atol=1e-9)
    lost = 2 * builder.landmarks.vertebrae[Bone.T12].half_height_mm * (0.5 if wedge == 0.0 else 0.25)
    for bone in (Bone.T11, Bone.C1, Bone.SKULL, Bone.RIB_3_LEFT, Bone.STERNUM, Bone.HUMERUS_RIGHT):
        turn = broken.placed(bone).affine @ np.linalg.inv(sound.placed(bone).affine)
        np.testing.assert_allclose(turn[:3, :3] @ turn[:3, :3].T, np.eye(3), atol=1e-9)
        angle = np.degrees(np.arctan2(turn[2, 1], turn[1, 1]))
        assert angle == pytest.approx(0.0 if wedge == 0.0 else np.degrees(np.arctan(0.5 * 25.0 / 31.0)), abs=3.0)
    place = builder.landmarks.vertebrae[Bone.T11].body_centre_mm[None]
    down = sound.placed(Bone.T11).to_lps(place) - broken.placed(Bone.T11).to_lps(place)
    assert (0.6 * lost if wedge == 0.0 else 0.0) < down[0, 2] < 2.0 * lost
    ratio = np.linalg.det(broken.placed(Bone.T12).affine) / np.linalg.det(sound.placed(Bone.T12).affine)
    assert ratio == pytest.approx(0.5 if wedge == 0.0 else 0.75, abs=1e-6)
    if wedge == 1.0:
        assert broken.centre(Bone.SKULL)[1] < sound.centre(Bone.SKULL)[1] - 20.0


def test_several_vertebrae_collapse_in_any_order(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """Two fractures give the same skeleton whichever is named first, and the spine stays in order."""
    first, second = Collapse(bone=Bone.L1, height_loss=0.4, wedge=0.5), Collapse(bone=Bone.T8, height_loss=0.3)
    one = builder.skeleton(replace(man, collapses=(first, second)))
    other = builder.skeleton(replace(man, collapses=(second, first)))
    for bone in one.bones:
        np.testing.assert_array_equal(one.vertices(bone), other.vertices(bone))
    heights = [one.centre(bone)[2] for bone in VERTEBRAE if bone in one.bones]
    assert np.all(np.diff(heights) < 0)


@pytest.mark.parametrize(
    ("collapse", "message"),
    [
        ({"bone": Bone.L1, "height_loss": 0.9}, "height_loss is 0.9, allowed is 0 to 0.8"),
        ({"bone": Bone.L1, "height_loss": 0.5, "wedge": 1.1}, "wedge is 1.1, allowed is 0 to 1"),
        ({"bone": Bone.C2, "height_loss": 0.5}, "C2 does not collapse"),
    ],
)
def test_an_impossible_collapse_is_refused(collapse: dict[str, object], message: str) -> None:
    """A value outside its range is refused with its name and the range."""
    with pytest.raises(ValueError, match=message):
        Collapse(**collapse)  # type: ignore[arg-type]  # wrong on purpose


def test_a_collapse_needs_its_vertebra(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """L6 does not collapse in a person with five lumbar vertebrae, and no vertebra collapses twice."""
    with pytest.raises(ValueError, match="L6 collapses, but this person has none"):
        builder.skeleton(replace(man, collapses=(Collapse(bone=Bone.L6, height_loss=0.2),)))
    twice = (Collapse(bone=Bone.L1, height_loss=0.2), Collapse(bone=Bone.L1, height_loss=0.3))
    with pytest.raises(ValueError, match="collapses once"):
        replace(man, collapses=twice)


def test_an_impossible_shift_is_refused() -> None:
    """A person lies on the table."""
    with pytest.raises(ValueError, match="shift_mm is"):
        Posture(shift_mm=(0.0, 0.0, 500.0))
