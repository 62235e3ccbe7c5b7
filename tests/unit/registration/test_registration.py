"""Two scans as one result: every bone's account, whatever the order of slices, or a refusal with its reason."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from bmnode.domain.bones import Bone
from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.orientation import PatientAxes
from operators.kernels.registration import se3
from operators.kernels.registration.bones import SidedBone
from operators.kernels.registration.global_align import CtBone, alignments
from operators.kernels.registration.registration import (
    METHOD,
    NotRegistered,
    Registration,
    RegistrationRefusal,
    register,
)
from operators.kernels.registration.skeletal_chain import BoneState
from operators.kernels.skeleton_sites.sites import SkeletonMap
from pipelines.follow_up.registration import profile
from tests.unit.registration.phantom import PELVIS, Phantom, inner_points, turned, work_of

HIP, FEMUR = SidedBone(bone=Bone.HIP, side=1), SidedBone(bone=Bone.FEMUR, side=1)
NOW = Phantom(frame="1.2.1")
WHOLE = se3.exp(np.array([0.0, 0.03, 0.08, 12.0, -8.0, 30.0]))
MOVES = {HIP: turned((0, 3, 0), (0, 2, 0), name=HIP), FEMUR: turned((0, 5, 4), (0, 3, 0), name=FEMUR)}
THEN = Phantom(frame="1.2.2", whole=WHOLE, motions=MOVES, seed=1, centre_mm=(10.0, 0.0, 5.0))


@cache
def scan(phantom: Phantom) -> tuple[CtBone, SkeletonMap]:
    """A phantom's scan with its names, made once."""
    return phantom.ct(), phantom.skeleton()


def registered(
    current: tuple[CtBone, SkeletonMap], prior: tuple[CtBone, SkeletonMap]
) -> Registration | RegistrationRefusal:
    """With the limits in force and both scans' names."""
    return register(current[0], prior[0], names=current[1], prior_names=prior[1], limits=profile().limits)


@cache
def found() -> Registration:
    """The phantom and its prior."""
    result = registered(scan(NOW), scan(THEN))
    assert isinstance(result, Registration)
    return result


def test_every_bone_has_an_account() -> None:
    """Bones, frames, states and similarities stand in the result, and the field brings every bone where it was."""
    result = found()
    assert result.method == METHOD
    assert {bone.name for bone in result.bones} == set(PELVIS)
    assert sum(bone.parent is None for bone in result.bones) == 1
    for bone in result.bones:
        assert bone.state in (BoneState.REGISTERED, BoneState.WITH_NEIGHBOUR)
        assert (bone.transform.from_frame, bone.transform.to_frame) == ("1.2.1", "1.2.2")
        assert bone.similarity_after is not None
        points = 0.8 * inner_points(bone.name) + 0.2 * inner_points(bone.name).mean(axis=0)
        true = THEN.motion(bone.name)
        gap = result.field.apply(points) - (points @ true[:3, :3].T + true[:3, 3])
        assert np.linalg.norm(gap, axis=1).mean() < 0.75, bone.name.name
    femur = result.bone(FEMUR)
    assert femur is not None
    assert femur.parent == HIP
    assert result.bone(SidedBone(bone=Bone.SKULL)) is None


def test_a_scan_on_itself_is_the_identity() -> None:
    """No place moves by a tenth of a millimetre."""
    result = registered(scan(NOW), scan(replace(NOW, frame="1.2.3")))
    assert isinstance(result, Registration)
    points = np.random.default_rng(0).uniform(-100.0, 60.0, size=(300, 3))
    assert result.field.apply(points) == pytest.approx(points, abs=0.1)
    assert result.whole.rotation_deg < 0.05


def test_order_of_slices_rows_and_columns_changes_nothing() -> None:
    """The same prior, stored from the head down and from the left, gives the same motions to the last digit."""
    hu, bones, _ = THEN.scan()
    shape = THEN.geometry.shape
    flip = np.diag([-1.0, 1.0, -1.0, 1.0])
    flip[0, 3], flip[2, 3] = shape[0] - 1.0, shape[2] - 1.0
    stored = VolumeGeometry.from_matrix(THEN.geometry.matrix @ flip, shape=shape, frame_of_reference_uid="1.2.2")
    axes = PatientAxes.from_geometry(stored)
    kept = hu[::-1, :, ::-1]
    assert np.array_equal(axes.turn(kept), hu)
    work = replace(work_of(np.asarray(axes.turn(kept), dtype=np.float32), bones > 0, stored), axes=axes)
    result = registered(scan(NOW), (profile().ct(work, stored), scan(THEN)[1]))
    assert isinstance(result, Registration)
    for one, other in zip(result.bones, found().bones, strict=True):
        assert one.transform.matrix == pytest.approx(other.transform.matrix, abs=1e-6)


