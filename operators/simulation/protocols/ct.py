"""Computed tomography."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from operators.simulation.protocols.limits import Ranges, check_ranges


class Region(StrEnum):
    """What a field of view covers along the body."""

    SPINE = "spine"
    CHEST_TO_PELVIS = "chest_to_pelvis"
    ABDOMEN_PELVIS = "abdomen_pelvis"
    CHEST = "chest"
    SKULL_TO_THIGH = "skull_to_thigh"
    WHOLE_BODY = "whole_body"


class Kernel(StrEnum):
    """Reconstruction kernel."""

    SOFT = "soft"
    STANDARD = "standard"
    BONE = "bone"


class Contrast(StrEnum):
    """Phase of the intravenous contrast medium."""

    NONE = "none"
    ARTERIAL = "arterial"
    PORTAL_VENOUS = "portal_venous"


CT_RANGES: Ranges = {
    "kvp": (80.0, 140.0),
    "effective_mas": (5.0, 600.0),
    "slice_mm": (0.5, 5.0),
    "increment_mm": (0.5, 5.0),
    "pixel_mm": (0.5, 2.5),
    "field_mm": (100.0, 700.0),
    "tilt_deg": (-25.0, 25.0),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CtProtocol:
    """One axial series.

    Args:
        effective_mas: tube current by time, by pitch, for a body of average size: sets the noise. Exposure control
            gives thick parts more and thin ones less.
        slice_mm: slice thickness (FWHM of the slice profile); increment_mm: distance of slices.
        pixel_mm: of rows and columns; field_mm: width of the square image, in which the body may be cut.
        tilt_deg: of the gantry about the left-right axis.
        couch: the table's top shows below the patient.
    """

    region: Region = Region.CHEST_TO_PELVIS
    kvp: float = 120.0
    effective_mas: float = 150.0
    kernel: Kernel = Kernel.STANDARD
    contrast: Contrast = Contrast.NONE
    slice_mm: float = 1.5
    increment_mm: float = 1.5
    pixel_mm: float = 0.9766
    field_mm: float = 500.0
    tilt_deg: float = 0.0
    couch: bool = True

    def __post_init__(self) -> None:
        check_ranges(self, CT_RANGES)
