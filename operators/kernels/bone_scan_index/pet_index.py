"""The three-dimensional index of PET: hot volume in per cent of the segmented bones (PMC5313492)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray, VolumeGeometry
from operators.kernels.bone_scan_index.regions import BS80K_SIDED, BoneLabel, LabelSet

RULE = "PET_INDEX"
VERSION = "Lindgren Belal 2017"
NOT_FROM_IMAGES = ("cause of uptake other than by its place and shape (trauma, degeneration, treatment)",)

NAF_HOTSPOT_SUV = 15.0
"""The publication's automated hot spot threshold, fluoride PET only (PMC5313492)."""

PET_INDEX_BONES = (
    BoneLabel.THORACIC_SPINE,
    BoneLabel.LUMBAR_SPINE,
    BoneLabel.SACRUM,
    BoneLabel.PELVIS,
    BoneLabel.RIBS,
    BoneLabel.SCAPULA_LEFT,
    BoneLabel.SCAPULA_RIGHT,
    BoneLabel.CLAVICLE_LEFT,
    BoneLabel.CLAVICLE_RIGHT,
    BoneLabel.STERNUM,
)
"""The bones of the publication; no other bone enters numerator or denominator."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoneVolume:
    """A bone's volume and the hot part of it, ml. Raises ValueError where the part exceeds the bone."""

    bone_ml: float
    hot_ml: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.bone_ml) and 0.0 <= self.hot_ml <= self.bone_ml * (1.0 + 1e-9)):
            raise ValueError("the hot part of a bone is neither negative nor larger than the bone")


@dataclass(frozen=True, kw_only=True, slots=True)
class PetIndex:
    """The index in per cent, its volumes in ml, and the bones it lacks; None where no bone was segmented."""

    index_percent: float | None
    hot_ml: float
    bone_ml: float
    evaluated: tuple[BoneLabel, ...]
    not_evaluable: tuple[BoneLabel, ...]
    rule: str = RULE
    version: str = VERSION
    not_from_images: tuple[str, ...] = NOT_FROM_IMAGES


def pet_index(bones: Mapping[BoneLabel, BoneVolume]) -> PetIndex:
    """100 times hot volume over bone volume, over the publication's bones; a bone of no volume is not evaluable.

    Raises ValueError on a bone that the index does not use.
    """
    foreign = [label.value for label in bones if label not in PET_INDEX_BONES]
    if foreign:
        raise ValueError(f"the PET index does not use {', '.join(foreign)}")
    evaluated = tuple(label for label in PET_INDEX_BONES if label in bones and bones[label].bone_ml > 0.0)
    hot = math.fsum(bones[label].hot_ml for label in evaluated)
    total = math.fsum(bones[label].bone_ml for label in evaluated)
    return PetIndex(
        index_percent=100.0 * hot / total if evaluated else None,
        hot_ml=hot,
        bone_ml=total,
        evaluated=evaluated,
        not_evaluable=tuple(label for label in PET_INDEX_BONES if label not in evaluated),
    )


def pet_index_from_masks(
    hot: BoolArray,
    skeleton: npt.NDArray[np.integer],
    geometry: VolumeGeometry,
    *,
    labels: LabelSet = BS80K_SIDED,
) -> PetIndex:
    """The index of a hot mask within a skeleton map, both (slice, row, column) on the geometry's grid.

    Hot voxels outside the publication's bones do not count. Raises ValueError where the shapes
    differ or the map holds a number that the label set does not name.
    """
    if hot.shape != geometry.shape or skeleton.shape != geometry.shape:
        raise ValueError("hot mask and skeleton map lie on the geometry's grid")
    if skeleton.min() < 0 or int(skeleton.max()) > max(labels.numbers):
        raise ValueError(f"the skeleton map holds numbers that {labels.name} does not name")
    size = max(labels.numbers) + 1
    whole, part = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    # slice by slice: counting widens its input to 8 bytes a voxel
    for bones, uptake in zip(skeleton, hot, strict=True):
        whole += np.bincount(bones.ravel(), minlength=size)
        part += np.bincount(bones[uptake], minlength=size)
    if any(whole[number] and number not in labels.numbers for number in range(1, size)):
        raise ValueError(f"the skeleton map holds numbers that {labels.name} does not name")
    return pet_index(
        {
            label: BoneVolume(
                bone_ml=int(whole[number]) * geometry.voxel_volume_ml,
                hot_ml=int(part[number]) * geometry.voxel_volume_ml,
            )
            for number, label in labels.numbers.items()
            if label in PET_INDEX_BONES
        }
    )
