"""A simulated body taken apart for training: its parts lie where they should, in both views alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from operators.kernels.planar_regions.parts import PART_NUMBERS, PlanarPart
from pipelines.training.planar.cases import GROUPS, Case, CaseMaker


def check(case: Case) -> None:
    """Every promise of a case."""
    assert case.groups.shape[0] == GROUPS
    assert case.groups[:, 0].sum(dtype=np.float64) / 1e6 == np.clip(
        case.groups[:, 0].sum(dtype=np.float64) / 1e6, 0.99, 1.01
    )
    for part in (PlanarPart.FEMUR_LEFT, PlanarPart.HUMERUS_RIGHT, PlanarPart.PELVIS_LEFT, PlanarPart.SKULL):
        image = case.groups[PART_NUMBERS[part] - 1].astype(np.float64)
        own = case.parts == PART_NUMBERS[part]
        assert image[own].mean() > 10.0 * image[~own].mean(), part
    for view in range(2):
        columns = [
            np.nonzero(case.parts[view] == PART_NUMBERS[part])[1].mean()
            for part in (PlanarPart.FEMUR_RIGHT, PlanarPart.FEMUR_LEFT)
        ]
        assert columns[0] < columns[1]
    assert len(case.lesions) == len(case.shadows) > 0
    hot = 0
    for views, shadows in zip(case.lesions.astype(np.float64), case.shadows, strict=True):
        for added, shadow in zip(views, shadows, strict=True):
            if shadow.any() and added.max() > 1.0:
                peak = np.unravel_index(int(added.argmax()), added.shape)
                assert np.linalg.norm(np.argwhere(shadow) - peak, axis=1).min() <= 3.0
                hot += 1
    assert hot > 10


def test_a_body_is_taken_apart(tmp_path: Path) -> None:
    """Bones count where they are named, right lies left in both views, lesions are hottest at their shadows."""
    check(CaseMaker(cache_dir=tmp_path).case(7000001))
