"""A person's bones where they lie: sizes, forward kinematics, the spine's own joints.

MuJoCo moves what the source has joints for: lumbar spine, shoulder, arm, hip, knee, foot. The
source has none in chest and neck; there each disc turns by a small angle and carries
everything above it. Ribs turn with their own vertebra.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.landmarks import landmarks
from operators.simulation.anatomy.person import Arms, PersonSpec, Posture
from operators.simulation.anatomy.placed import PlacedPart, PosedSkeleton, bone_affines
from operators.simulation.anatomy.shape import Shapes, shapes
from operators.simulation.anatomy.sizes import SOFT_TISSUE_MM, Sizes, affine_of, own_form, sizes, stature_mm
from operators.simulation.anatomy.source import Part, Source
from operators.simulation.anatomy.spine import bends, bent, collapsed, with_sixth_lumbar

__all__ = ["SOFT_TISSUE_MM", "PlacedPart", "PosedSkeleton", "bone_affines", "pose"]

FloatArray = npt.NDArray[np.float64]

_FROM_BELOW = {bone: rank for rank, bone in enumerate(reversed([bone for bone in Bone if bone.kind == "vertebra"]))}


def pose(spec: PersonSpec, source: Source) -> PosedSkeleton:
    """Place every bone of a person. Raises ValueError where a vertebra collapses that the person does not have."""
    found, own = sizes(spec, source), shapes(spec, source)
    # Stature is that of the straight person: so a bone has the same size in every posture.
    straight = replace(spec, posture=Posture())
    upright = _place(straight, source, own, found=found, lying=False)
    stature = stature_mm((placed.bone, placed.vertices_lps) for placed in upright)
    scale = (spec.height_cm * 10.0 - SOFT_TISSUE_MM) / stature
    lying = [_scaled(placed, scale=scale) for placed in _place(spec, source, own, found=found, lying=True)]
    vertebrae = landmarks(source).vertebrae
    for collapse in sorted(spec.collapses, key=lambda one: _FROM_BELOW[one.bone]):
        lying = collapsed(lying, collapse, vertebrae[collapse.bone])
    motion = _lie(spec.posture, next(placed for placed in lying if placed.bone is Bone.SACRUM))
    return PosedSkeleton(
        spec=spec,
        parts=tuple(replace(one, affine=motion @ one.affine, frame=motion @ one.frame) for one in lying),
        warps=own.warps,
    )


def _scaled(placed: PlacedPart, *, scale: float) -> PlacedPart:
    grow = np.diag([scale, scale, scale, 1.0])
    return replace(placed, affine=grow @ placed.affine, frame=grow @ placed.frame, thickness=placed.thickness * scale)


def _lie(posture: Posture, sacrum: PlacedPart) -> FloatArray:
    """How the whole person lies: turned about the sacrum, then shifted."""
    centre = sacrum.vertices_lps.mean(axis=0)
    # About +x a turn takes the head forward, about +y to the left, about +z the left side back.
    angles = [posture.pitch_deg, -posture.yaw_deg, posture.roll_deg]
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return affine_of(turn, centre - turn @ centre + np.array(posture.shift_mm))


def _place(spec: PersonSpec, source: Source, own: Shapes, *, found: Sizes, lying: bool) -> list[PlacedPart]:
    """Every part at its size in its place, before the whole is scaled to the person's height."""
    frames = source.frames(_spine_joints(spec.posture) | (_joints(spec) if lying else {}), scale=found.body)
    pivots = {part.name: _pivot(part, source) for part in source.parts}
    neck_top = pivots["cervical1"]
    placed = []
    for part, source_part in zip(own.parts, source.parts, strict=True):
        if spec.missing_twelfth_ribs and part.bone in (Bone.RIB_12_LEFT, Bone.RIB_12_RIGHT):
            continue
        rotation, origin = frames.of(part.body)
        rest_rotation, rest_origin = source.rest.of(part.body)
        size = found.body.get(part.body, 1.0)
        turn = rotation @ rest_rotation.T * size
        frame = affine_of(turn, origin - turn @ rest_origin)
        form = own_form(source_part, found=found, neck_top=neck_top, pivot=pivots[part.name])
        form = affine_of(np.eye(3), own.shifts[part.name]) @ form
        across = found.girth.get(part.bone) if part.bone else None
        across = float(np.cbrt(np.linalg.det(form[:3, :3]))) if across is None else across
        placed.append(
            PlacedPart(
                part=part,
                bone=part.bone,
                affine=frame @ form,
                frame=frame,
                thickness=size * across,
                cortex=found.cortex.get(part.bone, 1.0) if part.bone else 1.0,
                warp=own.warps.get(part.name),
            )
        )
    if spec.sixth_lumbar:
        placed = with_sixth_lumbar(placed)
    torso, _ = frames.of("torso")
    tilt = Rotation.from_matrix(torso @ source.rest.of("torso")[0].T).as_rotvec()
    return bent(placed, bends(spec.posture, head_turn=lying), lumbar_tilt=tilt)


