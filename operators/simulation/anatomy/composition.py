"""What a person's bones weigh and hold, from the depth fields themselves: free of any grid's partial volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.bones import CORTEX, SPIERS_1968_PERCENT, Bone, Region
from operators.simulation.anatomy.pose import PlacedPart, PosedSkeleton
from operators.simulation.anatomy.shape import shaped_templates
from operators.simulation.anatomy.templates import STEP_MM, Template
from operators.simulation.anatomy.voxels import cortex_mm, in_shaft

FloatArray = npt.NDArray[np.float64]

CORTEX_DENSITY, SPONGIOSA_DENSITY, MARROW_DENSITY = 1.92, 1.18, 0.98
"""g/mL: cortical bone, spongiosa and yellow marrow of the adult (ICRU Report 46, 1992)."""
TRABECULAR_DENSITY = 0.295
"""Grams of bone in a millilitre of spongiosa [P]: the reference man's spongiosa then holds the 1.1 kg of ICRP 89."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Composition:
    """Volumes of one bone in millilitres."""

    cortex_ml: float
    spongiosa_ml: float
    medullary_ml: float

    @property
    def total_ml(self) -> float:
        """Everything within the bone's surface; of the skull, its wall only."""
        return self.cortex_ml + self.spongiosa_ml + self.medullary_ml

    @property
    def mass_g(self) -> float:
        """Mass with its marrow."""
        return (
            self.cortex_ml * CORTEX_DENSITY + self.spongiosa_ml * SPONGIOSA_DENSITY + self.medullary_ml * MARROW_DENSITY
        )

    @property
    def dry_mass_g(self) -> float:
        """Mass of the bone alone, cortical and trabecular, without marrow."""
        return self.cortex_ml * CORTEX_DENSITY + self.spongiosa_ml * TRABECULAR_DENSITY

    def __add__(self, other: Composition) -> Composition:
        return Composition(
            cortex_ml=self.cortex_ml + other.cortex_ml,
            spongiosa_ml=self.spongiosa_ml + other.spongiosa_ml,
            medullary_ml=self.medullary_ml + other.medullary_ml,
        )


def compositions(skeleton: PosedSkeleton, templates: Mapping[str, Template]) -> dict[Bone, Composition]:
    """The composition of every bone of a person."""
    found: dict[Bone, Composition] = {}
    templates = shaped_templates(templates, skeleton.warps)
    for placed in skeleton.parts:
        if placed.bone is not None:
            one = _composition(placed, placed.bone, templates[placed.part.name])
            found[placed.bone] = found[placed.bone] + one if placed.bone in found else one
    return found


def _composition(placed: PlacedPart, bone: Bone, template: Template) -> Composition:
    step = template.step_mm * placed.thickness
    index = np.argwhere(template.depth > -template.step_mm / STEP_MM)
    depth = template.depth[tuple(index.T)] * STEP_MM * placed.thickness
    nodes = np.asarray(template.origin_mm) + template.step_mm * index[:, ::-1]
    along = template.along(nodes)
    cortex = CORTEX[bone.kind]
    thick = cortex_mm(cortex, along) * placed.thickness * placed.cortex

    def below(level: FloatArray | float) -> FloatArray:
        return np.clip(0.5 + (depth - level) / step, 0.0, 1.0)

    shell, core = below(0.0) - below(thick), below(thick)
    if cortex.wall_mm is not None:
        wall = cortex.wall_mm * placed.thickness
        inner = below(wall - thick) - below(wall)
        shell, core = shell + inner, core - below(wall) - inner
    marrow = in_shaft(along) & cortex.medullary
    node_ml = template.step_mm**3 * abs(float(np.linalg.det(placed.affine[:3, :3]))) / 1000.0
    return Composition(
        cortex_ml=float(shell.sum()) * node_ml,
        spongiosa_ml=float(core[~marrow].sum()) * node_ml,
        medullary_ml=float(core[marrow].sum()) * node_ml,
    )


def region_ratios(bones: Mapping[Bone, Composition]) -> dict[Region, float]:
    """Each region's share of the skeleton's dry mass, divided by its share in the Spiers table. 1 is agreement.

    Regions without a row there (the kneecaps) count in the total and have no ratio.
    """
    mass = dict.fromkeys(Region, 0.0)
    for bone, composition in bones.items():
        mass[bone.region] += composition.dry_mass_g
    total, table = sum(mass.values()), sum(SPIERS_1968_PERCENT.values())
    return {region: mass[region] / total / (percent / table) for region, percent in SPIERS_1968_PERCENT.items()}
