"""SPECT of a part of the body, alone or with its low-dose CT."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from operators.simulation.anatomy.bones import Bone
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.limits import Ranges, check_ranges
from operators.simulation.tracer import Tracer


class SpectUnit(StrEnum):
    """What a voxel of the reconstruction holds."""

    BQML = "bqml"
    COUNTS = "counts"


SPECT_RANGES: Ranges = {
    "dose_mbq": (100.0, 1500.0),
    "uptake_minutes": (60.0, 420.0),
    "seconds_per_view": (3.0, 60.0),
    "voxel_mm": (2.0, 10.0),
    "resolution_mm": (5.0, 16.0),
    "length_mm": (200.0, 900.0),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SpectProtocol:
    """One or more bed positions centred on a bone.

    Args:
        centre: the bone at the middle of the field.
        length_mm: axial length.
        voxel_mm: of all axes.
        views: projections of all heads together.
        seconds_per_view: each.
        resolution_mm: FWHM of the reconstruction.
        unit: quantitative or counts.
        ct: the low-dose CT; None is SPECT alone.
    """

    tracer: Tracer = Tracer.MDP
    dose_mbq: float = 680.0
    uptake_minutes: float = 210.0
    centre: Bone = Bone.L3
    length_mm: float = 400.0
    voxel_mm: float = 4.42
    views: int = 120
    seconds_per_view: float = 12.0
    resolution_mm: float = 10.0
    unit: SpectUnit = SpectUnit.BQML
    ct: CtProtocol | None = None

    def __post_init__(self) -> None:
        check_ranges(self, SPECT_RANGES)
        if self.tracer not in (Tracer.MDP, Tracer.HDP):
            raise ValueError(f"tracer is {self.tracer.value}, allowed is mdp or hdp")
