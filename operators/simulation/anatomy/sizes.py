"""How large the segments and bones of a person are against the source, and in which proportions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.bones import VERTEBRAE, Bone
from operators.simulation.anatomy.form_table import SIZES
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.anatomy.source import Part, Source

FloatArray = npt.NDArray[np.float64]

SOFT_TISSUE_MM = 24.0
"""Heel pad and scalp: stature is the skeleton's height and this."""

_GROUP_OF_BODY = {
    "Full Body": "pelvis", "lumbar5": "trunk", "neck": "neck", "humphant_r": "upper_arm", "humphant_l": "upper_arm",
    "ulna_r": "forearm", "ulna_l": "forearm", "lunate_r": "hand", "lunate_l": "hand", "femur_r": "thigh",
    "femur_l": "thigh", "tibia_r": "shank", "tibia_l": "shank", "talus_r": "foot", "talus_l": "foot",
    "myolegs_root": "pelvis",
}  # fmt: skip
"""A segment begins at its body and goes on down the tree to where the next one begins."""
_GROUPS = tuple(sorted(set(_GROUP_OF_BODY.values())))

_SEX_SIZE: dict[Sex, dict[str, float]] = {
    Sex.MALE: {},
    Sex.FEMALE: {"pelvis": 1.04, "trunk": 0.97, "upper_arm": 0.98, "hand": 0.95, "foot": 0.95},
}
"""Size of a segment against the source (a man's skeleton) at the same height: wider hips, narrower shoulders."""
_SEX_GIRTH = {Sex.MALE: 1.0, Sex.FEMALE: 0.97}
"""Thickness of the long bones against the source at the same size."""
_GIRTH_SPREAD = 0.03
_LONG = ("humerus", "radius", "ulna", "femur", "tibia", "fibula", "clavicle", "rib")
_SKULL_SPREAD = 0.02
_SEX_BREADTH = {Sex.MALE: 1.0, Sex.FEMALE: 0.97}
"""Width and depth of vertebrae against the source at the same size."""
_SEX_CORTEX = {Sex.MALE: 1.0, Sex.FEMALE: 0.97}
_CORTEX_SPREAD = 0.08
_OSTEOPENIA_LOSS = 0.33
"""Part of the cortex that is gone at an osteopenia of 1."""
_VERTEBRA_SPREAD = ((0.03, 0.03, 0.015), (0.01, 0.01, 0.006))
"""Width, depth and height of a person's vertebrae, and of single ones besides."""
_SKULL_FORM_SPREAD = 0.025
_USUAL_SIZE_VARIATION = 0.02
_SKULL_FOLLOWS_HEIGHT = 0.3
"""A skull grows by this part of what the rest of the skeleton grows: tall people have hardly larger heads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """A person's sizes against the source, before the whole is scaled to the height.

    Args:
        body: by body of the source's joint tree.
        girth: thickness of long bones.
        proportions: (width, depth, height) of vertebrae, skull and jaw.
        cortex: thickness of the cortex by bone.
    """

    body: Mapping[str, float]
    girth: Mapping[Bone, float]
    proportions: Mapping[Bone, FloatArray]
    cortex: Mapping[Bone, float]


def sizes(spec: PersonSpec, source: Source) -> Sizes:
    """Sizes of this person's segments and bones: by sex, and by chance around it."""
    random = np.random.default_rng([spec.seed, 2])
    spread = {group: 1.0 + spec.size_variation * _normal(random) for group in _GROUPS}
    by_sex = _SEX_SIZE[spec.sex]
    group = {name: _group(name, source) for name in source.bodies}
    body = {name: spread[found] * by_sex.get(found, 1.0) for name, found in group.items() if found}
    usual = min(spec.size_variation / _USUAL_SIZE_VARIATION, 1.0)
    sturdy = _SEX_GIRTH[spec.sex] * (1.0 + usual * _GIRTH_SPREAD * _normal(random))
    girth = {bone: sturdy * (1.0 + usual * 0.01 * _normal(random)) for bone in Bone if bone.kind in _LONG}
    relative = spec.height_cm * 10.0 / source_height_mm(source)
    skull = relative ** (_SKULL_FOLLOWS_HEIGHT - 1.0) * (1.0 + usual * _SKULL_SPREAD * _normal(random))
    skull *= 0.97 if spec.sex is Sex.FEMALE else 1.0
    return Sizes(body=body, girth=girth, proportions=_proportions(spec, skull=skull), cortex=_cortex(spec))


