"""Real World Value Mapping: stored values to a unit, linearly (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from bmnode.domain.codes import Code
from operators.simulation.dicom.elements import code_item, item


def real_world_mapping(name: str, *, unit: Code, slope: float, highest: int) -> Dataset:
    """One item that maps the stored values 0 to `highest`."""
    mapping = item(
        {
            "RealWorldValueFirstValueMapped": 0,
            "RealWorldValueLastValueMapped": highest,
            "RealWorldValueIntercept": 0.0,
            "RealWorldValueSlope": slope,
            "LUTExplanation": name,
            "LUTLabel": unit.value[:16],
            "MeasurementUnitsCodeSequence": [code_item(unit)],
        }
    )
    # US or SS by Pixel Representation; inside an item pydicom cannot tell.
    for keyword in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
        mapping[keyword].VR = "US"
    return mapping
