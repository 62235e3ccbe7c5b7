"""Hounsfield units and linear attenuation of everything that a voxel can hold, from one decomposition.

Every tissue is a blend of water, fat, bone mineral and iodine (`Blend`), so that CT at any tube voltage
and attenuation at 140.5 and 511 keV agree with each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from operators.simulation.anatomy.bones import Bone
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics import attenuation_table as table
from operators.simulation.physics.mixture import FocusValue, Palette
from operators.simulation.protocols.ct import CT_RANGES, Contrast

Person = Mapping[str, float | str]
"""`Scene.person`: `person_seed` (else `seed`), `spread`, `osteopenia` and `bowel_contrast` are read."""
_MM_PER_CM = 0.1
"""From 1/cm to 1/mm."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Blend:
    """What attenuates in a tissue.

    Args:
        water: g/mL of water-like matter.
        fat: share of the volume that is adipose tissue.
        mineral: share of the volume that is cortical bone of ICRU Report 44.
        iodine: mg/mL.
    """

    water: float = 0.0
    fat: float = 0.0
    mineral: float = 0.0
    iodine: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Basis:
    """Linear attenuation of each part of a `Blend`, and of titanium, 1/mm at one energy."""

    water: float
    fat: float
    mineral: float
    iodine: float
    metal: float

    @classmethod
    def at(cls, kev: float) -> _Basis:
        low, high = table.ENERGY_KEV[0], table.ENERGY_KEV[-1]
        if not low <= kev <= high:
            raise ValueError(f"kev is {kev:g}, allowed is {low:g} to {high:g}")

        def mm(values: tuple[float, ...], density: float) -> float:
            logs = np.interp(math.log(kev), np.log(table.ENERGY_KEV), np.log(values))
            return float(np.exp(logs)) * density * _MM_PER_CM

        return cls(
            water=mm(table.WATER_CM2_G, 1.0),
            fat=mm(table.ADIPOSE_CM2_G, table.ADIPOSE_G_CM3),
            mineral=mm(table.CORTICAL_CM2_G, table.CORTICAL_G_CM3),
            iodine=mm(table.IODINE_CM2_G, 0.001),
            metal=mm(table.TITANIUM_CM2_G, table.TITANIUM_G_CM3),
        )

    def mu(self, blend: Blend) -> float:
        return (
            self.water * blend.water + self.fat * blend.fat + self.mineral * blend.mineral + self.iodine * blend.iodine
        )

    def hu(self, blend: Blend) -> float:
        return 1000.0 * (self.mu(blend) / self.water - 1.0)


def effective_kev(kvp: float) -> float:
    """Energy of the photons that attenuate like the spectrum of a tube voltage (80 to 140 kV) inside a body."""
    low, high = CT_RANGES["kvp"]
    if not low <= kvp <= high:
        raise ValueError(f"kvp is {kvp:g}, allowed is {low:g} to {high:g}")
    volts, kev = zip(*table.EFFECTIVE_KEV, strict=True)
    return float(np.interp(kvp, volts, kev))


def water_mu(kev: float) -> float:
    """Linear attenuation of water at a photon energy, 1/mm."""
    return _Basis.at(kev).water


_ANCHOR = _Basis.at(effective_kev(120.0))


def trabecular_l1_hu(person: Person | None) -> float:
    """Trabecular HU of the person's L1 at 120 kVp: falls with osteopenia, differs between people."""
    osteopenia = table.USUAL_OSTEOPENIA if person is None else float(person.get("osteopenia", table.USUAL_OSTEOPENIA))
    expected = table.L1_SOUND_HU - table.L1_LOSS_HU * osteopenia
    spread = 0.0 if person is None else float(person.get("spread", 1.0))
    by_chance = spread * float(_random(person, 42).normal()) * table.L1_SPREAD_HU
    return float(np.clip(expected + by_chance, *table.L1_RANGE_HU))


def hu_palette(*, kvp: float = 120.0, contrast: Contrast = Contrast.NONE, person: Person | None = None) -> Palette:
    """Hounsfield units at a tube voltage and in a contrast phase; foci keep their own values at 120 kVp.

    Args:
        kvp: 80 to 140.
        contrast: phase of the intravenous contrast medium.
        person: whose tissues; None is the reference.
    """
    basis = _Basis.at(effective_kev(kvp))
    lesion_iodine = table.IODINE_MG_ML[contrast].get("lesion", 0.0)

    def focus(appearance: Appearance) -> tuple[float, float]:
        if appearance.metal:
            return table.METAL_HU, table.METAL_HU
        lytic = replace(_of_hu(appearance.lytic_hu), iodine=lesion_iodine)
        return basis.hu(lytic), basis.hu(_of_hu(appearance.sclerotic_hu))

    return _palette(basis.hu, contrast=contrast, person=person, focus=focus)


