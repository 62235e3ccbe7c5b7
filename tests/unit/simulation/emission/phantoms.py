"""Bodies made of blocks, on the grids of planar scans and of SPECT."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.scene import ARRAYS, Scene
from operators.simulation.tracer import Tracer

DEPTH = 24
"""Voxels from front to back on the planar grid."""
VOXEL_MM = 4.8
HOT = Appearance(suv={Tracer.MDP: 400.0})
Bytes = npt.NDArray[np.uint8]
Index = tuple[int, int, int]


def planar_grid(depth: int = DEPTH) -> VolumeGeometry:
    """The grid of a scan with 2.4 mm pixels, its lowest front right voxel at (-300, -50, -1000)."""
    return grid((512, depth, 128), VOXEL_MM, origin=(-300.0, -50.0, -1000.0))


def grid(shape: Index, step_mm: float, *, origin: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> VolumeGeometry:
    """Cubes along LPS."""
    matrix = np.zeros((4, 4))
    matrix[0, 2] = matrix[1, 1] = matrix[2, 0] = step_mm
    matrix[:3, 3] = origin
    matrix[3, 3] = 1.0
    return VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid="1.2.3")


def body(geometry: VolumeGeometry, matter: Bytes | Matter = Matter.AIR, **arrays: Bytes) -> Scene:
    """A person of the reference uptake and 70 kg; arrays that are not given hold 0."""
    filled: dict[str, Bytes] = {name: np.zeros(geometry.shape, dtype=np.uint8) for name in ARRAYS} | arrays
    filled["matter"] = np.broadcast_to(np.asarray(matter, dtype=np.uint8), geometry.shape).copy()
    return Scene(
        geometry=geometry,
        lesion_names=("L01",),
        lesion_appearances=(HOT,),
        person={"weight_kg": 70.0, "seed": 1, "person_seed": 2, "spread": 0.0},
        decoy_names=(),
        decoy_appearances=(),
        **filled,
    )


def box(geometry: VolumeGeometry, matter: Matter, *, columns: slice = slice(40, 88)) -> Bytes:
    """A block of one matter in air, 150 voxels long, as deep as the grid but for two voxels at both ends."""
    values = np.full(geometry.shape, Matter.AIR, dtype=np.uint8)
    values[200:350, 2:-2, columns] = matter
    return values


def lesion(geometry: VolumeGeometry, at: Index) -> dict[str, Bytes]:
    """The arrays of one lesion that fills one voxel (slice, row, column)."""
    labels, fraction = (np.zeros(geometry.shape, dtype=np.uint8) for _ in range(2))
    labels[at], fraction[at] = 1, 255
    return {"lesions": labels, "lesion_fraction": fraction}
