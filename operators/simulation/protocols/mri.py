"""Magnetic resonance imaging of spine and pelvis or of the whole body."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from operators.simulation.protocols.limits import Ranges, check_ranges


class Sequence(StrEnum):
    """One sequence; DIXON gives fat and water, DWI one volume for each b-value and the ADC map."""

    T1 = "t1"
    STIR = "stir"
    T2_FS = "t2_fs"
    DIXON = "dixon"
    DWI = "dwi"


class MrRegion(StrEnum):
    """What the field covers."""

    SPINE_SAGITTAL = "spine_sagittal"
    PELVIS = "pelvis"
    TRUNK = "trunk"
    """Coronal T1 and STIR, axial diffusion, neck to thigh, in stations."""


MR_RANGES: Ranges = {
    "field_strength_t": (1.0, 3.0),
    "signal_to_noise": (5.0, 200.0),
    "bias_field": (0.0, 0.6),
    "pixel_mm": (0.6, 3.0),
    "slice_mm": (2.0, 8.0),
    "gap_mm": (0.0, 3.0),
    "oblique_deg": (-30.0, 30.0),
    "distortion_mm": (0.0, 8.0),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class MrProtocol:
    """Sequences over one region.

    Args:
        b_values: s/mm2, of DWI.
        signal_to_noise: of muscle in T1 at the field's centre; others follow from their signal.
        bias_field: relative standard deviation of the receive field.
        pixel_mm, slice_mm, gap_mm: of the anatomical sequences; diffusion has pixels twice as large.
        stations_composed: stations joined to one series, or one series each.
        oblique_deg: rotation of the slices about the left-right axis (sagittal: about the long axis).
        distortion_mm: how far echo-planar images are shifted along anterior-posterior at most, smoothly; the
            truth is not.
    """

    region: MrRegion = MrRegion.TRUNK
    sequences: tuple[Sequence, ...] = (Sequence.T1, Sequence.STIR, Sequence.DIXON, Sequence.DWI)
    b_values: tuple[int, ...] = (50, 400, 900)
    field_strength_t: float = 1.5
    signal_to_noise: float = 40.0
    bias_field: float = 0.12
    pixel_mm: float = 1.4
    slice_mm: float = 5.0
    gap_mm: float = 0.5
    stations_composed: bool = True
    oblique_deg: float = 0.0
    distortion_mm: float = 0.0

    def __post_init__(self) -> None:
        check_ranges(self, MR_RANGES)
        if not self.sequences:
            raise ValueError("sequences is empty, allowed are t1, stir, t2_fs, dixon, dwi")
        if any(not 0 <= b <= 2000 for b in self.b_values) or len(set(self.b_values)) < 2:
            raise ValueError(f"b_values is {self.b_values}, allowed are two or more different values of 0 to 2000")
