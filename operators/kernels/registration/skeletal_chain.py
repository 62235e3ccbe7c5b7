"""Bone after bone along the skeleton, each from where its neighbour lies; what is not plausible keeps the neighbour's.

After Yip, Perk, Jeraj, Phys Med Biol 2014;59:1485 (each bone rigid); the order, the spring to the neighbour and the
limits of plausibility are conventions of this project. Bones are those of one scan alone: the other one is seen as an
image, so names that differ between both do no harm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from operators.kernels.registration import se3
from operators.kernels.registration.bones import JOINTS, Piece, SidedBone, next_in_row
from operators.kernels.registration.global_align import evidence
from operators.kernels.registration.levels import CtLevels
from operators.kernels.registration.rigid_fit import Fit, FitLimits, fit_rigid, judged

FloatArray = npt.NDArray[np.float64]

_LARGE_ML = 200.0
"""A first bone gains no more from being larger than this."""
_ROOTS = 8
"""So many of the largest bones are tried as the first."""


class BoneState(StrEnum):
    """What became of a bone."""

    REGISTERED = "registered"
    WITH_NEIGHBOUR = "moves as its neighbour does"
    """It is as much alike with the neighbour's motion as with its own fit: the former is taken."""
    REJECTED = "rejected"
    """Its own fit was not plausible: it moves with the bone that it hangs on."""
    NOT_IN_BOTH_FIELDS = "not in both fields of view"
    """It moves with the bone that it hangs on, and nothing is known of its own place."""


class Rejection(StrEnum):
    """Why a bone's own fit was not taken."""

    LESS_ALIKE = "less alike than with its neighbour's motion"
    NOT_ALIKE = "not alike enough"
    TURNED = "turned too far against its neighbour"
    SHIFTED = "shifted too far against its neighbour"
    OUT_OF_JOINT = "out of joint with its neighbour"
    SPACING = "nearer to, or farther from, the next of its row than in the other scan"
    """As where a rib was laid on the next one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChainLimits:
    """How the chain is followed.

    `trunk` is the fit of bones of the trunk, `limb` that of limbs and head, whose joints move further; they are tried
    turned by `turn_deg` about the joint too. A fit is rejected that turns its bone by more than `most_deg` or shifts
    its middle by more than `most_mm` against the neighbour's motion, takes the joint apart by `joint_mm`, or is less
    alike than `least_similarity`. A similarity that falls by less than `no_worse` has not fallen.
    Neighbouring vertebrae and ribs whose middles come nearer or part by more than `spacing_mm` are not both right: the
    one that is less alike is rejected.
    """

    trunk: FitLimits
    limb: FitLimits
    turn_deg: float
    most_deg: float
    most_mm: float
    joint_mm: float
    least_similarity: float
    no_worse: float
    spacing_mm: float

    def __post_init__(self) -> None:
        if min(self.most_deg, self.most_mm, self.joint_mm) <= 0.0 or not 0.0 < self.least_similarity < 1.0:
            raise ValueError("limits of plausibility are above zero")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BoneMotion:
    """Where one bone lies in the other scan.

    Args:
        motion: (4, 4) from the fixed scan to the moving one, LPS mm.
        parent: the bone from which it was started; None of the first.
        before, after: similarity (correlation of HU) with the neighbour's motion and with its own fit; NaN where too
            little of it is in the other field.
        inside: share of its points in the other field.
        rejection: why the own fit was not taken; None where it was, or where there was none.
    """

    name: SidedBone
    state: BoneState
    motion: FloatArray
    parent: SidedBone | None
    before: float
    after: float
    inside: float
    rejection: Rejection | None = None

    def __post_init__(self) -> None:
        if (self.state is BoneState.REJECTED) != (self.rejection is not None):
            raise ValueError("a bone is rejected for a reason, and only then has one")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Images:
    fixed: CtLevels
    moving: CtLevels
    limits: ChainLimits

    def fit(self, piece: Piece, start: FloatArray) -> Fit:
        limits = self.limits.limb if is_limb(piece.name) else self.limits.trunk
        return fit_rigid(piece.points_mm, fixed=self.fixed, moving=self.moving, start=start, limits=limits)

    def judge(self, piece: Piece, motion: FloatArray) -> Fit:
        limits = self.limits.trunk
        return judged(piece.points_mm, fixed=self.fixed, moving=self.moving, motion=motion, limits=limits)


def is_limb(name: SidedBone) -> bool:
    """Whether a bone may turn far against the one it hangs on: limbs, their girdles, and head and neck's end."""
    part = name.bone
    return (part.is_paired and not part.is_rib and part.name != "HIP") or part.name in ("SKULL", "MANDIBLE")


def follow_chain(
    pieces: Sequence[Piece], *, fixed: CtLevels, moving: CtLevels, start: FloatArray, limits: ChainLimits
) -> tuple[BoneMotion, ...]:
    """Every piece's motion, in the order of the pieces, from the motion `start` (4, 4) of the whole.

    Empty where no bone can be fitted from there.
    """
    images = _Images(fixed=fixed, moving=moving, limits=limits)
    by_name = {piece.name: piece for piece in pieces}
    root = _root(pieces, images, start=start)
    if root is None:
        return ()
    found = {root.name: root}
    motions: dict[SidedBone, tuple[SidedBone, FloatArray]] = {root.name: (root.name, root.motion)}
    waiting = deque([root.name])
    while waiting:
        here = waiting.popleft()
        holder, motion = motions[here]
        for name in JOINTS[here]:
            if name in motions:
                continue
            waiting.append(name)
            motions[name] = (holder, motion)
            if name in by_name:
                bone = _next_bone(by_name[name], by_name[holder], motion, images)
                found[name] = bone
                motions[name] = (name, bone.motion)
    for name, motion in unevenly_spaced(found, by_name, most_mm=limits.spacing_mm).items():
        found[name] = replace(found[name], state=BoneState.REJECTED, motion=motion, rejection=Rejection.SPACING)
    return tuple(found[piece.name] for piece in pieces if piece.name in found)


