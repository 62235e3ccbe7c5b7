"""Radiopharmaceuticals in DICOM's codes (CID 18, 25, 4020, 4021) and the item that states a dose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset

from bmnode.domain.codes import Code
from operators.simulation.dicom.elements import code_item, datetime_text, decimal, item, time_text
from operators.simulation.tracer import Tracer

_NUCLIDES: Mapping[str, Code] = {
    "99mTc": Code("72454006", "SCT", "^99m^Technetium"),
    "18F": Code("77004003", "SCT", "^18^Fluorine"),
    "68Ga": Code("35337001", "SCT", "^68^Gallium"),
}
_PHARMACEUTICALS: Mapping[Tracer, tuple[str, Code]] = {
    Tracer.MDP: ("Tc-99m MDP", Code("96390006", "SCT", "Technetium Tc^99m^ medronate")),
    Tracer.HDP: ("Tc-99m HDP", Code("53951001", "SCT", "Technetium Tc^99m^ oxidronate")),
    Tracer.FDG: ("FDG", Code("35321007", "SCT", "Fluorodeoxyglucose F^18^")),
    Tracer.NAF: ("Sodium fluoride", Code("129501009", "SCT", "Sodium fluoride F^18^")),
    Tracer.PSMA_11: ("PSMA-11", Code("C118961", "NCIt", "Gallium Ga^68^ PSMA-11")),
    Tracer.PSMA_1007: ("PSMA-1007", Code("126758", "DCM", "PSMA-1007 F^18^")),
}
"""Radiopharmaceutical (0018,0031) and its code."""
_INTRAVENOUS = Code("47625008", "SCT", "Intravenous route")


def spoken_name(tracer: Tracer) -> str:
    """How descriptions name a tracer."""
    return _PHARMACEUTICALS[tracer][0]


def nuclear_dose(tracer: Tracer, *, dose_mbq: float, injected_at: datetime) -> Dataset:
    """Item of Radiopharmaceutical Information Sequence of an NM image: the dose in MBq (PS3.3 C.8.4.10)."""
    return item({**_common(tracer, injected_at=injected_at), "RadionuclideTotalDose": decimal(dose_mbq)})


def pet_dose(tracer: Tracer, *, dose_mbq: float, injected_at: datetime) -> Dataset:
    """The same of a PET image: the dose in Bq, with half-life and positron fraction (PS3.3 C.8.9.2)."""
    nuclide = tracer.nuclide
    return item(
        {
            **_common(tracer, injected_at=injected_at),
            "RadiopharmaceuticalStartDateTime": datetime_text(injected_at),
            "RadionuclideTotalDose": decimal(dose_mbq * 1e6),
            "RadionuclideHalfLife": decimal(nuclide.half_life_s),
            "RadionuclidePositronFraction": decimal(nuclide.branching),
        }
    )


def enhanced_pet_dose(tracer: Tracer, *, dose_mbq: float, injected_at: datetime) -> Dataset:
    """The same of an Enhanced PET image, which states the dose in MBq (PS3.3 C.8.22.4)."""
    dose = pet_dose(tracer, dose_mbq=dose_mbq, injected_at=injected_at)
    del dose.RadiopharmaceuticalStartTime
    dose.RadionuclideTotalDose = decimal(dose_mbq)
    dose.RadiopharmaceuticalAgentNumber = 1
    return dose


def _common(tracer: Tracer, *, injected_at: datetime) -> dict[str, Any]:
    name, code = _PHARMACEUTICALS[tracer]
    return {
        "Radiopharmaceutical": name,
        "RadiopharmaceuticalRoute": "Intravenous",
        "RadiopharmaceuticalStartTime": time_text(injected_at),
        "RadionuclideCodeSequence": [code_item(_NUCLIDES[tracer.nuclide.name])],
        "RadiopharmaceuticalCodeSequence": [code_item(code)],
        "AdministrationRouteCodeSequence": [code_item(_INTRAVENOUS)],
    }
