"""What happens to one lesion between two scans."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from operators.simulation.disease import tables
from operators.simulation.disease.figure import Figure
from operators.simulation.disease.ground import Carrier, Ground
from operators.simulation.disease.place import volume_in_bone_ml, with_volume
from operators.simulation.patient import Lesion, LesionType, Shape
from operators.simulation.tracer import Tracer

FloatArray = npt.NDArray[np.float64]


class Fate(StrEnum):
    """What became of a lesion."""

    GROWN = "grown"
    SHRUNK = "shrunk"
    STABLE = "stable"
    GONE = "gone"
    NEW = "new"
    SPLIT = "split"
    """One became several."""
    MERGED = "merged"
    """Several became one."""
    HEALED_SCLEROTIC = "healed_sclerotic"
    """Filled with new bone: denser, for some months hotter in bone scans, cooler for FDG and PSMA ligands."""


_SPLIT_FROM_MM = 12.0
"""Smaller lesions do not fall apart."""
_SPLIT_SHARE = (0.12, 0.3)
"""Of the old volume in each of two parts [P]."""
_TOUCH = 1.05
_FLARE_FACTOR = (1.3, 2.4)
"""Of the uptake of bone seekers in a flare [P]."""
_COOL_FACTOR = (0.15, 0.5)
"""Of FDG and PSMA ligands in a healed lesion [P]."""
_HEALED_HU = (650.0, 1000.0)
_HEALED_SHARE = (0.6, 0.9)
_BONE_SEEKERS = (Tracer.MDP, Tracer.HDP, Tracer.NAF)


def resized(lesion: Lesion, ground: Ground, *, factor: float) -> Lesion:
    """The lesion with its volume in bone times a factor, as far as the bone gives room."""
    shapes = []
    for shape in lesion.shapes:
        carrier = ground.carrier_at(lesion.bone, shape.centre_mm)
        shapes.append(with_volume(shape, carrier, wanted_ml=factor * volume_in_bone_ml(shape, carrier)))
    flesh = min(lesion.soft_tissue_mm * float(np.cbrt(factor)), tables.SOFT_TISSUE_MM[1])
    return dataclasses.replace(lesion, shapes=tuple(shapes), soft_tissue_mm=round(flesh, 1))


def parted(lesion: Lesion, ground: Ground, random: np.random.Generator) -> tuple[Lesion, ...]:
    """Two remnants near the ends of the lesion's longest axis, or none where it is too small for two."""
    shape = max(lesion.shapes, key=lambda one: max(one.radii_mm))
    carrier = ground.carrier_at(lesion.bone, shape.centre_mm)
    nodes = carrier.nodes()
    figure_nodes = _inside(nodes, shape, carrier)
    if 2.0 * max(shape.radii_mm) < _SPLIT_FROM_MM or len(figure_nodes) < 20:
        return ()
    offsets = (figure_nodes - figure_nodes.mean(axis=0)) @ carrier.stretch
    axis = np.linalg.svd(offsets, full_matrices=False)[2][0]
    along = offsets @ axis
    volume = volume_in_bone_ml(shape, carrier, nodes)
    parts = []
    for letter, level in (("a", 10.0), ("b", 90.0)):
        centre = figure_nodes[int(np.argmin(np.abs(along - np.percentile(along, level))))]
        share = float(random.uniform(*_SPLIT_SHARE))
        radius = float(np.cbrt(share * volume * 750.0 / np.pi))
        small = Shape(
            centre_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
            radii_mm=(radius, radius, radius),
            roughness=shape.roughness,
            seed=int(random.integers(2**31)),
        )
        parts.append(dataclasses.replace(lesion, name=f"{lesion.name}{letter}", shapes=(small,), soft_tissue_mm=0.0))
    gap = np.linalg.norm((np.subtract(*(np.asarray(part.shapes[0].centre_mm) for part in parts))) @ carrier.stretch)
    reach = sum(part.shapes[0].radii_mm[0] for part in parts)
    return tuple(parts) if gap > 1.6 * reach else ()


def united(first: Lesion, second: Lesion, ground: Ground) -> Lesion | None:
    """Both as one where they touch in one part of one bone, under both names; else None."""
    if first.bone is not second.bone:
        return None
    for shape in first.shapes:
        carrier = ground.carrier_at(first.bone, shape.centre_mm)
        for other in second.shapes:
            if carrier is not ground.carrier_at(second.bone, other.centre_mm):
                continue
            apart = (np.asarray(shape.centre_mm) - np.asarray(other.centre_mm)) @ carrier.stretch
            reach = float(np.cbrt(np.prod(shape.radii_mm)) + np.cbrt(np.prod(other.radii_mm)))
            if float(np.linalg.norm(apart)) < _TOUCH * reach:
                return dataclasses.replace(
                    first, name=f"{first.name}{second.name}", shapes=(*first.shapes, *second.shapes)
                )
    return None


def healed(lesion: Lesion, random: np.random.Generator, *, flaring: bool) -> Lesion:
    """The lesion filled with new bone; in a flare its bone is at work and hotter than before."""
    old = lesion.appearance
    bone = float(random.uniform(*_FLARE_FACTOR)) if flaring else float(random.uniform(0.5, 1.0))
    cool = float(random.uniform(*_COOL_FACTOR))
    appearance = dataclasses.replace(
        old,
        suv=_changed(old.suv, bone=bone, cool=cool),
        lytic_suv=_changed(old.lytic_suv, bone=bone, cool=cool),
        sclerotic_hu=round(max(old.sclerotic_hu, float(random.uniform(*_HEALED_HU))), 1),
        adc_um2_s=round(float(random.uniform(*tables.ADC_TREATED)), 1),
        t2_ms=round(old.t2_ms * 0.9, 1),
    )
    was_dense = lesion.lesion_type is LesionType.SCLEROTIC
    return dataclasses.replace(
        lesion,
        lesion_type=LesionType.SCLEROTIC if was_dense else LesionType.MIXED,
        sclerotic_share=1.0 if was_dense else round(float(random.uniform(*_HEALED_SHARE)), 3),
        soft_tissue_mm=0.0,
        appearance=appearance,
    )


def _changed(suvs: Mapping[Tracer, float], *, bone: float, cool: float) -> dict[Tracer, float]:
    return {tracer: round(suv * (bone if tracer in _BONE_SEEKERS else cool), 2) for tracer, suv in suvs.items()}


def _inside(nodes: FloatArray, shape: Shape, carrier: Carrier) -> FloatArray:
    return np.asarray(nodes[Figure.of(shape, carrier.stretch).relative(nodes)[0] < 1.0])
