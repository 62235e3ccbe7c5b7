"""How often each decoy is drawn, where joints lie in the source, and how decoys look.

[K] is widely known and was not read again; [P] was chosen for this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from operators.simulation.patient import Appearance, DecoyKind, Vector
from operators.simulation.tracer import Tracer

CHANCE: Mapping[DecoyKind, float] = {
    DecoyKind.DEGENERATIVE_JOINT: 0.75,
    DecoyKind.FACET_ARTHROPATHY: 0.40,
    DecoyKind.RIB_FRACTURE: 0.12,
    DecoyKind.ENOSTOSIS: 0.15,
    DecoyKind.HAEMANGIOMA: 0.10,
    DecoyKind.PAGET: 0.02,
    DecoyKind.EXTRAVASATION: 0.08,
    DecoyKind.CONTAMINATION: 0.10,
    DecoyKind.PROSTHESIS: 0.05,
    DecoyKind.PACEMAKER: 0.02,
    DecoyKind.BOWEL_CONTRAST: 0.0,
}
"""Of a patient to have one or more, at the age of cancer patients [P]. Contrast in the bowel is a matter of the scan:
`Physiology.bowel_contrast`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JointPlace:
    """Where two bones of the left side meet, in the source's rest frame.

    Args:
        bones: names of the bones without side (the sternum has none).
        surface_mm: about the middle of the contact on each, millimetres; the zone is in the bone next to it.
        radii_mm: of a hot zone there, along x, y, z.
        chance: against other joints to be the one.
    """

    name: str
    bones: tuple[str, str]
    surface_mm: tuple[Vector, Vector]
    radii_mm: Vector
    chance: float


JOINTS: tuple[JointPlace, ...] = (
    JointPlace(
        name="acromioclavicular", bones=("CLAVICLE", "SCAPULA"),
        surface_mm=((147.0, 201.0, 1509.0), (149.0, 201.0, 1509.0)), radii_mm=(6.0, 7.0, 5.0), chance=1.4,
    ),
    JointPlace(
        name="sternoclavicular", bones=("CLAVICLE", "STERNUM"),
        surface_mm=((27.0, 175.0, 1479.0), (18.0, 175.0, 1473.0)), radii_mm=(6.0, 6.0, 8.0), chance=1.0,
    ),
    JointPlace(
        name="shoulder", bones=("HUMERUS", "SCAPULA"),
        surface_mm=((152.0, 203.0, 1482.0), (146.0, 204.0, 1482.0)), radii_mm=(6.0, 13.0, 16.0), chance=1.2,
    ),
    JointPlace(
        name="wrist", bones=("RADIUS", "HAND"),
        surface_mm=((204.0, 168.0, 938.0), (204.0, 169.0, 934.0)), radii_mm=(14.0, 8.0, 7.0), chance=0.8,
    ),
    JointPlace(
        name="sacroiliac", bones=("HIP", "SACRUM"),
        surface_mm=((43.0, 210.0, 1037.0), (41.0, 210.0, 1037.0)), radii_mm=(4.0, 10.0, 18.0), chance=0.6,
    ),
    JointPlace(
        name="hip", bones=("FEMUR", "HIP"),
        surface_mm=((79.0, 156.0, 943.0), (81.0, 156.0, 948.0)), radii_mm=(17.0, 13.0, 5.0), chance=1.1,
    ),
    JointPlace(
        name="knee", bones=("TIBIA", "FEMUR"),
        surface_mm=((50.0, 155.0, 483.0), (50.0, 155.0, 497.0)), radii_mm=(14.0, 17.0, 6.0), chance=1.8,
    ),
    JointPlace(
        name="ankle", bones=("TIBIA", "FOOT"),
        surface_mm=((67.0, 190.0, 108.0), (67.0, 190.0, 100.0)), radii_mm=(15.0, 14.0, 6.0), chance=0.8,
    ),
)  # fmt: skip
"""Measured on the source (`anatomy.landmarks`), moved by eye to where the joint bears weight; how often is [P]."""

JOINT_SUV, JOINT_LOG_SD = 8.0, 0.45
"""Median of MDP before blur [P]: in degenerated vertebrae SUVmean 5.26 +- 3.24 and SUVmax 7.50 were measured (Rohani
2020), in others SUVmax 16.7 +- 6.7 (doi 10.1186/s41824-017-0006-y)."""
FRACTURE_SUV, FRACTURE_LOG_SD = 13.0, 0.5
PAGET_SUV, PAGET_LOG_SD = 20.0, 0.35
ENOSTOSIS_HU = (1190.0, 239.0)
"""Mean and SD of the mean (Ulano 2016)."""
ENOSTOSIS_HU_RANGE = (780.0, 1700.0)
EXTRAVASATION_SUV = (60.0, 500.0)
CONTAMINATION_SUV = (25.0, 180.0)
"""Log-uniform [P]: urine and what leaks at the needle are far hotter than any bone."""
IN_URINE: Mapping[Tracer, float] = {
    Tracer.MDP: 1.0,
    Tracer.HDP: 1.0,
    Tracer.NAF: 1.0,
    Tracer.FDG: 0.8,
    Tracer.PSMA_11: 1.0,
    Tracer.PSMA_1007: 0.06,
}
"""What a drop of urine has, against MDP [P]; PSMA-1007 leaves through the bile [K]."""


def bony(suv: float, *, hu: float, adc: float = 1300.0) -> Appearance:
    """Bone that is remodelled: hot for bone seekers, a little warm for FDG, hardly so for PSMA [P]."""
    return Appearance(
        suv={
            Tracer.MDP: round(suv, 2),
            Tracer.HDP: round(1.08 * suv, 2),
            Tracer.NAF: round(1.19 * suv, 2),
            Tracer.FDG: round(1.2 + 0.08 * suv, 2),
            Tracer.PSMA_11: round(0.6 + 0.05 * suv, 2),
            Tracer.PSMA_1007: round(0.9 + 0.08 * suv, 2),
        },
        lytic_hu=60.0,
        sclerotic_hu=round(hu, 1),
        adc_um2_s=round(adc, 1),
        t1_ms=850.0,
        t2_ms=75.0,
        proton_density=0.75,
        fat_fraction=0.30,
    )


def compact(hu: float) -> Appearance:
    """An island of compact bone: dense, dark in every sequence, no more uptake than the bone around it."""
    return Appearance(
        sclerotic_hu=round(hu, 1), adc_um2_s=300.0, t1_ms=700.0, t2_ms=15.0, proton_density=0.25, fat_fraction=0.0
    )


def fatty(hu: float, *, fat: float) -> Appearance:
    """A haemangioma: fat and slow blood between coarse trabeculae, bright in T1 and T2 [K]; no uptake of its own."""
    return Appearance(
        sclerotic_hu=round(hu, 1), adc_um2_s=1500.0, t1_ms=420.0, t2_ms=110.0, proton_density=0.9,
        fat_fraction=round(fat, 3),
    )  # fmt: skip


def wet(suv: Mapping[Tracer, float]) -> Appearance:
    """Activity in soft tissue or on the skin that no other modality sees."""
    return Appearance(
        suv=dict(suv), lytic_hu=15.0, sclerotic_hu=15.0, adc_um2_s=1800.0, t1_ms=1000.0, t2_ms=60.0,
        proton_density=0.8, fat_fraction=0.2,
    )  # fmt: skip


def metallic() -> Appearance:
    """No uptake, no signal."""
    return Appearance(suv=dict.fromkeys(Tracer, 0.0), lytic_hu=3000.0, sclerotic_hu=3000.0, metal=True)
