"""The CT beside an emission image at organ scale: Hounsfield units on blocks of about four millimetres, in
patient orientation, with bone, spinal canal and lungs.

Organs are centimetres wide: blocks of this size show them, keep noise of a low-dose CT down, and take little memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray, VolumeGeometry
from operators.kernels.bone import WorkingBone
from operators.kernels.components import label
from operators.kernels.morphology import Spacing, block_factors, block_means
from operators.kernels.resample import block_matrix

_AIR_HU = -500.0
"""Between lung (about -800) and soft tissue: the usual threshold of lung segmentation."""
_SMALLEST_LUNG_ML = 150.0
"""Project rule: smaller air inside the patient is bowel gas or an airway."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CoarseCt:
    """Blocks (z, y, x) along +z (head), +y (back) and +x (left) of LPS.

    Args:
        hu: float32.
        bone, canal, lung: bool. Lung is air inside the patient, both sides and the airways that join them.
        matrix: 4 by 4, from the index of a block to LPS millimetres.
    """

    hu: npt.NDArray[np.float32]
    bone: BoolArray
    canal: BoolArray
    lung: BoolArray
    spacing_mm: Spacing
    matrix: npt.NDArray[np.float64]

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one block, ml."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def position_lps(self, index: tuple[float, float, float]) -> tuple[float, float, float]:
        """Centre of the block at (z, y, x), millimetres."""
        x, y, z, _ = self.matrix @ np.array([*index, 1.0])
        return float(x), float(y), float(z)


def coarsen(work: WorkingBone, *, source: VolumeGeometry, block_mm: float) -> CoarseCt:
    """The working grid of a bone segmentation at `block_mm`; `source` is the CT's own geometry."""
    factors = block_factors(work.spacing_mm, working_mm=block_mm)
    z, y, x = factors
    hu = block_means(work.hu, factors)
    spacing = (work.spacing_mm[0] * z, work.spacing_mm[1] * y, work.spacing_mm[2] * x)
    whole = (work.factors[0] * z, work.factors[1] * y, work.factors[2] * x)
    return CoarseCt(
        hu=hu,
        bone=block_means(work.bone.astype(np.float32), factors) >= 0.5,
        canal=block_means(work.canal.astype(np.float32), factors) >= 0.5,
        lung=find_lungs(hu, voxel_volume_ml=float(np.prod(spacing)) / 1000.0),
        spacing_mm=spacing,
        matrix=block_matrix(work, source, whole),
    )


def find_lungs(hu: npt.NDArray[np.float32], *, voxel_volume_ml: float) -> BoolArray:
    """Air (z, y, x) that does not reach the sides of the image, in parts of lung size."""
    labels = label(hu < _AIR_HU, connectivity=6)
    counts = np.bincount(labels.ravel())
    keep = counts * voxel_volume_ml >= _SMALLEST_LUNG_ML
    for side in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        keep[np.unique(side)] = False
    keep[0] = False
    result: BoolArray = keep[labels]
    return result


def canal_line(ct: CoarseCt) -> npt.NDArray[np.float64] | None:
    """For every slice the canal's (y, x) in blocks, interpolated between slices that show it; None without canal."""
    area = ct.canal.sum(axis=(1, 2))
    shown = np.flatnonzero(area)
    if shown.size == 0:
        return None
    rows = ct.canal.sum(axis=2) @ np.arange(ct.canal.shape[1])
    columns = ct.canal.sum(axis=1) @ np.arange(ct.canal.shape[2])
    every = np.arange(len(area))
    centres = (values[shown] / area[shown] for values in (rows, columns))
    return np.stack([np.interp(every, shown, centre) for centre in centres], axis=1)