def mu_palette(kev: float, *, person: Person | None = None) -> Palette:
    """Linear attenuation, 1/mm, at a photon energy (40 to 600 keV), without contrast medium; None is the reference."""
    basis = _Basis.at(kev)

    def focus(appearance: Appearance) -> tuple[float, float]:
        if appearance.metal:
            return basis.metal, basis.metal
        return basis.mu(_of_hu(appearance.lytic_hu)), basis.mu(_of_hu(appearance.sclerotic_hu))

    return _palette(basis.mu, contrast=Contrast.NONE, person=person, focus=focus)


def matter_blends(*, contrast: Contrast = Contrast.NONE, person: Person | None = None) -> dict[Matter, Blend]:
    """What every soft tissue, fluid and gas of a person holds."""
    spread = 0.0 if person is None else float(person.get("spread", 1.0))
    random = _random(person, 43)
    shift = {kind: spread * float(random.normal()) for kind in table.MATTER_SPREAD_HU}
    dose = math.exp(spread * table.IODINE_SPREAD * float(random.normal()))
    drunk = table.ORAL_CONTRAST_MG_ML if person is not None and float(person.get("bowel_contrast", 0.0)) else {}
    blends = {}
    for matter in Matter:
        kind = matter.kind
        hu = table.MATTER_HU[kind] + shift.get(kind, 0.0) * table.MATTER_SPREAD_HU.get(kind, 0.0)
        blend = Blend(water=1.0 + hu / 1000.0)
        if kind == "fat":
            blend = _of_hu(hu)
        iodine = table.IODINE_MG_ML[contrast].get(kind, 0.0) * dose + drunk.get(kind, 0.0)
        blends[matter] = replace(blend, iodine=iodine)
    return blends


def spongiosa_hu(bone: Bone, *, person: Person | None = None) -> float:
    """HU of a bone's spongiosa with its marrow at 120 kVp without contrast."""
    reference = trabecular_l1_hu(None)
    dense = table.SPONGIOSA_HU[bone.kind] - table.MARROW_HU
    if bone.kind == "vertebra":
        dense *= next(factor for level, factor in table.VERTEBRA_LEVEL if bone.name.startswith(level))
    relative = (trabecular_l1_hu(person) - table.MARROW_HU) / (reference - table.MARROW_HU)
    return table.MARROW_HU + dense * relative


def _palette(
    value: Callable[[Blend], float], *, contrast: Contrast, person: Person | None, focus: FocusValue
) -> Palette:
    matter, cortex, spongiosa, yellow = (np.zeros(256, dtype=np.float32) for _ in range(4))
    for item, blend in matter_blends(contrast=contrast, person=person).items():
        matter[item] = value(blend)
    marrow_iodine = table.IODINE_MG_ML[contrast].get("marrow", 0.0)
    for bone in Bone:
        mineral = table.CORTEX_MINERAL[bone.kind]
        cortex[bone] = value(Blend(water=1.05 * max(1.0 - mineral, 0.0), mineral=mineral))
        spongiosa[bone] = value(_spongiosa(spongiosa_hu(bone, person=person), iodine=marrow_iodine))
        yellow[bone] = value(_of_hu(table.YELLOW_HU))
    return Palette(matter=matter, cortex=cortex, spongiosa=spongiosa, yellow=yellow, focus=focus)


def _spongiosa(hu: float, *, iodine: float) -> Blend:
    marrow = _of_hu(table.MARROW_HU)
    mineral = (hu - table.MARROW_HU) / (_ANCHOR.hu(Blend(mineral=1.0)) - table.MARROW_HU)
    return Blend(water=marrow.water * (1.0 - mineral), fat=marrow.fat * (1.0 - mineral), mineral=mineral, iodine=iodine)


def _random(person: Person | None, *purpose: int) -> np.random.Generator:
    seed = 0 if person is None else int(person.get("person_seed", person.get("seed", 0)))
    return np.random.default_rng([seed, *purpose])


def _of_hu(hu: float) -> Blend:
    """A tissue without contrast of these HU at 120 kVp: gas, fat, soft tissue, or soft tissue with bone mineral."""
    fat = _ANCHOR.hu(Blend(fat=1.0))
    if hu <= fat:
        return Blend(fat=(1000.0 + hu) / (1000.0 + fat))
    if hu < 0.0:
        return Blend(fat=hu / fat, water=1.0 - hu / fat)
    soft = min(hu, table.SOFT_HU)
    mineral = (hu - soft) / (_ANCHOR.hu(Blend(mineral=1.0)) - soft)
    return Blend(water=(1.0 + soft / 1000.0) * (1.0 - mineral), mineral=mineral)
