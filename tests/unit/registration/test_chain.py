"""Bones that are moved in a known way are found where they are, and what cannot be found is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.bones import Bone
from operators.kernels.registration import se3
from operators.kernels.registration.bones import JOINTS, SidedBone, pieces_of
from operators.kernels.registration.coarse_align import best_shifts
from operators.kernels.registration.global_align import align
from operators.kernels.registration.skeletal_chain import BoneMotion, BoneState, ChainLimits, Rejection, follow_chain
from pipelines.follow_up.registration import profile
from tests.unit.registration.phantom import PELVIS, Phantom, inner_points, turned

FloatArray = npt.NDArray[np.float64]
SACRUM, L5, L4 = (SidedBone(bone=bone) for bone in (Bone.SACRUM, Bone.L5, Bone.L4))
HIP_LEFT, FEMUR_LEFT = SidedBone(bone=Bone.HIP, side=1), SidedBone(bone=Bone.FEMUR, side=1)
APART = replace(profile().chain, joint_mm=60.0)
"""Of bones that move as no joint lets them."""


def chain(current: Phantom, prior: Phantom, *, limits: ChainLimits) -> dict[SidedBone, BoneMotion]:
    """Every bone's motion from the current to the prior scan."""
    fixed, moving = current.ct(), prior.ct()
    whole = align(fixed, moving, limits=profile().whole)
    assert whole is not None
    pieces = pieces_of(current.skeleton(), limits=profile().pieces)
    found = follow_chain(pieces, fixed=fixed.levels, moving=moving.levels, start=whole.motion, limits=limits)
    return {bone.name: bone for bone in found}


def error_mm(motion: FloatArray, true: FloatArray, name: SidedBone) -> float:
    """Mean distance between where two motions bring a bone."""
    difference = (motion - true)[:3]
    return float(np.linalg.norm(inner_points(name) @ difference[:, :3].T + difference[:, 3], axis=1).mean())


def test_skeleton_is_a_tree() -> None:
    """Every bone but loose ends is reached from every other on one way: a chain visits each once."""
    seen, waiting = set(), [SACRUM]
    while waiting:
        name = waiting.pop()
        seen.add(name)
        waiting += [other for other in JOINTS[name] if other not in seen]
    assert seen == set(JOINTS)
    assert sum(len(others) for others in JOINTS.values()) == 2 * (len(JOINTS) - 1)
    missing = set(Bone) - {name.bone for name in JOINTS}
    assert missing == set()


def test_r4_three_bones_that_move_independently() -> None:
    """R-4: each of three bones, moved by 8 degrees and 10 mm its own way, is found to a voxel; one motion of the whole
    fails by several."""
    three = {name: PELVIS[name] for name in (SACRUM, HIP_LEFT, FEMUR_LEFT)}
    moves = {
        SACRUM: turned((8, 0, 0), (0, -6, 8), name=SACRUM),
        HIP_LEFT: turned((0, -8, 0), (10, 0, 0), name=HIP_LEFT),
        FEMUR_LEFT: turned((0, 0, 8), (0, 8, -6), name=FEMUR_LEFT),
    }
    current = Phantom(bones=three)
    prior = Phantom(bones=three, motions=moves, seed=1, frame="1.2.840.2")
    found = chain(current, prior, limits=APART)
    errors = {name: error_mm(found[name].motion, moves[name], name) for name in three}
    assert max(errors.values()) < current.spacing_mm / 3.0, errors
    whole = align(current.ct(), prior.ct(), limits=profile().whole)
    assert whole is not None
    assert max(error_mm(whole.motion, moves[name], name) for name in three) > current.spacing_mm


@settings(deadline=None, max_examples=3)
@given(
    st.sampled_from([L4, HIP_LEFT, FEMUR_LEFT]),
    st.tuples(*[st.floats(-6.0, 6.0)] * 3),
    st.tuples(*[st.floats(-6.0, 6.0)] * 3),
)
def test_one_bone_that_moved_is_found(
    name: SidedBone, degrees: tuple[float, float, float], shift_mm: tuple[float, float, float]
) -> None:
    """Whatever a bone's own motion, it is found to a third of a voxel, and the others stay."""
    move = turned(degrees, shift_mm, name=name)
    found = chain(Phantom(), Phantom(motions={name: move}, seed=1, frame="1.2.840.2"), limits=APART)
    for other in PELVIS:
        assert error_mm(found[other].motion, move if other == name else np.eye(4), other) < 1.0, other.name


