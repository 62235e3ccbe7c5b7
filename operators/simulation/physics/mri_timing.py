"""The sequences' timing: what the signal equations use and what a DICOM header says."""

from __future__ import annotations

import math
from dataclasses import dataclass

from operators.simulation.physics.mri_signal import nulling_inversion_time_ms
from operators.simulation.physics.mri_table import FAT_T1_MS
from operators.simulation.protocols.mri import MrProtocol, Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """One sequence's times (effective echo time where there are many) and what it leaves of fat.

    Args:
        inversion_ms: None without an inversion.
        flip_deg: of the excitation.
        fat_left: share of fat's signal that suppression leaves.
        noise: standard deviation against T1 for voxels of the same size, by bandwidth and averages.
    """

    repetition_ms: float
    echo_ms: float
    flip_deg: float
    inversion_ms: float | None = None
    fat_left: float = 1.0
    noise: float = 1.0


_TIMINGS: dict[Sequence, Timing] = {
    Sequence.T1: Timing(repetition_ms=550.0, echo_ms=10.0, flip_deg=90.0),
    Sequence.STIR: Timing(repetition_ms=4500.0, echo_ms=60.0, flip_deg=90.0, noise=0.6),
    Sequence.T2_FS: Timing(repetition_ms=4000.0, echo_ms=75.0, flip_deg=90.0, fat_left=0.06, noise=0.7),
    Sequence.DIXON: Timing(repetition_ms=9.0, echo_ms=2.4, flip_deg=3.0, noise=1.6),
    Sequence.DWI: Timing(repetition_ms=6500.0, echo_ms=68.0, flip_deg=90.0, fat_left=0.035, noise=1.4),
}
"""Usual values, chosen."""


def timing(protocol: MrProtocol, sequence: Sequence) -> Timing:
    """The timing of a sequence at the protocol's field strength: T1-weighting is kept by a longer repetition time,
    and the inversion time of STIR is the one that nulls fat.
    """
    usual = _TIMINGS[sequence]
    if sequence is Sequence.T1:
        stretch = (protocol.field_strength_t / 1.5) ** 0.25
        return Timing(repetition_ms=round(usual.repetition_ms * stretch), echo_ms=usual.echo_ms, flip_deg=90.0)
    if sequence is Sequence.STIR:
        null = nulling_inversion_time_ms(at_strength(*FAT_T1_MS, protocol.field_strength_t), tr_ms=usual.repetition_ms)
        return Timing(
            repetition_ms=usual.repetition_ms,
            echo_ms=usual.echo_ms,
            flip_deg=usual.flip_deg,
            inversion_ms=null,
            noise=usual.noise,
        )
    return usual


def at_strength(at_1_5_t: float, at_3_t: float, field_strength_t: float) -> float:
    """A relaxation time at a field strength: a power of the field through both published values."""
    power = math.log(at_3_t / at_1_5_t) / math.log(2.0)
    return at_1_5_t * math.pow(field_strength_t / 1.5, power)
