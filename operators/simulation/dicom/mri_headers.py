"""What headers say of each MR sequence, by vendor. Times come from `physics.mri_timing`; all of this is chosen from
what scanners usually write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from operators.simulation.images import Content
from operators.simulation.protocols.habits import Vendor
from operators.simulation.protocols.mri import MrRegion, Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class SequenceHeader:
    """One sequence.

    Args:
        scanning, variant, options: Scanning Sequence, Sequence Variant, Scan Options (PS3.3 C.8.3.1).
        pulse_sequence: Echo Pulse Sequence of enhanced objects: SPIN, GRADIENT or BOTH.
        name: Sequence Name, as one vendor has it.
        dimensions: MR Acquisition Type.
        echo_train: Echo Train Length.
        bandwidth_hz: of a pixel.
        averages: Number of Averages.
        duration_s: of one station.
    """

    scanning: tuple[str, ...]
    variant: tuple[str, ...]
    options: str
    pulse_sequence: str
    name: str
    dimensions: str
    echo_train: int
    bandwidth_hz: float
    averages: int
    duration_s: float


SEQUENCES: Mapping[Sequence, SequenceHeader] = {
    Sequence.T1: SequenceHeader(
        scanning=("SE",), variant=("SK", "OSP"), options="", pulse_sequence="SPIN", name="tse2d1_3", dimensions="2D",
        echo_train=3, bandwidth_hz=200.0, averages=1, duration_s=170.0,
    ),
    Sequence.STIR: SequenceHeader(
        scanning=("SE", "IR"), variant=("SK", "OSP"), options="", pulse_sequence="SPIN", name="tir2d1_15",
        dimensions="2D", echo_train=15, bandwidth_hz=220.0, averages=2, duration_s=230.0,
    ),
    Sequence.T2_FS: SequenceHeader(
        scanning=("SE",), variant=("SK", "OSP"), options="FS", pulse_sequence="SPIN", name="tse2d1_17",
        dimensions="2D", echo_train=17, bandwidth_hz=220.0, averages=2, duration_s=210.0,
    ),
    Sequence.DIXON: SequenceHeader(
        scanning=("GR",), variant=("SP",), options="", pulse_sequence="GRADIENT", name="fl3d2", dimensions="3D",
        echo_train=2, bandwidth_hz=1040.0, averages=1, duration_s=20.0,
    ),
    Sequence.DWI: SequenceHeader(
        scanning=("EP", "SE"), variant=("SK",), options="FS", pulse_sequence="SPIN", name="ep_b", dimensions="2D",
        echo_train=64, bandwidth_hz=1860.0, averages=4, duration_s=320.0,
    ),
}  # fmt: skip

SEQUENCE_OF: Mapping[Content, Sequence] = {
    Content.T1: Sequence.T1,
    Content.STIR: Sequence.STIR,
    Content.T2_FS: Sequence.T2_FS,
    Content.DIXON_FAT: Sequence.DIXON,
    Content.DIXON_WATER: Sequence.DIXON,
    Content.DWI: Sequence.DWI,
    Content.ADC_UM2_S: Sequence.DWI,
}
SPOKEN: Mapping[Content, str] = {
    Content.T1: "T1 TSE",
    Content.STIR: "STIR",
    Content.T2_FS: "T2 TSE FS",
    Content.DIXON_FAT: "Dixon fat",
    Content.DIXON_WATER: "Dixon water",
    Content.DWI: "DWI",
    Content.ADC_UM2_S: "ADC",
}
"""In Series Description, before the plane."""

_PLAIN_ORIGINAL = ("ORIGINAL", "PRIMARY", "OTHER")
_PHILIPS_SPIN_ECHO = ("ORIGINAL", "PRIMARY", "M_SE", "M", "SE")
_SIEMENS_MAGNITUDE = ("ORIGINAL", "PRIMARY", "M", "ND", "NORM")
_SIEMENS_INVERSION = ("ORIGINAL", "PRIMARY", "M", "ND")
IMAGE_TYPES: Mapping[Vendor, Mapping[Content, tuple[str, ...]]] = {
    Vendor.PLAIN: {
        Content.T1: _PLAIN_ORIGINAL,
        Content.STIR: _PLAIN_ORIGINAL,
        Content.T2_FS: _PLAIN_ORIGINAL,
        Content.DIXON_FAT: ("DERIVED", "PRIMARY", "OTHER", "FAT"),
        Content.DIXON_WATER: ("DERIVED", "PRIMARY", "OTHER", "WATER"),
        Content.DWI: _PLAIN_ORIGINAL,
        Content.ADC_UM2_S: ("DERIVED", "PRIMARY", "DIFFUSION MAP", "ADC"),
    },
    Vendor.GE: {
        Content.T1: _PLAIN_ORIGINAL,
        Content.STIR: _PLAIN_ORIGINAL,
        Content.T2_FS: _PLAIN_ORIGINAL,
        Content.DIXON_FAT: ("DERIVED", "PRIMARY", "DIXON", "FAT"),
        Content.DIXON_WATER: ("DERIVED", "PRIMARY", "DIXON", "WATER"),
        Content.DWI: _PLAIN_ORIGINAL,
        Content.ADC_UM2_S: ("DERIVED", "PRIMARY", "ADC", "ADC"),
    },
    Vendor.PHILIPS: {
        Content.T1: _PHILIPS_SPIN_ECHO,
        Content.STIR: ("ORIGINAL", "PRIMARY", "M_IR", "M", "IR"),
        Content.T2_FS: _PHILIPS_SPIN_ECHO,
        Content.DIXON_FAT: ("DERIVED", "PRIMARY", "F", "F", "DERIVED"),
        Content.DIXON_WATER: ("DERIVED", "PRIMARY", "W", "W", "DERIVED"),
        Content.DWI: _PHILIPS_SPIN_ECHO,
        Content.ADC_UM2_S: ("DERIVED", "PRIMARY", "ADC", "ADC", "UNSPECIFIED"),
    },
    Vendor.SIEMENS: {
        Content.T1: _SIEMENS_MAGNITUDE,
        Content.STIR: _SIEMENS_INVERSION,
        Content.T2_FS: _SIEMENS_MAGNITUDE,
        Content.DIXON_FAT: ("DERIVED", "PRIMARY", "DIXON", "FAT"),
        Content.DIXON_WATER: ("DERIVED", "PRIMARY", "DIXON", "WATER"),
        Content.DWI: ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "ND", "NORM"),
        Content.ADC_UM2_S: ("DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND", "NORM"),
    },
}
"""Image Type (0008,0008)."""

BODY_PARTS: Mapping[MrRegion, str] = {
    MrRegion.SPINE_SAGITTAL: "SPINE",
    MrRegion.PELVIS: "PELVIS",
    MrRegion.TRUNK: "WHOLEBODY",
}
