"""A PET series as an SUVbw volume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from bmnode.domain.study import Reason
from bmnode.selection.attributes import items
from operators.graph.contract import NotAssessableError
from operators.kernels.suv import (
    PetSeries,
    PetSlice,
    SuvNotComputableError,
    SuvScale,
    require_conserved,
    require_plausible,
    suv_factor_of_type,
    suv_scale,
)
from operators.readers.enhanced_pet import PetFrame, flat_frames, is_enhanced
from operators.readers.frames import read_header
from operators.readers.moments import moment_of, moment_of_datetime
from operators.readers.radionuclide import radionuclide_of, radiopharmaceutical_of
from operators.readers.volume import ImageVolume, read_volume

_DRUGS = "RadiopharmaceuticalInformationSequence"
_PHILIPS_GROUP, _PHILIPS_CREATOR = 0x7053, "Philips PET Private Group"
_PHILIPS_SUV, _PHILIPS_ACTIVITY = 0x00, 0x09
_GE_GROUP, _GE_CREATOR = 0x0009, "GEMS_PETD_01"

_SERIES_LEVEL = (
    "Units",
    "SUVType",
    "CorrectedImage",
    "DecayCorrection",
    "SeriesType",
    "PatientWeight",
    "PatientSize",
    "PatientSex",
    "SeriesDate",
    "SeriesTime",
    "DecayCorrectionDateTime",
)
_INJECTION_LEVEL = (
    "RadionuclideTotalDose",
    "RadionuclideHalfLife",
    "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime",
)
"""What every slice of a series must say alike, and every item of its radiopharmaceutical sequence."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SuvVolume:
    """SUVbw in g/ml on the PET grid, with how it was computed.

    `series` is what its headers say; `lean_share` is lean body mass (Janmahasatian) over weight, None where height or
    sex is not known.
    """

    volume: ImageVolume
    scale: SuvScale
    series: PetSeries
    lean_share: float | None = None


def read_suv(files: Sequence[Path]) -> SuvVolume:
    """The series as SUVbw (slice, row, column).

    Raises NotAssessableError: missing_calibration with the exact reason where SUV is not computable,
    and whatever `read_volume` raises.
    """
    volume = read_volume(files)
    try:
        frames = _pet_frames(volume)
        series = pet_series_of([frame.header for frame in frames])
        scale = suv_scale(series)
        for index, (factor, frame) in enumerate(zip(scale.factors, frames, strict=True)):
            volume.array[index] *= factor * frame.per_rescaled
        require_plausible(volume.array)
        require_conserved(volume.array, series, voxel_volume_ml=volume.geometry.voxel_volume_ml)
    except SuvNotComputableError as error:
        raise NotAssessableError(Reason.MISSING_CALIBRATION, f"SUV is not computable: {error}") from error
    if any(frame.per_rescaled != 1.0 for frame in frames):
        scale = replace(scale, per_bq_ml=None)  # a reader who rescales the image does not get Bq/ml
    return SuvVolume(volume=volume, scale=scale, series=series, lean_share=_lean_share(series))


def _pet_frames(volume: ImageVolume) -> list[PetFrame]:
    """The header of every slice, those of multi-frame objects laid flat; each file is read once."""
    read: dict[Path, Dataset] = {}
    frames: list[PetFrame] = []
    for path, index in zip(volume.slice_paths, volume.slice_frames, strict=True):
        if path not in read:
            read = {path: read_header(path)}
        header = read[path]
        is_multi_frame = "PerFrameFunctionalGroupsSequence" in header
        frames += flat_frames(header, [index]) if is_multi_frame else [PetFrame(header=header)]
    return frames


def _lean_share(series: PetSeries) -> float | None:
    try:
        return suv_factor_of_type(series, suv_type="LBMJANMA")
    except SuvNotComputableError:
        return None


def pet_series_of(headers: Sequence[Dataset]) -> PetSeries:
    """The facts of a PET series in the order of its slices.

    Raises SuvNotComputableError where a value that must be common to all slices is not.
    """
    first = headers[0]
    drug = radiopharmaceutical_of(first)
    _require_agreement(headers)
    injected_at, injected_clock = _injection(first, drug)
    return PetSeries(
        enhanced=is_enhanced(first),
        units=str(first.get("Units") or ""),
        suv_type=str(first.get("SUVType") or ""),
        corrected=frozenset(_texts(first.get("CorrectedImage"))),
        decay_correction=str(first.get("DecayCorrection") or ""),
        series_type=tuple(_texts(first.get("SeriesType"))),
        rescale_intercepts=frozenset(float(header.get("RescaleIntercept") or 0.0) for header in headers),
        weight=_number(first.get("PatientWeight")),
        height=_number(first.get("PatientSize")),
        sex=str(first.get("PatientSex") or "") or None,
        dose=_number(drug.get("RadionuclideTotalDose")),
        half_life_s=_number(drug.get("RadionuclideHalfLife")),
        radionuclide=radionuclide_of(drug),
        injected_at=injected_at,
        injected_clock=injected_clock,
        series_at=moment_of(first.get("SeriesDate"), first.get("SeriesTime")),
        decay_corrected_at=_local_moment(first, "DecayCorrectionDateTime"),
        ge_scan_at=moment_of_datetime(_private(first, _GE_GROUP, _GE_CREATOR, 0x0D)),
        philips_suv_factor=_number(_private(first, _PHILIPS_GROUP, _PHILIPS_CREATOR, _PHILIPS_SUV)),
        philips_activity_factor=_number(_private(first, _PHILIPS_GROUP, _PHILIPS_CREATOR, _PHILIPS_ACTIVITY)),
        slices=tuple(_slice(header) for header in headers),
    )


