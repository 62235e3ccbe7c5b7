"""From the patient to the rest frame of the skeleton's source, in which the organs' shapes are written down.

Every vertebra knows where it came from. A point at the height of two of them moves with both: so the organs
follow curved spines, size and posture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.bones import VERTEBRAE, Bone
from operators.simulation.anatomy.pose import PosedSkeleton

FloatArray = npt.NDArray[np.float64]

_SMOOTH = (0.25, 0.5, 0.25)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BodyFrame:
    """The way from LPS to the rest frame, by height.

    Args:
        heights: (n,) ascending LPS z of sacrum and vertebrae.
        to_rest: (n, 3, 4) from LPS to the rest frame there.
        size: millimetres of the patient for a millimetre of the rest frame.
    """

    heights: FloatArray
    to_rest: FloatArray
    size: float

    @classmethod
    def of(cls, skeleton: PosedSkeleton) -> BodyFrame:
        """The frame of a posed skeleton."""
        anchors = []
        for placed in skeleton.parts:
            if placed.bone in VERTEBRAE or placed.bone is Bone.SACRUM:
                height = float(placed.vertices_lps[:, 2].mean())
                anchors.append((height, np.linalg.inv(placed.frame)[:3]))
        anchors.sort(key=lambda anchor: anchor[0])
        heights = np.array([height for height, _ in anchors])
        matrices = np.array([matrix for _, matrix in anchors])
        padded = np.concatenate([matrices[:1], matrices, matrices[-1:]])
        smooth = sum(weight * padded[first : first + len(matrices)] for first, weight in enumerate(_SMOOTH))
        middle = matrices[len(matrices) // 2]
        return cls(
            heights=heights,
            to_rest=np.asarray(smooth),
            size=float(np.cbrt(1.0 / abs(np.linalg.det(middle[:, :3])))),
        )

    def matrices(self, z: FloatArray) -> FloatArray:
        """(n, 3, 4) from LPS to the rest frame at heights z (n,)."""
        flat = self.to_rest.reshape(len(self.heights), 12)
        columns = [np.interp(z, self.heights, flat[:, column]) for column in range(12)]
        return np.stack(columns, axis=1).reshape(-1, 3, 4)

    def rest(self, points: FloatArray) -> FloatArray:
        """Points (n, 3) of LPS in the rest frame."""
        matrices = self.matrices(points[:, 2])
        return np.asarray(np.einsum("nij,nj->ni", matrices[:, :, :3], points) + matrices[:, :, 3])
