"""The skeleton of the reference man and woman against ICRP 89, Spiers and label maps of real CT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from operators.simulation.anatomy.bones import Bone, Region
from operators.simulation.anatomy.composition import (
    CORTEX_DENSITY,
    TRABECULAR_DENSITY,
    Composition,
    compositions,
    region_ratios,
)
from operators.simulation.anatomy.landmarks import landmarks
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.anatomy.sizes import SOFT_TISSUE_MM
from operators.simulation.compose import SceneBuilder
from operators.simulation.fidelity.row import Row

_PEOPLE = {
    "man": PersonSpec(seed=0, sex=Sex.MALE, height_cm=176.0, weight_kg=73.0, size_variation=0.0, shape_variation=0.0),
    "woman": PersonSpec(
        seed=0, sex=Sex.FEMALE, height_cm=163.0, weight_kg=60.0, size_variation=0.0, shape_variation=0.0
    ),
}
_ICRP_KG = {"man": (9.4, 4.4, 1.1), "woman": (6.9, 3.2, 0.8)}
"""Skeleton less cartilage, cortical bone, trabecular bone (ICRP Publication 89, 2002, section 9)."""
_ICRP = "ICRP 89 (2002), skeleton less cartilage, +-6 %"
_CORTICAL_SHARE = (0.75, 0.85)
_SPIERS = "Spiers 1968, p. 120; [P] factor 1.4 either way, by which published tables differ"
_LOW, _HIGH = 0.71, 1.4
_GAPS = {
    Region.FOOT_LEFT: "the table's 5.8 % for each foot would need twice the cortex",
    Region.STERNUM: "the table's 0.3 % is less than a sternum of real size and the thinnest cortex holds",
    Region.PELVIS: "a woman's hips are wider at the same thickness of their cortex",
}
_LARGE = (
    Region.SKULL, Region.MANDIBLE, Region.STERNUM, Region.RIBS, Region.SPINE, Region.PELVIS, Region.HUMERUS_LEFT,
    Region.HAND_LEFT, Region.FEMUR_LEFT, Region.TIBIA_LEFT, Region.FOOT_LEFT,
)  # fmt: skip


def rows(builder: SceneBuilder) -> list[Row]:
    """Mass, cortex and shares of the regions; stature."""
    return [row for name in _PEOPLE for row in _person_rows(builder, name)]


def _person_rows(builder: SceneBuilder, name: str) -> Iterator[Row]:
    spec = _PEOPLE[name]
    skeleton = builder.anatomy.skeleton(spec)
    found = compositions(skeleton, builder.anatomy.templates_of(spec))
    yield from _masses(found, name)
    ratios = region_ratios(found)
    for region in _LARGE:
        value = round(ratios[region], 2)
        gap = _GAPS.get(region, "") if not _LOW <= value <= _HIGH else ""
        yield Row(
            quantity=f"share of {region.value} in the dry skeleton, {name}, by the table's share",
            value=value, unit="", low=_LOW, high=_HIGH, source=_SPIERS, known_gap=gap,
        )  # fmt: skip
    height, soft = _height_mm(skeleton, builder), SOFT_TISSUE_MM / 10.0
    yield Row(
        quantity=f"stature without scalp and heel pad, {name}", value=round(height / 10.0, 1), unit="cm",
        low=round(0.98 * spec.height_cm - soft, 1), high=round(1.02 * spec.height_cm - soft, 1),
        source="the person's own height, [P] +-2 %: lying, the ankle points down",
    )  # fmt: skip


def _masses(found: Mapping[Bone, Composition], name: str) -> Iterator[Row]:
    total, cortical, trabecular = _ICRP_KG[name]
    cortex = sum(one.cortex_ml for one in found.values()) * CORTEX_DENSITY / 1000.0
    spongy = sum(one.spongiosa_ml for one in found.values()) * TRABECULAR_DENSITY / 1000.0
    mass = sum(one.mass_g for one in found.values()) / 1000.0
    values = (
        ("bones with their marrow", mass, total, _ICRP),
        ("cortical bone", cortex, cortical, "ICRP 89 (2002), +-6 %"),
        (
            "trabecular bone",
            spongy,
            trabecular,
            "ICRP 89 (2002), +-6 %; its density in spongiosa is chosen for the man",
        ),
    )
    for quantity, value, expected, source in values:
        yield Row(
            quantity=f"{quantity}, {name}", value=round(value, 2), unit="kg",
            low=round(0.94 * expected, 2), high=round(1.06 * expected, 2), source=source,
        )  # fmt: skip
    low, high = _CORTICAL_SHARE
    yield Row(
        quantity=f"cortical share of bone by mass, {name}", value=round(cortex / (cortex + spongy), 2), unit="",
        low=low, high=high, source="ICRP 89 (2002): 0.80; [P] +-0.05",
    )  # fmt: skip
    litres = sum(one.total_ml for one in found.values()) / 1000.0
    yield Row(
        quantity=f"volume of bones with their marrow, {name}", value=round(litres, 2),
        unit="L", low=None, high=None, source="follows from mass and densities (ICRU 46)",
    )  # fmt: skip


def _height_mm(skeleton: PosedSkeleton, builder: SceneBuilder) -> float:
    """From the crown to the ankle as it lies, and from there to the sole as it stands in the source."""
    source = builder.anatomy.source
    crown = float(skeleton.vertices(Bone.SKULL)[:, 2].max())
    ankle = float(skeleton.vertices(Bone.TIBIA_LEFT)[:, 2].min())
    sole = min(float(part.vertices[:, 2].min()) for part in source.parts if part.bone is Bone.FOOT_LEFT)
    source_ankle = float(landmarks(source).surface(Bone.TIBIA_LEFT)[:, 2].min())
    scale = skeleton.placed(Bone.TIBIA_LEFT).frame[:3, :3]
    return crown - ankle + (source_ankle - sole) * float(abs(scale[2, 2]))