def _pivot(part: Part, source: Source) -> FloatArray:
    """About which point a part is stretched: vertebrae about their body, what else about its middle."""
    if part.bone is not None and part.bone.kind == "vertebra" and part.bone is not Bone.C1:
        return landmarks(source).vertebrae[part.bone].body_centre_mm
    return np.asarray(part.vertices.mean(axis=0))


_LUMBAR_GEARING = 1.0 + 0.185 + 0.204 + 0.231 + 0.255
"""The leading joint and those that the model couples to it, together."""
_BENDING_GEARING = 1.0 + 0.181 + 0.245 + 0.250 + 0.188


def _spine_joints(posture: Posture) -> dict[str, float]:
    return {
        "flex_extension": np.radians(posture.lordosis_deg) / _LUMBAR_GEARING,
        "lat_bending": -np.radians(posture.scoliosis_deg) / _BENDING_GEARING,
    }


def _joints(spec: PersonSpec) -> dict[str, float]:
    """Joint angles in radians of a person lying supine."""
    random = np.random.default_rng([spec.posture.seed, 4])
    joints: dict[str, float] = {}
    for side in ("r", "l"):
        angles = _ARMS[spec.posture.arms] | _LEGS
        angles = angles | {"hip_rotation": angles["hip_rotation"] - spec.posture.feet_out_deg}
        if spec.posture.arms is Arms.BESIDE_BODY:
            # A stout body keeps its arms further out.
            stout = _ELEVATION_PER_BMI * float(np.clip(spec.body_mass_index - 24.0, 0.0, 20.0))
            angles = angles | {"shoulder_elv": angles["shoulder_elv"] + stout}
        joints |= {
            f"{name}_{side}": float(np.radians(value + random.normal(0.0, 1.5))) for name, value in angles.items()
        }
    return joints


_ARMS: dict[Arms, dict[str, float]] = {
    Arms.BESIDE_BODY: {
        "shoulder_elv": 4.0,
        "elv_angle": 0.0,
        "shoulder_rot": 14.0,
        "elbow_flexion": 12.0,
        "pro_sup": 0.0,
    },
    Arms.ABOVE_HEAD: {
        "shoulder_elv": 160.0,
        "elv_angle": 20.0,
        "shoulder_rot": 0.0,
        "elbow_flexion": 45.0,
        "pro_sup": 0.0,
    },
}
_ELEVATION_PER_BMI = 0.6
"""Degrees: the hands of a planar scan's patient lie beside the thighs, within the detector's 540 mm."""
_LEGS = {"hip_flexion": 3.0, "hip_adduction": -4.0, "hip_rotation": -8.0, "knee_angle": 6.0, "ankle_angle": -25.0}
"""Degrees, each with a small difference of its own."""
