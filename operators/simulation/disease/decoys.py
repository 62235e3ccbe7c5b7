"""What imitates or hides metastases, drawn for a person."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from operators.simulation.anatomy.bones import VERTEBRAE, Bone
from operators.simulation.anatomy.outline import Outline
from operators.simulation.disease import decoy_table as table
from operators.simulation.disease.decoy_places import facet, on_ray, osteophyte, rib_at, under_surface, upright_axis
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.place import Wish, covering, place
from operators.simulation.patient import Appearance, Decoy, DecoyKind, Shape, Vector
from operators.simulation.tracer import Tracer

FloatArray = npt.NDArray[np.float64]
_SIDES = ("LEFT", "RIGHT")
_PAGET_BONES = ("HIP", "HIP", "HIP", "FEMUR", "TIBIA", "HUMERUS", "SKULL", "SACRUM", "L2", "L3", "L4", "T11")


def draw_decoys(
    ground: Ground,
    *,
    body: Outline,
    seed: int,
    kinds: Collection[DecoyKind] | None = None,
    chances: Mapping[DecoyKind, float] = table.CHANCE,
) -> tuple[Decoy, ...]:
    """The decoys of a person. The same arguments give the same decoys.

    What lies under or on the skin (extravasation, contamination, pacemaker) is placed by the body as it
    lies, and then moves with the bone next to it. `BOWEL_CONTRAST` draws nothing here: it is
    `Physiology.bowel_contrast`.

    Args:
        ground: the bones.
        body: the skin.
        seed: of all that is drawn.
        kinds: exactly these, for certain; None draws each kind by its chance.
        chances: of each kind, where `kinds` is None; a kind that is not named is not drawn.
    """
    found: list[Decoy] = []
    for index, kind in enumerate(DecoyKind):
        random = np.random.default_rng([seed, 31, index])
        lucky = random.random() < chances.get(kind, 0.0)
        if kind in kinds if kinds is not None else lucky:
            found += _DRAWN[kind](ground, body, random)
    return tuple(found)


def _degenerative(ground: Ground, _body: Outline, random: np.random.Generator) -> list[Decoy]:
    """Some joints, often on both sides, and osteophytes of the spine."""
    weights = np.array([joint.chance for joint in table.JOINTS])
    count = min(int(random.geometric(0.35)), 5)
    chosen = random.choice(len(table.JOINTS), size=count, replace=False, p=weights / weights.sum())
    found: list[Decoy] = []
    for index in sorted(chosen):
        sides = _SIDES if random.random() < 0.6 else (_SIDES[int(random.integers(2))],)
        for side in sides:
            found += _joint(ground, table.JOINTS[index], side, random)
    spine = [bone for bone in VERTEBRAE if bone in ground.skeleton.bones and bone.name[0] in "TL"]
    for bone in random.choice(len(spine), size=int(random.integers(0, 5)), replace=False):
        found.append(_osteophyte(ground, spine[bone], random))
    return found


def _joint(ground: Ground, joint: table.JointPlace, side: str, random: np.random.Generator) -> list[Decoy]:
    """A zone on each of the two bones that meet."""
    suv = _log_normal(table.JOINT_SUV, table.JOINT_LOG_SD, random)
    sign = 1.0 if side == "LEFT" else -1.0
    found = []
    for name, (x, y, z) in zip(joint.bones, joint.surface_mm, strict=True):
        bone = Bone[name] if name in Bone.__members__ else Bone[f"{name}_{side}"]
        radii = np.array(joint.radii_mm) * random.uniform(0.6, 1.15)
        centre = under_surface(ground, bone, np.array([sign * x, y, z]) + random.normal(0.0, 1.5, size=3))
        look = table.bony(suv * random.uniform(0.7, 1.0), hu=random.uniform(450.0, 850.0))
        found.append(
            Decoy(
                name=f"degenerative_{joint.name}_{side.lower()}_{name.lower()}",
                kind=DecoyKind.DEGENERATIVE_JOINT,
                bone=bone,
                shapes=(_shape(centre, radii, random, roughness=0.15),),
                appearance=look,
                inside_bone=True,
            )
        )
    return found


def _osteophyte(ground: Ground, bone: Bone, random: np.random.Generator) -> Decoy:
    carrier = ground.main_part(bone)
    lower, left = bool(random.random() < 0.5), bool(random.random() < 0.5)
    centre = osteophyte(carrier, left=left, lower=lower)
    return Decoy(
        name=f"degenerative_{bone.name.lower()}_{'lower' if lower else 'upper'}_{'left' if left else 'right'}",
        kind=DecoyKind.DEGENERATIVE_JOINT,
        bone=bone,
        shapes=(_shape(centre, np.array([6.5, 5.0, 4.0]) * random.uniform(0.7, 1.3), random, roughness=0.15),),
        appearance=table.bony(
            _log_normal(table.JOINT_SUV, table.JOINT_LOG_SD, random), hu=random.uniform(600.0, 1000.0)
        ),
        inside_bone=False,
    )


def _facets(ground: Ground, _body: Outline, random: np.random.Generator) -> list[Decoy]:
    """Facet joints, the lower lumbar ones most."""
    spine = [bone for bone in (*VERTEBRAE[2:7], *VERTEBRAE[17:]) if bone in ground.skeleton.bones]
    weights = np.array([3.0 if bone.name in ("L3", "L4", "L5", "L6") else 1.0 for bone in spine])
    chosen = random.choice(len(spine), size=int(random.integers(1, 4)), replace=False, p=weights / weights.sum())
    found = []
    for index in sorted(chosen):
        bone = spine[index]
        for side in _SIDES if random.random() < 0.5 else (_SIDES[int(random.integers(2))],):
            centre = facet(ground.main_part(bone), left=side == "LEFT")
            found.append(
                Decoy(
                    name=f"facet_{bone.name.lower()}_{side.lower()}",
                    kind=DecoyKind.FACET_ARTHROPATHY,
                    bone=bone,
                    shapes=(
                        _shape(centre, np.array([6.0, 6.0, 8.0]) * random.uniform(0.7, 1.1), random, roughness=0.15),
                    ),
                    appearance=table.bony(
                        _log_normal(table.JOINT_SUV * 1.2, table.JOINT_LOG_SD, random), hu=random.uniform(600.0, 950.0)
                    ),
                    inside_bone=False,
                )
            )
    return found


def _rib_fractures(ground: Ground, _body: Outline, random: np.random.Generator) -> list[Decoy]:
    """Neighbouring ribs of one side, broken along a line and healed to the same degree."""
    side = _SIDES[int(random.integers(2))]
    first, count = int(random.integers(3, 8)), int(random.integers(2, 6))
    azimuth = random.uniform(25.0, 115.0)
    suv = _log_normal(table.FRACTURE_SUV, table.FRACTURE_LOG_SD, random)
    found = []
    for number in range(first, min(first + count, 11)):
        bone = Bone[f"RIB_{number}_{side}"]
        centre = rib_at(ground.main_part(bone), azimuth_deg=azimuth + random.normal(0.0, 3.0))
        found.append(
            Decoy(
                name=f"fracture_{bone.name.lower()}",
                kind=DecoyKind.RIB_FRACTURE,
                bone=bone,
                shapes=(_shape(centre, np.array([6.0, 6.0, 6.0]) * random.uniform(0.8, 1.1), random, roughness=0.1),),
                appearance=table.bony(suv * random.uniform(0.7, 1.2), hu=random.uniform(450.0, 800.0)),
                inside_bone=False,
            )
        )
    return found


def _enostoses(ground: Ground, _body: Outline, random: np.random.Generator) -> list[Decoy]:
    """One to three islands of compact bone in pelvis, femur, spine, ribs or humerus."""
    found = []
    for number in range(1, int(random.integers(1, 4)) + 1):
        bone = _some_bone(ground, ("hip", "femur", "vertebra", "rib", "humerus", "sacrum"), random)
        hu = float(np.clip(random.normal(*table.ENOSTOSIS_HU), *table.ENOSTOSIS_HU_RANGE))
        wish = Wish(diameter_mm=float(random.uniform(5.0, 13.0)), roughness=0.08)
        found.append(
            Decoy(
                name=f"enostosis_{number}",
                kind=DecoyKind.ENOSTOSIS,
                bone=bone,
                shapes=(place(ground.main_part(bone), wish, random),),
                appearance=table.compact(hu),
                inside_bone=True,
            )
        )
    return found


def _haemangiomas(ground: Ground, _body: Outline, random: np.random.Generator) -> list[Decoy]:
    """One or two in vertebral bodies of chest and loin."""
    spine = [bone for bone in VERTEBRAE if bone in ground.skeleton.bones and bone.name[0] in "TL"]
    found = []
    for index in random.choice(len(spine), size=int(random.integers(1, 3)), replace=False):
        wish = Wish(diameter_mm=float(random.uniform(10.0, 26.0)), roughness=0.1)
        found.append(
            Decoy(
                name=f"haemangioma_{spine[index].name.lower()}",
                kind=DecoyKind.HAEMANGIOMA,
                bone=spine[index],
                shapes=(place(ground.main_part(spine[index]), wish, random),),
                appearance=table.fatty(random.uniform(40.0, 130.0), fat=random.uniform(0.55, 0.85)),
                inside_bone=True,
            )
        )
    return found


def _paget(ground: Ground, _body: Outline, random: np.random.Generator) -> list[Decoy]:
    """A whole bone, dense and hot."""
    name = _PAGET_BONES[int(random.integers(len(_PAGET_BONES)))]
    bone = Bone[name] if name in Bone.__members__ else Bone[f"{name}_{_SIDES[int(random.integers(2))]}"]
    shape = covering(ground.main_part(bone), proximal_only=False, roughness=0.0, seed=0)
    whole = Shape(
        centre_mm=shape.centre_mm,
        radii_mm=(1.6 * shape.radii_mm[0], 1.6 * shape.radii_mm[1], 1.6 * shape.radii_mm[2]),
        turn_deg=shape.turn_deg,
    )
    look = table.bony(_log_normal(table.PAGET_SUV, table.PAGET_LOG_SD, random), hu=random.uniform(450.0, 800.0))
    return [
        Decoy(
            name=f"paget_{bone.name.lower()}",
            kind=DecoyKind.PAGET,
            bone=bone,
            shapes=(whole,),
            appearance=look,
            inside_bone=True,
        )
    ]


def _extravasation(ground: Ground, body: Outline, random: np.random.Generator) -> list[Decoy]:
    """Tracer beside the vein, at the elbow or on the back of the hand."""
    side = _SIDES[int(random.integers(2))]
    at_elbow = random.random() < 0.7
    bone = Bone[f"{'ULNA' if at_elbow else 'HAND'}_{side}"]
    carrier = ground.main_part(bone)
    nodes = carrier.nodes()
    start = nodes[int(np.argmax(nodes[:, 2]))] if at_elbow else nodes.mean(axis=0)
    ahead = np.array([0.0, -1.0, 0.0])
    centre = on_ray(carrier, body, start=start, towards=ahead, below_skin_mm=5.0)
    radii = np.array([7.0, 4.0, 12.0]) * random.uniform(0.6, 1.6)
    suv = _log_uniform(table.EXTRAVASATION_SUV, random)
    return [
        Decoy(
            name=f"extravasation_{side.lower()}",
            kind=DecoyKind.EXTRAVASATION,
            bone=bone,
            shapes=(_shape(centre, radii, random, roughness=0.3),),
            appearance=table.wet(dict.fromkeys(Tracer, round(suv, 1))),
            inside_bone=False,
        )
    ]


def _contamination(ground: Ground, body: Outline, random: np.random.Generator) -> list[Decoy]:
    """Drops of urine on the skin of thigh or groin."""
    found = []
    for number in range(1, int(random.integers(1, 4)) + 1):
        side = _SIDES[int(random.integers(2))]
        carrier = ground.main_part(Bone[f"FEMUR_{side}"])
        inward = -1.0 if side == "LEFT" else 1.0
        start = upright_axis(carrier, down=float(random.uniform(0.08, 0.55)))
        towards = np.array([inward * random.uniform(0.1, 1.0), -1.0, 0.0])
        centre = on_ray(carrier, body, start=start, towards=towards, below_skin_mm=1.0)
        radii = np.array([random.uniform(4.0, 14.0), 3.5, random.uniform(4.0, 14.0)])
        suv = _log_uniform(table.CONTAMINATION_SUV, random)
        found.append(
            Decoy(
                name=f"contamination_{number}",
                kind=DecoyKind.CONTAMINATION,
                bone=carrier.bone,
                shapes=(_shape(centre, radii, random, roughness=0.3),),
                appearance=table.wet({tracer: round(suv * part, 2) for tracer, part in table.IN_URINE.items()}),
                inside_bone=False,
            )
        )
    return found


def _prosthesis(ground: Ground, _body: Outline, random: np.random.Generator) -> list[Decoy]:
    """A hip or a knee of metal: both parts, each with its own bone."""
    side = _SIDES[int(random.integers(2))]
    return _hip_prosthesis(ground, side) if random.random() < 0.65 else _knee_prosthesis(side)


def _hip_prosthesis(ground: Ground, side: str) -> list[Decoy]:
    sign = 1.0 if side == "LEFT" else -1.0
    femur = ground.main_part(Bone[f"FEMUR_{side}"])
    head = femur.placed.shaped(np.array([sign * 77.0, 156.0, 921.0]))[0]
    cup = ground.main_part(Bone[f"HIP_{side}"]).placed.shaped(np.array([sign * 72.0, 157.0, 928.0]))[0]
    top, tip = upright_axis(femur, down=0.07), upright_axis(femur, down=0.36)
    stem = _rod(top, tip, thickness_mm=7.0)
    neck = _rod(head, upright_axis(femur, down=0.11), thickness_mm=7.0)
    return [
        _metal(f"prosthesis_hip_{side.lower()}_stem", Bone[f"FEMUR_{side}"], (_ball(head, 15.0), neck, stem)),
        _metal(f"prosthesis_hip_{side.lower()}_cup", Bone[f"HIP_{side}"], (_ball(cup, 22.0),)),
    ]


def _knee_prosthesis(side: str) -> list[Decoy]:
    sign = 1.0 if side == "LEFT" else -1.0
    tray = Shape(centre_mm=(sign * 65.0, 155.0, 482.0), radii_mm=(33.0, 24.0, 4.0))
    stem = _rod(np.array([sign * 65.0, 155.0, 482.0]), np.array([sign * 65.0, 155.0, 445.0]), thickness_mm=6.0)
    cap = Shape(centre_mm=(sign * 65.0, 155.0, 500.0), radii_mm=(33.0, 28.0, 8.0))
    return [
        _metal(f"prosthesis_knee_{side.lower()}_tibia", Bone[f"TIBIA_{side}"], (tray, stem)),
        _metal(f"prosthesis_knee_{side.lower()}_femur", Bone[f"FEMUR_{side}"], (cap,)),
    ]


def _pacemaker(ground: Ground, body: Outline, random: np.random.Generator) -> list[Decoy]:
    """A flat can under the skin below the left collarbone, or the right one of some."""
    side = "LEFT" if random.random() < 0.85 else "RIGHT"
    carrier = ground.main_part(Bone[f"RIB_2_{side}"])
    start = rib_at(carrier, azimuth_deg=48.0)
    centre = on_ray(carrier, body, start=start, towards=np.array([0.0, -1.0, 0.0]), below_skin_mm=9.0)
    can = Shape(centre_mm=_vector(centre), radii_mm=(24.0, 4.5, 21.0), turn_deg=(float(random.normal(0, 8)), 0.0, 0.0))
    return [_metal("pacemaker", carrier.bone, (can,), kind=DecoyKind.PACEMAKER)]


def _nothing(_ground: Ground, _body: Outline, _random: np.random.Generator) -> list[Decoy]:
    return []


_DRAWN: Mapping[DecoyKind, Callable[[Ground, Outline, np.random.Generator], list[Decoy]]] = {
    DecoyKind.DEGENERATIVE_JOINT: _degenerative,
    DecoyKind.FACET_ARTHROPATHY: _facets,
    DecoyKind.RIB_FRACTURE: _rib_fractures,
    DecoyKind.ENOSTOSIS: _enostoses,
    DecoyKind.HAEMANGIOMA: _haemangiomas,
    DecoyKind.PAGET: _paget,
    DecoyKind.EXTRAVASATION: _extravasation,
    DecoyKind.CONTAMINATION: _contamination,
    DecoyKind.PROSTHESIS: _prosthesis,
    DecoyKind.PACEMAKER: _pacemaker,
    DecoyKind.BOWEL_CONTRAST: _nothing,
}


def _metal(name: str, bone: Bone, shapes: tuple[Shape, ...], *, kind: DecoyKind = DecoyKind.PROSTHESIS) -> Decoy:
    appearance: Appearance = table.metallic()
    return Decoy(name=name, kind=kind, bone=bone, shapes=shapes, appearance=appearance, inside_bone=False)


def _rod(first: FloatArray, last: FloatArray, *, thickness_mm: float) -> Shape:
    """A long ellipsoid between two places of the rest frame."""
    along = last - first
    turn, _ = Rotation.align_vectors(along[None] / np.linalg.norm(along), np.array([[0.0, 0.0, 1.0]]))
    return Shape(
        centre_mm=_vector((first + last) / 2),
        radii_mm=(thickness_mm, thickness_mm, max(float(np.linalg.norm(along)) / 2.0, thickness_mm)),
        turn_deg=_vector(turn.as_rotvec(degrees=True)),
    )


def _ball(centre: FloatArray, radius_mm: float) -> Shape:
    return Shape(centre_mm=_vector(centre), radii_mm=(radius_mm, radius_mm, radius_mm))


def _shape(centre: FloatArray, radii: FloatArray, random: np.random.Generator, *, roughness: float) -> Shape:
    return Shape(
        centre_mm=_vector(centre), radii_mm=_vector(radii), roughness=roughness, seed=int(random.integers(2**31))
    )


def _some_bone(ground: Ground, kinds: tuple[str, ...], random: np.random.Generator) -> Bone:
    """A bone of one of the kinds, each kind alike."""
    kind = kinds[int(random.integers(len(kinds)))]
    bones = [bone for bone in ground.skeleton.bones if bone.kind == kind]
    return bones[int(random.integers(len(bones)))]


def _log_normal(median: float, log_sd: float, random: np.random.Generator) -> float:
    return float(median * np.exp(np.clip(random.normal(), -2.5, 2.5) * log_sd))


def _log_uniform(limits: tuple[float, float], random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(*np.log(limits))))


def _vector(values: FloatArray) -> Vector:
    x, y, z = (round(float(value), 3) for value in values)
    return x, y, z