def test_identity_gives_identity() -> None:
    """A scan on itself: no bone moves by more than a hundredth of a millimetre."""
    found = chain(Phantom(), Phantom(frame="1.2.840.2"), limits=profile().chain)
    assert set(found) == set(PELVIS)
    assert max(error_mm(bone.motion, np.eye(4), name) for name, bone in found.items()) < 0.01
    assert all(bone.after > 0.99 for bone in found.values())


def test_another_field_of_view_and_place_on_the_table() -> None:
    """A prior that lies 70 mm aside and shows half of it: what both show is found, what is beyond says so."""
    whole = se3.exp(np.array([0.0, 0.05, 0.1, 70.0, -25.0, 110.0]))
    prior = Phantom(
        whole=whole, seed=2, frame="1.2.840.2", centre_mm=(60.0, -10.0, 190.0), size_mm=(290.0, 160.0, 190.0)
    )
    found = chain(Phantom(), prior, limits=profile().chain)
    assert found[FEMUR_LEFT].state is BoneState.NOT_IN_BOTH_FIELDS
    assert np.isnan(found[FEMUR_LEFT].after)
    for name in (SACRUM, L5, L4):
        assert found[name].state in (BoneState.REGISTERED, BoneState.WITH_NEIGHBOUR)
        assert error_mm(found[name].motion, whole, name) < 1.0, name.name


def test_a_bone_out_of_joint_keeps_its_neighbours_motion() -> None:
    """A femur 25 mm from its socket is no motion of a joint: rejected, with the reason and both similarities."""
    move = turned((0, 0, 0), (18, 0, -18), name=FEMUR_LEFT)
    prior = Phantom(motions={FEMUR_LEFT: move}, seed=1, frame="1.2.840.2")
    found = chain(Phantom(), prior, limits=profile().chain)
    femur = found[FEMUR_LEFT]
    assert (femur.state, femur.parent) == (BoneState.REJECTED, HIP_LEFT)
    assert femur.rejection in (Rejection.OUT_OF_JOINT, Rejection.NOT_ALIKE)
    assert np.array_equal(femur.motion, found[HIP_LEFT].motion)
    assert np.isfinite([femur.before, femur.after]).all()


def test_sides_are_told() -> None:
    """A paired bone without a side, or a midline bone with one, is no name."""
    for bone, side in ((Bone.HIP, 0), (Bone.L1, 1), (Bone.HIP, 2)):
        with pytest.raises(ValueError, match="side"):
            SidedBone(bone=bone, side=side)
    assert SidedBone(bone=Bone.RIB_7, side=-1).name == "right rib 7"
    assert L5.name == "L5"


@settings(deadline=None, max_examples=10)
@given(st.tuples(st.integers(-6, 6), st.integers(-4, 4), st.integers(-4, 4)))
def test_every_shift_is_found(steps: tuple[int, int, int]) -> None:
    """Index of the fixed image plus the shift is the index of the moving one, for negative steps too."""
    random = np.random.default_rng(5)
    world = (random.random((60, 40, 40)) > 0.97).astype(np.float32)
    fixed = world[20:44, 10:30, 10:30]
    low = [20 - steps[0], 10 - steps[1], 10 - steps[2]]
    moving = world[low[0] : low[0] + 20, low[1] : low[1] + 22, low[2] : low[2] + 20]
    ones = (np.ones(fixed.shape, dtype=np.float32), np.ones(moving.shape, dtype=np.float32))
    best = best_shifts(fixed, moving, valid=ones, least_overlap=0.2, count=3)[0]
    assert best.steps == steps
    assert best.correlation == pytest.approx(1.0, abs=1e-3)
