"""The bones by name, their sides, their regions in the Spiers table and their cortex."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum


class Side(StrEnum):
    """The patient's side."""

    LEFT = "left"
    RIGHT = "right"


class Bone(IntEnum):
    """Every bone that has a label. The value is the voxel value in a label map; 0 is no bone.

    A left bone plus 50 is its partner on the right. Wrist and hand are one label, ankle and foot another.
    """

    SKULL = 1
    MANDIBLE = 2
    C1 = 11
    C2 = 12
    C3 = 13
    C4 = 14
    C5 = 15
    C6 = 16
    C7 = 17
    T1 = 21
    T2 = 22
    T3 = 23
    T4 = 24
    T5 = 25
    T6 = 26
    T7 = 27
    T8 = 28
    T9 = 29
    T10 = 30
    T11 = 31
    T12 = 32
    L1 = 41
    L2 = 42
    L3 = 43
    L4 = 44
    L5 = 45
    L6 = 46
    SACRUM = 47
    COCCYX = 48
    STERNUM = 50
    RIB_1_LEFT = 101
    RIB_2_LEFT = 102
    RIB_3_LEFT = 103
    RIB_4_LEFT = 104
    RIB_5_LEFT = 105
    RIB_6_LEFT = 106
    RIB_7_LEFT = 107
    RIB_8_LEFT = 108
    RIB_9_LEFT = 109
    RIB_10_LEFT = 110
    RIB_11_LEFT = 111
    RIB_12_LEFT = 112
    CLAVICLE_LEFT = 121
    SCAPULA_LEFT = 122
    HUMERUS_LEFT = 123
    RADIUS_LEFT = 124
    ULNA_LEFT = 125
    HAND_LEFT = 126
    HIP_LEFT = 127
    FEMUR_LEFT = 128
    PATELLA_LEFT = 129
    TIBIA_LEFT = 130
    FIBULA_LEFT = 131
    FOOT_LEFT = 132
    RIB_1_RIGHT = 151
    RIB_2_RIGHT = 152
    RIB_3_RIGHT = 153
    RIB_4_RIGHT = 154
    RIB_5_RIGHT = 155
    RIB_6_RIGHT = 156
    RIB_7_RIGHT = 157
    RIB_8_RIGHT = 158
    RIB_9_RIGHT = 159
    RIB_10_RIGHT = 160
    RIB_11_RIGHT = 161
    RIB_12_RIGHT = 162
    CLAVICLE_RIGHT = 171
    SCAPULA_RIGHT = 172
    HUMERUS_RIGHT = 173
    RADIUS_RIGHT = 174
    ULNA_RIGHT = 175
    HAND_RIGHT = 176
    HIP_RIGHT = 177
    FEMUR_RIGHT = 178
    PATELLA_RIGHT = 179
    TIBIA_RIGHT = 180
    FIBULA_RIGHT = 181
    FOOT_RIGHT = 182

    @property
    def side(self) -> Side | None:
        """The patient's side; None for bones of the midline."""
        if self.name.endswith("_LEFT"):
            return Side.LEFT
        return Side.RIGHT if self.name.endswith("_RIGHT") else None

    @property
    def partner(self) -> Bone | None:
        """The same bone on the other side; None for bones of the midline."""
        if self.side is None:
            return None
        return Bone(self + _LEFT_TO_RIGHT if self.side is Side.LEFT else self - _LEFT_TO_RIGHT)

    @property
    def region(self) -> Region:
        """Where the bone belongs in the Spiers table."""
        kind = self.kind
        paired = {"rib": Region.RIBS, "hip": Region.PELVIS}
        if kind in paired:
            return paired[kind]
        if kind == "vertebra" or self in (Bone.SACRUM, Bone.COCCYX):
            return Region.SPINE
        return Region(self.name.lower()) if self.side else Region(kind)

    @property
    def kind(self) -> str:
        """The bone without number and side: `vertebra`, `rib`, `femur`, `skull`."""
        if self in VERTEBRAE:
            return "vertebra"
        return self.name.split("_")[0].lower()


class Region(StrEnum):
    """The rows of the Spiers table, sides apart where the table has them apart."""

    SKULL = "skull"
    MANDIBLE = "mandible"
    STERNUM = "sternum"
    RIBS = "ribs"
    SPINE = "spine"
    PELVIS = "pelvis"
    CLAVICLE_LEFT = "clavicle_left"
    CLAVICLE_RIGHT = "clavicle_right"
    SCAPULA_LEFT = "scapula_left"
    SCAPULA_RIGHT = "scapula_right"
    HUMERUS_LEFT = "humerus_left"
    HUMERUS_RIGHT = "humerus_right"
    RADIUS_LEFT = "radius_left"
    RADIUS_RIGHT = "radius_right"
    ULNA_LEFT = "ulna_left"
    ULNA_RIGHT = "ulna_right"
    HAND_LEFT = "hand_left"
    HAND_RIGHT = "hand_right"
    FEMUR_LEFT = "femur_left"
    FEMUR_RIGHT = "femur_right"
    PATELLA_LEFT = "patella_left"
    PATELLA_RIGHT = "patella_right"
    TIBIA_LEFT = "tibia_left"
    TIBIA_RIGHT = "tibia_right"
    FIBULA_LEFT = "fibula_left"
    FIBULA_RIGHT = "fibula_right"
    FOOT_LEFT = "foot_left"
    FOOT_RIGHT = "foot_right"


