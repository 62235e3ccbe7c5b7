"""What attenuates X-rays and gamma rays, and what of it every tissue holds.

A tissue is a blend of four substances: water, fat, bone mineral (cortical bone of ICRU Report 44) and
iodine. So one table gives its Hounsfield units at any tube voltage and its attenuation at any energy.
"""

from __future__ import annotations

from operators.simulation.protocols.ct import Contrast

ENERGY_KEV = (40.0, 50.0, 60.0, 80.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0, 600.0)
"""Nodes of the tables below; between them the logarithm is linear in the logarithm."""
WATER_CM2_G = (0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505, 0.1370, 0.1186, 0.1061, 0.09687, 0.08956)
ADIPOSE_CM2_G = (0.2396, 0.2123, 0.1974, 0.1800, 0.1688, 0.1500, 0.1368, 0.1187, 0.1062, 0.09696, 0.08965)
CORTICAL_CM2_G = (0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1480, 0.1309, 0.1113, 0.09908, 0.09022, 0.08332)
IODINE_CM2_G = (22.10, 12.32, 7.579, 3.510, 1.942, 0.6978, 0.3663, 0.1771, 0.1223, 0.09701, 0.08313)
TITANIUM_CM2_G = (2.214, 1.213, 0.7661, 0.4052, 0.2721, 0.1649, 0.1314, 0.1043, 0.09081, 0.08191, 0.07529)
"""Mass attenuation (NIST Standard Reference Database 126; tissues of ICRU Report 44)."""

CORTICAL_G_CM3 = 1.92
"""ICRU Report 44."""
ADIPOSE_G_CM3 = 0.93
"""Between adipose tissue of ICRU Report 44 (0.95) and pure fat (0.92), so that fat has -98 HU [P]."""
TITANIUM_G_CM3 = 4.5

EFFECTIVE_KEV = ((80.0, 56.0), (100.0, 63.0), (120.0, 69.5), (140.0, 76.0))
"""Tube voltage and the photon energy that attenuates like its spectrum inside a body.

Chosen so that iodine gains 1.6 (80 kV), 1.24 (100 kV) and 0.82 (140 kV) times what it gains at 120 kV, as
abdominal CT shows it [P].
"""

MATTER_HU: dict[str, float] = {
    "air": -1000.0,
    "fat": -100.0,
    "muscle": 52.0,
    "cartilage": 120.0,
    "disc": 80.0,
    "brain": 35.0,
    "cord": 38.0,
    "csf": 6.0,
    "airway": -985.0,
    "myocardium": 48.0,
    "blood": 43.0,
    "liver": 57.0,
    "gallbladder": 8.0,
    "spleen": 49.0,
    "pancreas": 40.0,
    "stomach": 28.0,
    "small_bowel": 30.0,
    "colon": 22.0,
    "bowel_gas": -850.0,
    "bladder": 5.0,
    "prostate": 40.0,
    "uterus": 48.0,
    "thyroid": 105.0,
    "skin": 25.0,
    "lung": -810.0,
    "kidney": 33.0,
    "renal_pelvis": 6.0,
    "breast": 25.0,
    "parotid": 15.0,
    "submandibular": 40.0,
    "lacrimal": 30.0,
    "eye": 12.0,
}
"""Hounsfield units at 120 kVp without contrast: the middle of what textbooks of CT give for older adults [P].

The lung is at half inspiration with its vessels; the thyroid holds iodine of its own.
"""
MATTER_SPREAD_HU: dict[str, float] = {
    "fat": 4.0, "muscle": 9.0, "liver": 8.0, "spleen": 3.5, "blood": 4.0, "lung": 28.0, "kidney": 3.0,
    "pancreas": 8.0, "breast": 15.0, "parotid": 20.0, "thyroid": 15.0, "disc": 8.0, "cartilage": 25.0, "brain": 1.5,
    "colon": 15.0, "small_bowel": 8.0, "stomach": 8.0,
}  # fmt: skip
"""Standard deviation between persons [P]; what is not named has none."""

