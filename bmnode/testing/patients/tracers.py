"""Tracers: their codes, physics and how the body takes them up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bmnode.domain.codes import Code
from bmnode.testing.patients.organs import Tissue


@dataclass(frozen=True, kw_only=True, slots=True)
class Tracer:
    """One radiopharmaceutical.

    Args:
        name: as in Radiopharmaceutical (0018,0031).
        radionuclide: CID 18 or 4020.
        radiopharmaceutical: CID 25 or 4021.
        half_life_s: of the nuclide, seconds.
        photopeak_kev: lower and upper limit of the energy window.
        dose_mbq: administered.
        uptake_minutes: from injection to acquisition.
        uptake: SUV of every tissue.
        bone: SUV of a lumbar vertebra.
        follows_bone: whether each bone takes up its own share (`Bone.uptake`), as a bone
            seeker does; else all marrow alike.
    """

    name: str
    radionuclide: Code
    radiopharmaceutical: Code
    half_life_s: float
    photopeak_kev: tuple[float, float]
    dose_mbq: float
    uptake_minutes: int
    uptake: Mapping[Tissue, float]
    bone: float
    follows_bone: bool


_F18 = Code("77004003", "SCT", "^18^Fluorine")
_TC99M = Code("72454006", "SCT", "^99m^Technetium")
_I123 = Code("21572004", "SCT", "^123^Iodine")
_F18_HALF_LIFE_S = 6586.2
_TC99M_HALF_LIFE_S = 21624.12

MDP = Tracer(
    name="Tc-99m MDP",
    radionuclide=_TC99M,
    radiopharmaceutical=Code("96390006", "SCT", "Technetium Tc^99m^ medronate"),
    half_life_s=_TC99M_HALF_LIFE_S,
    photopeak_kev=(126.5, 154.6),
    dose_mbq=680.0,
    uptake_minutes=180,
    uptake={
        Tissue.AIR: 0.0, Tissue.FAT: 0.15, Tissue.MUSCLE: 0.3, Tissue.LUNG: 0.08, Tissue.LIVER: 0.4,
        Tissue.SPLEEN: 0.4, Tissue.KIDNEY: 4.5, Tissue.HEART: 0.5, Tissue.BLOOD: 0.6, Tissue.BLADDER: 22.0,
        Tissue.BOWEL: 0.3, Tissue.BRAIN: 0.05, Tissue.CSF: 0.1, Tissue.DISC: 0.6, Tissue.SALIVARY: 0.5,
    },
    bone=3.9,
    follows_bone=True,
)  # fmt: skip

FDG = Tracer(
    name="FDG",
    radionuclide=_F18,
    radiopharmaceutical=Code("35321007", "SCT", "Fluorodeoxyglucose F^18^"),
    half_life_s=_F18_HALF_LIFE_S,
    photopeak_kev=(435.0, 650.0),
    dose_mbq=280.0,
    uptake_minutes=60,
    uptake={
        Tissue.AIR: 0.0, Tissue.FAT: 0.25, Tissue.MUSCLE: 0.7, Tissue.LUNG: 0.5, Tissue.LIVER: 2.2,
        Tissue.SPLEEN: 1.8, Tissue.KIDNEY: 3.5, Tissue.HEART: 4.0, Tissue.BLOOD: 1.6, Tissue.BLADDER: 18.0,
        Tissue.BOWEL: 1.1, Tissue.BRAIN: 8.0, Tissue.CSF: 0.7, Tissue.DISC: 0.6, Tissue.SALIVARY: 1.8,
    },
    bone=1.0,
    follows_bone=False,
)  # fmt: skip

PSMA_1007 = Tracer(
    name="PSMA-1007",
    radionuclide=_F18,
    radiopharmaceutical=Code("126758", "DCM", "PSMA-1007 F^18^"),
    half_life_s=_F18_HALF_LIFE_S,
    photopeak_kev=(435.0, 650.0),
    dose_mbq=250.0,
    uptake_minutes=90,
    uptake={
        Tissue.AIR: 0.0, Tissue.FAT: 0.25, Tissue.MUSCLE: 0.6, Tissue.LUNG: 0.4, Tissue.LIVER: 10.0,
        Tissue.SPLEEN: 8.5, Tissue.KIDNEY: 18.0, Tissue.HEART: 1.6, Tissue.BLOOD: 1.5, Tissue.BLADDER: 3.0,
        Tissue.BOWEL: 3.5, Tissue.BRAIN: 0.2, Tissue.CSF: 0.3, Tissue.DISC: 0.5, Tissue.SALIVARY: 16.0,
    },
    bone=0.9,
    follows_bone=False,
)  # fmt: skip

MIBG = Tracer(
    name="I-123 MIBG",
    radionuclide=_I123,
    radiopharmaceutical=Code("395787009", "SCT", "Iodine^123 3-Iodobenzylguanidine MIBG"),
    half_life_s=47604.0,
    photopeak_kev=(143.1, 174.9),
    dose_mbq=370.0,
    uptake_minutes=1440,
    uptake={
        Tissue.AIR: 0.0, Tissue.FAT: 0.2, Tissue.MUSCLE: 0.5, Tissue.LUNG: 0.25, Tissue.LIVER: 5.0,
        Tissue.SPLEEN: 2.5, Tissue.KIDNEY: 1.2, Tissue.HEART: 3.0, Tissue.BLOOD: 0.6, Tissue.BLADDER: 8.0,
        Tissue.BOWEL: 1.2, Tissue.BRAIN: 0.2, Tissue.CSF: 0.2, Tissue.DISC: 0.3, Tissue.SALIVARY: 6.0,
    },
    bone=0.3,
    follows_bone=False,
)  # fmt: skip
