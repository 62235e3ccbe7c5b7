"""What is not bone: every soft tissue, fluid and gas that an image can tell apart."""

from __future__ import annotations

from enum import IntEnum


class Matter(IntEnum):
    """What fills the part of a voxel that is not bone. The value is the voxel value in a matter map.

    A left organ plus 50 is its partner on the right.
    """

    AIR = 0
    """Outside the body."""
    FAT = 1
    MUSCLE = 2
    """Also whatever lean tissue has no name of its own."""
    CARTILAGE = 3
    DISC = 4
    """Intervertebral disc."""
    BRAIN = 5
    CORD = 6
    """Spinal cord and cauda equina."""
    CSF = 7
    AIRWAY = 8
    """Air in nose, sinuses, pharynx, trachea, main bronchi."""
    MYOCARDIUM = 9
    BLOOD = 10
    """Blood pool: chambers of the heart, aorta, caval and iliac vessels."""
    LIVER = 11
    GALLBLADDER = 12
    SPLEEN = 13
    PANCREAS = 14
    STOMACH = 15
    SMALL_BOWEL = 16
    COLON = 17
    BOWEL_GAS = 18
    BLADDER = 19
    """Urine in the bladder."""
    PROSTATE = 20
    UTERUS = 21
    THYROID = 22
    SKIN = 23

    LUNG_LEFT = 101
    KIDNEY_LEFT = 102
    RENAL_PELVIS_LEFT = 103
    """Urine in the renal pelvis and the upper ureter."""
    BREAST_LEFT = 104
    """Glandular tissue."""
    PAROTID_LEFT = 105
    SUBMANDIBULAR_LEFT = 106
    LACRIMAL_LEFT = 107
    EYE_LEFT = 108
    LUNG_RIGHT = 151
    KIDNEY_RIGHT = 152
    RENAL_PELVIS_RIGHT = 153
    BREAST_RIGHT = 154
    PAROTID_RIGHT = 155
    SUBMANDIBULAR_RIGHT = 156
    LACRIMAL_RIGHT = 157
    EYE_RIGHT = 158

    @property
    def kind(self) -> str:
        """The matter without its side: `kidney`, `liver`."""
        return self.name.removesuffix("_LEFT").removesuffix("_RIGHT").lower()


def both(kind: str) -> tuple[Matter, ...]:
    """Every matter of a kind: one, or left and right. Raises ValueError where there is none."""
    found = tuple(matter for matter in Matter if matter.kind == kind)
    if not found:
        raise ValueError(f"no matter is called {kind!r}")
    return found
