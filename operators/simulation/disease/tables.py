"""What is drawn, by primary: where metastases sit, how they look, how many there are.

Sources are named where there is one. [K] is widely known and was not read again for this table; [P]
was chosen for this project. `docs/explanation/simulated-disease.md` shows the same tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from operators.simulation.anatomy.bones import CERVICAL, LUMBAR, THORACIC, Bone
from operators.simulation.patient import LesionType, Primary
from operators.simulation.tracer import Tracer


class Burden(StrEnum):
    """How much disease there is."""

    NONE = "none"
    OLIGO = "oligo"
    """One to five lesions."""
    MULTIPLE = "multiple"
    """Six to twenty."""
    DISSEMINATED = "disseminated"
    """Twenty-one to eighty."""
    SUPERSCAN = "superscan"
    """Most of the red marrow is infiltrated, with foci on top."""


COUNTS: Mapping[Burden, tuple[int, int]] = {
    Burden.NONE: (0, 0),
    Burden.OLIGO: (1, 5),
    Burden.MULTIPLE: (6, 20),
    Burden.DISSEMINATED: (21, 80),
    Burden.SUPERSCAN: (15, 40),
}
"""Fewest and most lesions, ends included, log-uniform between; of a superscan the foci on top [P]."""


class Site(StrEnum):
    """A group of bones that metastases reach at one rate."""

    SKULL = "skull"
    CERVICAL = "cervical"
    THORACIC = "thoracic"
    LUMBAR = "lumbar"
    SACRUM = "sacrum"
    PELVIS = "pelvis"
    RIBS = "ribs"
    STERNUM = "sternum"
    SCAPULA = "scapula"
    CLAVICLE = "clavicle"
    HUMERUS = "humerus"
    FEMUR = "femur"
    DISTAL = "distal"
    """Below elbow and knee, and the mandible."""


@cache
def site_of(bone: Bone) -> Site:
    """The group that a bone belongs to."""
    for group, site in ((CERVICAL, Site.CERVICAL), (THORACIC, Site.THORACIC), (LUMBAR, Site.LUMBAR)):
        if bone in group:
            return site
    named = {"coccyx": Site.SACRUM, "hip": Site.PELVIS, "rib": Site.RIBS}
    if bone.kind in named:
        return named[bone.kind]
    return Site(bone.kind) if bone.kind in set(Site) else Site.DISTAL


RED_MARROW_PERCENT: Mapping[Site, float] = {
    Site.SKULL: 7.6,
    Site.CERVICAL: 3.9,
    Site.THORACIC: 16.1,
    Site.LUMBAR: 12.3,
    Site.SACRUM: 9.9,
    Site.PELVIS: 17.5,
    Site.RIBS: 16.1,
    Site.STERNUM: 3.1,
    Site.SCAPULA: 2.8,
    Site.CLAVICLE: 0.8,
    Site.HUMERUS: 2.3,
    Site.FEMUR: 6.7,
    Site.DISTAL: 0.8,
}
"""Share of the active marrow at 40 years, ICRP 70 after Cristy 1981 [K]; DISTAL is the mandible's."""

FEW: Mapping[Primary, Mapping[Site, float]] = {
    Primary.PROSTATE: {
        Site.LUMBAR: 39.7, Site.RIBS: 8.6, Site.STERNUM: 1.7, Site.THORACIC: 15.0, Site.PELVIS: 17.5, Site.SACRUM: 8.8,
        Site.FEMUR: 4.0, Site.SCAPULA: 1.3, Site.CERVICAL: 1.0, Site.HUMERUS: 1.0, Site.SKULL: 0.7, Site.CLAVICLE: 0.5,
        Site.DISTAL: 0.2,
    },
    Primary.BREAST: {
        Site.LUMBAR: 13.9, Site.RIBS: 27.2, Site.STERNUM: 17.9, Site.THORACIC: 17.0, Site.PELVIS: 7.5, Site.SACRUM: 3.3,
        Site.FEMUR: 3.0, Site.SCAPULA: 2.5, Site.CERVICAL: 1.8, Site.HUMERUS: 1.4, Site.SKULL: 3.3, Site.CLAVICLE: 1.0,
        Site.DISTAL: 0.2,
    },
}  # fmt: skip
"""Per cent of the lesions of patients who have few (Wang 2012, Oncol Lett 5:391; abstract): lumbar, ribs and sternum as
published; thoracic vertebrae, pelvis and sacrum so that with the lumbar ones they are the published 81.0 (prostate) and
41.7 (breast), and the thorax its 27.6 and 65.6; the remainder parted by choice [P]."""

