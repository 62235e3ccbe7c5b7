"""Tomography: NM Image Storage of type RECON TOMO, in Bq/ml or counts (PS3.3 A.5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import NuclearMedicineImageStorage

from bmnode.domain.codes import Code, Unit
from operators.simulation.anatomy.bones import Bone
from operators.simulation.dicom.elements import (
    decimal,
    decimals,
    fill,
    item,
    plane_orientation,
    plane_position,
    set_pixels,
    slice_gap_mm,
)
from operators.simulation.dicom.encoding import Encoding, slopes_to
from operators.simulation.dicom.header import SeriesPlan, StudyHeader
from operators.simulation.dicom.nuclear import detector, nuclear_attributes, windows
from operators.simulation.dicom.real_world import real_world_mapping
from operators.simulation.dicom.series import Series, WrittenSeries
from operators.simulation.dicom.slices import resend
from operators.simulation.images import Content, Volume
from operators.simulation.protocols.habits import Habits
from operators.simulation.protocols.spect import SpectProtocol

_HIGHEST_STORED = 32767
_WINDOW_PERCENT = 20.0
"""Full width of the photopeak window."""
_QUANTITATIVE = ("DECY", "ATTN", "SCAT")
"""Corrections without which there is no Bq/ml."""
_HEADS, _TO_CT_S = 2, 60.0
_SCAN_ARC_DEG = 360.0
_RADIUS_MM = 250.0
_BRIGHT_PERCENTILE = 99.8
SPECT_PLAN = SeriesPlan(number=1)
_ACTIVITY: tuple[str, Code] = ("Activity concentration", Unit.BQML)


def write_spect(
    folder: Path,
    *,
    header: StudyHeader,
    volume: Volume,
    protocol: SpectProtocol,
    habits: Habits,
    plan: SeriesPlan = SPECT_PLAN,
) -> WrittenSeries:
    """Write one reconstructed tomogram as a multi-frame object.

    Bq/ml (at the start of the acquisition) become stored values with a Real World Value Mapping, counts
    are stored as they are.
    """
    quantitative = volume.content is Content.ACTIVITY_BQML
    series = Series(
        folder=folder,
        header=header,
        plan=plan,
        habits=habits,
        modality="NM",
        sop_class_uid=NuclearMedicineImageStorage,
        description="Bone SPECT AC SC" if quantitative else "Bone SPECT NAC",
        body_part=_body_part(protocol.centre),
    )
    encoding = _encoding(volume)
    stored = np.stack([encoding.plane(plane, index) for index, plane in enumerate(volume.values)]).astype(np.uint16)
    dataset = _dataset(series, protocol=protocol, quantitative=quantitative)
    _set_slices(dataset, volume, reverse=habits.feet_first)
    if quantitative:
        name, unit = _ACTIVITY
        dataset.RealWorldValueMappingSequence = [
            real_world_mapping(name, unit=unit, slope=encoding.slopes[0], highest=_HIGHEST_STORED)
        ]
    else:
        dataset.CountsAccumulated = int(stored.sum())
    fill(dataset, _window(stored))
    set_pixels(dataset, stored[::-1] if habits.feet_first else stored)
    path = series.save(dataset, number=1)
    return WrittenSeries(
        series_uid=series.uid,
        number=plan.number,
        modality="NM",
        description=series.description,
        files=(path, *resend([path], habits=habits)),
        contents=(volume.content,),
    )


def ct_after(protocol: SpectProtocol) -> SeriesPlan:
    """The place of the CT of a SPECT/CT: it follows when both heads have taken their share of the views."""
    return SeriesPlan(
        number=SPECT_PLAN.number + 1,
        starts_after_s=protocol.views / _HEADS * protocol.seconds_per_view + _TO_CT_S,
    )


def _encoding(volume: Volume) -> Encoding:
    """Counts keep their scale as long as sixteen bits hold them."""
    if volume.content is Content.ACTIVITY_BQML:
        return Encoding(slopes=slopes_to(_HIGHEST_STORED, volume.values, per_slice=False), highest=_HIGHEST_STORED)
    if float(volume.values.max()) > 65535:
        raise ValueError(f"a voxel has {volume.values.max():.0f} counts, sixteen bits hold 65535")
    return Encoding(slopes=(1.0,) * volume.geometry.shape[0])


def _dataset(series: Series, *, protocol: SpectProtocol, quantitative: bool) -> Dataset:
    """NM Image, Isotope, Reconstruction and TOMO modules (PS3.3 C.8.4.9 to C.8.4.15)."""
    dataset = series.dataset()
    fill(
        dataset,
        nuclear_attributes(
            protocol.tracer,
            dose_mbq=protocol.dose_mbq,
            uptake_minutes=protocol.uptake_minutes,
            start=series.start,
            feet_first=series.habits.feet_first,
        ),
    )
    return fill(
        dataset,
        {
            "ImageType": ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"],
            "CorrectedImage": ["UNIF", "COR", "NRGY", *(_QUANTITATIVE if quantitative else ())],
            "PatientOrientation": "",
            "PositionReferenceIndicator": "",
            "CountsAccumulated": "",
            "NumberOfEnergyWindows": 1,
            "EnergyWindowInformationSequence": windows(protocol.tracer, percent=_WINDOW_PERCENT),
            "NumberOfRotations": 1,
            "RotationInformationSequence": [_rotation(protocol)],
            "ConvolutionKernel": f"Gauss {protocol.resolution_mm:.1f} mm",
        },
    )


def _rotation(protocol: SpectProtocol) -> Dataset:
    return item(
        {
            "StartAngle": "0",
            "AngularStep": decimal(_SCAN_ARC_DEG / protocol.views),
            "RotationDirection": "CC",
            "ScanArc": decimal(_SCAN_ARC_DEG),
            "ActualFrameDuration": round(protocol.seconds_per_view * 1000.0),
            "NumberOfFramesInRotation": protocol.views,
            "RadialPosition": decimal(_RADIUS_MM),
        }
    )


def _set_slices(dataset: Dataset, volume: Volume, *, reverse: bool) -> None:
    """Place of the first slice and the signed way to the next (PS3.3 C.8.4.15); sorted from the head where reversed."""
    geometry = volume.geometry
    count, (_, row_mm, column_mm) = geometry.shape[0], geometry.spacing_mm
    gap = slice_gap_mm(geometry)
    first = count - 1 if reverse else 0
    fill(
        dataset,
        {
            "FrameOfReferenceUID": geometry.frame_of_reference_uid,
            "FrameIncrementPointer": Tag("SliceVector"),
            "SliceVector": list(range(1, count + 1)),
            "NumberOfSlices": count,
            "PixelSpacing": decimals([row_mm, column_mm]),
            "SliceThickness": decimal(abs(gap)),
            "SpacingBetweenSlices": decimal(-gap if reverse else gap),
            "NumberOfDetectors": 1,
            "DetectorInformationSequence": [
                detector(orientation=plane_orientation(geometry), position=plane_position(geometry, first))
            ],
        },
    )


def _window(stored: npt.NDArray[np.uint16]) -> dict[str, Any]:
    top = max(float(np.percentile(stored, _BRIGHT_PERCENTILE)), 1.0)
    return {"WindowCenter": decimals([top / 2.0]), "WindowWidth": decimals([top])}


def _body_part(centre: Bone) -> str:
    """Body Part Examined (PS3.16 Annex L) by the bone at the middle of the field."""
    name = centre.name
    if name in {"SKULL", "MANDIBLE"}:
        return "HEAD"
    for first, part in (("C", "CSPINE"), ("T", "TSPINE"), ("L", "LSPINE")):
        if name[0] == first and name[1:].isdigit():
            return part
    if name.startswith(("SACRUM", "COCCYX", "HIP", "FEMUR")):
        return "PELVIS"
    return "CHEST" if name.startswith(("RIB", "STERNUM", "SCAPULA", "CLAVICLE")) else "EXTREMITY"
