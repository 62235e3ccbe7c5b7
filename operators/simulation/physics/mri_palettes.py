"""Palettes of signal: what each sequence gets from every tissue, and how a little more fat would change it.

Signals of water and fat add, and so do those of neighbours in one voxel; relaxation times do not.
So palettes hold signals. In-phase sequences add the magnitudes of water and fat: in STIR no tissue's
water recovers before fat does, so all that is there has one sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.simulation.patient import Appearance
from operators.simulation.physics.mixture import Palette, Table
from operators.simulation.physics.mri_properties import Properties, Protons
from operators.simulation.physics.mri_signal import diffusion_decay, inversion_recovery, spin_echo
from operators.simulation.physics.mri_table import FAT_T1_MS, FAT_T2_MS
from operators.simulation.physics.mri_timing import Timing, at_strength, timing
from operators.simulation.protocols.mri import MrProtocol, Sequence

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Echo:
    """One image of a sequence: which b-value of DWI, or which of the Dixon pair."""

    sequence: Sequence
    b_value: int | None = None
    fat_image: bool = False

    def __post_init__(self) -> None:
        if (self.sequence is Sequence.DWI) != (self.b_value is not None):
            raise ValueError("DWI and nothing else has a b-value")
        if self.fat_image and self.sequence is not Sequence.DIXON:
            raise ValueError("only Dixon has a fat image")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Palettes:
    """The signal of every tissue, and its change where the fat fraction is one standard deviation of the
    tissue's texture higher.
    """

    signal: Palette
    texture: Palette


def palettes(echo: Echo, protocol: MrProtocol, properties: Properties) -> Palettes:
    """The palettes of one image; signal 1 is that of fully relaxed water at once."""

    def signal(protons: Protons) -> Array:
        water, fat = proton_signals(echo, protocol, protons)
        share = protons.fat_fraction
        return np.asarray(protons.proton_density * ((1.0 - share) * water + share * fat) * _decay(echo, protons))

    def texture(protons: Protons) -> Array:
        water, fat = proton_signals(echo, protocol, protons)
        change = protons.proton_density * protons.texture * (fat - water)
        return np.asarray(change * _decay(echo, protons))

    def focus(appearance: Appearance) -> tuple[float, float]:
        lytic, dense = signal(properties.focus(appearance))
        return float(lytic), float(dense)

    return Palettes(
        signal=Palette(
            matter=_table(signal(properties.matter)),
            cortex=np.zeros(256, dtype=np.float32),
            spongiosa=_table(signal(properties.spongiosa)),
            yellow=_table(signal(properties.yellow)),
            focus=focus,
        ),
        texture=Palette(
            matter=_table(texture(properties.matter)),
            cortex=np.zeros(256, dtype=np.float32),
            spongiosa=_table(texture(properties.spongiosa)),
            yellow=_table(texture(properties.yellow)),
            focus=lambda _: (0.0, 0.0),
        ),
    )


def metal_palette() -> Palette:
    """1 where metal is, 0 elsewhere."""
    none = np.zeros(256, dtype=np.float32)
    return Palette(
        matter=none,
        cortex=none,
        spongiosa=none,
        yellow=none,
        focus=lambda appearance: (1.0, 1.0) if appearance.metal else (0.0, 0.0),
    )


def proton_signals(echo: Echo, protocol: MrProtocol, protons: Protons) -> tuple[Array, Array]:
    """The signal of one water proton and of one fat proton of each tissue, before diffusion.

    Dixon: the flip angle is small enough for proton density alone to show, and the decay is corrected for
    (as in a quantitative fat fraction), so F / (F + W) is the fat fraction. Diffusion: the suppressed rest of
    the fat counts to the tissue, whose tabled coefficient was measured with it.
    """
    times = timing(protocol, echo.sequence)
    if echo.sequence is Sequence.DIXON:
        ones = np.ones_like(protons.t1_ms)
        return (0.0 * ones, ones) if echo.fat_image else (ones, 0.0 * ones)
    strength = protocol.field_strength_t
    fat_t1 = np.full_like(protons.t1_ms, at_strength(*FAT_T1_MS, strength))
    fat_t2 = np.full_like(protons.t2_ms, at_strength(*FAT_T2_MS, strength))
    water = _one_proton(protons.t1_ms, protons.t2_ms, times) * protons.still
    return water, _one_proton(fat_t1, fat_t2, times) * times.fat_left


def _one_proton(t1_ms: Array, t2_ms: Array, times: Timing) -> Array:
    if times.inversion_ms is None:
        return spin_echo(t1_ms, t2_ms, tr_ms=times.repetition_ms, te_ms=times.echo_ms)
    return inversion_recovery(t1_ms, t2_ms, tr_ms=times.repetition_ms, te_ms=times.echo_ms, ti_ms=times.inversion_ms)


def _decay(echo: Echo, protons: Protons) -> Array:
    if echo.b_value is None:
        return np.ones_like(protons.adc_um2_s)
    return diffusion_decay(protons.adc_um2_s, b_value=echo.b_value)


def _table(values: Array) -> Table:
    return values.astype(np.float32)
