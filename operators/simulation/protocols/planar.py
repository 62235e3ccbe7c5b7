"""Whole-body bone scintigraphy."""

from __future__ import annotations

from dataclasses import dataclass

from operators.simulation.protocols.limits import Ranges, check_ranges
from operators.simulation.tracer import Tracer

ROWS, COLUMNS = 1024, 256
"""Of each view."""
PIXELS_A_VOXEL = 2
"""The emission grid's voxels are cubes as wide as this many pixels."""

PLANAR_RANGES: Ranges = {
    "dose_mbq": (100.0, 1500.0),
    "uptake_minutes": (60.0, 420.0),
    "kilocounts": (200.0, 4000.0),
    "scan_speed_cm_min": (5.0, 60.0),
    "pixel_mm": (1.8, 3.0),
    "energy_window_percent": (10.0, 30.0),
    "resolution_mm": (5.0, 14.0),
    "collimator_distance_mm": (5.0, 120.0),
    "field_width_mm": (400.0, 620.0),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanarProtocol:
    """Both views of one sweep, 1024 rows by 256 columns.

    Args:
        dose_mbq: injected.
        uptake_minutes: from injection to the start.
        kilocounts: expected counts of the anterior photopeak frame, in thousands; the posterior one follows.
        scan_speed_cm_min: of the table.
        pixel_mm: of both axes.
        energy_window_percent: full width of the photopeak window.
        scatter_window: frames of a lower scatter window as well.
        resolution_mm: FWHM of the camera at 100 mm in air.
        collimator_distance_mm: from the skin nearest to the collimator.
        field_width_mm: of the detector; beyond it the image is empty, and wide patients' arms are cut.
    """

    tracer: Tracer = Tracer.MDP
    dose_mbq: float = 680.0
    uptake_minutes: float = 180.0
    kilocounts: float = 1800.0
    scan_speed_cm_min: float = 15.0
    pixel_mm: float = 2.4
    energy_window_percent: float = 20.0
    scatter_window: bool = False
    resolution_mm: float = 8.0
    collimator_distance_mm: float = 25.0
    field_width_mm: float = 540.0

    def __post_init__(self) -> None:
        check_ranges(self, PLANAR_RANGES)
        if self.tracer not in (Tracer.MDP, Tracer.HDP):
            raise ValueError(f"tracer is {self.tracer.value}, allowed is mdp or hdp")
