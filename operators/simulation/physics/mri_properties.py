"""The protons of everything in one person, as arrays by label, ready for the signal equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.bones import Bone
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics.mri_table import (
    BONE_FAT_SD,
    DAY_ADC_LOG_SD,
    DISC_SPREAD,
    FOCUS_T1_POWER,
    FOCUS_T2_POWER,
    LOG_SD,
    MARROW_ADC_LOG_SD,
    MARROW_FAT,
    MINERAL_SIGNAL_LOSS_PER_1000_HU,
    PERSON_FAT_SD,
    RED_MARROW,
    TEXTURE_FAT_SD,
    TISSUES,
    YELLOW_MARROW,
    Tissue,
    spine_fat_offset,
)
from operators.simulation.physics.mri_timing import at_strength

Array = npt.NDArray[np.float64]
_LABELS = 256
_PERSON_STREAM, _DAY_STREAM = 7001, 7002


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Protons:
    """Tissues side by side; every array is float64 and has the same length.

    Args:
        proton_density: of all protons, relative to water, times their share in a voxel.
        fat_fraction: their share in fat.
        t1_ms, t2_ms: of the water.
        adc_um2_s: of the whole.
        still: what motion leaves of a spin echo.
        texture: standard deviation of the fat fraction within the tissue.
    """

    proton_density: Array
    fat_fraction: Array
    t1_ms: Array
    t2_ms: Array
    adc_um2_s: Array
    still: Array
    texture: Array


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Properties:
    """All tissues of one person at one field strength, by value of `Matter` and of `Bone`."""

    matter: Protons
    spongiosa: Protons
    yellow: Protons
    field_strength_t: float

    @classmethod
    def of(cls, person: Mapping[str, float | str], *, field_strength_t: float) -> Properties:
        """Draw a person's own values around the tables.

        Args:
            person: of a scene; `person_seed` decides what stays the same from scan to scan, `seed` the day's
                difference of the marrow, `spread` how much of both there is (0 is the table itself).
            field_strength_t: 1 to 3.
        """
        spread = float(person.get("spread", 0.0))
        random = np.random.default_rng([int(person.get("person_seed", 0)), _PERSON_STREAM])
        day = np.random.default_rng([int(person.get("seed", 0)), _DAY_STREAM])
        matter = [_EMPTY] * _LABELS
        texture = np.zeros(_LABELS)
        for kind, tissue in TISSUES.items():
            own = _varied(tissue, random=random, spread=spread * (DISC_SPREAD if kind == "disc" else 1.0))
            for label in (item for item in Matter if item.kind == kind):
                matter[label] = own
                texture[label] = TEXTURE_FAT_SD.get(kind, 0.0)
        offset, diffusion = (random.normal(0.0, sd) * spread for sd in (PERSON_FAT_SD, MARROW_ADC_LOG_SD))
        diffusion += day.normal(0.0, DAY_ADC_LOG_SD) * spread
        red, yellow = (_varied(tissue, random=random, spread=spread) for tissue in (RED_MARROW, YELLOW_MARROW))
        spongiosa, shaft = [_EMPTY] * _LABELS, [_EMPTY] * _LABELS
        for bone in Bone:
            own_fat = MARROW_FAT[bone.kind] + spine_fat_offset(bone)
            own_fat += offset + random.normal(0.0, BONE_FAT_SD) * spread
            spongiosa[bone] = _marrow(red, fat_fraction=float(np.clip(own_fat, 0.15, 0.9)), stretch=np.exp(diffusion))
            shaft[bone] = yellow
        marrow_texture = np.full(_LABELS, TEXTURE_FAT_SD["marrow"])
        return cls(
            matter=_stack(matter, texture=texture, field_strength_t=field_strength_t),
            spongiosa=_stack(spongiosa, texture=marrow_texture, field_strength_t=field_strength_t),
            yellow=_stack(shaft, texture=marrow_texture / 2, field_strength_t=field_strength_t),
            field_strength_t=field_strength_t,
        )

    def focus(self, appearance: Appearance) -> Protons:
        """A focus where it is purely lytic and purely sclerotic: two entries.

        Both have the focus' own relaxation and diffusion; mineral takes protons from the dense one.
        """
        ends = np.array([appearance.lytic_hu, appearance.sclerotic_hu])
        kept = 1.0 - MINERAL_SIGNAL_LOSS_PER_1000_HU * np.clip(ends, 0.0, 1600.0) / 1000.0
        ratio = self.field_strength_t / 1.5
        both = np.ones(2)
        return Protons(
            proton_density=0.0 * both if appearance.metal else appearance.proton_density * kept,
            fat_fraction=appearance.fat_fraction * both,
            t1_ms=appearance.t1_ms * ratio**FOCUS_T1_POWER * both,
            t2_ms=appearance.t2_ms * ratio**FOCUS_T2_POWER * both,
            adc_um2_s=appearance.adc_um2_s * both,
            still=both,
            texture=0.0 * both,
        )


_EMPTY = Tissue(proton_density=0.0, t1_ms=(1000.0, 1000.0), t2_ms=(50.0, 50.0), adc_um2_s=0.0)


def _varied(tissue: Tissue, *, random: np.random.Generator, spread: float) -> Tissue:
    factors = {name: float(np.exp(random.normal(0.0, sd) * spread)) for name, sd in LOG_SD.items()}
    return Tissue(
        proton_density=min(tissue.proton_density * factors["proton_density"], 1.0),
        fat_fraction=tissue.fat_fraction,
        t1_ms=(tissue.t1_ms[0] * factors["t1"], tissue.t1_ms[1] * factors["t1"]),
        t2_ms=(tissue.t2_ms[0] * factors["t2"], tissue.t2_ms[1] * factors["t2"]),
        adc_um2_s=min(tissue.adc_um2_s * factors["adc"], 3300.0),
        still=tissue.still,
    )


def _marrow(tissue: Tissue, *, fat_fraction: float, stretch: float) -> Tissue:
    return Tissue(
        proton_density=tissue.proton_density,
        fat_fraction=fat_fraction,
        t1_ms=tissue.t1_ms,
        t2_ms=tissue.t2_ms,
        adc_um2_s=tissue.adc_um2_s * stretch,
    )


def _stack(tissues: list[Tissue], *, texture: Array, field_strength_t: float) -> Protons:
    return Protons(
        proton_density=np.array([tissue.proton_density for tissue in tissues]),
        fat_fraction=np.array([tissue.fat_fraction for tissue in tissues]),
        t1_ms=np.array([at_strength(*tissue.t1_ms, field_strength_t) for tissue in tissues]),
        t2_ms=np.array([at_strength(*tissue.t2_ms, field_strength_t) for tissue in tissues]),
        adc_um2_s=np.array([tissue.adc_um2_s for tissue in tissues]),
        still=np.array([tissue.still for tissue in tissues]),
        texture=texture,
    )
