"""Enhanced PET Image Storage (PS3.3 A.56)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from bmnode.domain.codes import Code, Unit
from operators.simulation.dicom.ct_headers import centres
from operators.simulation.dicom.elements import code_item, datetime_text, decimal, fill, item
from operators.simulation.dicom.enhanced import (
    FrameSource,
    Groups,
    MultiFrame,
    multi_frame_attributes,
    write_multi_frame,
)
from operators.simulation.dicom.pet_headers import (
    COUNTS_PER_BQML,
    ENERGY_KEV,
    HIGHEST_STORED,
    TABLE_HEIGHT_MM,
    PetScan,
    suv_per_bqml,
    window,
)
from operators.simulation.dicom.positions import PATIENT_POSITION
from operators.simulation.dicom.radiopharmacy import enhanced_pet_dose
from operators.simulation.dicom.real_world import real_world_mapping
from operators.simulation.dicom.series import Series
from operators.simulation.dicom.slices import Stack
from operators.simulation.protocols.habits import Vendor
from operators.simulation.protocols.pet import PetProtocol

_IMAGE_TYPE = ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")
_ACTIVITY = Code("Bq/ml", "UCUM", "Becquerels/milliliter")
_TRANSVERSE = Code("62824007", "SCT", "Transverse")
_CORRECTED = ("Decay", "Attenuation", "Scatter", "DeadTime", "Randoms")
_NOT_CORRECTED = ("GantryMotion", "PatientMotion", "CountLossNormalization", "NonUniformRadialSampling")
_RING_MM, _FIELD_MM = 800.0, 200.0
"""Distance of opposite detectors, and length of the axial field."""
_COINCIDENCE_NS = 4.0


def write_enhanced_pet(
    series: Series, *, stack: Stack, scan: PetScan, protocol: PetProtocol, per_value: float
) -> tuple[Path, ...]:
    """Write one volume as one object. `per_value` is what the stack holds of 1 Bq/ml; Philips stores counts."""
    kind = MultiFrame(
        template=_template(series, stack=stack, scan=scan, protocol=protocol),
        shared=_shared(series, scan=scan, protocol=protocol, per_value=per_value),
        own=lambda frame: _own(frame, scan=scan, maps=_maps(frame, series=series, protocol=protocol)),
        timing=lambda frame: _timing(scan, scan.beds[frame.index]),
        slice_mm=protocol.slice_mm,
    )
    return write_multi_frame(series, stacks=[stack], kind=kind)


def _template(series: Series, *, stack: Stack, scan: PetScan, protocol: PetProtocol) -> Dataset:
    """Enhanced PET Isotope, Acquisition, Image and Corrections modules (PS3.3 C.8.22)."""
    dataset = fill(series.dataset(), multi_frame_attributes(series, image_type=_IMAGE_TYPE, content_at=scan.end))
    energy = item({"EnergyWindowLowerLimit": ENERGY_KEV[0], "EnergyWindowUpperLimit": ENERGY_KEV[1]})
    return fill(
        dataset,
        {
            "FrameOfReferenceUID": stack.volume.geometry.frame_of_reference_uid,
            "PatientPosition": PATIENT_POSITION[series.habits.feet_first],
            "AcquisitionDuration": (scan.end - scan.start).total_seconds(),
            "RadiopharmaceuticalInformationSequence": [
                enhanced_pet_dose(protocol.tracer, dose_mbq=protocol.dose_mbq, injected_at=scan.injected_at)
            ],
            "AcquisitionStartCondition": "MANU",
            "AcquisitionTerminationCondition": "TIME",
            "TerminationTimeThreshold": protocol.seconds_per_bed * 1000.0,
            "TypeOfDetectorMotion": "STATIONARY",
            "DetectorGeometry": "CYLINDRICAL_RING",
            "TransverseDetectorSeparation": _RING_MM,
            "AxialDetectorDimension": _FIELD_MM,
            "CollimatorType": "NONE",
            "CoincidenceWindowWidth": _COINCIDENCE_NS,
            "EnergyWindowRangeSequence": [energy],
            "TableMotion": "STATIC",
            "TimeOfFlightInformationUsed": "FALSE",
            "ViewCodeSequence": [code_item(_TRANSVERSE)],
            **_corrections(scan),
        },
    )


def _corrections(scan: PetScan) -> dict[str, Any]:
    return {
        "CountsSource": "EMISSION",
        **{f"{name}Corrected": "YES" for name in _CORRECTED},
        **{f"{name}Corrected": "NO" for name in _NOT_CORRECTED},
        "SensitivityCalibrated": "YES",
        "DetectorNormalizationCorrection": "YES",
        "RandomsCorrectionMethod": "DLYD",
        "AttenuationCorrectionSource": "CT",
        "AttenuationCorrectionTemporalRelationship": "SEQUENTIAL",
        "ScatterCorrectionMethod": "Model-based",
        "DecayCorrectionDateTime": datetime_text(scan.reference),
    }


def _shared(series: Series, *, scan: PetScan, protocol: PetProtocol, per_value: float) -> Groups:
    return {
        "PETFrameTypeSequence": item(
            {
                "FrameType": list(_IMAGE_TYPE),
                "PixelPresentation": "MONOCHROME",
                "VolumetricProperties": "VOLUME",
                "VolumeBasedCalculationTechnique": "NONE",
            }
        ),
        "FrameVOILUTSequence": item(window(series, protocol=protocol, per_value=per_value)),
        "RadiopharmaceuticalUsageSequence": item({"RadiopharmaceuticalAgentNumber": 1}),
        "PETFrameAcquisitionSequence": item(
            {
                "TableHeight": TABLE_HEIGHT_MM,
                "GantryDetectorTilt": 0.0,
                "GantryDetectorSlew": 0.0,
                "DataCollectionDiameter": scan.width_mm,
            }
        ),
        "PETReconstructionSequence": item(
            {
                "ReconstructionType": "3D",
                "ReconstructionAlgorithm": "OSEM",
                "IterativeReconstructionMethod": "YES",
                "NumberOfIterations": 3,
                "NumberOfSubsets": 21,
                "ReconstructionDiameter": decimal(scan.width_mm),
            }
        ),
    }


def _own(frame: FrameSource, *, scan: PetScan, maps: Mapping[str, Any]) -> Groups:
    """Scale, place and corrections of one frame."""
    centre = centres(frame.stack.volume, frame.index)
    slope = frame.stack.encoding.slopes[frame.index]
    return {
        "PixelValueTransformationSequence": item(
            {"RescaleIntercept": "0", "RescaleSlope": decimal(slope), "RescaleType": "US"}
        ),
        "PETPositionSequence": item({"TablePosition": -centre["DataCollectionCenterPatient"][2], **centre}),
        "PETFrameCorrectionFactorsSequence": item(
            {
                "PrimaryPromptsCountsAccumulated": int(frame.stored().sum(dtype="int64") % 2**31),
                "SliceSensitivityFactor": 1.0,
                "DecayFactor": decimal(scan.decay_factor(scan.beds[frame.index])),
                "ScatterFractionFactor": 0.3,
                "DeadTimeFactor": 1.0,
            }
        ),
        **maps,
    }


def _maps(frame: FrameSource, *, series: Series, protocol: PetProtocol) -> Mapping[str, Any]:
    """Real world values: Bq/ml; Siemens adds SUVbw, and of Philips' counts the mapping alone leads to Bq/ml."""
    slope = frame.stack.encoding.slopes[frame.index]
    counts = series.habits.vendor is Vendor.PHILIPS
    per_stored = slope / COUNTS_PER_BQML if counts else slope
    found = [real_world_mapping("activity", unit=_ACTIVITY, slope=per_stored, highest=HIGHEST_STORED)]
    if series.habits.vendor is Vendor.SIEMENS:
        suv = per_stored * suv_per_bqml(series.header, protocol=protocol)
        found.insert(0, real_world_mapping("SUVbw", unit=Unit.SUV_BW, slope=suv, highest=HIGHEST_STORED))
    return {"RealWorldValueMappingSequence": found}


def _timing(scan: PetScan, bed: int) -> Mapping[str, Any]:
    return {
        "FrameReferenceDateTime": datetime_text(scan.start + timedelta(seconds=scan.mean_activity_s(bed))),
        "FrameAcquisitionDateTime": datetime_text(scan.begun(bed)),
        "FrameAcquisitionDuration": scan.bed_s * 1000.0,
        "TemporalPositionIndex": 1,
    }
