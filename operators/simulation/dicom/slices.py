"""Volumes as classic series: one instance a slice, with what accidents do to them on the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from operators.simulation.dicom.elements import (
    decimal,
    decimals,
    fill,
    normal,
    plane_orientation,
    plane_position,
    set_pixels,
    slice_gap_mm,
)
from operators.simulation.dicom.encoding import Encoding
from operators.simulation.dicom.series import Series
from operators.simulation.images import Volume
from operators.simulation.protocols.habits import Habits

Attributes = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stack:
    """One volume of a series.

    Args:
        attributes: what the volume's slices share beyond the series, e.g. a b-value.
        per_slice: what a slice of the volume has of its own, by slice index.
        mark: adds private elements to every slice.
    """

    volume: Volume
    encoding: Encoding
    attributes: Attributes
    per_slice: Callable[[int], Attributes] = lambda index: {}  # noqa: ARG005 - nothing by default
    mark: Callable[[Dataset], None] = lambda dataset: None  # noqa: ARG005 - nothing by default


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceOrder:
    """Which slices of a volume are written, in which order; a slice may come twice."""

    indices: tuple[int, ...]

    @classmethod
    def of(cls, count: int, *, habits: Habits, first: bool) -> SliceOrder:
        """The order of a volume of `count` slices; only the `first` volume of a series suffers accidents."""
        chosen = list(range(count))
        if first:
            gone = set(_spread(count, habits.missing_slices))
            chosen = [index for index in chosen if index not in gone]
            again = [chosen[place] for place in _spread(len(chosen), habits.duplicate_slices)]
            chosen = sorted(chosen + again)
        return cls(indices=tuple(reversed(chosen) if habits.feet_first else chosen))


def write_slices(series: Series, *, template: Dataset, stacks: Sequence[Stack]) -> tuple[Path, ...]:
    """Write volumes one after the other, numbered on, in one series. The template is changed in place.

    Returns the files in the order of Instance Number, then those that were sent twice.
    """
    files: list[Path] = []
    for place, stack in enumerate(stacks):
        fill(template, {**stack.attributes, **grid_attributes(stack.volume)})
        stack.mark(template)
        order = SliceOrder.of(stack.volume.geometry.shape[0], habits=series.habits, first=place == 0)
        for index in order.indices:
            files.append(_write_slice(series, template, stack=stack, index=index, number=len(files) + 1))
    return (*files, *resend(files, habits=series.habits))


def resend(files: Sequence[Path], *, habits: Habits) -> list[Path]:
    """Copies of some files under other names, as a sender makes them that repeats itself."""
    again = [files[place] for place in _spread(len(files), habits.resent_instances)]
    return [Path(shutil.copyfile(path, path.with_stem(f"{path.stem}_again"))) for path in again]


def grid_attributes(volume: Volume) -> dict[str, Any]:
    """Image Plane module but for what differs from slice to slice."""
    geometry = volume.geometry
    _, row_mm, column_mm = geometry.spacing_mm
    return {
        "FrameOfReferenceUID": geometry.frame_of_reference_uid,
        "PositionReferenceIndicator": "",
        "PixelSpacing": decimals([row_mm, column_mm]),
        "ImageOrientationPatient": plane_orientation(geometry),
        "SpacingBetweenSlices": decimal(abs(slice_gap_mm(geometry))),
    }


def slice_location(volume: Volume, index: int) -> float:
    """Distance of a slice from the origin along the normal, mm."""
    return float(normal(volume.geometry) @ np.asarray(volume.geometry.position_lps((index, 0, 0))))


def _write_slice(series: Series, template: Dataset, *, stack: Stack, index: int, number: int) -> Path:
    stored = stack.encoding.plane(stack.volume.values[index], index)
    set_pixels(template, stored, bits_stored=stack.encoding.bits_stored)
    fill(
        template,
        {
            "ImagePositionPatient": plane_position(stack.volume.geometry, index),
            "SliceLocation": decimal(slice_location(stack.volume, index)),
            **stack.per_slice(index),
        },
    )
    return series.save(template, number=number)


def _spread(count: int, wanted: int) -> list[int]:
    """Places spread evenly over a list, its ends left out; fewer where it is too short."""
    if wanted == 0 or count < 3:
        return []
    places = np.linspace(0, count - 1, wanted + 2)[1:-1]
    return sorted({min(max(round(float(place)), 1), count - 2) for place in places})
