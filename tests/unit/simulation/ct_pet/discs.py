"""Hand-made scenes: round and oval bodies of one tissue, with a bone or a focus where asked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.fields.ct import stack
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.scene import ARRAYS, Scene

ByteArray = npt.NDArray[np.uint8]
PERSON: Mapping[str, float | str] = {"sex": "M", "height_cm": 176.0, "weight_kg": 75.0, "seed": 0, "spread": 0.0}
"""The reference person."""


def grid(shape: tuple[int, int, int], *, spacing_mm: tuple[float, float, float]) -> VolumeGeometry:
    """An axial grid about the origin."""
    return stack(
        centre_mm=(0.0, 0.0, 0.0), spacing_mm=spacing_mm, shape=shape, tilt_deg=0.0, frame_of_reference_uid="1.2.3"
    )


def cylinder(geometry: VolumeGeometry, *, width_mm: float, depth_mm: float, matter: Matter = Matter.LIVER) -> ByteArray:
    """A matter map: an oval of `width_mm` from left to right and `depth_mm` from front to back, in air."""
    _, rows, columns = (np.arange(n) - (n - 1) / 2.0 for n in geometry.shape)
    y, x = rows[:, None] * geometry.spacing_mm[1], columns[None, :] * geometry.spacing_mm[2]
    oval = (2.0 * x / width_mm) ** 2 + (2.0 * y / depth_mm) ** 2 <= 1.0
    return np.broadcast_to(np.where(oval, matter, Matter.AIR).astype(np.uint8), geometry.shape).copy()


def ball(geometry: VolumeGeometry, *, radius_mm: float) -> npt.NDArray[np.float64]:
    """The part of every voxel that lies in a ball about the middle, from 5 x 5 x 5 samples."""
    offsets = (np.arange(5) - 2.0) / 5.0
    z, y, x = (
        ((np.arange(n) - (n - 1) / 2.0)[:, None] + offsets).reshape(-1) * step
        for n, step in zip(geometry.shape, geometry.spacing_mm, strict=True)
    )
    inside = z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2 <= radius_mm**2
    k, j, i = geometry.shape
    return np.asarray(inside.reshape(k, 5, j, 5, i, 5).mean(axis=(1, 3, 5)))


def scene_of(
    geometry: VolumeGeometry, *, appearance: Appearance | None = None, **arrays: npt.NDArray[np.generic]
) -> Scene:
    """A scene of these arrays, everything else empty; a decoy of `appearance` where `decoy_fraction` is given."""
    whole = {name: np.zeros(geometry.shape, dtype=np.uint8) for name in ARRAYS}
    for name, array in arrays.items():
        whole[name] = array.astype(np.uint8)
    decoys: dict[str, tuple[object, ...]] = {}
    if appearance is not None:
        decoys = {"decoy_names": ("focus",), "decoy_appearances": (appearance,)}
    return Scene(geometry=geometry, person=PERSON, **decoys, **whole)  # type: ignore[arg-type]  # names are the fields'
