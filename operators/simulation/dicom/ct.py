"""Computed tomography: CT Image Storage, or Enhanced CT by habit (PS3.3 A.3, A.38)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from bmnode.domain.ids import derive_uid
from operators.simulation.dicom.ct_headers import (
    BODY_PARTS,
    INTERCEPT_HU,
    WINDOWS,
    centres,
    contrast_attributes,
    exposure,
    gantry,
    slice_seconds,
)
from operators.simulation.dicom.elements import decimal, decimals, fill, moment
from operators.simulation.dicom.encoding import Encoding
from operators.simulation.dicom.enhanced_ct import write_enhanced_ct
from operators.simulation.dicom.header import SeriesPlan, StudyHeader
from operators.simulation.dicom.positions import PATIENT_POSITION
from operators.simulation.dicom.series import Series, WrittenSeries
from operators.simulation.dicom.slices import Stack, write_slices
from operators.simulation.dicom.vendors import KERNELS
from operators.simulation.images import Volume
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.habits import Habits, Vendor

_GE_PADDING = -2000
"""What GE stores outside the circle of reconstruction; after the intercept it is -3024, which is no HU."""
_STORED: Mapping[Vendor, dict[str, Any]] = {
    Vendor.PLAIN: {"signed": True, "lowest": -32768, "highest": 32767, "bits_stored": 16},
    Vendor.GE: {"signed": True, "lowest": -2000, "highest": 32767, "bits_stored": 16, "outside": _GE_PADDING},
    Vendor.PHILIPS: {"lowest": 0, "highest": 4095, "bits_stored": 12},
    Vendor.SIEMENS: {"lowest": 0, "highest": 4095, "bits_stored": 12},
}
"""Twelve bits end at 3071 HU: metal is cut there, as on scanners without an extended scale."""
CT_PLAN = SeriesPlan(number=2)


def write_ct(
    folder: Path,
    *,
    header: StudyHeader,
    volume: Volume,
    protocol: CtProtocol,
    habits: Habits,
    plan: SeriesPlan = CT_PLAN,
) -> WrittenSeries:
    """Write one CT series in Hounsfield units, intercept -1024 and slope 1.

    Args:
        folder: takes the instances.
        volume: HU, axial or tilted by the gantry; feet first is a matter of order alone.
    """
    body_part, region = BODY_PARTS[protocol.region]
    series = Series(
        folder=folder,
        header=header,
        plan=plan,
        habits=habits,
        modality="CT",
        sop_class_uid=EnhancedCTImageStorage if habits.enhanced else CTImageStorage,
        description=f"CT {region} {protocol.slice_mm:g} mm {KERNELS[habits.vendor][protocol.kernel]}",
        body_part=body_part,
    )
    stack = Stack(
        volume=volume,
        encoding=Encoding(slopes=(1.0,) * volume.geometry.shape[0], intercept=INTERCEPT_HU, **_STORED[habits.vendor]),
        attributes={},
        per_slice=lambda index: moment("Acquisition", series.start + timedelta(seconds=index * slice_seconds(volume))),
    )
    if habits.enhanced:
        files = write_enhanced_ct(series, stack=stack, protocol=protocol)
    else:
        files = write_slices(series, template=_template(series, volume=volume, protocol=protocol), stacks=[stack])
    return WrittenSeries(
        series_uid=series.uid,
        number=plan.number,
        modality="CT",
        description=series.description,
        files=files,
        contents=(volume.content,),
    )


def _template(series: Series, *, volume: Volume, protocol: CtProtocol) -> Dataset:
    """The CT Image module (PS3.3 C.8.2.1) and what scanners add to it."""
    dataset = fill(series.dataset(), {**exposure(protocol), **gantry(volume, protocol=protocol)})
    fill(dataset, contrast_attributes(series, protocol=protocol))
    windows = WINDOWS[protocol.kernel]
    fill(
        dataset,
        {
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "PatientPosition": PATIENT_POSITION[series.habits.feet_first],
            "AcquisitionNumber": 1,
            "IrradiationEventUID": derive_uid(series.uid, "irradiation"),
            **centres(volume),
            "ConvolutionKernel": KERNELS[series.habits.vendor][protocol.kernel],
            "RescaleIntercept": decimal(INTERCEPT_HU),
            "RescaleSlope": "1",
            "RescaleType": "HU",
            "WindowCenter": decimals(window[0] for window in windows),
            "WindowWidth": decimals(window[1] for window in windows),
            "WindowCenterWidthExplanation": [window[2] for window in windows],
        },
    )
    if series.habits.vendor is Vendor.GE:
        dataset.add_new("PixelPaddingValue", "SS", _GE_PADDING)
    return dataset
