"""Two CTs of one patient, registered bone by bone: the field with every bone's own account, or why there is none.

`ARTICULATED_CT_V1`, after Yip, Perk, Jeraj, Phys Med Biol 2014;59:1485: the whole, then every bone along the skeleton,
then one smooth field. The prior's own names serve as a check alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from operators.kernels.registration.bones import Piece, PieceLimits, SidedBone, pieces_of
from operators.kernels.registration.field import DeformationField, FloatArray
from operators.kernels.registration.global_align import CtBone, GlobalLimits, alignments
from operators.kernels.registration.polyrigid import Blend, BlendLimits, blend
from operators.kernels.registration.rigid_fit import Fit
from operators.kernels.registration.skeletal_chain import BoneMotion, BoneState, ChainLimits, Rejection, follow_chain
from operators.kernels.registration.transform import RigidTransform
from operators.kernels.skeleton_sites.sites import SkeletonMap

METHOD = "ARTICULATED_CT_V1"


class NotRegistered(StrEnum):
    """Why two scans were not registered."""

    NO_BONE = "one of the scans shows no bone"
    NO_NAMES = "no bone of the current scan has a name"
    NO_BONES_IN_COMMON = "the scans have no bones in common"
    OTHER_LATERALITY = "left bones lie on right ones"
    NOT_ALIKE = "too few bones fit: another patient, or bones that changed too much"
    NOT_INVERTIBLE = "the field folds"


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptanceLimits:
    """When a registration is taken.

    `least_common` is the least number of bones with their own fit; `least_fitting` their least share of the bones in
    both fields; `least_median` the least median of their similarity. Sides contradict each other where more than
    `most_mirrored` of the places with a side in both scans have the other one.
    """

    least_common: int
    least_fitting: float
    least_median: float
    most_mirrored: float

    def __post_init__(self) -> None:
        shares = (self.least_fitting, self.least_median, self.most_mirrored)
        if self.least_common < 1 or not all(0.0 < share < 1.0 for share in shares):
            raise ValueError("a registration rests on one bone or more; shares lie between 0 and 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrationLimits:
    """Everything a registration depends on, besides the images."""

    whole: GlobalLimits
    pieces: PieceLimits
    chain: ChainLimits
    blend: BlendLimits
    acceptance: AcceptanceLimits


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredBone:
    """One bone of the current scan and what became of it.

    Args:
        transform: from the current to the prior scan; with which its state says how it was come by.
        parent: the bone that it hangs on in the chain; None of the first.
        similarity_before, similarity_after: correlation of HU with the parent's transform and with its own fit; None
            where too little of it is in the prior's field.
        inside: share of its points in the prior's field.
    """

    name: SidedBone
    state: BoneState
    transform: RigidTransform
    parent: SidedBone | None
    similarity_before: float | None
    similarity_after: float | None
    inside: float
    rejection: Rejection | None = None

    @classmethod
    def of(cls, bone: BoneMotion, *, whole: RigidTransform) -> RegisteredBone:
        """Of a bone in the chain; frames are those of `whole`."""
        return cls(
            name=bone.name,
            state=bone.state,
            transform=RigidTransform.from_matrix(bone.motion, from_frame=whole.from_frame, to_frame=whole.to_frame),
            parent=bone.parent,
            similarity_before=_number(bone.before),
            similarity_after=_number(bone.after),
            inside=bone.inside,
            rejection=bone.rejection,
        )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Registration:
    """Where every place of the current scan lies in the prior.

    Args:
        whole: the motion of the whole, current to prior.
        bones: in the order of their names.
        field: from the current to the prior frame, with the way back.
        least_determinant: of the field's derivative; above 0, or the field would have been refused.
        smoothed: nodes of the field that were smoothed so that it does not fold.
    """

    whole: RigidTransform
    bones: tuple[RegisteredBone, ...]
    field: DeformationField
    least_determinant: float
    smoothed: int
    method: str = METHOD

    def __post_init__(self) -> None:
        frames = (self.whole.from_frame, self.whole.to_frame)
        if any((bone.transform.from_frame, bone.transform.to_frame) != frames for bone in self.bones):
            raise ValueError("every bone leads between the same frames of reference")
        if not self.bones or self.least_determinant <= 0.0:
            raise ValueError("a registration has bones and does not fold")

    def bone(self, name: SidedBone) -> RegisteredBone | None:
        """A bone by name, or None where the current scan's map has none such."""
        return next((bone for bone in self.bones if bone.name == name), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrationRefusal:
    """No registration, and why; `detail` in figures, without anything of the patient."""

    reason: NotRegistered
    detail: str
    method: str = METHOD


def register(
    current: CtBone,
    prior: CtBone,
    *,
    names: SkeletonMap,
    prior_names: SkeletonMap | None,
    limits: RegistrationLimits,
) -> Registration | RegistrationRefusal:
    """Register the prior to the current scan.

    Args:
        names: the map of the current scan's bones, on the grid of its working blocks.
        prior_names: of the prior's, for the check of sides; None leaves it out.
    """
    if not current.work.bone.any() or not prior.work.bone.any():
        return RegistrationRefusal(reason=NotRegistered.NO_BONE, detail="No bone was found by attenuation.")
    pieces = pieces_of(names, limits=limits.pieces)
    if not pieces:
        return RegistrationRefusal(reason=NotRegistered.NO_NAMES, detail=" ".join(names.basis))
    refusal: RegistrationRefusal | None = None
    for start in alignments(current, prior, limits=limits.whole):
        bones = follow_chain(pieces, fixed=current.levels, moving=prior.levels, start=start.motion, limits=limits.chain)
        wrong = _unlike(bones, start, limits=limits.acceptance)
        if wrong is None and prior_names is not None:
            wrong = _contradicting(bones, pieces, prior_names=prior_names, limits=limits.acceptance)
        if wrong is None:
            frames = {"from_frame": current.levels.frame, "to_frame": prior.levels.frame}
            whole = RigidTransform.from_matrix(start.motion, **frames)
            return _result(bones, blend(bones, pieces, skeleton=names, whole=whole, limits=limits.blend))
        refusal = refusal or wrong  # of the motion that stood out most
    return refusal or RegistrationRefusal(reason=NotRegistered.NO_BONES_IN_COMMON, detail="No shift lays bone on bone.")


def _result(bones: Sequence[BoneMotion], blended: Blend) -> Registration | RegistrationRefusal:
    if blended.least_determinant <= 0.0:
        detail = f"{100.0 * blended.negative:.3f} % of its cells have a determinant of zero or less."
        return RegistrationRefusal(reason=NotRegistered.NOT_INVERTIBLE, detail=detail)
    return Registration(
        whole=blended.field.rigid,
        bones=tuple(RegisteredBone.of(bone, whole=blended.field.rigid) for bone in bones),
        field=blended.field,
        least_determinant=blended.least_determinant,
        smoothed=blended.smoothed,
    )


def _contradicting(
    bones: Sequence[BoneMotion], pieces: Sequence[Piece], *, prior_names: SkeletonMap, limits: AcceptanceLimits
) -> RegistrationRefusal | None:
    """Why the sides of both maps cannot be of one patient; None where they can."""
    mirrored = _mirrored(bones, pieces, prior_names=prior_names)
    if mirrored <= limits.most_mirrored:
        return None
    detail = f"{100.0 * mirrored:.0f} % of the places with a side in both scans have the other one in the prior."
    return RegistrationRefusal(reason=NotRegistered.OTHER_LATERALITY, detail=detail)


def _unlike(bones: Sequence[BoneMotion], start: Fit, *, limits: AcceptanceLimits) -> RegistrationRefusal | None:
    """Why the bones are no one's of both scans; None where they are."""
    common = [bone for bone in bones if bone.state is not BoneState.NOT_IN_BOTH_FIELDS]
    fitting = [bone.after for bone in common if bone.state is not BoneState.REJECTED]
    if len(common) < limits.least_common:
        detail = (
            f"{len(common)} bones lie in both fields, {limits.least_common} are needed; "
            f"{100.0 * start.inside:.0f} % of the current scan's bone lies in the prior's field."
        )
        return RegistrationRefusal(reason=NotRegistered.NO_BONES_IN_COMMON, detail=detail)
    share, median = len(fitting) / len(common), float(np.median(fitting)) if fitting else 0.0
    if share >= limits.least_fitting and median >= limits.least_median:
        return None
    detail = (
        f"{len(fitting)} of {len(common)} bones in both fields fit, {100.0 * limits.least_fitting:.0f} % are needed; "
        f"their median similarity is {median:.2f}, needed is {limits.least_median:g}."
    )
    return RegistrationRefusal(reason=NotRegistered.NOT_ALIKE, detail=detail)


def _mirrored(bones: Sequence[BoneMotion], pieces: Sequence[Piece], *, prior_names: SkeletonMap) -> float:
    """Share of the places with a side in both scans that have the other side in the prior; 0 where there is none."""
    motions = {bone.name: bone.motion for bone in bones}
    same = other = 0
    for piece in pieces:
        if piece.name.side and piece.name in motions:
            motion = motions[piece.name]
            sides = _sides_at(prior_names, piece.points_mm @ motion[:3, :3].T + motion[:3, 3])
            same += int(np.count_nonzero(sides == piece.name.side))
            other += int(np.count_nonzero(sides == -piece.name.side))
    return other / (same + other) if same + other else 0.0


def _sides_at(names: SkeletonMap, points_mm: FloatArray) -> FloatArray:
    to_index = np.linalg.inv(names.matrix)
    index = np.rint(points_mm @ to_index[:3, :3].T + to_index[:3, 3]).astype(np.intp)
    inside = np.all((index >= 0) & (index < np.asarray(names.sides.shape)), axis=1)
    return np.asarray(names.sides[tuple(index[inside].T)])