def unevenly_spaced(
    found: Mapping[SidedBone, BoneMotion], pieces: Mapping[SidedBone, Piece], *, most_mm: float
) -> dict[SidedBone, FloatArray]:
    """Of neighbours in a row that came too near or too far, the less alike, with the motion of what it hangs on."""
    wrong: dict[SidedBone, FloatArray] = {}
    for name in sorted(found):
        other = next_in_row(name)
        if other not in found or other is None:
            continue
        pair = [found[name], found[other]]
        if any(bone.state is not BoneState.REGISTERED or bone.parent is None for bone in pair):
            continue
        one, two = (pieces[bone.name].centre_mm for bone in pair)
        there = [
            bone.motion[:3, :3] @ centre + bone.motion[:3, 3] for bone, centre in zip(pair, (one, two), strict=True)
        ]
        if abs(float(np.linalg.norm(there[0] - there[1]) - np.linalg.norm(one - two))) > most_mm:
            worse = min(pair, key=lambda bone: bone.after)
            if worse.parent is not None:
                wrong[worse.name] = found[worse.parent].motion
    return wrong


def _root(pieces: Sequence[Piece], images: _Images, *, start: FloatArray) -> BoneMotion | None:
    """The bone with most evidence from the motion of the whole."""
    best: BoneMotion | None = None
    highest = 0.0
    largest = sorted((piece for piece in pieces if not is_limb(piece.name)), key=lambda piece: -piece.volume_ml)
    seen = [(piece, images.judge(piece, start)) for piece in largest or pieces]
    for piece, before in [pair for pair in seen if pair[1].inside >= images.limits.trunk.least_inside][:_ROOTS]:
        after = images.fit(piece, start)
        weight = evidence(after) * np.sqrt(min(piece.volume_ml, _LARGE_ML))
        if weight > highest and after.similarity >= images.limits.least_similarity:
            highest = weight
            best = BoneMotion(
                name=piece.name,
                state=BoneState.REGISTERED,
                motion=after.motion,
                parent=None,
                before=before.similarity,
                after=after.similarity,
                inside=after.inside,
            )
    return best


def _next_bone(piece: Piece, parent: Piece, motion: FloatArray, images: _Images) -> BoneMotion:
    before = images.judge(piece, motion)
    joint = _joint(piece, parent)
    after = _best_fit(piece, motion, joint, images)
    bone = BoneMotion(
        name=piece.name,
        state=BoneState.REGISTERED,
        motion=after.motion,
        parent=parent.name,
        before=before.similarity,
        after=after.similarity,
        inside=after.inside,
    )
    if not np.isfinite(after.similarity):
        return replace(bone, state=BoneState.NOT_IN_BOTH_FIELDS, motion=motion, inside=before.inside)
    if 0.0 <= before.similarity - after.similarity <= images.limits.no_worse and before.inside >= after.inside:
        return replace(bone, state=BoneState.WITH_NEIGHBOUR, motion=motion, inside=before.inside)
    reason = _implausible(piece, bone, motion, joint=joint, limits=images.limits)
    return bone if reason is None else replace(bone, state=BoneState.REJECTED, motion=motion, rejection=reason)


def _best_fit(piece: Piece, motion: FloatArray, joint: FloatArray, images: _Images) -> Fit:
    """From the neighbour's motion; of a limb also from turns about the joint, and the one with most evidence."""
    fits = [images.fit(piece, motion)]
    if is_limb(piece.name):
        for axis in range(3):
            for sign in (-1.0, 1.0):
                twist = np.zeros(6)
                twist[axis] = sign * np.radians(images.limits.turn_deg)
                fits.append(images.fit(piece, motion @ se3.about(se3.exp(twist), joint)))
    return max(fits, key=evidence)


def _joint(piece: Piece, parent: Piece) -> FloatArray:
    """Where two bones are nearest: the middle of the closest pairs of their points."""
    distance, index = cKDTree(parent.points_mm).query(piece.points_mm)
    nearest = np.argsort(distance)[: max(1, len(distance) // 20)]
    return np.asarray((piece.points_mm[nearest] + parent.points_mm[index[nearest]]).mean(axis=0) / 2.0)


def _implausible(
    piece: Piece, bone: BoneMotion, motion: FloatArray, *, joint: FloatArray, limits: ChainLimits
) -> Rejection | None:
    def gap(point: FloatArray) -> float:
        difference = (bone.motion - motion)[:3]
        return float(np.linalg.norm(difference[:, :3] @ point + difference[:, 3]))

    turn = np.degrees(np.linalg.norm(se3.log(np.linalg.inv(motion) @ bone.motion)[:3]))
    checks: Mapping[Rejection, bool] = {
        Rejection.NOT_ALIKE: bone.after < limits.least_similarity,
        Rejection.LESS_ALIKE: bool(bone.after < bone.before),
        Rejection.TURNED: bool(turn > limits.most_deg),
        Rejection.SHIFTED: gap(piece.centre_mm) > limits.most_mm,
        Rejection.OUT_OF_JOINT: gap(joint) > limits.joint_mm,
    }
    return next((reason for reason, failed in checks.items() if failed), None)
