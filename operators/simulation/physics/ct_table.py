"""How a CT scanner images: kernels, noise, texture of tissues, couch, metal."""

from __future__ import annotations

from operators.simulation.protocols.ct import Kernel

KERNEL_SHAPE: dict[Kernel, tuple[float, float]] = {
    Kernel.SOFT: (0.34, 0.0),
    Kernel.STANDARD: (0.46, 0.0),
    Kernel.BONE: (0.58, 2.0),
}
"""(f, b) of the in-plane transfer function (1 + b u) exp(-u), u = (frequency / f)^2, frequencies in 1/mm.

Half of the contrast is left at 0.28, 0.38 and 0.90 line pairs a millimetre; the bone kernel lifts those
about 0.41 by a fifth, which shows as overshoot at edges. Within what vendors state for their body, abdomen and
bone kernels [P].
"""

REFERENCE_NOISE_HU = 22.0
"""Standard deviation in the middle of a reference patient: 120 kVp, 150 mAs, 1.5 mm, standard kernel [P].

Filtered back-projection of an abdomen gives 11 to 13 HU at 5 mm and this dose, which is 20 to 24 HU at 1.5 mm.
"""
REFERENCE_KVP, REFERENCE_MAS, REFERENCE_SLICE_MM, REFERENCE_PATH_MM = 120.0, 150.0, 1.5, 300.0
"""The reference patient is a disc of water of this diameter."""
OUTPUT_EXPONENT = 2.2
"""Photons behind the filter by tube voltage: a power law [P]."""
BOWTIE_SHARE = 0.6
"""How much of a 300 mm disc's profile the bow-tie filter evens out [P]."""
EXPOSURE_CONTROL, EXPOSURE_RANGE = 0.5, (0.35, 2.5)
"""Tube current follows this power of the attenuation of every view, within a range of `effective_mas` [P]."""
STARVED_PATH = 10.5
"""Logarithm of the attenuation beyond which adaptive filters keep the noise from growing [P]."""
ELECTRONIC = 2.5e-5
"""Noise of the electronics at 150 mAs: photons that make as much noise, by photons without a patient [P]."""
NOISE_FLOOR_PER_MM = 0.02
"""Frequency below which the noise power stays even."""
SLICE_NOISE_SHARE = 0.6
"""Width of the noise's correlation along the axis, by slice thickness [P]."""

SECTORS, VIEWS_PER_SECTOR = 6, 3
"""The noise of every 30 degrees has its own level, from rays across them: shoulders give horizontal streaks."""
COARSE_MM = 6.0
"""Of the grid on which attenuation paths are summed."""

FINE_MM, COARSE_TEXTURE_MM = 2.6, 9.0
"""FWHM of the grain of both textures."""
TEXTURE_HU: dict[str, tuple[float, float, float]] = {
    "fat": (7.0, 5.0, 0.30),
    "muscle": (10.0, 12.0, -0.25),
    "cartilage": (18.0, 25.0, 0.15),
    "disc": (5.0, 8.0, 0.0),
    "brain": (2.0, 3.0, 0.0),
    "cord": (3.0, 3.0, 0.0),
    "myocardium": (6.0, 6.0, 0.0),
    "blood": (2.0, 3.0, 0.0),
    "liver": (5.0, 4.0, 0.0),
    "spleen": (4.0, 3.0, 0.0),
    "pancreas": (14.0, 14.0, -0.20),
    "stomach": (6.0, 20.0, 0.0),
    "small_bowel": (10.0, 18.0, 0.0),
    "colon": (25.0, 30.0, -0.25),
    "prostate": (6.0, 6.0, 0.1),
    "uterus": (6.0, 8.0, 0.0),
    "thyroid": (8.0, 8.0, 0.0),
    "skin": (6.0, 4.0, 0.0),
    "lung": (62.0, 24.0, 0.45),
    "kidney": (6.0, 7.0, 0.0),
    "breast": (22.0, 28.0, -0.10),
    "parotid": (14.0, 14.0, -0.20),
    "submandibular": (8.0, 8.0, 0.0),
}
"""Standard deviation of fine and coarse texture in HU, and the skewness' part of the fine one [P].

Fat has strands, muscle streaks of fat, the lung small vessels; what is not named is even.
"""
VESSELS = {"lung": 0.75, "fat": 0.45, "liver": 0.5}
"""Where vessels show, and how much of the difference between blood and the tissue [P]."""
VESSEL_COURSE_MM, VESSEL_WIDTH = 20.0, 0.27
"""Grain of the fields whose zeros are the vessels' axes, and how far from zero a vessel goes: 2 to 5 mm wide [P]."""
TRABECULAR = (0.38, 0.12)
"""Standard deviation of fine and coarse texture of spongiosa, by its HU above marrow [P]."""
FOCUS_TEXTURE = (0.10, 0.10)
"""The same inside lesions and decoys, by their HU above soft tissue [P]."""

COUCH_WIDTH_MM, COUCH_RADIUS_MM = 420.0, 620.0
COUCH_LAYERS = ((0.0, 14.0, -925.0), (14.0, 16.5, -280.0), (16.5, 42.0, -945.0), (42.0, 44.5, -280.0))
"""Mattress, carbon shell, foam, carbon shell: depth below the lowest part of the back in millimetres, and HU [P]."""

METAL_VIEWS = 180
METAL_FROM_HU = 3500.0
METAL_HARDENING, METAL_HARDENING_LIMIT = 0.20, 3.2
"""Part by which the attenuation of a metal path of 1 is read too low, growing with the path to a limit [P]."""
METAL_PHOTONS = 4.0e5
"""Photons of a ray without a patient at 150 mAs: what is left behind metal makes the streaks [P]."""
HU_RANGE = (-1024.0, 3071.0)
"""Twelve bits, as scanners without an extended scale keep."""