PREFERENCE: Mapping[Primary, Mapping[Site, float]] = {
    Primary.BREAST: {Site.STERNUM: 1.6, Site.RIBS: 1.1, Site.SKULL: 0.8, Site.SACRUM: 0.8},
    Primary.PROSTATE: {
        Site.LUMBAR: 1.4, Site.PELVIS: 1.3, Site.SACRUM: 1.2, Site.RIBS: 0.9, Site.SKULL: 0.4, Site.CERVICAL: 0.7,
    },
    Primary.LUNG: {Site.RIBS: 2.3, Site.THORACIC: 1.1, Site.SKULL: 0.7, Site.DISTAL: 2.5},
    Primary.THYROID: {Site.STERNUM: 1.5, Site.SKULL: 1.2, Site.CERVICAL: 1.3, Site.FEMUR: 1.3, Site.DISTAL: 1.5},
    Primary.KIDNEY: {Site.HUMERUS: 2.2, Site.FEMUR: 1.6, Site.PELVIS: 1.2, Site.SKULL: 0.8, Site.DISTAL: 2.5},
}  # fmt: skip
"""How much more often than its marrow says a group is reached where `FEW` does not hold; 1 where not named. That the
spine, the ribs and the pelvis come first, with the sternum in breast cancer, spine and pelvis alike in prostate cancer,
and the ribs before the spine in lung cancer, is published (Dabbagh Kakhki 2013, Nucl Med Rev 16:66); the numbers are
chosen so that it comes out [P]."""

TYPES: Mapping[Primary, Mapping[LesionType, float]] = {
    Primary.BREAST: {LesionType.LYTIC: 0.30, LesionType.SCLEROTIC: 0.25, LesionType.MIXED: 0.45},
    Primary.PROSTATE: {LesionType.LYTIC: 0.05, LesionType.SCLEROTIC: 0.80, LesionType.MIXED: 0.15},
    Primary.LUNG: {LesionType.LYTIC: 0.50, LesionType.SCLEROTIC: 0.20, LesionType.MIXED: 0.30},
    Primary.THYROID: {LesionType.LYTIC: 0.84, LesionType.SCLEROTIC: 0.04, LesionType.MIXED: 0.12},
    Primary.KIDNEY: {LesionType.LYTIC: 0.88, LesionType.SCLEROTIC: 0.02, LesionType.MIXED: 0.10},
}
"""Which kind prevails is known [K]; the shares are chosen [P]."""
TYPE_CONCENTRATION = 6.0
"""The lesions of one patient are alike: a patient's own shares are Dirichlet about these with this weight [P]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Uptake:
    """SUVbw inside lesions of one primary, medians, before any blur.

    Args:
        bone_dense, bone_lytic: of 99mTc-MDP where the lesion is sclerotic and where it is lytic.
        fdg: of FDG in cellular tumour; a dense place has less (`FDG_DENSE`).
        psma: of PSMA-11.
        psma_log_sd: between lesions.
    """

    bone_dense: float
    bone_lytic: float
    fdg: float
    psma: float
    psma_log_sd: float


UPTAKE: Mapping[Primary, Uptake] = {
    Primary.BREAST: Uptake(bone_dense=24.0, bone_lytic=11.0, fdg=6.0, psma=2.0, psma_log_sd=0.4),
    Primary.PROSTATE: Uptake(bone_dense=28.0, bone_lytic=14.0, fdg=3.2, psma=14.0, psma_log_sd=0.7),
    Primary.LUNG: Uptake(bone_dense=21.0, bone_lytic=9.0, fdg=8.0, psma=2.0, psma_log_sd=0.4),
    Primary.THYROID: Uptake(bone_dense=15.0, bone_lytic=2.2, fdg=4.5, psma=3.5, psma_log_sd=0.5),
    Primary.KIDNEY: Uptake(bone_dense=15.0, bone_lytic=1.8, fdg=4.5, psma=5.0, psma_log_sd=0.5),
}
"""Prostate's `bone_dense` is set against an MDP SPECT SUVmax of 40.9 +- 33.5 in metastases and 7.6 to 8.1 in normal
vertebrae (doi 10.1186/s41824-017-0006-y); the others [P]. Lytic lesions of thyroid and kidney cancer lie below a normal
vertebra's SUVmean of 3.92 (Rohani 2020): photopenic, now and then with a hot rim."""
FDG_DENSE = 0.5
"""FDG of a sclerotic place against a cellular one [P]."""
BONE_TRACERS: Mapping[Tracer, float] = {Tracer.MDP: 1.0, Tracer.HDP: 1.08, Tracer.NAF: 1.19}
"""Uptake against MDP: NaF PET is a median 19 % above HDP SPECT in the mean (Arvola 2019), here taken for MDP too;
HDP against MDP [P]."""
PSMA_1007 = 1.1
"""PSMA-1007 against PSMA-11 in the same lesion [P]."""
PSMA_LOW_SHARE = 0.08
"""Of prostate cancer patients whose lesions have hardly any PSMA [P]."""
PATIENT_LOG_SD, LESION_LOG_SD, TRACER_LOG_SD = 0.35, 0.45, 0.12
"""Of uptake between patients, between lesions of one, and between tracers in a lesion [P]."""
INFILTRATION_MDP = 16.0
"""SUVbw of infiltrated marrow in a superscan where it is sclerotic: three to four times a normal vertebra [P]."""

