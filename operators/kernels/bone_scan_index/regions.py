"""The regions that have a coefficient, the labels that a skeleton map has, and how one leads to the other.

Sides are the patient's, never the image's: a view that is flipped keeps its labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import MappingProxyType


class BoneRegion(StrEnum):
    """The rows of a coefficient table, sides apart."""

    SKULL = "skull"
    MANDIBLE = "mandible"
    STERNUM = "sternum"
    RIBS = "ribs"
    SPINE = "spine"
    """Vertebral column and sacrum: the source gives no split, and none is invented (clinical reference 1.2)."""
    PELVIS = "pelvis"
    CLAVICLE_LEFT = "clavicle_left"
    CLAVICLE_RIGHT = "clavicle_right"
    SCAPULA_LEFT = "scapula_left"
    SCAPULA_RIGHT = "scapula_right"
    HUMERUS_LEFT = "humerus_left"
    HUMERUS_RIGHT = "humerus_right"
    ULNA_LEFT = "ulna_left"
    ULNA_RIGHT = "ulna_right"
    RADIUS_LEFT = "radius_left"
    RADIUS_RIGHT = "radius_right"
    HAND_LEFT = "hand_left"
    HAND_RIGHT = "hand_right"
    FEMUR_LEFT = "femur_left"
    FEMUR_RIGHT = "femur_right"
    TIBIA_LEFT = "tibia_left"
    TIBIA_RIGHT = "tibia_right"
    FIBULA_LEFT = "fibula_left"
    FIBULA_RIGHT = "fibula_right"
    FOOT_LEFT = "foot_left"
    FOOT_RIGHT = "foot_right"


class BoneLabel(StrEnum):
    """What one segment of a skeleton map shows: the twelve classes of BS-80K, sides apart."""

    SKULL = "skull"
    CERVICAL_SPINE = "cervical_spine"
    THORACIC_SPINE = "thoracic_spine"
    LUMBAR_SPINE = "lumbar_spine"
    SACRUM = "sacrum"
    RIBS = "ribs"
    STERNUM = "sternum"
    PELVIS = "pelvis"
    CLAVICLE_LEFT = "clavicle_left"
    CLAVICLE_RIGHT = "clavicle_right"
    SCAPULA_LEFT = "scapula_left"
    SCAPULA_RIGHT = "scapula_right"
    HUMERUS_LEFT = "humerus_left"
    HUMERUS_RIGHT = "humerus_right"
    FEMUR_LEFT = "femur_left"
    FEMUR_RIGHT = "femur_right"


class ViewPreference(Enum):
    """From which view a label is read. A convention of this project (clinical reference 1.3)."""

    BOTH = "both"
    ANTERIOR_ONLY = "anterior_only"
    POSTERIOR_PREFERRED = "posterior_preferred"


VIEW_PREFERENCE: Mapping[BoneLabel, ViewPreference] = MappingProxyType(
    {
        BoneLabel.STERNUM: ViewPreference.ANTERIOR_ONLY,
        BoneLabel.CLAVICLE_LEFT: ViewPreference.ANTERIOR_ONLY,
        BoneLabel.CLAVICLE_RIGHT: ViewPreference.ANTERIOR_ONLY,
        BoneLabel.SCAPULA_LEFT: ViewPreference.POSTERIOR_PREFERRED,
        BoneLabel.SCAPULA_RIGHT: ViewPreference.POSTERIOR_PREFERRED,
        BoneLabel.SACRUM: ViewPreference.POSTERIOR_PREFERRED,
    }
)
"""Labels that are not named here are read from both views."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelSet:
    """A skeleton map's numbers, and the table rows that each label stands for.

    Labels that lead to the same row are pooled; a label that leads to several rows gives all
    of them its fraction. Raises ValueError where a number is not positive, where two numbers
    name one label or where a label has no row.
    """

    name: str
    numbers: Mapping[int, BoneLabel]
    rows: Mapping[BoneLabel, tuple[BoneRegion, ...]]

    def __post_init__(self) -> None:
        if not self.numbers or min(self.numbers) < 1:
            raise ValueError("a label set numbers its labels from 1")
        if len(set(self.numbers.values())) != len(self.numbers):
            raise ValueError("two numbers of a label set name the same label")
        if any(not self.rows.get(label) for label in self.numbers.values()):
            raise ValueError("every label leads to one row of the table or more")

    @property
    def regions(self) -> tuple[BoneRegion, ...]:
        """The rows that this label set can evaluate, in the table's order."""
        reached = {row for label in self.numbers.values() for row in self.rows[label]}
        return tuple(region for region in BoneRegion if region in reached)

    def labels_of(self, region: BoneRegion) -> tuple[BoneLabel, ...]:
        """The labels that are pooled for this row; empty where the set has none."""
        return tuple(label for label in self.numbers.values() if region in self.rows[label])


_SPINE = (BoneLabel.CERVICAL_SPINE, BoneLabel.THORACIC_SPINE, BoneLabel.LUMBAR_SPINE, BoneLabel.SACRUM)

BS80K_SIDED = LabelSet(
    name="BS80K_12_SIDED",
    numbers=MappingProxyType(dict(enumerate(BoneLabel, start=1))),
    rows=MappingProxyType(
        {label: (BoneRegion(label.value),) for label in BoneLabel if label not in _SPINE}
        | dict.fromkeys(_SPINE, (BoneRegion.SPINE,))
        | {BoneLabel.SKULL: (BoneRegion.SKULL, BoneRegion.MANDIBLE)}
    ),
)
"""The twelve classes with sides: 67.3 of the 100.1 % of the Spiers table. Its skull holds the mandible."""