_LEFT_TO_RIGHT = 50

CERVICAL = tuple(Bone[f"C{number}"] for number in range(1, 8))
THORACIC = tuple(Bone[f"T{number}"] for number in range(1, 13))
LUMBAR = tuple(Bone[f"L{number}"] for number in range(1, 7))
VERTEBRAE = CERVICAL + THORACIC + LUMBAR
"""From the head down. L6 is there in few persons."""

SPIERS_1968_PERCENT: dict[Region, float] = {
    Region.SKULL: 16.6,
    Region.MANDIBLE: 1.8,
    Region.STERNUM: 0.3,
    Region.RIBS: 4.4,
    Region.SPINE: 8.3,
    Region.PELVIS: 7.5,
    **dict.fromkeys((Region.CLAVICLE_LEFT, Region.CLAVICLE_RIGHT), 0.5),
    **dict.fromkeys((Region.SCAPULA_LEFT, Region.SCAPULA_RIGHT), 1.5),
    **dict.fromkeys((Region.HUMERUS_LEFT, Region.HUMERUS_RIGHT), 3.3),
    **dict.fromkeys((Region.ULNA_LEFT, Region.ULNA_RIGHT), 1.5),
    **dict.fromkeys((Region.RADIUS_LEFT, Region.RADIUS_RIGHT), 1.2),
    **dict.fromkeys((Region.HAND_LEFT, Region.HAND_RIGHT), 1.5),
    **dict.fromkeys((Region.FEMUR_LEFT, Region.FEMUR_RIGHT), 8.9),
    **dict.fromkeys((Region.TIBIA_LEFT, Region.TIBIA_RIGHT), 5.1),
    **dict.fromkeys((Region.FIBULA_LEFT, Region.FIBULA_RIGHT), 1.3),
    **dict.fromkeys((Region.FOOT_LEFT, Region.FOOT_RIGHT), 5.8),
}
"""Per cent of the skeleton's weight as printed (Spiers FW, Radioisotopes in the Human Body, 1968, p. 120).

The rows sum to 100.1. The table has no row for the patella: it has no share.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cortex:
    """How thick a bone's cortex is.

    Args:
        end_mm: thickness at the ends of a long bone, everywhere in others.
        shaft_mm: thickness in the middle of the shaft of a long bone.
        medullary: whether the middle of the shaft holds marrow instead of spongiosa.
        wall_mm: for a hollow bone (the skull), the thickness of the whole wall: an outer and an
            inner table of `end_mm` with diploe between; None for solid bones.
    """

    end_mm: float
    shaft_mm: float
    medullary: bool = False
    wall_mm: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.end_mm <= self.shaft_mm:
            raise ValueError("a cortex is thicker than nothing and not thinner in the shaft than at the ends")
        if self.wall_mm is not None and self.wall_mm < 2 * self.end_mm:
            raise ValueError("a wall holds its two tables")


class Tissue(int, Enum):
    """What fills a voxel. The value is the voxel value in a tissue map."""

    OUTSIDE = 0
    FAT = 1
    LEAN = 2
    CARTILAGE = 3
    SPONGIOSA = 4
    CORTEX = 5
    MEDULLARY = 6
    SKULL_CAVITY = 7


CORTEX: dict[str, Cortex] = {
    "skull": Cortex(end_mm=2.2, shaft_mm=2.2, wall_mm=7.0),
    "mandible": Cortex(end_mm=2.5, shaft_mm=2.5),
    "vertebra": Cortex(end_mm=0.7, shaft_mm=0.7),
    "sacrum": Cortex(end_mm=1.0, shaft_mm=1.0),
    "coccyx": Cortex(end_mm=0.8, shaft_mm=0.8),
    "sternum": Cortex(end_mm=0.55, shaft_mm=0.55),
    "rib": Cortex(end_mm=0.65, shaft_mm=0.85),
    "clavicle": Cortex(end_mm=1.0, shaft_mm=2.2),
    "scapula": Cortex(end_mm=1.3, shaft_mm=1.3),
    "humerus": Cortex(end_mm=1.2, shaft_mm=4.2, medullary=True),
    "radius": Cortex(end_mm=1.0, shaft_mm=2.6, medullary=True),
    "ulna": Cortex(end_mm=1.0, shaft_mm=2.6, medullary=True),
    "hand": Cortex(end_mm=1.1, shaft_mm=1.1),
    "hip": Cortex(end_mm=1.4, shaft_mm=1.4),
    "femur": Cortex(end_mm=1.6, shaft_mm=6.6, medullary=True),
    "patella": Cortex(end_mm=1.0, shaft_mm=1.0),
    "tibia": Cortex(end_mm=1.6, shaft_mm=5.6, medullary=True),
    "fibula": Cortex(end_mm=1.0, shaft_mm=2.6, medullary=True),
    "foot": Cortex(end_mm=1.6, shaft_mm=1.6),
}
"""For a skeleton of the source's size. Chosen [P] within the range that anatomy texts give for adults so that the
cortical bone of the reference man and woman is that of ICRP 89; feet and limbs take more than their part, since the
Spiers table gives them more. `docs/explanation/simulated-anatomy.md` shows what comes of it.
"""
