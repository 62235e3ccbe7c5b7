"""The bones by name, with the codes of a finding site: a single bone where it is known, its region otherwise.

Codes are of CID 7151, 7192 and 8134 with the meanings of PS3.16; those of single ribs are SNOMED CT's of the
concepts "bone structure of first rib" to "... twelfth rib", which no DICOM group lists yet. SNOMED CT's hip bone
is in no DICOM group either: hip bones are coded as pelvis, with their side.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from bmnode.domain.codes import Code, Site


class Bone(IntEnum):
    """Every bone that can be named, without its side. The value is the voxel value in a map of bones; 0 is no bone."""

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
    SACRUM = 47
    COCCYX = 48
    STERNUM = 50
    RIB_1 = 101
    RIB_2 = 102
    RIB_3 = 103
    RIB_4 = 104
    RIB_5 = 105
    RIB_6 = 106
    RIB_7 = 107
    RIB_8 = 108
    RIB_9 = 109
    RIB_10 = 110
    RIB_11 = 111
    RIB_12 = 112
    CLAVICLE = 121
    SCAPULA = 122
    HUMERUS = 123
    RADIUS = 124
    ULNA = 125
    HAND = 126
    HIP = 127
    FEMUR = 128
    PATELLA = 129
    TIBIA = 130
    FIBULA = 131
    FOOT = 132

    @property
    def is_paired(self) -> bool:
        """Whether there is a left and a right one."""
        return self >= Bone.RIB_1

    @property
    def is_vertebra(self) -> bool:
        """C1 to L5."""
        return Bone.C1 <= self <= Bone.L5

    @property
    def is_rib(self) -> bool:
        """A rib of any number."""
        return Bone.RIB_1 <= self <= Bone.RIB_12

    @property
    def code(self) -> Code:
        """The bone itself."""
        return _CODES[self]

    @property
    def part(self) -> Code:
        """The bone without its number: cervical, thoracic or lumbar spine, rib; skull and limb of their smaller bones.

        Any other bone is its own part.
        """
        if self.is_rib:
            return Site.RIB
        if self.is_vertebra:
            if self <= Bone.C7:
                return Site.CERVICAL_SPINE
            return Site.THORACIC_SPINE if self <= Bone.T12 else Site.LUMBAR_SPINE
        return self.region if self in _SMALLER else self.code

    @property
    def region(self) -> Code:
        """The part of the skeleton to which the bone belongs."""
        if self in (Bone.SKULL, Bone.MANDIBLE):
            return Site.SKULL
        if self.is_vertebra or self in (Bone.SACRUM, Bone.COCCYX):
            return Site.SPINE
        if self.is_rib or self is Bone.STERNUM:
            return Site.THORAX
        if self is Bone.HIP:
            return Site.PELVIS
        return Site.UPPER_LIMB if self <= Bone.HAND else Site.LOWER_LIMB


_SMALLER = frozenset(
    (Bone.MANDIBLE, Bone.RADIUS, Bone.ULNA, Bone.HAND, Bone.PATELLA, Bone.TIBIA, Bone.FIBULA, Bone.FOOT)
)

VERTEBRAE: tuple[Bone, ...] = tuple(bone for bone in Bone if bone.is_vertebra)
"""C1 to L5, from the head down."""

_VERTEBRA_CODES = (
    "14806007",
    "39976000",
    "113205007",
    "5329002",
    "36978003",
    "36054005",
    "87391001",
    "64864005",
    "53733008",
    "1626008",
    "73071006",
    "56401006",
    "45296009",
    "62487009",
    "11068009",
    "82687006",
    "7610001",
    "12989004",
    "23215003",
    "66794005",
    "14293000",
    "36470004",
    "11994002",
    "49668003",
)
_RIB_CODES = (
    "48535007",
    "78247007",
    "25888004",
    "25523003",
    "15339008",
    "59558009",
    "24915002",
    "5953002",
    "22565002",
    "77644006",
    "58830002",
    "43993008",
)
_ORDINALS = (
    "First",
    "Second",
    "Third",
    "Fourth",
    "Fifth",
    "Sixth",
    "Seventh",
    "Eighth",
    "Ninth",
    "Tenth",
    "Eleventh",
    "Twelfth",
)
_CODES: Mapping[Bone, Code] = MappingProxyType(
    {bone: Code(value, "SCT", f"{bone.name} vertebra") for bone, value in zip(VERTEBRAE, _VERTEBRA_CODES, strict=True)}
    | {
        Bone(Bone.RIB_1 + index): Code(value, "SCT", f"{ordinal} rib")
        for index, (value, ordinal) in enumerate(zip(_RIB_CODES, _ORDINALS, strict=True))
    }
    | {
        Bone.SKULL: Site.SKULL,
        Bone.MANDIBLE: Code("91609006", "SCT", "Mandible"),
        Bone.SACRUM: Site.SACRUM,
        Bone.COCCYX: Code("64688005", "SCT", "Coccyx"),
        Bone.STERNUM: Site.STERNUM,
        Bone.CLAVICLE: Site.CLAVICLE,
        Bone.SCAPULA: Site.SCAPULA,
        Bone.HUMERUS: Site.HUMERUS,
        Bone.RADIUS: Code("62413002", "SCT", "Radius"),
        Bone.ULNA: Code("23416004", "SCT", "Ulna"),
        Bone.HAND: Code("24097009", "SCT", "Hand bone"),
        Bone.HIP: Site.PELVIS,
        Bone.FEMUR: Site.FEMUR,
        Bone.PATELLA: Code("64234005", "SCT", "Patella"),
        Bone.TIBIA: Code("12611008", "SCT", "Tibia"),
        Bone.FIBULA: Code("87342007", "SCT", "Fibula"),
        Bone.FOOT: Code("56459004", "SCT", "Foot"),
    }
)
