"""What protons do in each tissue, and how the sequences ask them: numbers with their sources.

Where a row of `TISSUES` is marked:
    B: de Bazelaire 2004, Radiology 230:652, in vivo, 1.5 and 3 T;
    G: Gold 2004, AJR 183:343, knee, 1.5 and 3 T;
    S: Stanisz 2005, Magn Reson Med 54:507, 1.5 and 3 T;
    J: apparent diffusion coefficient: median of the studies reviewed by Jafar 2016, World J Radiol 8:21;
    P: chosen, between published figures of similar tissue or for a plausible image.
Proton densities and diffusion coefficients without J are chosen. Adipose tissue is nine tenths fat.
"""

from __future__ import annotations

from dataclasses import dataclass

from operators.simulation.anatomy.bones import Bone


@dataclass(frozen=True, kw_only=True, slots=True)
class Tissue:
    """The protons of one tissue.

    Args:
        proton_density: all that can be seen, relative to water.
        fat_fraction: their share in fat.
        t1_ms, t2_ms: of its water, at 1.5 and 3 T.
        adc_um2_s: apparent diffusion coefficient of the whole tissue in a fat-suppressed image.
        still: share of the spin-echo signal that motion leaves: blood flows out of the slice between the pulses.
    """

    proton_density: float
    t1_ms: tuple[float, float]
    t2_ms: tuple[float, float]
    adc_um2_s: float
    fat_fraction: float = 0.0
    still: float = 1.0

    def __post_init__(self) -> None:
        if not (0 <= self.proton_density <= 1.1 and 0 <= self.fat_fraction <= 1 and 0 <= self.still <= 1):
            raise ValueError("proton density, fat fraction and still signal are shares")
        if min(*self.t1_ms, *self.t2_ms) <= 0 or not 0 <= self.adc_um2_s <= 4000:
            raise ValueError("relaxation times are above zero, diffusion coefficients 0 to 4000")


FAT_T1_MS = (288.0, 371.0)
FAT_T2_MS = (165.0, 133.0)
"""Of fat's protons at 1.5 and 3 T: subcutaneous fat of the knee (G)."""

