"""A reconstructed SPECT series, with what its headers say of quantification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from bmnode.domain.study import Reason
from bmnode.selection.attributes import codes, items, number, text, texts
from operators.graph.contract import NotAssessableError
from operators.kernels.decay import HALF_LIFE_S
from operators.kernels.spect import suv_factor
from operators.readers.frames import read_header
from operators.readers.moments import moment_of, moment_of_datetime
from operators.readers.radionuclide import radionuclide_of, radiopharmaceutical_of
from operators.readers.volume import ImageVolume, read_volume

_MEGABECQUEREL_BELOW = 1e5
"""The NM image writes doses in MBq (PS3.3 C.8.4.10), others in Bq: the ranges do not meet."""
_PLAUSIBLE_DOSE_BQ = (50e6, 2000e6)
"""Project rule: what adults are given for a bone scan. Outside, the number is in another unit (mCi, kBq)."""
_HALF_LIFE_TOLERANCE = 0.01
_PLAUSIBLE_HALF_LIVES = 10.0
_QUANTITATIVE_NEEDS = {"ATTN": "attenuation", "SCAT": "scatter"}
"""What Corrected Image (0028,0051) must hold, where it is stated, for a number to be an activity."""
_ACTIVITY_UNITS = frozenset({"BQ/ML"})
_SUV_UNITS = frozenset({"G/ML{SUVBW}", "{SUVBW}G/ML"})
"""UCUM in capitals, as the header's codes are read: scanners differ in their spelling of ml."""


class SpectUnit(StrEnum):
    """What the values of a SPECT volume are."""

    SUV_BW = "suv_bw"
    COUNTS = "counts"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SpectVolume:
    """The volume as SUVbw where it is calibrated, in counts otherwise, and the sentence that says why.

    `per_bq_ml` is the SUVbw of 1 Bq/ml in g/Bq, None where the image is not in Bq/ml. `attenuation_corrected` is
    None where the image states no corrections.
    """

    volume: ImageVolume
    unit: SpectUnit
    explanation: str
    per_bq_ml: float | None = None
    attenuation_corrected: bool | None = None


def read_spect(files: Sequence[Path]) -> SpectVolume:
    """The series (slice, row, column), calibrated where its headers allow it.

    Raises NotAssessableError: insufficient_counts where the image is empty, and whatever `read_volume` raises.
    """
    volume = read_volume(files)
    if not float(volume.array.max()) > 0.0:
        raise NotAssessableError(Reason.INSUFFICIENT_COUNTS, "The SPECT image holds no counts.")
    header = read_header(volume.slice_paths[0])
    mapping, corrected = _real_world(header), texts(header, "CorrectedImage")
    attenuation = "ATTN" in corrected if corrected else None
    unit = mapping[0] if mapping else (text(header, "Units") or "")
    if unit not in _ACTIVITY_UNITS | _SUV_UNITS | {"BQML"}:
        return SpectVolume(
            volume=volume,
            unit=SpectUnit.COUNTS,
            explanation="The image is not calibrated in activity; no SUV.",
            attenuation_corrected=attenuation,
        )
    factor, explanation = _factor(header, unit=unit)
    if factor is None:
        return SpectVolume(
            volume=volume,
            unit=SpectUnit.COUNTS,
            explanation=f"No SUV: {explanation}",
            attenuation_corrected=attenuation,
        )
    slope, intercept = mapping[1:] if mapping else (1.0, 0.0)
    for index in range(volume.array.shape[0]):
        volume.array[index] = (volume.array[index].astype(np.float64) * slope + intercept) * factor
    return SpectVolume(
        volume=volume,
        unit=SpectUnit.SUV_BW,
        explanation="The image is calibrated in activity." if unit not in _SUV_UNITS else "The image is in SUVbw.",
        per_bq_ml=None if unit in _SUV_UNITS else factor,
        attenuation_corrected=attenuation,
    )


def _factor(header: Dataset, *, unit: str) -> tuple[float | None, str]:
    """What the calibrated values are multiplied with to give SUVbw, or None and why there is no SUV."""
    corrected = set(texts(header, "CorrectedImage"))
    lacking = [name for key, name in _QUANTITATIVE_NEEDS.items() if corrected and key not in corrected]
    if lacking:
        return None, f"the image is not corrected for {' and '.join(lacking)}."
    return (1.0, "") if unit in _SUV_UNITS else _suv_factor(header)


def _real_world(header: Dataset) -> tuple[str, float, float] | None:
    """Unit, slope and intercept of the Real World Value Mapping (PS3.3 C.7.6.16.2.11), where it is activity or SUV."""
    for item in items(header, "RealWorldValueMappingSequence"):
        units = [code.value for code in codes(item, "MeasurementUnitsCodeSequence")]
        slope = number(item, "RealWorldValueSlope")
        if units and units[0] in _ACTIVITY_UNITS | _SUV_UNITS and slope is not None:
            return units[0], slope, number(item, "RealWorldValueIntercept") or 0.0
    return None


def _suv_factor(header: Dataset) -> tuple[float | None, str]:
    """Bq/ml to SUVbw in g/Bq, or None and what is missing."""
    drug = radiopharmaceutical_of(header)
    weight_kg, dose = number(header, "PatientWeight"), number(drug, "RadionuclideTotalDose")
    if not weight_kg or not dose or weight_kg < 0.0 or dose < 0.0:
        return None, "the injected dose or the patient's weight is missing."
    # An NM image has no half-life of its own (PS3.3 C.8.4.10): the nuclide's, Tc-99m where none is named.
    half_life_s = HALF_LIFE_S.get(radionuclide_of(drug) or "Tc-99m")
    stated = number(drug, "RadionuclideHalfLife")
    if half_life_s is None or (stated and abs(stated / half_life_s - 1.0) > _HALF_LIFE_TOLERANCE):
        return None, "the half-life is not known or not that of the radionuclide."
    half_life_s = stated or half_life_s
    elapsed_s = 0.0 if text(header, "DecayCorrection") == "ADMIN" else _elapsed_s(header, drug)
    if elapsed_s is None:
        return None, "the time of injection or of acquisition is missing."
    if not 0.0 <= elapsed_s <= _PLAUSIBLE_HALF_LIVES * half_life_s:
        return None, "the injection is not dated within ten half-lives before the acquisition."
    dose_bq = dose * 1e6 if dose < _MEGABECQUEREL_BELOW else dose
    if not _PLAUSIBLE_DOSE_BQ[0] <= dose_bq <= _PLAUSIBLE_DOSE_BQ[1]:
        return None, f"an injected dose of {dose_bq / 1e6:g} MBq is not plausible; it may be written in another unit."
    return suv_factor(dose_bq=dose_bq, elapsed_s=elapsed_s, half_life_s=half_life_s, weight_kg=weight_kg), ""


def _elapsed_s(header: Dataset, drug: Dataset) -> float | None:
    """Seconds from injection to acquisition, None where a moment is missing.

    Where only the time of day of the injection is known, it is the last one before the acquisition.
    """
    acquired = moment_of(header.get("AcquisitionDate"), header.get("AcquisitionTime"))
    if acquired is None:
        return None
    injected = moment_of_datetime(
        drug.get("RadiopharmaceuticalStartDateTime"), local_offset=header.get("TimezoneOffsetFromUTC")
    )
    if injected is None:
        injected = moment_of(header.get("AcquisitionDate"), drug.get("RadiopharmaceuticalStartTime"))
        if injected is not None and injected > acquired:
            injected -= timedelta(days=1)
    return None if injected is None else (acquired - injected).total_seconds()
