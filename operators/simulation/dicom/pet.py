"""Positron emission tomography: PET Image Storage, or Enhanced PET by habit (PS3.3 A.21, A.56)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedPETImageStorage, PositronEmissionTomographyImageStorage

from operators.simulation.dicom.ct_headers import BODY_PARTS
from operators.simulation.dicom.elements import datetime_text, decimal, fill, item, moment
from operators.simulation.dicom.encoding import Encoding, slopes_to
from operators.simulation.dicom.enhanced_pet import write_enhanced_pet
from operators.simulation.dicom.header import SeriesPlan, StudyHeader
from operators.simulation.dicom.pet_headers import (
    COUNTS_PER_BQML,
    ENERGY_KEV,
    HIGHEST_STORED,
    TABLE_HEIGHT_MM,
    PetScan,
    suv_per_bqml,
    window,
)
from operators.simulation.dicom.positions import nuclear_position
from operators.simulation.dicom.radiopharmacy import pet_dose, spoken_name
from operators.simulation.dicom.series import Series, WrittenSeries
from operators.simulation.dicom.slices import Stack, write_slices
from operators.simulation.images import Volume
from operators.simulation.protocols.habits import Habits, Vendor
from operators.simulation.protocols.pet import PetProtocol

_RECONSTRUCTION_S = 600.0
"""From the last bed to a late Series Time."""
PET_PLAN = SeriesPlan(number=3, starts_after_s=120.0)


def write_pet(
    folder: Path,
    *,
    header: StudyHeader,
    volume: Volume,
    protocol: PetProtocol,
    habits: Habits,
    plan: SeriesPlan = PET_PLAN,
) -> WrittenSeries:
    """Write one attenuation-corrected series, beds from the lowest slice upwards.

    Args:
        folder: takes the instances.
        volume: Bq/ml at the scan's start, or at administration, as `protocol.decay_corrected_to` says.
    """
    body_part, region = BODY_PARTS[protocol.region]
    series = Series(
        folder=folder,
        header=header,
        plan=plan,
        habits=habits,
        modality="PT",
        sop_class_uid=EnhancedPETImageStorage if habits.enhanced else PositronEmissionTomographyImageStorage,
        description=f"PET {spoken_name(protocol.tracer)} {region} AC",
        body_part=body_part,
    )
    scan = PetScan.of(volume, protocol=protocol, start=series.start)
    per_value = COUNTS_PER_BQML if habits.vendor is Vendor.PHILIPS else 1.0
    stored_unit = volume if per_value == 1.0 else replace(volume, values=volume.values * np.float32(per_value))
    encoding = Encoding(
        slopes=slopes_to(HIGHEST_STORED, stored_unit.values, per_slice=habits.per_slice_slopes),
        highest=HIGHEST_STORED,
    )
    stack = Stack(
        volume=stored_unit,
        encoding=encoding,
        attributes={"RescaleIntercept": "0"},
        per_slice=lambda index: {
            "RescaleSlope": decimal(encoding.slopes[index]),
            "ImageIndex": scan.image_index(index, feet_first=habits.feet_first),
            **scan.timing(scan.beds[index]),
        },
    )
    if habits.enhanced:
        files = write_enhanced_pet(series, stack=stack, scan=scan, protocol=protocol, per_value=per_value)
    else:
        template = _template(series, scan=scan, protocol=protocol)
        fill(template, window(series, protocol=protocol, per_value=per_value))
        _mark(template, series=series, protocol=protocol, scan=scan)
        files = write_slices(series, template=template, stacks=[stack])
    return WrittenSeries(
        series_uid=series.uid,
        number=plan.number,
        modality="PT",
        description=series.description,
        files=files,
        contents=(volume.content,),
    )


def _template(series: Series, *, scan: PetScan, protocol: PetProtocol) -> Dataset:
    """PET Series, Isotope and Image modules (PS3.3 C.8.9)."""
    dataset = fill(series.dataset(), nuclear_position(feet_first=series.habits.feet_first))
    series_at = scan.end + timedelta(seconds=_RECONSTRUCTION_S) if series.habits.late_series_time else scan.start
    fill(dataset, {**moment("Series", series_at), **moment("Content", max(series_at, scan.end))})
    fill(dataset, _reconstruction(scan, protocol=protocol))
    return fill(
        dataset,
        {
            "ImageType": ["ORIGINAL", "PRIMARY"],
            "SeriesType": ["WHOLE BODY", "IMAGE"],
            "NumberOfSlices": len(scan.beds),
            "Units": "CNTS" if series.habits.vendor is Vendor.PHILIPS else "BQML",
            "CountsSource": "EMISSION",
            "CorrectedImage": ["DECY", "ATTN", "SCAT", "DTIM", "RAN", "NORM"],
            "DecayCorrection": protocol.decay_corrected_to.upper(),
            "AcquisitionNumber": 1,
            "AcquisitionStartCondition": "MANU",
            "AcquisitionTerminationCondition": "TIME",
            "ActualFrameDuration": round(protocol.seconds_per_bed * 1000.0),
            "RadiopharmaceuticalInformationSequence": [
                pet_dose(protocol.tracer, dose_mbq=protocol.dose_mbq, injected_at=scan.injected_at)
            ],
        },
    )


def _reconstruction(scan: PetScan, *, protocol: PetProtocol) -> dict[str, Any]:
    window = item({"EnergyWindowLowerLimit": ENERGY_KEV[0], "EnergyWindowUpperLimit": ENERGY_KEV[1]})
    return {
        "CollimatorType": "NONE",
        "FieldOfViewShape": "CYLINDRICAL RING",
        "FieldOfViewDimensions": [700, 200],
        "TypeOfDetectorMotion": "NONE",
        "GantryDetectorTilt": "0",
        "TableHeight": decimal(TABLE_HEIGHT_MM),
        "ReconstructionDiameter": decimal(scan.width_mm),
        "SliceThickness": decimal(protocol.slice_mm),
        "EnergyWindowRangeSequence": [window],
        "RandomsCorrectionMethod": "DLYD",
        "AttenuationCorrectionMethod": "measured, CT",
        "ScatterCorrectionMethod": "Model-based",
        "ReconstructionMethod": "OSEM, simulated",
        "ConvolutionKernel": f"Gauss {protocol.resolution_mm:.1f} mm",
        "ScatterFractionFactor": "0.3",
        "DoseCalibrationFactor": "1",
        "CoincidenceWindowWidth": "0",
    }


def _mark(dataset: Dataset, *, series: Series, protocol: PetProtocol, scan: PetScan) -> None:
    """Vendors' private elements."""
    if series.habits.vendor is Vendor.GE:
        block = dataset.private_block(0x0009, "GEMS_PETD_01", create=True)
        block.add_new(0x0D, "DT", datetime_text(scan.start))
    elif series.habits.vendor is Vendor.SIEMENS:
        block = dataset.private_block(0x0071, "SIEMENS MED PT", create=True)
        block.add_new(0x22, "DT", datetime_text(scan.start))
    elif series.habits.vendor is Vendor.PHILIPS:
        per_count = 1.0 / COUNTS_PER_BQML
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", decimal(per_count * suv_per_bqml(series.header, protocol=protocol)))
        block.add_new(0x09, "DS", decimal(per_count))
