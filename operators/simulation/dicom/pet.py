"""Positron emission tomography: PET Image Storage (PS3.3 A.21)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import PositronEmissionTomographyImageStorage

from operators.simulation.dicom.ct_headers import BODY_PARTS
from operators.simulation.dicom.elements import datetime_text, decimal, decimals, fill, item, moment
from operators.simulation.dicom.encoding import Encoding, slopes_to
from operators.simulation.dicom.header import SeriesPlan, StudyHeader
from operators.simulation.dicom.positions import nuclear_position
from operators.simulation.dicom.radiopharmacy import pet_dose, spoken_name
from operators.simulation.dicom.series import Series, WrittenSeries
from operators.simulation.dicom.slices import Stack, write_slices
from operators.simulation.images import Volume
from operators.simulation.protocols.habits import Habits, Vendor
from operators.simulation.protocols.pet import PetProtocol

_HIGHEST_STORED = 32767
_BED_MM = 140.0
"""How far the table moves from bed to bed: a field of view of about 20 cm with overlap. Chosen."""
_WINDOW_SUV = 10.0
_COUNTS_PER_BQML = 0.62
"""Of Philips' images in counts: their factor to Bq/ml is the inverse, near the 1.6 of a published test object."""
_ENERGY_KEV = ("435", "650")
_TABLE_HEIGHT_MM = 170.0
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
        sop_class_uid=PositronEmissionTomographyImageStorage,
        description=f"PET {spoken_name(protocol.tracer)} {region} AC",
        body_part=body_part,
    )
    scan = _Scan.of(volume, protocol=protocol, start=series.start)
    per_value = _COUNTS_PER_BQML if habits.vendor is Vendor.PHILIPS else 1.0
    stored_unit = volume if per_value == 1.0 else replace(volume, values=volume.values * np.float32(per_value))
    encoding = Encoding(
        slopes=slopes_to(_HIGHEST_STORED, stored_unit.values, per_slice=habits.per_slice_slopes),
        highest=_HIGHEST_STORED,
    )
    template = _template(series, scan=scan, protocol=protocol)
    fill(template, _window(series, protocol=protocol, per_value=per_value))
    _mark(template, series=series, protocol=protocol, scan=scan)
    files = write_slices(
        series,
        template=template,
        stacks=[
            Stack(
                volume=stored_unit,
                encoding=encoding,
                attributes={"RescaleIntercept": "0"},
                per_slice=lambda index: {
                    "RescaleSlope": decimal(encoding.slopes[index]),
                    "ImageIndex": scan.image_index(index, feet_first=habits.feet_first),
                    **scan.timing(scan.beds[index]),
                },
            )
        ],
    )
    return WrittenSeries(
        series_uid=series.uid,
        number=plan.number,
        modality="PT",
        description=series.description,
        files=files,
        contents=(volume.content,),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scan:
    """Beds and decay of one scan.

    Args:
        beds: of every slice, counted from the one that was scanned first.
        decay: of the nuclide, a second.
    """

    start: datetime
    injected_at: datetime
    bed_s: float
    decay: float
    beds: tuple[int, ...]
    width_mm: float
    referred_to_injection: bool

    @classmethod
    def of(cls, volume: Volume, *, protocol: PetProtocol, start: datetime) -> _Scan:
        geometry = volume.geometry
        heights = [geometry.position_lps((index, 0, 0))[2] for index in range(geometry.shape[0])]
        lowest = min(heights)
        return cls(
            start=start,
            injected_at=start - timedelta(minutes=protocol.uptake_minutes),
            bed_s=protocol.seconds_per_bed,
            decay=math.log(2.0) / protocol.tracer.nuclide.half_life_s,
            beds=tuple(int((height - lowest) / _BED_MM) for height in heights),
            width_mm=geometry.shape[2] * geometry.spacing_mm[2],
            referred_to_injection=protocol.decay_corrected_to == "admin",
        )

    @property
    def end(self) -> datetime:
        """When the last bed was done."""
        return self.start + timedelta(seconds=(max(self.beds) + 1) * self.bed_s)

    def timing(self, bed: int) -> dict[str, Any]:
        """Acquisition time, and the moment of mean activity from the reference (PS3.3 C.8.9.4)."""
        begun_s = bed * self.bed_s
        turns = self.decay * self.bed_s
        mean_s = math.log(turns / (1.0 - math.exp(-turns))) / self.decay
        waited_s = (self.start - self.injected_at).total_seconds() if self.referred_to_injection else 0.0
        return {
            **moment("Acquisition", self.start + timedelta(seconds=begun_s)),
            "FrameReferenceTime": decimal(1000.0 * (begun_s + mean_s)),
            "DecayFactor": decimal(math.exp(self.decay * (waited_s + begun_s + mean_s))),
        }

    def image_index(self, index: int, *, feet_first: bool) -> int:
        """Image Index (0054,1330), from 1 in the order in which slices are written."""
        return len(self.beds) - index if feet_first else index + 1


def _template(series: Series, *, scan: _Scan, protocol: PetProtocol) -> Dataset:
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


def _reconstruction(scan: _Scan, *, protocol: PetProtocol) -> dict[str, Any]:
    window = item({"EnergyWindowLowerLimit": _ENERGY_KEV[0], "EnergyWindowUpperLimit": _ENERGY_KEV[1]})
    return {
        "CollimatorType": "NONE",
        "FieldOfViewShape": "CYLINDRICAL RING",
        "FieldOfViewDimensions": [700, 200],
        "TypeOfDetectorMotion": "NONE",
        "GantryDetectorTilt": "0",
        "TableHeight": decimal(_TABLE_HEIGHT_MM),
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


def _window(series: Series, *, protocol: PetProtocol, per_value: float) -> dict[str, Any]:
    """SUV 0 to 10, in the unit of the image."""
    top = _WINDOW_SUV * per_value / suv_per_bqml(series.header, protocol=protocol)
    return {"WindowCenter": decimals([top / 2.0]), "WindowWidth": decimals([top])}


def suv_per_bqml(header: StudyHeader, *, protocol: PetProtocol) -> float:
    """SUVbw of 1 Bq/ml as the series stores it: weight over the dose at its reference time, g/Bq."""
    waited_s = 0.0 if protocol.decay_corrected_to == "admin" else protocol.uptake_minutes * 60.0
    return header.weight_kg * 1000.0 / (protocol.dose_mbq * 1e6 * protocol.tracer.nuclide.left_after(waited_s))


def _mark(dataset: Dataset, *, series: Series, protocol: PetProtocol, scan: _Scan) -> None:
    """Vendors' private elements."""
    if series.habits.vendor is Vendor.GE:
        block = dataset.private_block(0x0009, "GEMS_PETD_01", create=True)
        block.add_new(0x0D, "DT", datetime_text(scan.start))
    elif series.habits.vendor is Vendor.SIEMENS:
        block = dataset.private_block(0x0071, "SIEMENS MED PT", create=True)
        block.add_new(0x22, "DT", datetime_text(scan.start))
    elif series.habits.vendor is Vendor.PHILIPS:
        per_count = 1.0 / _COUNTS_PER_BQML
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", decimal(per_count * suv_per_bqml(series.header, protocol=protocol)))
        block.add_new(0x09, "DS", decimal(per_count))
