"""Everything that is not bone: outline, fat, muscle, organs; and what each is worth in each modality."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bmnode.testing.patients.skeleton import BRAIN, CANAL_RADIUS, CHEST_WALL, VERTEBRA_LEVELS, body_size, canal_center
from bmnode.testing.patients.solids import Capsule, Cylinder, Ellipsoid, Profile, Solid, Within


class Tissue(IntEnum):
    """What a voxel is made of, bone left out."""

    AIR = 0
    FAT = 1
    MUSCLE = 2
    LUNG = 3
    LIVER = 4
    SPLEEN = 5
    KIDNEY = 6
    HEART = 7
    BLOOD = 8
    BLADDER = 9
    BOWEL = 10
    BRAIN = 11
    CSF = 12
    DISC = 13
    SALIVARY = 14


def lookup(values: Mapping[Tissue, float]) -> npt.NDArray[np.float32]:
    """A float32 table indexed by tissue. Raises KeyError where a tissue has no value."""
    return np.array([values[tissue] for tissue in Tissue], dtype=np.float32)


SUBCUTANEOUS_FAT_MM = 14.0

_TRUNK = Profile(
    z=(-95, -40, 0, 60, 130, 200, 300, 400, 480, 540, 575, 600),
    half_width=(176, 180, 182, 176, 164, 160, 165, 172, 178, 185, 150, 78),
    half_depth=(100, 112, 116, 118, 116, 114, 118, 124, 122, 116, 96, 76),
    center_y=6.0,
)


def outline(*, arms: bool) -> tuple[Solid, ...]:
    """The solids whose union is the body."""
    solids: list[Solid] = [
        _TRUNK,
        Capsule(start=(0, 22, 580), end=(0, 14, 720), radius_start=66, radius_end=60),
        Ellipsoid(center=(0, 6, 780), radii=(82, 104, 112)),
    ]
    for s in (1, -1):
        solids += [
            Capsule(start=(s * 92, 8, -60), end=(s * 82, 6, -420), radius_start=88, radius_end=58),
            Capsule(start=(s * 82, 6, -420), end=(s * 76, 18, -830), radius_start=58, radius_end=40),
            Capsule(start=(s * 76, 10, -846), end=(s * 86, -88, -948), radius_start=36, radius_end=26),
        ]
        if arms:
            solids += [
                Capsule(start=(s * 178, 28, 556), end=(s * 224, 40, 262), radius_start=48, radius_end=40),
                Capsule(start=(s * 224, 40, 262), end=(s * 242, 14, 10), radius_start=40, radius_end=28),
                Capsule(start=(s * 242, 12, 10), end=(s * 246, 5, -135), radius_start=28, radius_end=18),
            ]
    return tuple(solids)


def _bowel() -> list[tuple[Tissue, Solid]]:
    # A fixed pattern of loops; their exact shape matters to nobody.
    loops: list[tuple[Tissue, Solid]] = []
    for row, z in enumerate((95, 130, 165, 200)):
        for column in range(4):
            x = -72 + 48 * column + (12 if row % 2 else -12)
            loops.append((Tissue.BOWEL, Ellipsoid(center=(x, -50, z), radii=(22, 24, 17))))
    return loops


def _spine() -> list[tuple[Tissue, Solid]]:
    names = list(VERTEBRA_LEVELS)
    parts: list[tuple[Tissue, Solid]] = []
    for upper, lower in pairwise(names):
        (z_up, y_up), (z_low, y_low) = VERTEBRA_LEVELS[upper], VERTEBRA_LEVELS[lower]
        width, depth, _ = body_size(lower)
        half = 0.5 * (z_up - z_low)
        middle = (0.0, 0.5 * (y_up + y_low), 0.5 * (z_up + z_low))
        parts.append(
            (Tissue.DISC, Cylinder(center=middle, radius_x=0.95 * width, radius_y=0.95 * depth, half_height=half * 0.7))
        )
        parts.append(
            (
                Tissue.CSF,
                Capsule(
                    start=canal_center(upper),
                    end=canal_center(lower),
                    radius_start=CANAL_RADIUS - 1.5,
                    radius_end=CANAL_RADIUS - 1.5,
                ),
            )
        )
    return parts


def organs() -> tuple[tuple[Tissue, Solid], ...]:
    """Organs in the order in which they are painted: the later covers the earlier."""
    lungs = [
        (Tissue.LUNG, Within(solids=(Ellipsoid(center=(s * 72, 4, 440), radii=(58, 84, 140)), CHEST_WALL)))
        for s in (1, -1)
    ]
    cavity = (Tissue.FAT, Ellipsoid(center=(0, -28, 190), radii=(128, 72, 135)))
    psoas = [
        (Tissue.MUSCLE, Capsule(start=(s * 36, 22, 250), end=(s * 70, -5, 60), radius_start=14, radius_end=20))
        for s in (1, -1)
    ]
    kidneys = [(Tissue.KIDNEY, Ellipsoid(center=(s * 66, 50, 250 - 4 * s), radii=(28, 24, 52))) for s in (1, -1)]
    salivary = [(Tissue.SALIVARY, Ellipsoid(center=(s * 60, 2, 712), radii=(12, 18, 24))) for s in (1, -1)]
    fluids: list[tuple[Tissue, Solid]] = [
        (Tissue.BLOOD, Capsule(start=(8, -16, 175), end=(14, 18, 470), radius_start=10, radius_end=12)),
        (Tissue.BLADDER, Ellipsoid(center=(0, -42, 22), radii=(38, 32, 30))),
        (Tissue.BRAIN, BRAIN),
    ]
    viscera = [
        (Tissue.HEART, Ellipsoid(center=(22, -38, 440), radii=(52, 44, 52))),
        (Tissue.LIVER, Ellipsoid(center=(-64, -6, 340), radii=(72, 78, 72))),
        (Tissue.SPLEEN, Ellipsoid(center=(100, 38, 345), radii=(28, 40, 46))),
    ]
    return (*lungs, cavity, *_bowel(), *psoas, *kidneys, *viscera, *salivary, *fluids, *_spine())
