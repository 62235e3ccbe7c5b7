"""What the headers of a CT series say of scanner, dose and contrast medium, classic and enhanced alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydicom.dataset import Dataset

from bmnode.domain.codes import Code
from operators.simulation.dicom.elements import code_item, decimal, item, time_text
from operators.simulation.dicom.series import Series
from operators.simulation.images import Volume
from operators.simulation.protocols.ct import Contrast, CtProtocol, Kernel, Region

INTERCEPT_HU = -1024.0
BODY_PARTS: Mapping[Region, tuple[str, str]] = {
    Region.SPINE: ("SPINE", "spine"),
    Region.CHEST_TO_PELVIS: ("CHESTABDPELVIS", "chest abdomen pelvis"),
    Region.ABDOMEN_PELVIS: ("ABDOMENPELVIS", "abdomen pelvis"),
    Region.CHEST: ("CHEST", "chest"),
    Region.SKULL_TO_THIGH: ("WHOLEBODY", "body"),
    Region.WHOLE_BODY: ("WHOLEBODY", "whole body"),
}
"""Body Part Examined (PS3.16 Annex L) and how a description says it."""

WINDOWS: Mapping[Kernel, tuple[tuple[float, float, str], ...]] = {
    Kernel.SOFT: ((40.0, 400.0, "SOFT_TISSUE"), (450.0, 1500.0, "BONE")),
    Kernel.STANDARD: ((40.0, 400.0, "SOFT_TISSUE"), (450.0, 1500.0, "BONE")),
    Kernel.BONE: ((450.0, 1800.0, "BONE"), (40.0, 400.0, "SOFT_TISSUE")),
}
ROTATION_S, _PITCH, _ROWS, _ROW_MM = 0.5, 0.8, 32, 1.2
_SOURCE_TO_DETECTOR_MM, SOURCE_TO_PATIENT_MM, _TABLE_HEIGHT_MM = 1085.6, 595.0, 170.0
_MGY_PER_MAS_AT_120 = 0.073
"""CTDIvol in the 32 cm phantom per effective mAs at 120 kVp: 18.54 mGy at 253 mAs on one real scanner's header."""
_OUTPUT_EXPONENT = 2.5
"""Of the tube voltage: chosen."""
_CONTRAST_ML, _CONTRAST_ML_S, _IODINE_MG_ML = 100.0, 3.0, 350.0
_CONTRAST_DELAY_S = {Contrast.ARTERIAL: 30.0, Contrast.PORTAL_VENOUS: 70.0}
_INTRAVENOUS = Code("47625008", "SCT", "Intravenous route")
_IOHEXOL = Code("109219000", "SCT", "Iohexol")
_IODINE = Code("44588005", "SCT", "Iodine")
_PROFILE = (
    "ContrastBolusVolume",
    "ContrastBolusStartTime",
    "ContrastBolusStopTime",
    "ContrastFlowRate",
    "ContrastFlowDuration",
)
BODY_PHANTOM = Code("113691", "DCM", "IEC Body Dosimetry Phantom")


def exposure(protocol: CtProtocol) -> dict[str, Any]:
    """Tube voltage and dose: effective mAs is current times rotation time over pitch."""
    dose = _MGY_PER_MAS_AT_120 * protocol.effective_mas * (protocol.kvp / 120.0) ** _OUTPUT_EXPONENT
    return {
        "KVP": decimal(protocol.kvp),
        "ExposureTime": round(ROTATION_S * 1000.0),
        "XRayTubeCurrent": max(1, round(protocol.effective_mas * _PITCH / ROTATION_S)),
        "Exposure": round(protocol.effective_mas),
        "CTDIvol": dose,
        "CTDIPhantomTypeCodeSequence": [code_item(BODY_PHANTOM)],
    }


