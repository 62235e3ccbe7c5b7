"""A small scene made by hand, in which every value can be computed on paper."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import Bone
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.scene import ARRAYS, Scene
from operators.simulation.tracer import Tracer

SHAPE = (2, 3, 4)
LESION = Appearance(suv={Tracer.FDG: 8.0}, lytic_hu=40.0, sclerotic_hu=640.0)
METAL = Appearance(metal=True, sclerotic_hu=3000.0)


def geometry() -> VolumeGeometry:
    """Six cubic centimetres in voxels of different edges."""
    matrix = np.array([[0, 0, 5.0, -10], [0, 4.0, 0, 0], [6.0, 0, 0, 100], [0, 0, 0, 1]])
    return VolumeGeometry.from_matrix(matrix, shape=SHAPE, frame_of_reference_uid="1.2.3")


def scene(**changes: npt.NDArray[np.uint8]) -> Scene:
    """Muscle everywhere; voxel (0, 0, 0) is a vertebra of half cortex, (0, 0, 1) touches it with a fifth."""
    arrays = {name: np.zeros(SHAPE, dtype=np.uint8) for name in ARRAYS}
    arrays["matter"][:] = Matter.MUSCLE
    arrays["bones"][0, 0, :2] = Bone.L3
    arrays["bone_centres"][0, 0, 0] = 1
    arrays["bone_fraction"][0, 0, :2] = 255, 51
    arrays["cortex_fraction"][0, 0, 0] = 127
    arrays["lesions"][1, 1, :2] = 1
    arrays["lesion_fraction"][1, 1, :2] = 255, 102
    arrays["sclerosis"][1, 1, :2] = 255, 51
    arrays["decoys"][1, 2, 3] = 1
    arrays["decoy_fraction"][1, 2, 3] = 255
    arrays.update(changes)
    return Scene(
        geometry=geometry(),
        lesion_names=("L01",),
        lesion_appearances=(LESION,),
        decoy_names=("D01",),
        decoy_appearances=(METAL,),
        person={"sex": "F", "height_cm": 163.0, "weight_kg": 60.0, "seed": 3, "spread": 1.0},
        **arrays,
    )
