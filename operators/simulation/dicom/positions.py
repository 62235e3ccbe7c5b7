"""How the patient lies, in DICOM's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bmnode.domain.codes import Code
from operators.simulation.dicom.elements import code_item

PATIENT_POSITION: Mapping[bool, str] = {False: "HFS", True: "FFS"}
"""Of CT and MR, by feet first."""

_RECUMBENT = Code("102538003", "SCT", "recumbent")
_SUPINE = Code("40199007", "SCT", "supine")
_GANTRY: Mapping[bool, Code] = {
    False: Code("102540008", "SCT", "headfirst"),
    True: Code("102541007", "SCT", "feet-first"),
}


def nuclear_position(*, feet_first: bool) -> dict[str, Any]:
    """NM/PET Patient Orientation module (PS3.3 C.8.4.6), which takes the place of Patient Position."""
    lying = code_item(_RECUMBENT)
    lying.PatientOrientationModifierCodeSequence = [code_item(_SUPINE)]
    return {
        "PatientOrientationCodeSequence": [lying],
        "PatientGantryRelationshipCodeSequence": [code_item(_GANTRY[feet_first])],
    }