_SOFT = Tissue(proton_density=0.8, t1_ms=(1000.0, 1250.0), t2_ms=(55.0, 48.0), adc_um2_s=1300.0)
TISSUES: dict[str, Tissue] = {
    # G: T1, T2 of fat are above; the water between the cells P
    "fat": Tissue(proton_density=0.95, fat_fraction=0.92, t1_ms=(800.0, 950.0), t2_ms=(35.0, 32.0), adc_um2_s=90.0),
    # B, G and S give T1 856 to 1130 and 898 to 1420, T2 27 to 44 and 29 to 50
    "muscle": Tissue(
        proton_density=0.80, fat_fraction=0.03, t1_ms=(1050.0, 1350.0), t2_ms=(33.0, 30.0), adc_um2_s=1450.0
    ),
    "cartilage": Tissue(proton_density=0.70, t1_ms=(1060.0, 1240.0), t2_ms=(42.0, 37.0), adc_um2_s=1300.0),  # G
    "disc": Tissue(proton_density=0.75, t1_ms=(1050.0, 1250.0), t2_ms=(62.0, 54.0), adc_um2_s=1600.0),  # P
    "brain": Tissue(proton_density=0.80, t1_ms=(1000.0, 1400.0), t2_ms=(84.0, 84.0), adc_um2_s=800.0),  # S
    "cord": Tissue(proton_density=0.75, t1_ms=(745.0, 993.0), t2_ms=(74.0, 78.0), adc_um2_s=950.0),  # S
    "csf": Tissue(
        proton_density=1.0, t1_ms=(4200.0, 4300.0), t2_ms=(1500.0, 1300.0), adc_um2_s=3000.0, still=0.85
    ),  # P
    "myocardium": Tissue(
        proton_density=0.80, t1_ms=(1030.0, 1471.0), t2_ms=(40.0, 47.0), adc_um2_s=1600.0, still=0.6
    ),  # S; its motion P
    "blood": Tissue(
        proton_density=0.90, t1_ms=(1441.0, 1932.0), t2_ms=(240.0, 200.0), adc_um2_s=1900.0, still=0.15
    ),  # S for T1; T2 between venous and arterial, flow P
    "liver": Tissue(
        proton_density=0.75, fat_fraction=0.05, t1_ms=(586.0, 809.0), t2_ms=(46.0, 34.0), adc_um2_s=1280.0
    ),  # B, J; fat P
    "gallbladder": Tissue(proton_density=0.95, t1_ms=(2200.0, 2500.0), t2_ms=(400.0, 350.0), adc_um2_s=2730.0),  # P, J
    "spleen": Tissue(proton_density=0.82, t1_ms=(1057.0, 1328.0), t2_ms=(79.0, 61.0), adc_um2_s=850.0),  # B, J
    "pancreas": Tissue(
        proton_density=0.78, fat_fraction=0.06, t1_ms=(584.0, 725.0), t2_ms=(46.0, 43.0), adc_um2_s=1600.0
    ),  # B, J; fat P
    "stomach": Tissue(proton_density=0.85, t1_ms=(1600.0, 1900.0), t2_ms=(110.0, 90.0), adc_um2_s=2200.0),  # P
    "small_bowel": Tissue(
        proton_density=0.78, t1_ms=(1150.0, 1400.0), t2_ms=(62.0, 54.0), adc_um2_s=1800.0, still=0.75
    ),  # P: it moves
    "colon": Tissue(
        proton_density=0.60, fat_fraction=0.05, t1_ms=(750.0, 850.0), t2_ms=(50.0, 42.0), adc_um2_s=1400.0
    ),  # P
    "bladder": Tissue(proton_density=1.0, t1_ms=(3200.0, 3600.0), t2_ms=(900.0, 700.0), adc_um2_s=2900.0),  # P
    "prostate": Tissue(proton_density=0.82, t1_ms=(1317.0, 1597.0), t2_ms=(88.0, 74.0), adc_um2_s=1540.0),  # B, J
    "uterus": Tissue(proton_density=0.82, t1_ms=(1309.0, 1514.0), t2_ms=(117.0, 79.0), adc_um2_s=1530.0),  # B, J
    "thyroid": Tissue(proton_density=0.80, t1_ms=(950.0, 1150.0), t2_ms=(70.0, 60.0), adc_um2_s=1300.0),  # P
    "skin": Tissue(proton_density=0.60, fat_fraction=0.1, t1_ms=(900.0, 1050.0), t2_ms=(28.0, 25.0), adc_um2_s=900.0),
    # P: a fifth of a lung is tissue and blood, and its many surfaces take most of that signal
    "lung": Tissue(proton_density=0.14, t1_ms=(1200.0, 1300.0), t2_ms=(35.0, 25.0), adc_um2_s=1300.0, still=0.5),
    # B: mean of cortex and medulla; J
    "kidney": Tissue(proton_density=0.83, t1_ms=(1150.0, 1300.0), t2_ms=(86.0, 78.0), adc_um2_s=1940.0),
    "renal_pelvis": Tissue(proton_density=1.0, t1_ms=(3200.0, 3600.0), t2_ms=(900.0, 700.0), adc_um2_s=2700.0),  # P
    "breast": Tissue(
        proton_density=0.80, fat_fraction=0.2, t1_ms=(1200.0, 1400.0), t2_ms=(58.0, 54.0), adc_um2_s=1920.0
    ),  # P, J
    "parotid": Tissue(
        proton_density=0.80, fat_fraction=0.35, t1_ms=(850.0, 1000.0), t2_ms=(65.0, 58.0), adc_um2_s=1000.0
    ),  # P
    "submandibular": Tissue(
        proton_density=0.80, fat_fraction=0.12, t1_ms=(900.0, 1050.0), t2_ms=(70.0, 62.0), adc_um2_s=1250.0
    ),  # P
    "lacrimal": _SOFT,  # P
    "eye": Tissue(proton_density=0.98, t1_ms=(3500.0, 3900.0), t2_ms=(700.0, 600.0), adc_um2_s=2800.0),  # P
}
"""By `Matter.kind`. AIR, AIRWAY and BOWEL_GAS are not here: they give no signal."""

