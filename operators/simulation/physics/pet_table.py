"""How a PET scanner counts: noise, beds, background."""

from __future__ import annotations

REFERENCE_COV = 0.10
"""Relative standard deviation in the middle of the reference disc, under the reference conditions [P].

Chosen so that a liver of 75 kg has about a tenth, as harmonised whole-body protocols ask for (EANM procedure
guideline 2.0 for FDG, 2015: 10 to 15 %).
"""
REFERENCE_DISC_MM = 300.0
"""A disc of water of this diameter with even activity."""
REFERENCE_BQML = 2556.0
"""SUV 1 of 280 MBq of 18F after 60 minutes in 75 kg."""
REFERENCE_SECONDS, REFERENCE_CPS_KBQ, REFERENCE_BRANCHING = 150.0, 9.0, 0.967
REFERENCE_FWHM_MM = 5.5

RESOLUTION_EXPONENT = 1.5
"""Noise falls with this power of the resolution: as the root of the volume that is averaged [P]."""
NOISE_FWHM_SHARE = 0.85
"""Width of the noise's correlation by the resolution: what iterations and filter leave [P]."""
LARGEST_LOG_SD = 1.0
"""Of the log-normal noise, where there is hardly any activity."""
BACKGROUND_SUV = 0.012
"""What scatter and randoms leave in air after their correction, on average [P]."""

BED_MM, BED_STEP_MM = 200.0, 150.0
"""Axial length of a bed position, and how far the couch moves to the next [P]."""
LEAST_SENSITIVITY = 0.25
"""Of the end slices of a scan, against the middle of a bed."""

VIEWS = 12
COARSE_MM = 12.0
"""Directions and grid on which activity and attenuation are summed."""

GRAIN_MM = 14.0
LOG_SD: dict[str, float] = {
    "muscle": 0.16, "fat": 0.18, "lung": 0.15, "liver": 0.03, "spleen": 0.04, "brain": 0.42, "myocardium": 0.15,
    "blood": 0.03, "stomach": 0.25, "small_bowel": 0.35, "colon": 0.45, "kidney": 0.25, "breast": 0.20,
    "pancreas": 0.12, "prostate": 0.15, "uterus": 0.20, "parotid": 0.10, "submandibular": 0.10, "thyroid": 0.12,
    "skin": 0.15,
}  # fmt: skip
"""Unevenness of the uptake within one tissue: standard deviation of its logarithm, with a grain of `GRAIN_MM` [P]."""
BONE_LOG_SD = 0.12
"""The same within bone and marrow. Foci are even, so that the truth holds their uptake."""
