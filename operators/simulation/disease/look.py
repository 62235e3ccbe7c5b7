"""How a lesion shows itself, drawn with what belongs together: type, density, uptake of every tracer, diffusion."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from operators.simulation.disease import tables
from operators.simulation.disease.piece import CENTRE_TO_EDGE
from operators.simulation.patient import Appearance, LesionType, Primary
from operators.simulation.tracer import Tracer

_MEAN_SCLEROSIS = 1.0 - 0.6 * CENTRE_TO_EDGE
"""Of a sclerotic ball: the mean of the squared radius is three fifths."""
_BACKGROUND_HU = 150.0
"""What a sclerotic lesion's density falls towards."""
_CELLS_TO_ADC_UM2_S = -60.0
_CELLS_TO_FDG = 0.2
_DENSITY_TO_UPTAKE = 0.15
"""How a standard deviation of cellularity or density moves other values [P]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """What the lesions of one patient have in common.

    Args:
        types: share of each type.
        bone, fdg, psma: factor on the uptake of the bone seekers, of FDG, of the PSMA ligands.
    """

    primary: Primary
    types: tuple[tuple[LesionType, float], ...]
    bone: float
    fdg: float
    psma: float

    @classmethod
    def drawn(cls, primary: Primary, random: np.random.Generator) -> Host:
        """A patient's own tendency."""
        shares = tables.TYPES[primary]
        own = random.dirichlet([tables.TYPE_CONCENTRATION * share + 0.02 for share in shares.values()])
        bone, fdg, psma = np.exp(random.normal(0.0, tables.PATIENT_LOG_SD, size=3))
        low = primary is Primary.PROSTATE and random.random() < tables.PSMA_LOW_SHARE
        return cls(
            primary=primary,
            types=tuple(zip(shares, (float(share) for share in own), strict=True)),
            bone=float(bone),
            fdg=float(fdg),
            psma=float(psma) * (0.15 if low else 1.0),
        )

    def draw_type(self, random: np.random.Generator) -> LesionType:
        """The type of one lesion."""
        kinds = [kind for kind, _ in self.types]
        return kinds[int(random.choice(len(kinds), p=[share for _, share in self.types]))]


def sclerotic_share(lesion_type: LesionType, primary: Primary, random: np.random.Generator) -> float:
    """Share of the volume that is sclerotic: all, none or a rim, or blobs."""
    if lesion_type is LesionType.SCLEROTIC:
        return 1.0
    if lesion_type is LesionType.MIXED:
        return _round(random.uniform(*tables.MIXED_SHARE), 3)
    rim = random.random() < tables.RIM_CHANCE[primary]
    return _round(random.uniform(*tables.RIM_SHARE), 3) if rim else 0.0


def appearance(lesion_type: LesionType, host: Host, random: np.random.Generator) -> Appearance:
    """How a lesion of a type looks in this patient."""
    cells, density = np.clip(random.normal(size=2), -2.5, 2.5)
    dense_hu = _within(tables.SCLEROTIC_HU[0] + tables.SCLEROTIC_HU[1] * density, tables.SCLEROTIC_HU_RANGE)
    lytic_hu = _within(random.normal(*tables.LYTIC_HU), tables.LYTIC_HU_RANGE)
    if lesion_type is LesionType.SCLEROTIC:
        # `sclerotic_hu` is the centre's: the mean over the lesion is the published one.
        lytic_hu, dense_hu = _BACKGROUND_HU, _BACKGROUND_HU + (dense_hu - _BACKGROUND_HU) / _MEAN_SCLEROSIS
    mean, spread = tables.ADC_UM2_S[lesion_type]
    adc = mean + _CELLS_TO_ADC_UM2_S * cells + np.sqrt(spread**2 - _CELLS_TO_ADC_UM2_S**2) * random.normal()
    suv, lytic_suv = _uptake(host, cells=float(cells), density=float(density), random=random)
    return Appearance(
        suv=suv,
        lytic_suv=lytic_suv,
        lytic_hu=_round(lytic_hu, 1),
        sclerotic_hu=_round(dense_hu, 1),
        adc_um2_s=_round(_within(adc, tables.ADC_RANGE), 1),
        t1_ms=_round(random.uniform(*tables.T1_MS), 1),
        t2_ms=_round(random.uniform(*tables.T2_MS[lesion_type]), 1),
        proton_density=_round(random.uniform(*tables.PROTON_DENSITY), 3),
        fat_fraction=_round(random.uniform(*tables.FAT_FRACTION), 3),
    )


def _uptake(
    host: Host, *, cells: float, density: float, random: np.random.Generator
) -> tuple[dict[Tracer, float], dict[Tracer, float]]:
    """SUVbw by tracer where the lesion is sclerotic, and where it is lytic."""
    median = tables.UPTAKE[host.primary]
    lesion = random.normal(0.0, tables.LESION_LOG_SD)
    own = {tracer: float(np.exp(random.normal(0.0, tables.TRACER_LOG_SD))) for tracer in Tracer}
    turnover = host.bone * float(np.exp(lesion + _DENSITY_TO_UPTAKE * density))
    glucose = host.fdg * float(np.exp(lesion + _CELLS_TO_FDG * cells)) * median.fdg * own[Tracer.FDG]
    ligand = host.psma * float(np.exp(random.normal(0.0, median.psma_log_sd))) * median.psma
    dense: dict[Tracer, float] = {}
    lytic: dict[Tracer, float] = {}
    for tracer, factor in tables.BONE_TRACERS.items():
        dense[tracer] = _round(median.bone_dense * turnover * factor * own[tracer], 2)
        lytic[tracer] = _round(median.bone_lytic * turnover * factor * own[tracer], 2)
    dense[Tracer.FDG], lytic[Tracer.FDG] = _round(glucose * tables.FDG_DENSE, 2), _round(glucose, 2)
    for tracer, factor in ((Tracer.PSMA_11, 1.0), (Tracer.PSMA_1007, tables.PSMA_1007)):
        dense[tracer] = _round(ligand * factor * own[tracer], 2)
    return dense, lytic


def with_uptake(appearance: Appearance, factor: float) -> Appearance:
    """The same focus with every tracer's uptake times a factor."""
    return dataclasses.replace(
        appearance,
        suv={tracer: _round(suv * factor, 2) for tracer, suv in appearance.suv.items()},
        lytic_suv={tracer: _round(suv * factor, 2) for tracer, suv in appearance.lytic_suv.items()},
    )


def _within(value: float, limits: tuple[float, float]) -> float:
    return float(np.clip(value, *limits))


def _round(value: float, digits: int) -> float:
    """Plain numbers: what is stored is what was used."""
    return round(float(value), digits)
