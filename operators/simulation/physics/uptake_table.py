"""Where tracers go: SUVbw of organs and bones, how it varies between people and with time.

Sources. 99mTc-MDP in vertebrae: SUVmean 3.92 +- 0.27 (Rohani, Asian Spine J 2020;14:5), to which `BONE_SCALE` is
set through the blur of a SPECT. Liver and spleen with 68Ga-PSMA-11 (5.4 +- 1.7, 8.1 +- 3.5) and 18F-PSMA-1007
(11.7 +- 3.9, 11.2 +- 3.5): EJNMMI Research 2024, doi 10.1186/s13550-024-01097-3. All other values are chosen, not
fitted to a data set: round numbers within what clinical reports of normal scans give (FDG: liver about 2.2, blood 1.6,
marrow 1.2; PSMA-11: kidneys about 50, parotid 16; PSMA-1007: little in the bladder; NaF: vertebrae 6 to 10). How
bones and soft tissue compare with each other in MDP follows one real whole-body scan (`fidelity/emission.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from operators.simulation.tracer import Tracer

Organ = tuple[float, float, float]
"""SUVbw at the reference time, standard deviation of its logarithm between people, change of the logarithm an hour."""
BoneUptake = tuple[float, float, float, float]
"""Relative uptake of cortex, spongiosa and yellow marrow; standard deviation of the logarithm between people."""

REFERENCE_MINUTES: Mapping[Tracer, float] = {
    Tracer.MDP: 180.0,
    Tracer.HDP: 180.0,
    Tracer.FDG: 60.0,
    Tracer.NAF: 60.0,
    Tracer.PSMA_11: 60.0,
    Tracer.PSMA_1007: 90.0,
}
"""After the injection: where the tables hold."""

_NONE: Organ = (0.0, 0.0, 0.0)
_PHOSPHONATE: dict[str, Organ] = {
    "air": _NONE,
    "airway": _NONE,
    "bowel_gas": _NONE,
    "fat": (0.12, 0.15, -0.15),
    "muscle": (0.31, 0.15, -0.22),
    "cartilage": (0.52, 0.20, -0.10),
    "disc": (0.43, 0.20, -0.15),
    "brain": (0.07, 0.15, -0.20),
    "cord": (0.13, 0.15, -0.20),
    "csf": (0.13, 0.15, -0.20),
    "myocardium": (0.47, 0.20, -0.25),
    "blood": (0.65, 0.15, -0.28),
    "liver": (0.43, 0.20, -0.20),
    "gallbladder": (0.34, 0.30, -0.10),
    "spleen": (0.43, 0.20, -0.20),
    "pancreas": (0.39, 0.15, -0.20),
    "stomach": (0.34, 0.25, -0.20),
    "small_bowel": (0.39, 0.25, -0.15),
    "colon": (0.39, 0.25, -0.15),
    "bladder": (18.0, 0.70, -0.20),
    "prostate": (0.60, 0.20, -0.20),
    "uterus": (0.52, 0.25, -0.20),
    "thyroid": (0.69, 0.30, -0.10),
    "skin": (0.39, 0.15, -0.22),
    "lung": (0.19, 0.15, -0.22),
    "kidney": (3.0, 0.30, -0.15),
    "renal_pelvis": (7.0, 0.60, -0.25),
    "breast": (0.52, 0.35, -0.15),
    "parotid": (0.52, 0.20, -0.20),
    "submandibular": (0.52, 0.20, -0.20),
    "lacrimal": (0.43, 0.20, -0.20),
    "eye": (0.21, 0.15, -0.20),
}
_FDG: dict[str, Organ] = {
    "air": _NONE,
    "airway": _NONE,
    "bowel_gas": (0.30, 0.20, 0.0),
    "fat": (0.30, 0.20, -0.05),
    "muscle": (0.75, 0.20, -0.05),
    "cartilage": (0.60, 0.15, -0.05),
    "disc": (0.70, 0.15, -0.05),
    "brain": (7.2, 0.22, 0.08),
    "cord": (1.8, 0.15, 0.0),
    "csf": (0.60, 0.20, -0.20),
    "myocardium": (3.6, 0.65, 0.10),
    "blood": (1.6, 0.14, -0.25),
    "liver": (2.2, 0.14, -0.08),
    "gallbladder": (1.0, 0.25, 0.0),
    "spleen": (1.8, 0.14, -0.06),
    "pancreas": (1.4, 0.15, -0.05),
    "stomach": (2.0, 0.30, 0.0),
    "small_bowel": (1.6, 0.35, 0.0),
    "colon": (1.7, 0.50, 0.0),
    "bladder": (18.0, 0.65, 0.15),
    "prostate": (1.8, 0.20, 0.0),
    "uterus": (1.7, 0.25, 0.0),
    "thyroid": (1.3, 0.30, 0.0),
    "skin": (0.60, 0.15, 0.0),
    "lung": (0.45, 0.18, -0.10),
    "kidney": (2.4, 0.20, -0.10),
    "renal_pelvis": (7.0, 0.60, 0.0),
    "breast": (0.85, 0.25, 0.0),
    "parotid": (1.8, 0.30, 0.0),
    "submandibular": (2.0, 0.30, 0.0),
    "lacrimal": (1.3, 0.20, 0.0),
    "eye": (0.70, 0.15, 0.0),
}
_FLUORIDE: dict[str, Organ] = _PHOSPHONATE | {
    "fat": (0.20, 0.15, -0.20),
    "muscle": (0.60, 0.15, -0.25),
    "blood": (0.90, 0.20, -0.40),
    "myocardium": (0.75, 0.20, -0.35),
    "liver": (0.70, 0.20, -0.30),
    "spleen": (0.70, 0.20, -0.30),
    "bladder": (22.0, 0.80, 0.30),
    "kidney": (4.5, 0.35, -0.30),
    "renal_pelvis": (12.0, 0.60, -0.20),
    "lung": (0.30, 0.15, -0.30),
}
_PSMA_11: dict[str, Organ] = {
    "air": _NONE,
    "airway": _NONE,
    "bowel_gas": (0.40, 0.30, 0.0),
    "fat": (0.25, 0.20, -0.10),
    "muscle": (0.60, 0.20, -0.10),
    "cartilage": (0.60, 0.20, -0.10),
    "disc": (0.60, 0.20, -0.10),
    "brain": (0.12, 0.20, -0.10),
    "cord": (0.90, 0.20, 0.0),
    "csf": (0.25, 0.20, -0.10),
    "myocardium": (1.4, 0.20, -0.20),
    "blood": (1.7, 0.20, -0.30),
    "liver": (5.4, 0.31, -0.05),
    "gallbladder": (2.8, 0.60, 0.10),
    "spleen": (8.1, 0.43, -0.05),
    "pancreas": (2.4, 0.25, 0.0),
    "stomach": (3.5, 0.35, 0.0),
    "small_bowel": (7.0, 0.40, 0.10),
    "colon": (2.6, 0.40, 0.10),
    "bladder": (35.0, 0.80, 0.30),
    "prostate": (2.6, 0.30, 0.0),
    "uterus": (1.6, 0.25, 0.0),
    "thyroid": (1.4, 0.25, 0.0),
    "skin": (0.60, 0.20, -0.10),
    "lung": (0.45, 0.20, -0.20),
    "kidney": (48.0, 0.28, 0.05),
    "renal_pelvis": (40.0, 0.50, 0.10),
    "breast": (0.90, 0.25, 0.0),
    "parotid": (16.0, 0.28, 0.08),
    "submandibular": (16.5, 0.28, 0.08),
    "lacrimal": (7.0, 0.35, 0.08),
    "eye": (0.80, 0.20, 0.0),
}
_PSMA_1007: dict[str, Organ] = _PSMA_11 | {
    "blood": (2.2, 0.22, -0.25),
    "myocardium": (1.7, 0.20, -0.20),
    "muscle": (0.70, 0.20, -0.05),
    "liver": (11.7, 0.33, 0.06),
    "gallbladder": (35.0, 0.80, 0.25),
    "spleen": (11.2, 0.31, 0.03),
    "pancreas": (3.0, 0.25, 0.0),
    "small_bowel": (8.5, 0.40, 0.10),
    "bladder": (3.5, 0.70, 0.20),
    "kidney": (19.0, 0.28, 0.05),
    "renal_pelvis": (8.0, 0.40, 0.0),
    "parotid": (18.0, 0.28, 0.10),
    "submandibular": (18.5, 0.28, 0.10),
    "lacrimal": (8.5, 0.35, 0.10),
    "lung": (0.55, 0.20, -0.15),
}
ORGANS: Mapping[Tracer, Mapping[str, Organ]] = {
    Tracer.MDP: _PHOSPHONATE,
    Tracer.HDP: _PHOSPHONATE,
    Tracer.FDG: _FDG,
    Tracer.NAF: _FLUORIDE,
    Tracer.PSMA_11: _PSMA_11,
    Tracer.PSMA_1007: _PSMA_1007,
}
"""By `Matter.kind`."""

_TURNOVER: dict[str, BoneUptake] = {
    "skull": (0.34, 0.46, 0.10, 0.20),
    "mandible": (0.75, 0.85, 0.10, 0.20),
    "vertebra": (1.00, 1.00, 0.10, 0.05),
    "sacrum": (0.85, 0.85, 0.10, 0.08),
    "coccyx": (0.50, 0.50, 0.10, 0.15),
    "sternum": (1.05, 1.05, 0.10, 0.15),
    "rib": (0.66, 0.82, 0.10, 0.06),
    "clavicle": (0.55, 0.65, 0.10, 0.12),
    "scapula": (0.80, 1.05, 0.10, 0.12),
    "humerus": (0.44, 0.85, 0.05, 0.10),
    "radius": (0.36, 0.36, 0.05, 0.10),
    "ulna": (0.36, 0.36, 0.05, 0.10),
    "hand": (0.40, 0.45, 0.05, 0.20),
    "hip": (0.80, 0.80, 0.10, 0.08),
    "femur": (0.52, 0.32, 0.05, 0.08),
    "patella": (0.28, 0.30, 0.05, 0.20),
    "tibia": (0.31, 0.26, 0.05, 0.10),
    "fibula": (0.30, 0.32, 0.05, 0.10),
    "foot": (0.26, 0.27, 0.05, 0.15),
}
_MARROW: dict[str, BoneUptake] = {
    "skull": (0.30, 0.55, 0.25, 0.10),
    "mandible": (0.45, 0.60, 0.25, 0.15),
    "vertebra": (0.40, 1.00, 0.25, 0.06),
    "sacrum": (0.40, 0.90, 0.25, 0.08),
    "coccyx": (0.35, 0.50, 0.25, 0.10),
    "sternum": (0.40, 0.85, 0.25, 0.10),
    "rib": (0.35, 0.70, 0.25, 0.08),
    "clavicle": (0.35, 0.60, 0.25, 0.10),
    "scapula": (0.35, 0.65, 0.25, 0.10),
    "humerus": (0.30, 0.50, 0.22, 0.12),
    "radius": (0.28, 0.28, 0.20, 0.12),
    "ulna": (0.28, 0.28, 0.20, 0.12),
    "hand": (0.28, 0.28, 0.20, 0.12),
    "hip": (0.38, 0.85, 0.25, 0.08),
    "femur": (0.30, 0.45, 0.22, 0.10),
    "patella": (0.28, 0.28, 0.20, 0.12),
    "tibia": (0.28, 0.30, 0.20, 0.12),
    "fibula": (0.28, 0.28, 0.20, 0.12),
    "foot": (0.28, 0.28, 0.20, 0.15),
}
BONES: Mapping[Tracer, Mapping[str, BoneUptake]] = {
    Tracer.MDP: _TURNOVER,
    Tracer.HDP: _TURNOVER,
    Tracer.NAF: _TURNOVER,
    Tracer.FDG: _MARROW,
    Tracer.PSMA_11: _MARROW,
    Tracer.PSMA_1007: _MARROW,
}
"""By `Bone.kind`, relative to the spongiosa of a vertebra."""

BONE_SCALE: Mapping[Tracer, Organ] = {
    Tracer.MDP: (5.1, 0.10, 0.11),
    Tracer.HDP: (5.5, 0.10, 0.11),
    Tracer.NAF: (9.0, 0.14, 0.08),
    Tracer.FDG: (1.5, 0.18, 0.0),
    Tracer.PSMA_11: (1.0, 0.20, -0.10),
    Tracer.PSMA_1007: (1.4, 0.20, -0.05),
}
"""SUVbw of the spongiosa of a vertebra."""

BONE_FULL_HOURS: Mapping[Tracer, float] = {Tracer.MDP: 1.0, Tracer.HDP: 1.0, Tracer.NAF: 1.5}
"""Hours after the reference time from which bone takes up no more. MDP: SUVmean of thoracic vertebrae 3.04, 3.65 and
3.65 at 3, 4 and 5 h, of lumbar ones 2.89 at 2 h (Nautiyal, Indian J Nucl Med: normal skeletal SUV, 60 patients)."""

SOFT_SCALE: Mapping[Tracer, float] = {Tracer.HDP: 0.9}
"""HDP shares MDP's organs; it leaves them a little faster (chosen)."""

