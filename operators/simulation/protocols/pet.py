"""PET with its attenuation CT."""

from __future__ import annotations

from dataclasses import dataclass, field

from operators.simulation.protocols.ct import CtProtocol, Region
from operators.simulation.protocols.limits import Ranges, check_ranges
from operators.simulation.tracer import Tracer

PET_RANGES: Ranges = {
    "dose_mbq": (40.0, 800.0),
    "uptake_minutes": (20.0, 240.0),
    "seconds_per_bed": (30.0, 1200.0),
    "voxel_mm": (1.5, 6.0),
    "slice_mm": (1.5, 6.0),
    "resolution_mm": (2.5, 9.0),
    "sensitivity_cps_kbq": (2.0, 200.0),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PetProtocol:
    """A static scan from the thighs to the skull or of the whole body.

    Args:
        seconds_per_bed: sets the noise, with dose, decay, sensitivity and body size.
        resolution_mm: FWHM of the reconstruction without positron range.
        decay_corrected_to: "start" of the scan or "admin"istration, the reference of the stored activity.
        ct: the attenuation CT.
    """

    tracer: Tracer = Tracer.FDG
    dose_mbq: float = 280.0
    uptake_minutes: float = 60.0
    region: Region = Region.SKULL_TO_THIGH
    seconds_per_bed: float = 150.0
    voxel_mm: float = 4.0
    slice_mm: float = 4.0
    resolution_mm: float = 5.5
    sensitivity_cps_kbq: float = 9.0
    decay_corrected_to: str = "start"
    ct: CtProtocol = field(
        default_factory=lambda: CtProtocol(
            region=Region.SKULL_TO_THIGH,
            effective_mas=40.0,
            slice_mm=4.0,
            increment_mm=4.0,
            pixel_mm=1.3672,
            field_mm=700.0,
        )
    )

    def __post_init__(self) -> None:
        check_ranges(self, PET_RANGES)
        if self.tracer in (Tracer.MDP, Tracer.HDP):
            raise ValueError(f"tracer is {self.tracer.value}, allowed is fdg, naf, psma-11 or psma-1007")
        if self.decay_corrected_to not in ("start", "admin"):
            raise ValueError(f"decay_corrected_to is {self.decay_corrected_to}, allowed is start or admin")
