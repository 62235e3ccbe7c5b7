"""A rib that was laid on the next one is told by where that one lies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bmnode.domain.bones import Bone
from operators.kernels.registration import se3
from operators.kernels.registration.bones import SidedBone, next_in_row, pieces_of
from operators.kernels.registration.skeletal_chain import BoneMotion, BoneState, follow_chain, unevenly_spaced
from pipelines.follow_up.registration import profile
from tests.unit.registration.phantom import Lobe, Phantom

T6, T7 = SidedBone(bone=Bone.T6), SidedBone(bone=Bone.T7)
RIBS = tuple(SidedBone(bone=bone, side=1) for bone in (Bone.RIB_6, Bone.RIB_7))


def rib(below_mm: float) -> tuple[Lobe, ...]:
    """A bar from the spine to the left; all ribs look the same."""
    return (((70, 0, 12 - below_mm), (60, 6, 5)),)


def cage(*, with_sixth: bool) -> Phantom:
    """Two vertebrae, 24 mm apart, with one rib each."""
    bones = {
        T6: (((0, 0, 12), (17, 15, 9)), ((0, 26, 8), (5, 10, 5))),
        T7: (((0, 0, -12), (17, 15, 9)), ((0, 26, -16), (5, 10, 5))),
        RIBS[0]: rib(0),
        RIBS[1]: rib(24),
    }
    if not with_sixth:
        del bones[RIBS[0]]
    return Phantom(bones=bones, centre_mm=(50, 5, 0), size_mm=(210, 100, 110), frame=f"1.2.{int(with_sixth)}")


def test_rows_go_down_and_end() -> None:
    """C1 to L5, and the ribs of one side; nothing follows on the last."""
    assert next_in_row(SidedBone(bone=Bone.C7)) == SidedBone(bone=Bone.T1)
    assert next_in_row(RIBS[0]) == RIBS[1]
    last = (SidedBone(bone=Bone.L5), SidedBone(bone=Bone.RIB_12, side=-1), SidedBone(bone=Bone.SACRUM))
    assert [next_in_row(name) for name in last] == [None, None, None]


def test_two_ribs_never_become_one() -> None:
    """Where the prior lacks a rib, its piece may look alike in its neighbour's place: it is not believed."""
    current, prior = cage(with_sixth=True), cage(with_sixth=False)
    fixed, moving = current.ct(), prior.ct()
    pieces = pieces_of(current.skeleton(), limits=profile().pieces)
    found = {
        bone.name: bone
        for bone in follow_chain(
            pieces, fixed=fixed.levels, moving=moving.levels, start=np.eye(4), limits=profile().chain
        )
    }
    assert found[RIBS[1]].state is not BoneState.REJECTED
    assert found[RIBS[0]].state is BoneState.REJECTED
    assert np.array_equal(found[RIBS[0]].motion, found[T6].motion)


def test_spacing_rejects_the_less_alike_of_two() -> None:
    """Of two ribs that share a place, the one that is less alike moves with its vertebra instead."""
    pieces = {piece.name: piece for piece in pieces_of(cage(with_sixth=True).skeleton(), limits=profile().pieces)}
    down = se3.exp(np.array([0.0, 0.0, 0.0, 0.0, 0.0, -20.0]))
    stays = BoneMotion(
        name=RIBS[1], state=BoneState.REGISTERED, motion=np.eye(4), parent=T7, before=0.9, after=0.95, inside=1.0
    )
    motions = {
        T6: replace(stays, name=T6, parent=None),
        RIBS[0]: replace(stays, name=RIBS[0], motion=down, parent=T6, after=0.8),
        RIBS[1]: stays,
    }
    wrong = unevenly_spaced(motions, pieces, most_mm=profile().chain.spacing_mm)
    assert set(wrong) == {RIBS[0]}
    assert np.array_equal(wrong[RIBS[0]], np.eye(4))
    assert unevenly_spaced(motions, pieces, most_mm=25.0) == {}