def test_arms_that_were_moved_do_not_hide_the_trunk() -> None:
    """Where arms went up by a hand's breadth, another motion of the whole stands out more than the trunk's own: the
    bones tell which is right, and the trunk is registered."""
    arms = {SidedBone(bone=Bone.HUMERUS, side=side): (((side * 130, 10, 0), (18, 18, 90)),) for side in (1, -1)}
    bones = {name: lobes for name, lobes in PELVIS.items() if name != FEMUR} | arms
    up = np.eye(4)
    up[:3, 3] = (0.0, -10.0, 45.0)
    now = Phantom(bones=bones, size_mm=(340.0, 130.0, 320.0), frame="1.2.1")
    then = replace(now, motions=dict.fromkeys(arms, up), seed=1, frame="1.2.2")
    first = alignments(scan(now)[0], scan(then)[0], limits=profile().whole)[0]
    assert np.linalg.norm(first.motion[:3, 3]) > 50.0
    result = registered(scan(now), scan(then))
    assert isinstance(result, Registration)
    assert np.linalg.norm(result.whole.matrix[:3, 3]) < 5.0
    assert all(bone.state is not BoneState.REJECTED for bone in result.bones if bone.name not in arms)


def test_another_side_is_refused() -> None:
    """A prior whose map calls left what the current one calls right is no prior of these bones."""
    ct, names = scan(THEN)
    swapped = SkeletonMap(
        bones=names.bones, sides=-names.sides, matrix=names.matrix, certain=names.certain, method=names.method
    )
    result = registered(scan(NOW), (ct, swapped))
    assert isinstance(result, RegistrationRefusal)
    assert result.reason is NotRegistered.OTHER_LATERALITY
    assert "100 %" in result.detail


def test_no_bones_in_common_is_refused() -> None:
    """A current scan of the loins and a prior of the thigh alone have nothing to be compared."""
    low = Phantom(frame="1.2.4", bones={FEMUR: PELVIS[FEMUR]}, seed=3)
    high = Phantom(
        frame="1.2.5", bones={name: PELVIS[name] for name in PELVIS if name.bone in (Bone.L4, Bone.L5)}, seed=4
    )
    result = registered(scan(high), scan(low))
    assert isinstance(result, RegistrationRefusal)
    assert result.reason in (NotRegistered.NO_BONES_IN_COMMON, NotRegistered.NOT_ALIKE)


def test_other_bones_are_refused() -> None:
    """Bones of quite another form in the same places are another patient's."""
    random = np.random.default_rng(7)
    other = {
        name: tuple(
            (
                tuple(np.array(centre) + random.uniform(-14.0, 14.0, 3)),
                tuple(np.array(radii)[random.permutation(3)] * random.uniform(0.6, 1.3, 3)),
            )
            for centre, radii in lobes
        )
        for name, lobes in PELVIS.items()
    }
    result = registered(scan(NOW), scan(Phantom(frame="1.2.6", bones=other, seed=5)))
    assert isinstance(result, RegistrationRefusal), [(bone.name.name, bone.similarity_after) for bone in result.bones]
    assert result.reason is NotRegistered.NOT_ALIKE
    assert "are needed" in result.detail


def test_nothing_to_register_is_refused() -> None:
    """Without bone, or without a name for any, there is no registration and a reason."""
    empty = scan(Phantom(frame="1.2.7", bones={}))
    for pair in ((scan(NOW), empty), (empty, scan(NOW))):
        result = registered(*pair)
        assert isinstance(result, RegistrationRefusal)
        assert result.reason is NotRegistered.NO_BONE
    ct, names = scan(NOW)
    nameless = SkeletonMap(
        bones=np.zeros_like(names.bones),
        sides=np.zeros_like(names.sides),
        matrix=names.matrix,
        certain=frozenset(),
        method="NONE",
        basis=("No bone is named.",),
    )
    result = registered((ct, nameless), scan(THEN))
    assert result == RegistrationRefusal(reason=NotRegistered.NO_NAMES, detail="No bone is named.")