def source_height_mm(source: Source) -> float:
    """Stature of the source."""
    return stature_mm([(part.bone, part.vertices) for part in source.parts]) + SOFT_TISSUE_MM


def stature_mm(surfaces: Iterable[tuple[Bone | None, FloatArray]]) -> float:
    """Height of an upright skeleton from soles to crown, from bones and their vertices (n, 3)."""
    ends: dict[Bone | None, list[float]] = {}
    for bone, vertices in surfaces:
        if bone in (Bone.SKULL, Bone.FOOT_LEFT, Bone.FOOT_RIGHT):
            ends.setdefault(bone, []).extend((float(vertices[:, 2].min()), float(vertices[:, 2].max())))
    return max(ends[Bone.SKULL]) - (min(ends[Bone.FOOT_LEFT]) + min(ends[Bone.FOOT_RIGHT])) / 2


def _normal(random: np.random.Generator) -> float:
    return float(np.clip(random.normal(), -2, 2))


def _proportions(spec: PersonSpec, *, skull: float) -> dict[Bone, FloatArray]:
    random = np.random.default_rng([spec.seed, 21])
    of_person, of_level = (np.array(spread) * spec.shape_variation for spread in _VERTEBRA_SPREAD)
    common = 1.0 + of_person * np.clip(random.normal(size=3), -2, 2)
    breadth = np.array([_SEX_BREADTH[spec.sex], _SEX_BREADTH[spec.sex], 1.0])
    found = {
        bone: np.array(SIZES[bone]) * breadth * common * (1.0 + of_level * np.clip(random.normal(size=3), -2, 2))
        for bone in VERTEBRAE
    }
    head = skull * (1.0 + spec.shape_variation * _SKULL_FORM_SPREAD * np.clip(random.normal(size=3), -2, 2))
    return found | {bone: np.array(SIZES[bone]) * head for bone in (Bone.SKULL, Bone.MANDIBLE)}


def _cortex(spec: PersonSpec) -> dict[Bone, float]:
    random = np.random.default_rng([spec.seed, 22])
    spread = _CORTEX_SPREAD * spec.shape_variation
    common = _SEX_CORTEX[spec.sex] * (1.0 + spread * _normal(random)) * (1.0 - _OSTEOPENIA_LOSS * spec.osteopenia)
    each = {bone: common * (1.0 + spread / 2 * _normal(random)) for bone in Bone}
    # The skull's tables keep within its wall.
    return each | {Bone.SKULL: float(np.clip(each[Bone.SKULL], 0.6, 1.3))}


def _group(body: str, source: Source) -> str | None:
    return next((_GROUP_OF_BODY[name] for name in source.carriers(body) if name in _GROUP_OF_BODY), None)


def affine_of(linear: FloatArray, shift: FloatArray) -> FloatArray:
    """(4, 4) from a linear part (3, 3) and a shift (3,)."""
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = linear, shift
    return affine


def about(linear: FloatArray, centre: FloatArray) -> FloatArray:
    """(4, 4) of a linear map that leaves a point where it is."""
    return affine_of(linear, centre - linear @ centre)


def own_form(part: Part, *, found: Sizes, neck_top: FloatArray, pivot: FloatArray) -> FloatArray:
    """The part's own stretch in the rest frame: girth of long bones, proportions of vertebrae and head.

    Args:
        neck_top: (3,) about which the head is sized.
        pivot: (3,) about which the part is stretched else.
    """
    if part.bone in (Bone.SKULL, Bone.MANDIBLE):
        return about(np.diag(found.proportions[part.bone]), neck_top)
    if part.bone is not None and part.bone in found.proportions:
        return about(np.diag(found.proportions[part.bone]), pivot)
    if part.bone is None or part.bone not in found.girth:
        return np.eye(4)
    axis = np.linalg.svd(part.vertices - part.vertices.mean(axis=0), full_matrices=False)[2][0]
    along = np.outer(axis, axis)
    return about(along + found.girth[part.bone] * (np.eye(3) - along), pivot)
