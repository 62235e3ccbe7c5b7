"""A body of rectangles: quick to make, with a left and a right."""

from __future__ import annotations

import numpy as np

from operators.kernels.planar_input import WORKING_SHAPE
from operators.kernels.planar_regions.parts import PART_NUMBERS, PlanarPart
from pipelines.training.planar.cases import GROUPS, Case

RIGHT, LEFT = (slice(200, 300), slice(30, 45)), (slice(200, 300), slice(80, 95))
HOT = (slice(220, 230), slice(32, 40))
FAINT = (slice(260, 266), slice(84, 90))


def blocks() -> Case:
    """Two thighs in a body, one plain metastasis on the right, one that hardly shows on the left, one decoy."""
    shape = (2, *WORKING_SHAPE)
    groups = np.zeros((GROUPS, *shape), dtype=np.float16)
    parts = np.zeros(shape, dtype=np.uint8)
    groups[-1, :, 50:400, 20:105] = 8.0
    for box, part in ((RIGHT, PlanarPart.FEMUR_RIGHT), (LEFT, PlanarPart.FEMUR_LEFT)):
        groups[(PART_NUMBERS[part] - 1, slice(None), *box)] = 12.0
        parts[(slice(None), *box)] = PART_NUMBERS[part]
    lesions = np.zeros((2, *shape), dtype=np.float16)
    lesions[(0, slice(None), *HOT)], lesions[(1, slice(None), *FAINT)] = 60.0, 0.1
    decoys = np.zeros((1, *shape), dtype=np.float16)
    decoys[0, :, 380:390, 60:70] = 40.0
    return Case(groups=groups, lesions=lesions, shadows=lesions > 0, decoys=decoys, parts=parts)
