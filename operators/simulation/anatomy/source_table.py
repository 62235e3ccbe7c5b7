"""Which mesh of `myofullbody` is which bone. Coordinates are of the rest frame (see `source`)."""

from __future__ import annotations

from operators.simulation.anatomy.bones import Bone

CHEST_MESH = "torso_geom_13_ribcage_s"
CHEST_FRONT = "chest front"
NECK_MESH = "hat_cervical"

CHEST_FRONT_FACES = 1450
"""Sternum and costal cartilages, one closed piece."""
CHEST_DISCARDED_FACES = 15180
"""A decorative disc with the model makers' emblem in front of the chest."""
RIB_FACES = range(90, 200)
RIB_PAIRS = 12
VERTEBRA_MIN_FACES = 200
"""Below it are the discs of the neck, which this skeleton leaves out as it does the others."""

_HAND = (
    "lunate", "scaphoid", "pisiform", "triquetrum", "capitate", "trapezium", "trapezoid", "hamate",
    "1mc", "thumbprox", "thumbdist",
    "2mc", "2proxph", "2midph", "2distph", "3mc", "3proxph", "3midph", "3distph",
    "4mc", "4proxph", "4midph", "4distph", "5mc", "5proxph", "5midph", "5distph",
)  # fmt: skip
_ARM = ("clavicle", "scapula", "humerus", "ulna", "radius")
_LEG = ("femur", "tibia", "fibula", "patella")
_FOOT = ("talus", "foot", "bofoot")
_SIDES = (("r", "RIGHT"), ("l", "LEFT"))

MESH_BONES: dict[str, Bone] = {
    "hat_skull": Bone.SKULL,
    "hat_jaw": Bone.MANDIBLE,
    **{f"torso_geom_{13 - number}_thoracic{number}_s": Bone[f"T{number}"] for number in range(1, 13)},
    **{f"lumbar{number}_geom_1_lumbar{number}": Bone[f"L{number}"] for number in range(1, 6)},
    **{f"{name}_{short}": Bone[f"{name.upper()}_{side}"] for short, side in _SIDES for name in _ARM},
    **{f"{name}_{short}": Bone[f"HAND_{side}"] for short, side in _SIDES for name in _HAND},
    **{f"{short}_pelvis": Bone[f"HIP_{side}"] for short, side in _SIDES},
    **{f"{short}_{name}": Bone[f"{name.upper()}_{side}"] for short, side in _SIDES for name in _LEG},
    **{f"{short}_{name}": Bone[f"FOOT_{side}"] for short, side in _SIDES for name in _FOOT},
}
"""Meshes that are one bone, or part of one label."""

_STERNUM_HALF_WIDTH_MM = 18.0
"""Where the costal cartilages leave the sternum in the source, by eye."""
_COCCYX_TOP_MM = 962.0
"""Height of the waist of the sacrum's mesh above the coccyx, by eye."""
_LEFT, _RIGHT, _UP, _DOWN = (1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)

Piece = tuple[Bone | None, tuple[tuple[tuple[float, float, float], float], ...]]

CUTS: dict[str, dict[str, Piece]] = {
    CHEST_FRONT: {
        "sternum": (Bone.STERNUM, ((_LEFT, -_STERNUM_HALF_WIDTH_MM), (_RIGHT, -_STERNUM_HALF_WIDTH_MM))),
        "cartilage_left": (None, ((_LEFT, _STERNUM_HALF_WIDTH_MM),)),
        "cartilage_right": (None, ((_RIGHT, _STERNUM_HALF_WIDTH_MM),)),
    },
    "sacrum_geom_1_sacrum": {
        "sacrum": (Bone.SACRUM, ((_UP, _COCCYX_TOP_MM),)),
        "coccyx": (Bone.COCCYX, ((_DOWN, -_COCCYX_TOP_MM),)),
    },
}
"""Meshes that are several bones: by name of the piece, its bone (None: cartilage) and its half-spaces."""
