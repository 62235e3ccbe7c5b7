"""The spine's own motions: a sixth lumbar vertebra, the discs of chest and neck, collapsed vertebrae."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from operators.simulation.anatomy.bones import CERVICAL, LUMBAR, THORACIC, Bone
from operators.simulation.anatomy.landmarks import Vertebra
from operators.simulation.anatomy.person import Collapse, Posture
from operators.simulation.anatomy.placed import PlacedPart
from operators.simulation.anatomy.sizes import about, affine_of

FloatArray = npt.NDArray[np.float64]

_STERNUM_LEVEL, _SHOULDER_LEVEL = Bone.T6, Bone.T4


_BELOW_LUMBAR = {"sacrum", "coccyx", "hip", "femur", "patella", "tibia", "fibula", "foot"}


def with_sixth_lumbar(placed: list[PlacedPart]) -> list[PlacedPart]:
    """Put a copy of L5 where L5 was and move everything above up by one disc."""
    fourth, fifth = (next(part for part in placed if part.bone is bone) for bone in (Bone.L4, Bone.L5))
    lift = affine_of(np.eye(3), fourth.vertices_lps.mean(axis=0) - fifth.vertices_lps.mean(axis=0))
    moved = [
        item if item.bone is not None and item.bone.kind in _BELOW_LUMBAR else _moved(item, lift) for item in placed
    ]
    return [*moved, replace(fifth, bone=Bone.L6)]


def _moved(placed: PlacedPart, motion: FloatArray) -> PlacedPart:
    return replace(placed, affine=motion @ placed.affine, frame=motion @ placed.frame)


_UPWARD = (*reversed(THORACIC), *reversed(CERVICAL))


def _level(placed: PlacedPart) -> Bone | None:
    """The vertebra that a part moves with; None below the chest."""
    bone = placed.bone
    if bone is None or bone is Bone.STERNUM:
        return _STERNUM_LEVEL
    if bone in _UPWARD:
        return bone
    if bone.kind == "rib":
        return Bone[f"T{bone.name.split('_')[1]}"]
    if bone.kind in ("skull", "mandible"):
        return Bone.C1
    arm = ("clavicle", "scapula", "humerus", "radius", "ulna", "hand")
    return _SHOULDER_LEVEL if bone.kind in arm else None


def bent(placed: list[PlacedPart], turns: dict[Bone, FloatArray], *, lumbar_tilt: FloatArray) -> list[PlacedPart]:
    """Turn each thoracic and cervical disc; the thoracic ones take back the tilt that the lumbar spine gave."""
    centres = {item.bone: item.vertices_lps.mean(axis=0) for item in placed if item.bone is not None}
    motion: dict[Bone, FloatArray] = {}
    below, total = Bone.L1, np.eye(4)
    for bone in _UPWARD:
        bend = turns[bone] - (lumbar_tilt / len(THORACIC) if bone in THORACIC else 0.0)
        pivot = (total @ np.append((centres[bone] + centres[below]) / 2, 1.0))[:3]
        turn = Rotation.from_rotvec(bend).as_matrix()
        total = about(turn, pivot) @ total
        motion[bone], below = total, bone
    result = []
    for item in placed:
        level = _level(item)
        result.append(item if level is None else _moved(item, motion[level]))
    return result


_TURN_SHARE_OF_ATLAS = 0.6
"""More than half of the head's turn takes place between C1 and C2."""
_JOINT_NOISE_RAD = np.radians(0.3)


def bends(posture: Posture, *, head_turn: bool) -> dict[Bone, FloatArray]:
    """Rotation vector (radians, LPS) of the disc below each thoracic and cervical vertebra.

    About +x the spine flexes, about +y it bends to the left, about +z it turns to the left.
    """
    random = np.random.default_rng([posture.seed, 3])
    kyphosis = np.radians(posture.kyphosis_deg)
    turn = np.radians(posture.head_turn_deg) if head_turn else 0.0
    neck = np.radians(posture.neck_flexion_deg)
    found = {}
    for bone in _UPWARD:
        bend = random.normal(0.0, _JOINT_NOISE_RAD, size=3)
        if bone in THORACIC:
            bend[0] += kyphosis / len(THORACIC)
        else:
            bend[0] += (neck - kyphosis) / len(CERVICAL)
            share = _TURN_SHARE_OF_ATLAS if bone is Bone.C1 else (1 - _TURN_SHARE_OF_ATLAS) / (len(CERVICAL) - 1)
            bend[2] += turn * share
        found[bone] = bend
    return found


def collapsed(placed: list[PlacedPart], collapse: Collapse, vertebra: Vertebra) -> list[PlacedPart]:
    """Flatten a vertebra along its axis onto its lower endplate; what is above follows down and tilts forward.

    A wedge cannot be an affine map of a block: the vertebra loses the mean of its front's and its back's
    loss and takes half of the tilt, what is above takes all of it.
    """
    item = next((one for one in placed if one.bone is collapse.bone), None)
    if item is None:
        raise ValueError(f"{collapse.bone.name} collapses, but this person has none")
    front, rear = collapse.height_loss, collapse.height_loss * (1.0 - collapse.wedge)
    mean = (front + rear) / 2
    linear = item.affine[:3, :3]
    axis, depth = linear @ vertebra.up, linear @ vertebra.back
    height = 2.0 * vertebra.half_height_mm * float(np.linalg.norm(axis))
    tilt = np.arctan2((front - rear) * height, 2.0 * vertebra.half_depth_mm * float(np.linalg.norm(depth)))
    up = axis / np.linalg.norm(axis)
    side = linear @ np.array([1.0, 0.0, 0.0])
    turn, half = (Rotation.from_rotvec(angle * side / np.linalg.norm(side)).as_matrix() for angle in (tilt, tilt / 2))
    base, top = item.to_lps(np.stack([vertebra.lower_mm, vertebra.upper_mm]))
    flat = about(half, base) @ about(np.eye(3) - mean * np.outer(up, up), base)
    landed = (flat @ np.append(top, 1.0))[:3]
    above = affine_of(turn, landed - turn @ top)
    result = []
    for one in placed:
        if one is item:
            result.append(replace(_moved(one, flat), thickness=one.thickness * float(np.cbrt(1.0 - mean))))
        else:
            result.append(_moved(one, above) if _is_above(one, collapse.bone) else one)
    return result


_FROM_BELOW = (*reversed(LUMBAR), *reversed(THORACIC), *reversed(CERVICAL))


def _is_above(placed: PlacedPart, bone: Bone) -> bool:
    """Whether a part is carried by the spine above a vertebra."""
    level = placed.bone if placed.bone in LUMBAR else _level(placed)
    return level is not None and _FROM_BELOW.index(level) > _FROM_BELOW.index(bone)
