"""Scenes of pure blocks: no anatomy, every voxel known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics.mri_grid import MrField, Plane
from operators.simulation.protocols.mri import Sequence
from operators.simulation.scene import ARRAYS, Scene

PIXELS = 24
"""Rows and columns."""


def axial_field(
    *sequences: Sequence, slices: int = 4, slice_step_mm: float = 5.0, fine: int = 1, pixels: int = PIXELS
) -> MrField:
    """A small axial field around the origin."""
    matrix = np.zeros((4, 4))
    matrix[2, 0], matrix[1, 1], matrix[0, 2], matrix[3, 3] = slice_step_mm, 2.0, 2.0, 1.0
    return MrField(
        sequences=sequences,
        plane=Plane.AXIAL,
        geometry=VolumeGeometry.from_matrix(matrix, shape=(slices, pixels, pixels), frame_of_reference_uid="1.2.3"),
        slices_of_scene=fine,
    )


def block_scene(
    field: MrField,
    matter: Matter | npt.NDArray[np.uint8] = Matter.AIR,
    *,
    lesion: Appearance | None = None,
    spread: float = 0.0,
    **arrays: Any,
) -> Scene:
    """A scene on a field's grid; every array that is not given is 0, a number fills its whole array."""
    geometry = field.scene_geometry
    filled: dict[str, Any] = {name: np.full(geometry.shape, arrays.get(name, 0), dtype=np.uint8) for name in ARRAYS}
    filled["matter"] = np.broadcast_to(np.asarray(matter, dtype=np.uint8), geometry.shape).copy()
    return Scene(
        geometry=geometry,
        lesion_names=() if lesion is None else ("focus",),
        lesion_appearances=() if lesion is None else (lesion,),
        person={"seed": 1, "person_seed": 2, "spread": spread},
        **filled,
    )


def half_and_half(field: MrField, left: Matter, right: Matter) -> npt.NDArray[np.uint8]:
    """The patient's left half (high columns of an axial grid) of one matter, the right half of another."""
    matter = np.full(field.scene_geometry.shape, right, dtype=np.uint8)
    matter[..., matter.shape[2] // 2 :] = left
    return matter
