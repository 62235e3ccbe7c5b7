"""Connected components as cropped masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import cc3d
import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray, CroppedMask

Connectivity = Literal[6, 18, 26]
CONNECTIVITY: Connectivity = 18
"""Faces and edges; voxels that touch by a corner only are two components (autoPET's convention)."""


def label(mask: BoolArray, *, connectivity: Connectivity = CONNECTIVITY) -> npt.NDArray[np.integer]:
    """Components of a mask (slice, row, column), numbered from 1."""
    return np.asarray(cc3d.connected_components(np.ascontiguousarray(mask), connectivity=connectivity))


def components(
    mask: BoolArray, *, minimum_voxels: int = 1, connectivity: Connectivity = CONNECTIVITY
) -> Iterator[CroppedMask]:
    """The mask's components of `minimum_voxels` or more, each in its own box, in label order."""
    labels = label(mask, connectivity=connectivity)
    statistics: Any = cc3d.statistics(labels)
    for number in range(1, len(statistics["voxel_counts"])):
        if int(statistics["voxel_counts"][number]) < minimum_voxels:
            continue
        box = statistics["bounding_boxes"][number]
        yield CroppedMask(
            grid_shape=(mask.shape[0], mask.shape[1], mask.shape[2]),
            origin=(int(box[0].start), int(box[1].start), int(box[2].start)),
            values=np.ascontiguousarray(labels[box] == number),
        )


def largest(mask: BoolArray, *, connectivity: Connectivity = 6) -> BoolArray:
    """The mask's largest component; the empty mask where there is none."""
    labels = label(mask, connectivity=connectivity)
    counts = np.bincount(labels.ravel())
    if len(counts) < 2:
        return np.zeros_like(mask)
    result: BoolArray = labels == int(np.argmax(counts[1:])) + 1
    return result


def minimum_voxels(volume_ml: float, *, voxel_volume_ml: float) -> int:
    """How many voxels a volume takes at least, one or more."""
    return max(1, int(np.ceil(volume_ml / voxel_volume_ml - 1e-9)))


def united(masks: tuple[CroppedMask, ...], *, shape: tuple[int, int, int]) -> BoolArray:
    """The union of masks on one grid."""
    whole = np.zeros(shape, dtype=np.bool_)
    for mask in masks:
        whole[mask.box] |= mask.values
    return whole
