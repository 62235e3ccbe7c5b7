"""A person's bones where they lie: sizes, forward kinematics, the spine's own joints.

MuJoCo moves what the source has joints for: lumbar spine, shoulder, arm, hip, knee, foot. The
source has none in chest and neck; there each disc turns by a small angle and carries
everything above it. Ribs turn with their own vertebra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import trimesh
from scipy.spatial.transform import Rotation

from operators.simulation.anatomy.bones import CERVICAL, THORACIC, Bone
from operators.simulation.anatomy.person import Arms, PersonSpec, Posture, Sex
from operators.simulation.anatomy.source import Part, Source

FloatArray = npt.NDArray[np.float64]

SOFT_TISSUE_MM = 24.0
"""Heel pad and scalp: stature is the skeleton's height and this."""

_GROUP_OF_BODY = {
    "Full Body": "pelvis", "lumbar5": "trunk", "neck": "neck", "humphant_r": "upper_arm", "humphant_l": "upper_arm",
    "ulna_r": "forearm", "ulna_l": "forearm", "lunate_r": "hand", "lunate_l": "hand", "femur_r": "thigh",
    "femur_l": "thigh", "tibia_r": "shank", "tibia_l": "shank", "talus_r": "foot", "talus_l": "foot",
    "myolegs_root": "pelvis",
}  # fmt: skip
"""A segment begins at its body and goes on down the tree to where the next one begins."""
_GROUPS = tuple(sorted(set(_GROUP_OF_BODY.values())))

_SEX_SIZE: dict[Sex, dict[str, float]] = {
    Sex.MALE: {},
    Sex.FEMALE: {"pelvis": 1.04, "trunk": 0.97, "upper_arm": 0.98, "hand": 0.95, "foot": 0.95},
}
"""Size of a segment against the source (a man's skeleton) at the same height: wider hips, narrower shoulders."""
_SEX_GIRTH = {Sex.MALE: 1.0, Sex.FEMALE: 0.94}
"""Thickness of the long bones against the source at the same size."""
_GIRTH_SPREAD = 0.03
_LONG = ("humerus", "radius", "ulna", "femur", "tibia", "fibula", "clavicle", "rib")
_SKULL_SPREAD = 0.02
_SKULL_FOLLOWS_HEIGHT = 0.3
"""A skull grows by this part of what the rest of the skeleton grows: tall people have hardly larger heads."""

