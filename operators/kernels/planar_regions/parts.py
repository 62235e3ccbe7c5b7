"""The parts that a whole-body view is divided into, and the labels of the Bone Scan Index that they lead to.

Sides are the patient's, never the image's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from operators.kernels.bone_scan_index.regions import BS80K_SIDED, BoneLabel

PartMap = npt.NDArray[np.uint8]
"""Numbers of `PART_NUMBERS` (row, column), 0 where there is no bone."""

_LEFT, _RIGHT = "_left", "_right"


class PlanarPart(StrEnum):
    """What a pixel shows: the twelve classes of BS-80K with sides apart, and the limbs beyond them."""

    SKULL = "skull"
    """With the mandible."""
    CERVICAL_SPINE = "cervical_spine"
    THORACIC_SPINE = "thoracic_spine"
    LUMBAR_SPINE = "lumbar_spine"
    SACRUM = "sacrum"
    """With the coccyx."""
    STERNUM = "sternum"
    RIBS_LEFT = "ribs_left"
    RIBS_RIGHT = "ribs_right"
    CLAVICLE_LEFT = "clavicle_left"
    CLAVICLE_RIGHT = "clavicle_right"
    SCAPULA_LEFT = "scapula_left"
    SCAPULA_RIGHT = "scapula_right"
    HUMERUS_LEFT = "humerus_left"
    HUMERUS_RIGHT = "humerus_right"
    PELVIS_LEFT = "pelvis_left"
    PELVIS_RIGHT = "pelvis_right"
    FEMUR_LEFT = "femur_left"
    FEMUR_RIGHT = "femur_right"
    FOREARM_LEFT = "forearm_left"
    """With the hand."""
    FOREARM_RIGHT = "forearm_right"
    LOWER_LEG_LEFT = "lower_leg_left"
    """With patella and foot."""
    LOWER_LEG_RIGHT = "lower_leg_right"

    @property
    def is_left(self) -> bool:
        """Whether it lies on the patient's left."""
        return self.value.endswith(_LEFT)

    @property
    def is_right(self) -> bool:
        """Whether it lies on the patient's right."""
        return self.value.endswith(_RIGHT)

    @property
    def partner(self) -> PlanarPart:
        """The same part on the other side; itself on the midline."""
        if self.is_left:
            return PlanarPart(self.value.removesuffix(_LEFT) + _RIGHT)
        if self.is_right:
            return PlanarPart(self.value.removesuffix(_RIGHT) + _LEFT)
        return self

    @property
    def label(self) -> BoneLabel | None:
        """What it is in the twelve classes; None for forearms, hands, lower legs and feet, which these lack."""
        pooled = self.value.removesuffix(_LEFT).removesuffix(_RIGHT)
        names = {label.value for label in BoneLabel}
        return BoneLabel(self.value) if self.value in names else BoneLabel(pooled) if pooled in names else None


PART_NUMBERS: Mapping[PlanarPart, int] = MappingProxyType({part: n for n, part in enumerate(PlanarPart, start=1)})
NUMBERED_PARTS: Mapping[int, PlanarPart] = MappingProxyType({n: part for part, n in PART_NUMBERS.items()})


def mirrored(parts: PartMap) -> PartMap:
    """The map flipped from left to right as an image of the mirrored person: sides change places."""
    table = np.zeros(len(PART_NUMBERS) + 1, dtype=np.uint8)
    for part, number in PART_NUMBERS.items():
        table[number] = PART_NUMBERS[part.partner]
    return np.ascontiguousarray(table[parts[:, ::-1]])


def bone_labels(parts: PartMap) -> npt.NDArray[np.uint8]:
    """The same map in the numbers of `BS80K_SIDED`; what lies beyond its classes becomes 0."""
    numbers = {label: number for number, label in BS80K_SIDED.numbers.items()}
    table = np.zeros(len(PART_NUMBERS) + 1, dtype=np.uint8)
    for part, number in PART_NUMBERS.items():
        if part.label is not None:
            table[number] = numbers[part.label]
    return np.asarray(table[parts], dtype=np.uint8)


def part_of(parts: PartMap, mask: npt.NDArray[np.bool_]) -> PlanarPart | None:
    """The part that most of a mask's pixels show; None where none of them shows bone.

    Args:
        parts: (row, column).
        mask: of the same shape.
    """
    votes = np.bincount(parts[mask], minlength=len(PART_NUMBERS) + 1)
    votes[0] = 0
    return NUMBERED_PARTS[int(votes.argmax())] if votes.any() else None
