"""What an enhanced or legacy converted PET object says of its frames, laid flat as classic PET headers say it.

So the one decision order of SUV serves both (PS3.3 A.56, A.72; C.8.22 against C.8.9).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import EnhancedPETImageStorage

from bmnode.selection.attributes import codes, number, text
from bmnode.selection.multi_frame import agents, frame_macros, group_items
from operators.kernels.suv import SuvNotComputableError

_CORRECTIONS: Mapping[str, str] = {
    "DecayCorrected": "DECY",
    "AttenuationCorrected": "ATTN",
    "ScatterCorrected": "SCAT",
    "DeadTimeCorrected": "DTIM",
    "RandomsCorrected": "RAN",
    "DetectorNormalizationCorrection": "NORM",
    "SensitivityCalibrated": "DCAL",
}
"""Flags of Enhanced PET Corrections (PS3.3 C.8.22.6) and the terms of Corrected Image (0028,0051)."""
_PROJECTED = frozenset({"MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER"})
"""Values of Volume Based Calculation Technique (0008,9207) that leave no slice to measure."""
_UNITS: Mapping[str, tuple[str, str]] = {
    "BQ/ML": ("BQML", ""),
    "G/ML": ("GML", ""),
    "CM2/ML": ("CM2ML", ""),
    "G/ML{SUVBW}": ("GML", "BW"),
    "{SUVBW}G/ML": ("GML", "BW"),
    "G/ML{SUVLBM}": ("GML", "LBM"),
    "{SUVLBM}G/ML": ("GML", "LBM"),
    "G/ML{SUVLBM(JAMES128)}": ("GML", "LBMJAMES128"),
    "G/ML{SUVLBM(JANMA)}": ("GML", "LBMJANMA"),
    "G/ML{SUVIBW}": ("GML", "IBW"),
    "{SUVIBW}G/ML": ("GML", "IBW"),
    "CM2/ML{SUVBSA}": ("CM2ML", "BSA"),
    "{SUVBSA}CM2/ML": ("CM2ML", "BSA"),
    "{COUNTS}": ("CNTS", ""),
    "{COUNTS}/S": ("CPS", ""),
    "{PROPCOUNTS}": ("PROPCNTS", ""),
    "{PROPCOUNTS}/S": ("PROPCPS", ""),
    "/CM": ("1CM", ""),
}
"""UCUM units of PET values in capitals, as codes are read: the Units (0054,1001) and SUV Type that mean the same."""
_PREFERRED = ("BQML", "GML", "CM2ML")
"""Of several mappings: activity first, since then dose, weight and times are checked as in a classic series."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PetFrame:
    """One slice: a classic header, and what its rescaled values are multiplied with to be in the header's units."""

    header: Dataset
    per_rescaled: float = 1.0


def is_enhanced(header: Dataset) -> bool:
    """Whether the object is an Enhanced PET image, which states doses in MBq; a converted one keeps its Bq."""
    return text(header, "SOPClassUID") == EnhancedPETImageStorage


def flat_frames(header: Dataset, indices: Iterable[int]) -> tuple[PetFrame, ...]:
    """The frames (from 0) of a multi-frame PET object as classic slices.

    Raises SuvNotComputableError where its values map to no unit linearly, or are those of a projection.
    """
    return tuple(_flat_frame(header, index) for index in indices)


def _flat_frame(header: Dataset, index: int) -> PetFrame:
    flat = Dataset()
    for macro in reversed(frame_macros(header, index)):  # the more special overrules
        for element in macro:
            if element.VR != "SQ" and not element.is_empty:
                flat.add(element)
    flat.RadiopharmaceuticalInformationSequence = list(agents(header, index))
    if text(flat, "VolumeBasedCalculationTechnique") in _PROJECTED:
        raise SuvNotComputableError("The series is a projection, not a reconstruction.")
    if is_enhanced(header):
        flat.CorrectedImage = [term for flag, term in _CORRECTIONS.items() if text(flat, flag) == "YES"]
        flat.DecayCorrection = "NONE" if text(flat, "DecayCorrected") == "NO" else "START"
    return PetFrame(header=flat, per_rescaled=1.0 if text(flat, "Units") else _map(flat, header, index))


def _map(flat: Dataset, header: Dataset, index: int) -> float:
    """Set the units that a frame's real world mapping leads to, and return the factor that leads there."""
    found: dict[tuple[str, str], Dataset] = {}
    for item in group_items(header, index, "RealWorldValueMappingSequence"):
        for code in codes(item, "MeasurementUnitsCodeSequence")[:1]:
            found.setdefault(_UNITS.get(code.value, (code.value, "")), item)
    if not found:
        return 1.0  # without units the kernel refuses
    (units, suv_type), item = min(found.items(), key=lambda pair: _rank(pair[0][0]))
    flat.Units, flat.SUVType = units[:16], suv_type
    slope, rescale = number(item, "RealWorldValueSlope"), number(flat, "RescaleSlope")
    if not slope:
        raise SuvNotComputableError("The values of the image are mapped by a table, not by a slope.")
    intercept = number(item, "RealWorldValueIntercept")
    if intercept:
        flat.RescaleIntercept = str(intercept)[:16]
    return slope / (rescale or 1.0)


def _rank(units: str) -> int:
    return _PREFERRED.index(units) if units in _PREFERRED else len(_PREFERRED)