_STERNUM_LEVEL, _SHOULDER_LEVEL = Bone.T6, Bone.T4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlacedPart:
    """A part of the source where it lies in this person.

    Args:
        part: of the source (an L6 has the mesh of L5).
        bone: the label in this person; None for costal cartilage.
        affine: (4, 4) from the source's rest frame to LPS, millimetres.
        thickness: size of the bone across its long axis against the source.
    """

    part: Part
    bone: Bone | None
    affine: FloatArray
    thickness: float

    @property
    def vertices_lps(self) -> FloatArray:
        """The whole mesh's vertices (n, 3) in LPS millimetres."""
        return np.asarray(self.part.vertices @ self.affine[:3, :3].T + self.affine[:3, 3])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PosedSkeleton:
    """Every part of a person's skeleton in LPS millimetres: x = 0 is the pelvis' midline, the feet are near z = 0."""

    spec: PersonSpec
    parts: tuple[PlacedPart, ...]

    @property
    def bones(self) -> tuple[Bone, ...]:
        """The bones that this person has, by value."""
        return tuple(sorted({part.bone for part in self.parts if part.bone is not None}))

    def vertices(self, bone: Bone) -> FloatArray:
        """The vertices (n, 3) of a bone. Raises ValueError where the person has no such bone."""
        found = [
            placed.vertices_lps[placed.part.kept(placed.part.vertices)] for placed in self.parts if placed.bone is bone
        ]
        if not found:
            raise ValueError(f"this person has no {bone.name}")
        return np.concatenate(found)

    def mesh(self, bone: Bone) -> trimesh.Trimesh:
        """The bone's surface; open where the source has it grown together with its neighbour (sternum, coccyx)."""
        meshes = []
        for placed in self.parts:
            if placed.bone is bone:
                kept = placed.part.kept(placed.part.vertices)[placed.part.faces].all(axis=1)
                meshes.append(trimesh.Trimesh(placed.vertices_lps, placed.part.faces[kept], process=False))
        if not meshes:
            raise ValueError(f"this person has no {bone.name}")
        return trimesh.Trimesh(*trimesh.util.append_faces([m.vertices for m in meshes], [m.faces for m in meshes]))

    def centre(self, bone: Bone) -> FloatArray:
        """Mean of the bone's vertices (3,)."""
        return np.asarray(self.vertices(bone).mean(axis=0))

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """The corners of the box around all bones."""
        points = np.concatenate([placed.vertices_lps for placed in self.parts])
        return points.min(axis=0), points.max(axis=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sizes:
    body: dict[str, float]
    girth: dict[Bone, float]
    skull: float


def pose(spec: PersonSpec, source: Source) -> PosedSkeleton:
    """Place every bone of a person."""
    sizes = _sizes(spec, source)
    upright = _place(spec, source, sizes=sizes, joints={}, bends=_bends(spec.posture, head_turn=False))
    stature = _stature_mm(upright)
    scale = (spec.height_cm * 10.0 - SOFT_TISSUE_MM) / stature
    lying = _place(spec, source, sizes=sizes, joints=_joints(spec), bends=_bends(spec.posture, head_turn=True))
    return PosedSkeleton(spec=spec, parts=tuple(_scaled(placed, scale=scale) for placed in lying))


def _scaled(placed: PlacedPart, *, scale: float) -> PlacedPart:
    affine = placed.affine.copy()
    affine[:3] *= scale
    return PlacedPart(part=placed.part, bone=placed.bone, affine=affine, thickness=placed.thickness * scale)


def _stature_mm(parts: list[PlacedPart]) -> float:
    def heights(bone: Bone) -> FloatArray:
        return np.concatenate([placed.vertices_lps[:, 2] for placed in parts if placed.bone is bone])

    sole = (heights(Bone.FOOT_LEFT).min() + heights(Bone.FOOT_RIGHT).min()) / 2
    return float(heights(Bone.SKULL).max() - sole)


def _sizes(spec: PersonSpec, source: Source) -> _Sizes:
    """Sizes of this person's segments: by sex, and by chance around it."""
    random = np.random.default_rng([spec.seed, 2])
    spread = {group: 1.0 + spec.size_variation * float(np.clip(random.normal(), -2, 2)) for group in _GROUPS}
    by_sex = _SEX_SIZE[spec.sex]
    group = {name: _group(name, source) for name in source.bodies}
    body = {name: spread[found] * by_sex.get(found, 1.0) for name, found in group.items() if found}
    sturdy = _SEX_GIRTH[spec.sex] * (1.0 + _GIRTH_SPREAD * float(np.clip(random.normal(), -2, 2)))
    girth = {
        bone: sturdy * (1.0 + 0.01 * float(np.clip(random.normal(), -2, 2))) for bone in Bone if bone.kind in _LONG
    }
    source_height_mm = _stature_mm(_rest_parts(source)) + SOFT_TISSUE_MM
    relative = spec.height_cm * 10.0 / source_height_mm
    skull = relative ** (_SKULL_FOLLOWS_HEIGHT - 1.0) * (1.0 + _SKULL_SPREAD * float(np.clip(random.normal(), -2, 2)))
    return _Sizes(body=body, girth=girth, skull=skull * (0.97 if spec.sex is Sex.FEMALE else 1.0))


def _rest_parts(source: Source) -> list[PlacedPart]:
    return [PlacedPart(part=part, bone=part.bone, affine=np.eye(4), thickness=1.0) for part in source.parts]


def _group(body: str, source: Source) -> str | None:
    return next((_GROUP_OF_BODY[name] for name in source.carriers(body) if name in _GROUP_OF_BODY), None)


def _place(
    spec: PersonSpec, source: Source, *, sizes: _Sizes, joints: dict[str, float], bends: dict[Bone, FloatArray]
) -> list[PlacedPart]:
    """Every part at its size in its place, before the whole is scaled to the person's height."""
    posture_joints = _spine_joints(spec.posture) | joints
    frames = source.frames(posture_joints, scale=sizes.body)
    neck_top = np.mean([part.vertices.mean(axis=0) for part in source.parts if part.bone is Bone.C1], axis=0)
    placed = []
    for part in source.parts:
        if spec.missing_twelfth_ribs and part.bone in (Bone.RIB_12_LEFT, Bone.RIB_12_RIGHT):
            continue
        rotation, origin = frames.of(part.body)
        rest_rotation, rest_origin = source.rest.of(part.body)
        size = sizes.body.get(part.body, 1.0)
        turn = rotation @ rest_rotation.T * size
        affine = _affine(turn, origin - turn @ rest_origin) @ _own_shape(part, sizes=sizes, neck_top=neck_top)
        girth = sizes.girth.get(part.bone, 1.0) if part.bone else 1.0
        placed.append(PlacedPart(part=part, bone=part.bone, affine=affine, thickness=size * girth))
    if spec.sixth_lumbar:
        placed = _with_sixth_lumbar(placed)
    torso, _ = frames.of("torso")
    tilt = Rotation.from_matrix(torso @ source.rest.of("torso")[0].T).as_rotvec()
    return _bent(placed, bends, lumbar_tilt=tilt)


def _affine(linear: FloatArray, shift: FloatArray) -> FloatArray:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = linear, shift
    return affine


def _own_shape(part: Part, *, sizes: _Sizes, neck_top: FloatArray) -> FloatArray:
    """The part's own stretch in the rest frame: girth of long bones, size of the head."""
    if part.bone in (Bone.SKULL, Bone.MANDIBLE):
        return _affine(np.eye(3) * sizes.skull, neck_top * (1.0 - sizes.skull))
    if part.bone is None or part.bone not in sizes.girth:
        return np.eye(4)
    centre = part.vertices.mean(axis=0)
    axis = np.linalg.svd(part.vertices - centre, full_matrices=False)[2][0]
    along = np.outer(axis, axis)
    stretch = along + sizes.girth[part.bone] * (np.eye(3) - along)
    return _affine(stretch, centre - stretch @ centre)


_BELOW_LUMBAR = {"sacrum", "coccyx", "hip", "femur", "patella", "tibia", "fibula", "foot"}


def _with_sixth_lumbar(placed: list[PlacedPart]) -> list[PlacedPart]:
    """Put a copy of L5 where L5 was and move everything above up by one disc."""
    fourth, fifth = (next(part for part in placed if part.bone is bone) for bone in (Bone.L4, Bone.L5))
    lift = _affine(np.eye(3), fourth.vertices_lps.mean(axis=0) - fifth.vertices_lps.mean(axis=0))
    moved = [
        item if item.bone is not None and item.bone.kind in _BELOW_LUMBAR else _moved(item, lift) for item in placed
    ]
    return [*moved, PlacedPart(part=fifth.part, bone=Bone.L6, affine=fifth.affine, thickness=fifth.thickness)]


def _moved(placed: PlacedPart, motion: FloatArray) -> PlacedPart:
    return PlacedPart(part=placed.part, bone=placed.bone, affine=motion @ placed.affine, thickness=placed.thickness)


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


def _bent(placed: list[PlacedPart], bends: dict[Bone, FloatArray], *, lumbar_tilt: FloatArray) -> list[PlacedPart]:
    """Turn each thoracic and cervical disc; the thoracic ones take back the tilt that the lumbar spine gave."""
    centres = {item.bone: item.vertices_lps.mean(axis=0) for item in placed if item.bone is not None}
    motion: dict[Bone, FloatArray] = {}
    below, total = Bone.L1, np.eye(4)
    for bone in _UPWARD:
        bend = bends[bone] - (lumbar_tilt / len(THORACIC) if bone in THORACIC else 0.0)
        pivot = (total @ np.append((centres[bone] + centres[below]) / 2, 1.0))[:3]
        turn = Rotation.from_rotvec(bend).as_matrix()
        total = _affine(turn, pivot - turn @ pivot) @ total
        motion[bone], below = total, bone
    result = []
    for item in placed:
        level = _level(item)
        result.append(item if level is None else _moved(item, motion[level]))
    return result


_TURN_SHARE_OF_ATLAS = 0.6
"""More than half of the head's turn takes place between C1 and C2."""
_JOINT_NOISE_RAD = np.radians(0.3)


def _bends(posture: Posture, *, head_turn: bool) -> dict[Bone, FloatArray]:
    """Rotation vector (radians, LPS) of the disc below each thoracic and cervical vertebra.

    About +x the spine flexes, about +y it bends to the left, about +z it turns to the left.
    """
    random = np.random.default_rng([posture.seed, 3])
    kyphosis = np.radians(posture.kyphosis_deg)
    turn = np.radians(posture.head_turn_deg) if head_turn else 0.0
    bends = {}
    for bone in _UPWARD:
        bend = random.normal(0.0, _JOINT_NOISE_RAD, size=3)
        if bone in THORACIC:
            bend[0] += kyphosis / len(THORACIC)
        else:
            bend[0] -= kyphosis / len(CERVICAL)
            share = _TURN_SHARE_OF_ATLAS if bone is Bone.C1 else (1 - _TURN_SHARE_OF_ATLAS) / (len(CERVICAL) - 1)
            bend[2] += turn * share
        bends[bone] = bend
    return bends


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
        if spec.posture.arms is Arms.BESIDE_BODY:
            # A stout body keeps its arms further out.
            angles = angles | {
                "shoulder_elv": angles["shoulder_elv"] + float(np.clip(spec.body_mass_index - 24, 0, 20))
            }
        joints |= {
            f"{name}_{side}": float(np.radians(value + random.normal(0.0, 1.5))) for name, value in angles.items()
        }
    return joints


_ARMS: dict[Arms, dict[str, float]] = {
    Arms.BESIDE_BODY: {
        "shoulder_elv": 8.0,
        "elv_angle": 0.0,
        "shoulder_rot": 0.0,
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
_LEGS = {"hip_flexion": 3.0, "hip_adduction": -4.0, "hip_rotation": -8.0, "knee_angle": 6.0, "ankle_angle": -25.0}
"""Degrees, each with a small difference of its own."""