IODINE_MG_ML: dict[Contrast, dict[str, float]] = {
    Contrast.NONE: {},
    Contrast.ARTERIAL: {
        "blood": 8.0, "liver": 0.6, "spleen": 2.6, "kidney": 4.4, "pancreas": 2.2, "myocardium": 2.4, "stomach": 0.5,
        "small_bowel": 1.2, "colon": 0.6, "thyroid": 2.5, "prostate": 1.0, "uterus": 1.6, "muscle": 0.2, "skin": 0.4,
        "lung": 0.3, "brain": 0.15, "parotid": 1.0, "submandibular": 1.4, "breast": 0.4, "marrow": 0.35, "lesion": 1.3,
    },
    Contrast.PORTAL_VENOUS: {
        "blood": 4.2, "liver": 2.1, "spleen": 2.7, "kidney": 5.2, "pancreas": 1.9, "myocardium": 2.1, "stomach": 0.5,
        "small_bowel": 1.4, "colon": 0.7, "thyroid": 2.2, "prostate": 1.2, "uterus": 2.4, "muscle": 0.45, "skin": 0.7,
        "lung": 0.25, "brain": 0.15, "parotid": 1.2, "submandibular": 1.6, "breast": 0.7, "marrow": 0.5, "lesion": 1.5,
    },
}  # fmt: skip
"""Iodine in every tissue; 1 mg/mL is 26 HU at 120 kVp. Arterial: about 35 s after injection, portal venous: 70 s.

Chosen to give an aorta of 250 and 150 HU and a liver of 73 and 112 HU [P]. The bowel's wall and what it
holds are one tissue here.
"""
IODINE_SPREAD = 0.18
"""Relative standard deviation between persons: dose by weight, cardiac output [P]."""
ORAL_CONTRAST_MG_ML = {"stomach": 6.0, "small_bowel": 8.0, "colon": 3.0}
"""Where the patient drank contrast medium [P]."""

CORTEX_MINERAL: dict[str, float] = {
    "femur": 1.08, "tibia": 1.08, "humerus": 1.05, "radius": 1.05, "ulna": 1.05, "fibula": 1.05, "skull": 1.0,
    "mandible": 1.0, "vertebra": 0.72, "sacrum": 0.70, "coccyx": 0.60, "sternum": 0.60, "rib": 0.82, "clavicle": 0.95,
    "scapula": 0.85, "hip": 0.85, "patella": 0.90, "hand": 0.90, "foot": 0.85,
}  # fmt: skip
"""Share of ICRU 44 cortical bone (1609 HU at 120 kVp) in the cortex, the rest soft tissue; above 1 is denser [P]."""
SPONGIOSA_HU: dict[str, float] = {
    "femur": 170.0, "tibia": 130.0, "humerus": 120.0, "radius": 150.0, "ulna": 150.0, "fibula": 120.0, "skull": 480.0,
    "mandible": 330.0, "vertebra": 150.0, "sacrum": 115.0, "coccyx": 100.0, "sternum": 105.0, "rib": 130.0,
    "clavicle": 150.0, "scapula": 200.0, "hip": 165.0, "patella": 260.0, "hand": 260.0, "foot": 270.0,
}  # fmt: skip
"""Trabecular bone with its marrow at 120 kVp in a person whose L1 has 150 HU [P]."""
VERTEBRA_LEVEL = (("C", 2.0), ("T", 1.12), ("L", 1.0))
"""Trabecular density by part of the spine against L1: necks are twice as dense, chests a little denser [P]."""

MARROW_HU, YELLOW_HU = -5.0, -70.0
"""Red marrow of an adult (two fifths fat) and yellow marrow, without trabeculae [P]."""

L1_SOUND_HU, L1_LOSS_HU = 195.0, 150.0
"""Trabecular HU of L1 at 120 kVp without osteopenia, and what is lost at an osteopenia of 1 [P].

Published means fall by 2.5 HU a year from 226 below 30 to 89 from 90 years (Jang et al., Radiology 2019;291:360).
"""
USUAL_OSTEOPENIA = 0.3
"""Of a reference: its L1 has 150 HU."""
L1_SPREAD_HU, L1_RANGE_HU = 28.0, (45.0, 280.0)
"""Standard deviation between people of one osteopenia, and where it is cut [P]; published at one age: about 40."""

METAL_HU = 9000.0
"""Below titanium's own 11 000, as the implants are not solid; partial volumes of metal follow it [P]."""
SOFT_HU = 60.0
"""A focus has bone mineral for what it has above this; below it is soft tissue."""
