"""Parts of scenes: the box that holds the body, and a coarse copy for sums along rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.matter import Matter
from operators.simulation.scene import ARRAYS, Scene

_EVERY = 2
_MARGIN = 3
"""Pixels around the box, for what the slices between hold."""


def body_box(scene: Scene) -> tuple[slice, slice]:
    """Rows and columns that hold all of the body and of foci beside it; everything where there is no body."""
    looked = scene.matter[::_EVERY] != Matter.AIR
    looked |= scene.decoy_fraction[::_EVERY] > 0
    rows, columns = np.flatnonzero(looked.any(axis=(0, 2))), np.flatnonzero(looked.any(axis=(0, 1)))
    if not len(rows):
        return slice(0, scene.geometry.shape[1]), slice(0, scene.geometry.shape[2])
    row, column = (
        slice(max(int(hits[0]) - _MARGIN, 0), min(int(hits[-1]) + 1 + _MARGIN, size))
        for hits, size in zip((rows, columns), scene.geometry.shape[1:], strict=True)
    )
    return row, column


def cropped(scene: Scene, box: tuple[slice, slice]) -> Scene:
    """These rows and columns of every slice, without a copy."""
    return _part(scene, (slice(0, None, 1), slice(box[0].start, box[0].stop, 1), slice(box[1].start, box[1].stop, 1)))


def coarse(scene: Scene, steps: tuple[int, int]) -> Scene:
    """Every n-th slice, and every m-th row and column from the middle of its first m."""
    middle = slice(steps[1] // 2, None, steps[1])
    return _part(scene, (slice(0, None, steps[0]), middle, middle))


def _part(scene: Scene, part: tuple[slice, slice, slice]) -> Scene:
    arrays = {name: getattr(scene, name)[part] for name in ARRAYS}
    matrix = scene.geometry.matrix @ np.diag([*(axis.step for axis in part), 1.0])
    matrix[:3, 3] = scene.geometry.position_lps((part[0].start, part[1].start, part[2].start))
    shape = arrays["bones"].shape
    geometry = VolumeGeometry.from_matrix(
        matrix, shape=(shape[0], shape[1], shape[2]), frame_of_reference_uid=scene.geometry.frame_of_reference_uid
    )
    return replace(scene, geometry=geometry, **arrays)