def gantry(volume: Volume, *, protocol: CtProtocol) -> dict[str, Any]:
    """Scanner, table and collimation of a helical scan."""
    feed = _PITCH * _ROWS * _ROW_MM
    return {
        "ScanOptions": "HELICAL MODE",
        "SliceThickness": decimal(protocol.slice_mm),
        "DataCollectionDiameter": decimal(max(500.0, protocol.field_mm)),
        "ReconstructionDiameter": decimal(volume.geometry.shape[2] * volume.geometry.spacing_mm[2]),
        "DistanceSourceToDetector": decimal(_SOURCE_TO_DETECTOR_MM),
        "DistanceSourceToPatient": decimal(SOURCE_TO_PATIENT_MM),
        "GantryDetectorTilt": decimal(protocol.tilt_deg),
        "TableHeight": decimal(_TABLE_HEIGHT_MM),
        "RotationDirection": "CW",
        "FilterType": "FLAT",
        "GeneratorPower": 50,
        "FocalSpots": "1.2",
        "SingleCollimationWidth": _ROW_MM,
        "TotalCollimationWidth": _ROWS * _ROW_MM,
        "TableSpeed": feed / ROTATION_S,
        "TableFeedPerRotation": feed,
        "SpiralPitchFactor": _PITCH,
        "ExposureModulationType": "NONE",
    }


def contrast_attributes(series: Series, *, protocol: CtProtocol) -> dict[str, Any]:
    """Contrast/Bolus module (PS3.3 C.7.6.4), empty without contrast medium."""
    delay_s = _CONTRAST_DELAY_S.get(protocol.contrast)
    if delay_s is None:
        return {}
    begun = series.start - timedelta(seconds=delay_s)
    return {
        "ContrastBolusAgent": "Iohexol 350",
        "ContrastBolusRoute": "IV",
        "ContrastBolusAdministrationRouteSequence": [code_item(_INTRAVENOUS)],
        "ContrastBolusVolume": decimal(_CONTRAST_ML),
        "ContrastBolusStartTime": time_text(begun),
        "ContrastBolusStopTime": time_text(begun + timedelta(seconds=_CONTRAST_ML / _CONTRAST_ML_S)),
        "ContrastBolusTotalDose": decimal(_CONTRAST_ML),
        "ContrastFlowRate": decimal(_CONTRAST_ML_S),
        "ContrastFlowDuration": decimal(_CONTRAST_ML / _CONTRAST_ML_S),
        "ContrastBolusIngredient": "IODINE",
        "ContrastBolusIngredientConcentration": decimal(_IODINE_MG_ML),
    }


def centres(volume: Volume, index: int | None = None) -> dict[str, list[float]]:
    """Centre of the data and of the image, LPS millimetres: of a slice, or of the whole volume."""
    slices, rows, columns = volume.geometry.shape
    middle = (slices - 1) / 2.0 if index is None else float(index)
    centre = list(volume.geometry.position_lps((middle, (rows - 1) / 2.0, (columns - 1) / 2.0)))
    return {"DataCollectionCenterPatient": centre, "ReconstructionTargetCenterPatient": centre}


def slice_seconds(volume: Volume) -> float:
    """How long the table takes from slice to slice."""
    return volume.geometry.spacing_mm[0] * ROTATION_S / (_PITCH * _ROWS * _ROW_MM)


def contrast_agent(series: Series, *, protocol: CtProtocol) -> Dataset:
    """The contrast medium as enhanced objects describe it (PS3.3 C.7.6.4b)."""
    attributes = contrast_attributes(series, protocol=protocol)
    profile = item({keyword: attributes[keyword] for keyword in _PROFILE})
    agent = code_item(_IOHEXOL)
    agent.ContrastBolusAgentNumber = 1
    agent.ContrastBolusAdministrationRouteSequence = [code_item(_INTRAVENOUS)]
    agent.ContrastBolusIngredientCodeSequence = [code_item(_IODINE)]
    agent.ContrastBolusVolume = attributes["ContrastBolusVolume"]
    agent.ContrastBolusIngredientConcentration = attributes["ContrastBolusIngredientConcentration"]
    agent.ContrastAdministrationProfileSequence = [profile]
    return agent