SIDE_LOG_SD = 0.06
"""Between the left and the right organ or bone of one person (chosen)."""

JOINT_GAIN: Mapping[Tracer, float] = {Tracer.MDP: 1.0, Tracer.HDP: 1.0, Tracer.NAF: 1.0}
"""Tracers that gather in bone where it meets another bone: joints and end plates bear load."""
JOINTS: Mapping[frozenset[str], float] = {
    frozenset({"humerus", "scapula"}): 1.8,
    frozenset({"clavicle", "scapula"}): 2.2,
    frozenset({"humerus", "clavicle"}): 1.8,
    frozenset({"clavicle", "sternum"}): 1.6,
    frozenset({"clavicle", "rib"}): 0.8,
    frozenset({"rib", "sternum"}): 0.8,
    frozenset({"hip", "sacrum"}): 0.6,
    frozenset({"hip", "femur"}): 0.6,
    frozenset({"humerus", "ulna"}): -0.4,
    frozenset({"humerus", "radius"}): -0.4,
    frozenset({"hip"}): 0.4,
    frozenset({"vertebra"}): 0.15,
    frozenset({"vertebra", "rib"}): 0.15,
    frozenset({"vertebra", "sacrum"}): 0.2,
    frozenset({"radius", "hand"}): 0.8,
    frozenset({"ulna", "hand"}): 0.8,
    frozenset({"skull", "mandible"}): 0.6,
}
OTHER_JOINTS = 0.2
"""Bone near another bone takes up this much more, by kinds of bone (chosen on the pictures beside a real scan)."""
JOINT_LOG_SD = 0.35
"""Between joints and people (chosen)."""
JOINT_REACH_MM = 7.0

RETEST_LOG_SD = 0.04
"""Of a whole skeleton between two scans of one person (chosen)."""

UNSPECIFIC_SHARE: Mapping[Tracer, float] = {Tracer.PSMA_1007: 0.4, Tracer.PSMA_11: 0.1}
"""Of scans with unspecific uptake in bone: 40 % with 18F-PSMA-1007 (clinical reference 4.6); 10 % is chosen."""
UNSPECIFIC_SUV = (2.5, 7.0)
UNSPECIFIC_FWHM_MM = (7.0, 12.0)
UNSPECIFIC_MOST = 4
"""Foci in one scan (chosen)."""