SCLEROTIC_HU = (654.0, 176.0)
"""Mean and SD of the mean HU of untreated osteoblastic metastases (Ulano 2016); maximum 787 +- 194."""
SCLEROTIC_HU_RANGE = (300.0, 1150.0)
LYTIC_HU = (45.0, 14.0)
LYTIC_HU_RANGE = (20.0, 80.0)
"""Soft tissue [P]: below the 100 HU that counts as lytic."""
ADC_UM2_S: Mapping[LesionType, tuple[float, float]] = {
    LesionType.LYTIC: (1020.0, 160.0),
    LesionType.MIXED: (930.0, 140.0),
    LesionType.SCLEROTIC: (860.0, 120.0),
}
"""Mean and SD [P], within the range of viable tumour, 700 to 1400 um2/s (MET-RADS-P) [K]."""
ADC_RANGE = (700.0, 1400.0)
ADC_TREATED = (1450.0, 1800.0)
"""Necrotic or treated tumour lies above 1400 um2/s (MET-RADS-P) [K]."""
T1_MS: tuple[float, float] = (1150.0, 1600.0)
"""At 1.5 T [P]: as dark as muscle or darker on T1."""
T2_MS: Mapping[LesionType, tuple[float, float]] = {
    LesionType.LYTIC: (75.0, 110.0),
    LesionType.MIXED: (65.0, 95.0),
    LesionType.SCLEROTIC: (55.0, 80.0),
}
FAT_FRACTION = (0.0, 0.05)
PROTON_DENSITY = (0.74, 0.86)

MIXED_SHARE = (0.30, 0.70)
"""Sclerotic share of a mixed lesion [P]."""
RIM_CHANCE: Mapping[Primary, float] = {
    Primary.BREAST: 0.35,
    Primary.PROSTATE: 0.40,
    Primary.LUNG: 0.25,
    Primary.THYROID: 0.30,
    Primary.KIDNEY: 0.30,
}
"""Of a lytic lesion [P]."""
RIM_SHARE = (0.12, 0.35)
"""Part of a lytic lesion's volume that its rim takes [P]."""

DIAMETER_MM: Mapping[Burden, tuple[float, float]] = {
    Burden.OLIGO: (17.0, 0.45),
    Burden.MULTIPLE: (16.0, 0.50),
    Burden.DISSEMINATED: (14.0, 0.50),
    Burden.SUPERSCAN: (14.0, 0.45),
}
"""Median and logarithm's SD of the diameter of a ball of the lesion's volume [P]."""
DIAMETER_RANGE_MM = (5.0, 80.0)
CONFLUENT_CHANCE: Mapping[Burden, float] = {
    Burden.OLIGO: 0.05,
    Burden.MULTIPLE: 0.10,
    Burden.DISSEMINATED: 0.20,
    Burden.SUPERSCAN: 0.20,
}
"""That a lesion has grown together from two or three [P]."""
SOFT_TISSUE_CHANCE: Mapping[LesionType, float] = {
    LesionType.LYTIC: 0.18,
    LesionType.MIXED: 0.08,
    LesionType.SCLEROTIC: 0.03,
}
"""That a lesion of `SOFT_TISSUE_FROM_MM` or more has grown out of its bone [P]."""
SOFT_TISSUE_FROM_MM = 15.0
SOFT_TISSUE_MM = (4.0, 12.0)
ROUGHNESS = (0.06, 0.20)