RED_MARROW = Tissue(proton_density=0.75, fat_fraction=0.45, t1_ms=(850.0, 1050.0), t2_ms=(52.0, 44.0), adc_um2_s=420.0)
"""Spongiosa with its marrow; its fat fraction is `MARROW_FAT`'s. Trabeculae leave three quarters of the protons (P).

The diffusion coefficient is that of 100 adults at 1.5 T, whole body, 422 +- 67 um2/s (PMC8161193).
The relaxation times are the water's alone (P): with its fat the marrow comes near B's 549 ms.
"""
YELLOW_MARROW = Tissue(
    proton_density=0.92, fat_fraction=0.88, t1_ms=(850.0, 1050.0), t2_ms=(52.0, 44.0), adc_um2_s=180.0
)
"""Of the shafts (P)."""
CORTEX_SIGNAL = 0.0
"""Cortex decays within a millisecond: nothing is left at any echo time here."""

_LUMBAR_FAT = 0.46
MARROW_FAT: dict[str, float] = {
    "skull": 0.60, "mandible": 0.66, "vertebra": _LUMBAR_FAT, "sacrum": 0.52, "coccyx": 0.58, "sternum": 0.44,
    "rib": 0.44, "clavicle": 0.55, "scapula": 0.55, "hip": 0.55, "humerus": 0.66, "radius": 0.84, "ulna": 0.84,
    "hand": 0.88, "femur": 0.68, "patella": 0.88, "tibia": 0.85, "fibula": 0.85, "foot": 0.89,
}  # fmt: skip
"""Proton density fat fraction of spongiosa by `Bone.kind`, of an adult of about 60 years.

Lumbar spine: 27 to 35 % in the twenties and thirties, about a half in old age (Baum 2018, Front Endocrinol
9:141; AJR 1996, 167:355, doi 10.2214/ajr.167.2.8686603). The other bones are chosen along the known
order: red marrow stays longest in spine, sternum and ribs; the ends of the long bones turn fat, hands and feet first.
"""


def spine_fat_offset(bone: Bone) -> float:
    """How vertebrae differ: the fat fraction rises by a tenth from C7 to L5 (the rise is known, its size chosen)."""
    if bone.kind != "vertebra":
        return 0.0
    return 0.1 * (min(max(int(bone), int(Bone.C7)), int(Bone.L6)) - int(Bone.L3)) / (int(Bone.L5) - int(Bone.C7))


PERSON_FAT_SD = 0.07
"""Of a person's marrow around the table: 0.06 to 0.08 within one decade of age (Baum 2018)."""
BONE_FAT_SD = 0.02
LOG_SD: dict[str, float] = {"t1": 0.05, "t2": 0.08, "proton_density": 0.03, "adc": 0.08}
"""Of one tissue between scans of different persons (P; about what B and J report)."""
DISC_SPREAD = 3.0
"""Times `LOG_SD`: discs dry up at different ages (P)."""
MARROW_ADC_LOG_SD = 0.13
"""Of a person's marrow: 67 of 422 um2/s (PMC8161193), the rest being `LOG_SD` and the day's."""
DAY_ADC_LOG_SD = 0.05
"""Of one person's marrow from scan to scan: a coefficient of reproducibility of 14.8 % (Messiou 2011) by 2.77."""
FOCUS_T1_POWER, FOCUS_T2_POWER = 0.30, -0.20
"""How a focus' relaxation times change with the field strength (P; spleen in B: 0.33 and -0.37)."""
MINERAL_SIGNAL_LOSS_PER_1000_HU = 0.35
"""Share of a focus' protons that mineral of 1000 HU displaces or dephases (P): sclerosis is dark in every sequence."""
TEXTURE_FAT_SD: dict[str, float] = {
    "marrow": 0.06, "muscle": 0.035, "fat": 0.03, "liver": 0.012, "breast": 0.15, "pancreas": 0.05, "parotid": 0.06,
}  # fmt: skip
"""Local differences of the fat fraction in a tissue (P): patchy marrow, streaks of fat in muscle, septa in fat."""
TEXTURE_MM = (2.5, 6.0)
"""Sizes of the patches (P)."""
