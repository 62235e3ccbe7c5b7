"""The grid that a whole-body scintigram is projected from."""

from __future__ import annotations

import math

import numpy as np

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.protocols.planar import COLUMNS, PIXELS_A_VOXEL, ROWS, PlanarProtocol

_ABOVE_HEAD_MM = 110.0
"""Between the upper edge of the image and the head, or the hands where they are above it."""


def planar_field(
    protocol: PlanarProtocol, anatomy: AnatomyBuilder, person: PersonSpec, *, frame_of_reference_uid: str
) -> VolumeGeometry:
    """Cubes of two pixels along the LPS axes; seen from the front they tile the image exactly.

    The body is centred from left to right and its highest point lies a margin below the image's upper
    edge, as technologists place it. What does not fit in 1024 rows is cut at the feet.
    """
    low, high = anatomy.body(person).bounds()
    step = PIXELS_A_VOXEL * protocol.pixel_mm
    shape = (ROWS // PIXELS_A_VOXEL, math.ceil((high[1] - low[1]) / step), COLUMNS // PIXELS_A_VOXEL)
    top = high[2] + _ABOVE_HEAD_MM
    matrix = np.zeros((4, 4))
    matrix[0, 2] = matrix[1, 1] = matrix[2, 0] = step
    matrix[:3, 3] = (
        (low[0] + high[0]) / 2 - (shape[2] - 1) / 2 * step,
        (low[1] + high[1]) / 2 - (shape[1] - 1) / 2 * step,
        top - (shape[0] - 0.5) * step,
    )
    matrix[3, 3] = 1.0
    return VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid=frame_of_reference_uid)
