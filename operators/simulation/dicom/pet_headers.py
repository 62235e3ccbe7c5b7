"""What the headers of a PET series say of beds, decay and scale, classic and enhanced alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from operators.simulation.dicom.elements import decimal, decimals, moment
from operators.simulation.dicom.header import StudyHeader
from operators.simulation.dicom.series import Series
from operators.simulation.images import Volume
from operators.simulation.protocols.pet import PetProtocol

HIGHEST_STORED = 32767
COUNTS_PER_BQML = 0.62
"""Of Philips' images in counts: their factor to Bq/ml is the inverse, near the 1.6 of a published test object."""
ENERGY_KEV = ("435", "650")
TABLE_HEIGHT_MM = 170.0
_BED_MM = 140.0
"""How far the table moves from bed to bed: a field of view of about 20 cm with overlap. Chosen."""
_WINDOW_SUV = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PetScan:
    """Beds and decay of one scan.

    Args:
        beds: of every slice, counted from the one that was scanned first.
        decay: of the nuclide, a second.
    """

    start: datetime
    injected_at: datetime
    bed_s: float
    decay: float
    beds: tuple[int, ...]
    width_mm: float
    referred_to_injection: bool

    @classmethod
    def of(cls, volume: Volume, *, protocol: PetProtocol, start: datetime) -> PetScan:
        geometry = volume.geometry
        heights = [geometry.position_lps((index, 0, 0))[2] for index in range(geometry.shape[0])]
        lowest = min(heights)
        return cls(
            start=start,
            injected_at=start - timedelta(minutes=protocol.uptake_minutes),
            bed_s=protocol.seconds_per_bed,
            decay=math.log(2.0) / protocol.tracer.nuclide.half_life_s,
            beds=tuple(int((height - lowest) / _BED_MM) for height in heights),
            width_mm=geometry.shape[2] * geometry.spacing_mm[2],
            referred_to_injection=protocol.decay_corrected_to == "admin",
        )

    @property
    def end(self) -> datetime:
        """When the last bed was done."""
        return self.start + timedelta(seconds=(max(self.beds) + 1) * self.bed_s)

    @property
    def reference(self) -> datetime:
        """What the stored activity is corrected to."""
        return self.injected_at if self.referred_to_injection else self.start

    def begun(self, bed: int) -> datetime:
        """When a bed's acquisition began."""
        return self.start + timedelta(seconds=bed * self.bed_s)

    def mean_activity_s(self, bed: int) -> float:
        """From the start of the scan to the moment of a bed's mean activity, s (PS3.3 C.8.9.4)."""
        turns = self.decay * self.bed_s
        return bed * self.bed_s + math.log(turns / (1.0 - math.exp(-turns))) / self.decay

    def decay_factor(self, bed: int) -> float:
        """Decay Factor (0054,1321): from the moment of mean activity back to the reference."""
        waited_s = (self.start - self.reference).total_seconds()
        return math.exp(self.decay * (waited_s + self.mean_activity_s(bed)))

    def timing(self, bed: int) -> dict[str, Any]:
        """Acquisition time, and the moment of mean activity from the reference (PS3.3 C.8.9.4)."""
        return {
            **moment("Acquisition", self.begun(bed)),
            "FrameReferenceTime": decimal(1000.0 * self.mean_activity_s(bed)),
            "DecayFactor": decimal(self.decay_factor(bed)),
        }

    def image_index(self, index: int, *, feet_first: bool) -> int:
        """Image Index (0054,1330), from 1 in the order in which slices are written."""
        return len(self.beds) - index if feet_first else index + 1


def window(series: Series, *, protocol: PetProtocol, per_value: float) -> dict[str, Any]:
    """SUV 0 to 10, in the unit of the image."""
    top = _WINDOW_SUV * per_value / suv_per_bqml(series.header, protocol=protocol)
    return {"WindowCenter": decimals([top / 2.0]), "WindowWidth": decimals([top])}


def suv_per_bqml(header: StudyHeader, *, protocol: PetProtocol) -> float:
    """SUVbw of 1 Bq/ml as the series stores it: weight over the dose at its reference time, g/Bq."""
    waited_s = 0.0 if protocol.decay_corrected_to == "admin" else protocol.uptake_minutes * 60.0
    return header.weight_kg * 1000.0 / (protocol.dose_mbq * 1e6 * protocol.tracer.nuclide.left_after(waited_s))
