"""Label Map Segmentation read frame by frame: the value of a pixel is the number of its segment, 0 is background."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels

from bmnode.results.concepts import LABEL_MAP_SEGMENTATION

Labels = npt.NDArray[np.unsignedinteger]
"""Segment numbers (row, column), 8 or 16 bits."""


def is_label_map(dataset: Dataset) -> bool:
    """Whether the object is a Label Map Segmentation."""
    return str(dataset.get("SOPClassUID", "")) == LABEL_MAP_SEGMENTATION


def label_planes(dataset: Dataset) -> Iterator[Labels]:
    """Every frame's segment numbers, decoded one at a time. Raises what pydicom raises on damaged pixel data."""
    yield from iter_pixels(dataset)


def label_counts(dataset: Dataset) -> dict[int, int]:
    """Pixels by segment number, the background left out."""
    counts: dict[int, int] = {}
    for plane in label_planes(dataset):
        numbers, found = np.unique(plane, return_counts=True)
        for number, count in zip(numbers.tolist(), found.tolist(), strict=True):
            if number:
                counts[number] = counts.get(number, 0) + count
    return counts
