"""Panels of a segmented volume: maximum intensity projections of emission images, key slices of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray, VolumeGeometry
from bmnode.domain.results import FindingResult, ResultSet, Segmentation
from bmnode.results.canvas import RGB, Grey, Mark, Panel, bright_end, lesion_colour, resize_grey, resize_mask, to_grey
from bmnode.results.grid import slice_sources
from bmnode.results.recompute import Values, rescaled_values
from bmnode.results.sources import SourceStudy

VOLUME_HEIGHT = 560
LARGEST_LESIONS = 4
EMISSION_MODALITIES = frozenset({"PT", "NM"})
CT_WINDOW_HU = (-250.0, 1250.0)
"""Bone window."""
_FROM_THE_FRONT, _FROM_THE_LEFT = 1, 0
"""Patient axis that a projection looks along: y, x."""
_TITLES: Mapping[int, str] = {
    _FROM_THE_FRONT: "Maximum intensity projection, from the front",
    _FROM_THE_LEFT: "Maximum intensity projection, from the left",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drawn:
    """A finding, its number on the picture, its segment number (from 1) and its colour."""

    finding: FindingResult
    number: int
    segment_number: int
    colour: RGB


@dataclass(frozen=True, kw_only=True, slots=True)
class _Upright:
    """How grid axes become the display's (down, right) for a view, and which axis is looked along."""

    along: int
    down: int
    right: int
    flip_down: bool
    flip_right: bool
    size: tuple[int, int]

    def show(self, plane: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """A plane over the two remaining grid axes, in ascending order, turned upright."""
        turned = plane if self.down < self.right else plane.T
        turned = turned[::-1] if self.flip_down else turned
        return turned[:, ::-1] if self.flip_right else turned


def drawn_findings(result_set: ResultSet, index: int) -> list[Drawn]:
    """The findings of a segmentation in the report's order, numbered and coloured."""
    found = [
        (finding, finding.segment.segment_number)
        for finding in result_set.findings
        if finding.segment is not None and finding.segment.segmentation_index == index
    ]
    return [
        Drawn(finding=finding, number=place + 1, segment_number=number, colour=lesion_colour(place))
        for place, (finding, number) in enumerate(found)
    ]


def projections(segmentation: Segmentation, findings: list[Drawn], source: SourceStudy) -> list[Panel]:
    """Maximum intensity projections from the front and from the left, with the shadow of every lesion."""
    volume = np.stack(
        [
            rescaled_values(item.instance.path, (item.frame_number or 1) - 1).astype(np.float32)
            for item in slice_sources(segmentation, source)
        ]
    )
    return [_projection(segmentation, findings, volume, along=axis) for axis in (_FROM_THE_FRONT, _FROM_THE_LEFT)]


def key_slices(segmentation: Segmentation, findings: list[Drawn], source: SourceStudy) -> list[Panel]:
    """The slices on which the largest lesions are widest, with every lesion that they show."""
    return [_key_slice(segmentation, index, findings, source) for index in _key_slices(segmentation, findings)]


def _key_slices(segmentation: Segmentation, findings: list[Drawn]) -> list[int]:
    """For the largest lesions the slice on which each is widest, once where they share it; for a study without
    lesions the slice with most of what was segmented."""
    masks = [segmentation.segments[item.segment_number - 1].mask for item in findings]
    if not masks:
        masks = [max((segment.mask for segment in segmentation.segments), key=lambda mask: mask.voxel_count)]
    largest = sorted(masks, key=lambda mask: -mask.voxel_count)[:LARGEST_LESIONS]
    return sorted({mask.origin[0] + int(np.argmax(mask.values.sum(axis=(1, 2)))) for mask in largest})


def _projection(
    segmentation: Segmentation, findings: list[Drawn], volume: npt.NDArray[np.float32], *, along: int
) -> Panel:
    upright = _upright(segmentation.geometry, along_patient_axis=along)
    flat = volume.max(axis=upright.along)
    grey = to_grey(flat, low=0.0, high=bright_end(flat), inverted=True)
    marks = []
    for item in findings:
        mask = segmentation.segments[item.segment_number - 1].mask
        plane: BoolArray = np.zeros([n for axis, n in enumerate(mask.grid_shape) if axis != upright.along], dtype=bool)
        box = tuple(part for axis, part in enumerate(mask.box) if axis != upright.along)
        plane[box] = mask.values.any(axis=upright.along)
        marks.append(_mask_mark(item, plane, upright))
    return Panel(
        title=_TITLES[along],
        grey=resize_grey(np.ascontiguousarray(upright.show(grey)).astype(np.uint8), upright.size),
        marks=tuple(marks),
    )


def _key_slice(segmentation: Segmentation, index: int, findings: list[Drawn], source: SourceStudy) -> Panel:
    """One slice with every lesion that it shows."""
    item = slice_sources(segmentation, source)[index]
    values = rescaled_values(item.instance.path, (item.frame_number or 1) - 1)
    _, row_step, column_step = segmentation.geometry.spacing_mm
    height, width = values.shape[0] * row_step, values.shape[1] * column_step
    size = (VOLUME_HEIGHT, max(1, round(VOLUME_HEIGHT * width / height)))
    marks = []
    for other in findings:
        here = segmentation.segments[other.segment_number - 1].mask
        if not here.origin[0] <= index < here.origin[0] + here.values.shape[0]:
            continue
        plane: BoolArray = np.zeros(values.shape, dtype=np.bool_)
        plane[here.box[1:]] = here.values[index - here.origin[0]]
        marks.append(Mark(text=str(other.number), colour=other.colour, mask=resize_mask(plane, size)))
    grey = _windowed(values, modality=item.instance.modality)
    return Panel(title=f"Slice {index + 1}", grey=resize_grey(grey, size), marks=tuple(marks))


def _windowed(values: Values, *, modality: str) -> Grey:
    """Bone window for CT; from 0 to nearly the brightest for the others, emission dark on white."""
    if modality == "CT":
        return to_grey(values, low=CT_WINDOW_HU[0], high=CT_WINDOW_HU[1], inverted=False)
    return to_grey(values, low=0.0, high=bright_end(values), inverted=modality in EMISSION_MODALITIES)


def _mask_mark(item: Drawn, plane: BoolArray, upright: _Upright) -> Mark:
    shown = np.ascontiguousarray(upright.show(plane)).astype(np.bool_)
    return Mark(text=str(item.number), colour=item.colour, mask=resize_mask(shown, upright.size))


_VIEWS: Mapping[int, tuple[int, int, float, float]] = {
    # looked along -> patient axes (down, right) and the signs that point down and right: feet down; left side or back
    # on the right
    _FROM_THE_FRONT: (2, 0, -1.0, 1.0),
    _FROM_THE_LEFT: (2, 1, -1.0, 1.0),
}


def _upright(geometry: VolumeGeometry, *, along_patient_axis: int) -> _Upright:
    """Match grid axes to the patient's x, y, z by their directions, and find which must be turned."""
    down_axis, right_axis, down_sign, right_sign = _VIEWS[along_patient_axis]
    directions = geometry.matrix[:3, :3] / np.asarray(geometry.spacing_mm)
    grid_axis = _nearest_axes(directions)
    down, right = grid_axis[down_axis], grid_axis[right_axis]
    extent = [size * step for size, step in zip(geometry.shape, geometry.spacing_mm, strict=True)]
    width = max(1, round(VOLUME_HEIGHT * extent[right] / extent[down]))
    return _Upright(
        along=grid_axis[along_patient_axis],
        down=down,
        right=right,
        flip_down=bool(directions[down_axis, down] * down_sign < 0),
        flip_right=bool(directions[right_axis, right] * right_sign < 0),
        size=(VOLUME_HEIGHT, width),
    )


def _nearest_axes(directions: npt.NDArray[np.float64]) -> dict[int, int]:
    """Patient axis -> grid axis, the best aligned pair first."""
    strength = np.abs(directions).copy()
    pairs: dict[int, int] = {}
    for _ in range(3):
        patient, axis = np.unravel_index(int(np.argmax(strength)), strength.shape)
        pairs[int(patient)] = int(axis)
        strength[patient, :] = strength[:, axis] = -1.0
    return pairs