def _slice(header: Dataset) -> PetSlice:
    """Timing of a slice; a multi-frame object states date and time in one (PS3.3 C.7.6.16.2.2)."""
    duration_ms = _number(header.get("ActualFrameDuration") or header.get("FrameAcquisitionDuration"))
    reference_ms = _number(header.get("FrameReferenceTime"))
    return PetSlice(
        acquired_at=_local_moment(header, "FrameAcquisitionDateTime")
        or moment_of(header.get("AcquisitionDate"), header.get("AcquisitionTime"))
        or _local_moment(header, "AcquisitionDateTime"),
        duration_s=None if duration_ms is None else duration_ms / 1000.0,
        frame_reference_s=None if reference_ms is None else reference_ms / 1000.0,
    )


def _local_moment(header: Dataset, keyword: str) -> datetime | None:
    return moment_of_datetime(header.get(keyword), local_offset=header.get("TimezoneOffsetFromUTC"))


def _require_agreement(headers: Sequence[Dataset]) -> None:
    """One injection and one set of series-level values. Raises SuvNotComputableError with their names."""
    doses = {tuple(_injection_level(item).values()) for item in items(headers[0], _DRUGS)}
    if len(doses) > 1:
        raise SuvNotComputableError("The series names more than one injection.")
    first = _series_level(headers[0])
    for header in headers[1:]:
        differing = [name for name, value in _series_level(header).items() if value != first[name]]
        if differing:
            raise SuvNotComputableError(f"The slices of the series disagree on {', '.join(differing)}.")


def _series_level(header: Dataset) -> dict[str, str]:
    values = {key: "/".join(sorted(_texts(header.get(key)))) for key in _SERIES_LEVEL}
    philips = {
        f"(7053,10{offset:02x})": str(_private(header, _PHILIPS_GROUP, _PHILIPS_CREATOR, offset) or "")
        for offset in (_PHILIPS_SUV, _PHILIPS_ACTIVITY)
    }
    return {**values, **_injection_level(radiopharmaceutical_of(header)), **philips}


def _injection_level(drug: Dataset) -> dict[str, str]:
    return {"radionuclide": radionuclide_of(drug) or "", **{key: str(drug.get(key, "")) for key in _INJECTION_LEVEL}}


def _injection(header: Dataset, drug: Dataset) -> tuple[Any, bool]:
    """The moment of injection, and whether only its time of day is known; then the date is the scan's."""
    exact = moment_of_datetime(
        drug.get("RadiopharmaceuticalStartDateTime"), local_offset=header.get("TimezoneOffsetFromUTC")
    )
    if exact is not None:
        return exact, False
    date = header.get("SeriesDate") or header.get("AcquisitionDate")
    return moment_of(date, drug.get("RadiopharmaceuticalStartTime")), True


def _private(header: Dataset, group: int, creator: str, offset: int) -> Any:
    """A private element in its creator's block; in the first block where the creator was dropped.

    De-identification and synthetic objects often keep the value and lose the creator (PS3.5 7.8).
    """
    for block in range(0x10, 0x20):
        if str(_value(header, group, block) or "").strip() == creator:
            return _value(header, group, (block << 8) | offset)
    return None if (group, 0x10) in header else _value(header, group, 0x1000 | offset)


def _value(header: Dataset, group: int, element: int) -> Any:
    """The value; bytes of an element whose VR was lost (UN, PS3.5 6.2.2) as the text that they are."""
    value = header[group, element].value if (group, element) in header else None
    return value.decode("ascii", errors="ignore").strip("\0 ") if isinstance(value, bytes) else value


def _number(value: Any) -> float | None:
    try:
        number = None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None
    return number if number is not None and math.isfinite(number) else None


def _texts(value: Any) -> list[str]:
    """The values of an element as text, one or many; an empty list where there is none."""
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, MultiValue | list | tuple) else [str(value)]
