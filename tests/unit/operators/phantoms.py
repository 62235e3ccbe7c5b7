"""Synthetic patients as arrays: a trunk with a spine on CT and on an ADC map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from tests.unit.operators.series import geometry_of

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SPACING_MM = (3.0, 2.0, 2.0)
SHAPE = (50, 110, 140)
BODY_CENTRE_MM = (110.0, 140.0)
VERTEBRA_CENTRE_MM = (130.0, 140.0)
CANAL_CENTRE_MM = (158.0, 140.0)


def grid() -> tuple[VolumeGeometry, Array, Array, Array]:
    """The geometry and the distance in mm of every voxel from the first along (slice, row, column)."""
    axes = [np.arange(size) * step for size, step in zip(SHAPE, SPACING_MM, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return geometry_of(SHAPE, spacing_mm=SPACING_MM), z, y, x


def disc(y: Array, x: Array, centre: tuple[float, float], radii: tuple[float, float]) -> Mask:
    """An ellipse in the axial plane, the same in every slice."""
    inside: Mask = ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 <= 1.0
    return inside


def ball(point: tuple[float, float, float], radius_mm: float) -> Mask:
    """A sphere at (slice, row, column) mm."""
    _, z, y, x = grid()
    inside: Mask = (z - point[0]) ** 2 + (y - point[1]) ** 2 + (x - point[2]) ** 2 <= radius_mm**2
    return inside


def trunk_ct(*, table: bool = True) -> tuple[Array, VolumeGeometry, Mask]:
    """HU of a trunk with one long vertebral column, canal and table; and where bone with its marrow is."""
    geometry, _, y, x = grid()
    hu = np.full(SHAPE, -1000.0)
    hu[disc(y, x, BODY_CENTRE_MM, (80.0, 120.0))] = 40.0
    column = disc(y, x, VERTEBRA_CENTRE_MM, (22.0, 26.0))
    arch = disc(y, x, CANAL_CENTRE_MM, (15.0, 17.0))
    canal = disc(y, x, CANAL_CENTRE_MM, (8.0, 11.0))
    hu[arch] = 700.0
    hu[column] = 700.0
    hu[disc(y, x, VERTEBRA_CENTRE_MM, (18.0, 22.0))] = 180.0
    hu[canal] = 20.0
    hu += np.random.default_rng(3).normal(scale=15.0, size=SHAPE)
    if table:
        hu[:, 104:106, 10:130] = 300.0
    return hu, geometry, (column | arch) & ~canal


def trunk_adc() -> tuple[Array, VolumeGeometry]:
    """ADC in um2/s: muscle 1500, marrow 400, fluid in the canal 3000, air 0."""
    geometry, _, y, x = grid()
    adc = np.zeros(SHAPE)
    adc[disc(y, x, BODY_CENTRE_MM, (80.0, 120.0))] = 1500.0
    adc[disc(y, x, VERTEBRA_CENTRE_MM, (20.0, 24.0))] = 400.0
    adc[disc(y, x, CANAL_CENTRE_MM, (8.0, 10.0))] = 3000.0
    noisy = adc + np.random.default_rng(5).normal(scale=60.0, size=SHAPE) * (adc > 0)
    return np.maximum(noisy, 0.0), geometry
