"""Volumes as one multi-frame object: functional groups and dimensions (PS3.3 C.7.6.16, C.7.6.17)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from bmnode.domain.codes import Code
from bmnode.domain.ids import derive_uid
from operators.simulation.dicom.elements import (
    StoredArray,
    code_item,
    datetime_text,
    decimal,
    decimals,
    fill,
    item,
    plane_orientation,
    plane_position,
    set_pixels,
    slice_gap_mm,
)
from operators.simulation.dicom.series import Series
from operators.simulation.dicom.slices import SliceOrder, Stack, resend

Groups = Mapping[str, Dataset | Sequence[Dataset]]
"""Functional groups by the keyword of their sequence: one item, or several."""

_STACK_DIMENSIONS = (
    ("StackID", "FrameContentSequence"),
    ("InStackPositionNumber", "FrameContentSequence"),
)
_CLASSIC_ONLY = (
    "AcquisitionDate", "AcquisitionTime", "ProtocolName", "Laterality", "ImageComments", "BodyPartExamined",
)  # fmt: skip
_REGIONS: Mapping[str, Code] = {
    "SPINE": Code("421060004", "SCT", "Spine"),
    "CHEST": Code("51185008", "SCT", "Chest"),
    "PELVIS": Code("12921003", "SCT", "Pelvis"),
    "ABDOMENPELVIS": Code("416949008", "SCT", "Abdomen and Pelvis"),
    "CHESTABDPELVIS": Code("416775004", "SCT", "Chest, Abdomen and Pelvis"),
    "WHOLEBODY": Code("38266002", "SCT", "Entire body"),
}
"""Anatomic Region by Body Part Examined (PS3.16 Annex L)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameSource:
    """One frame: a slice of a stack. `number` counts the frames of the object from 1."""

    stack: Stack
    place: int
    index: int
    number: int

    def stored(self) -> StoredArray:
        """Stored values (row, column)."""
        return self.stack.encoding.plane(self.stack.volume.values[self.index], self.index)


@dataclass(frozen=True, kw_only=True, slots=True)
class MultiFrame:
    """What one kind of enhanced object adds to what all have in common.

    Args:
        template: attributes of the object.
        shared: groups that are the same in every frame.
        own: groups of one frame beyond its place and content.
        timing: attributes of one frame's content that say when it was acquired.
        further_dimensions: keyword of the dimension and of its group, before the position.
        slice_mm: Slice Thickness.
    """

    template: Dataset
    shared: Groups
    own: Callable[[FrameSource], Groups]
    timing: Callable[[FrameSource], Mapping[str, Any]] = lambda frame: {}  # noqa: ARG005 - a millisecond a frame
    further_dimensions: tuple[tuple[str, str], ...] = ()
    slice_mm: float


def write_multi_frame(series: Series, *, stacks: Sequence[Stack], kind: MultiFrame) -> tuple[Path, ...]:
    """Write volumes of one grid as one object, one frame a slice. Returns the file, and copies sent again.

    Raises ValueError where the volumes differ in rows and columns.
    """
    frames = _frames(series, stacks)
    if len({frame.stack.volume.geometry.shape[1:] for frame in frames}) > 1:
        raise ValueError("the frames of one object have the same rows and columns")
    dataset = kind.template
    for keyword in _CLASSIC_ONLY:
        if keyword in dataset:
            delattr(dataset, keyword)
    _set_dimensions(dataset, series=series, further=kind.further_dimensions)
    dataset.SharedFunctionalGroupsSequence = [_group(_shared_groups(series, stacks[0], kind))]
    dataset.PerFrameFunctionalGroupsSequence = [_group(_frame_groups(series, frame, kind)) for frame in frames]
    stored = np.stack([frame.stored() for frame in frames])
    set_pixels(dataset, stored, bits_stored=stacks[0].encoding.bits_stored)
    path = series.save(dataset, number=1)
    return (path, *resend([path], habits=series.habits))


def anatomy(series: Series) -> Dataset:
    """Frame Anatomy group, unpaired."""
    region = code_item(_REGIONS.get(series.body_part, _REGIONS["WHOLEBODY"]))
    return item({"FrameLaterality": "U", "AnatomicRegionSequence": [region]})


def multi_frame_attributes(series: Series, *, image_type: Sequence[str], content_at: datetime) -> dict[str, Any]:
    """What the Enhanced CT, MR and PET Image modules have in common."""
    return {
        "ImageType": list(image_type),
        "AcquisitionDateTime": datetime_text(series.start),
        "ContentDate": datetime_text(content_at)[:8],
        "ContentTime": datetime_text(content_at)[8:],
        "ContentQualification": "RESEARCH",
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
        "PresentationLUTShape": "IDENTITY",
        "AcquisitionContextSequence": [],
        "AcquisitionNumber": 1,
        "PositionReferenceIndicator": "",
    }


def _frames(series: Series, stacks: Sequence[Stack]) -> list[FrameSource]:
    found: list[FrameSource] = []
    for place, stack in enumerate(stacks):
        order = SliceOrder.of(stack.volume.geometry.shape[0], habits=series.habits, first=place == 0)
        for index in order.indices:
            found.append(FrameSource(stack=stack, place=place, index=index, number=len(found) + 1))
    return found


def _group(groups: Groups) -> Dataset:
    return fill(
        Dataset(),
        {keyword: [found] if isinstance(found, Dataset) else list(found) for keyword, found in groups.items()},
    )


def _shared_groups(series: Series, stack: Stack, kind: MultiFrame) -> Groups:
    geometry = stack.volume.geometry
    _, row_mm, column_mm = geometry.spacing_mm
    measures = item(
        {
            "SliceThickness": decimal(kind.slice_mm),
            "SpacingBetweenSlices": decimal(abs(slice_gap_mm(geometry))),
            "PixelSpacing": decimals([row_mm, column_mm]),
        }
    )
    return {
        "PixelMeasuresSequence": measures,
        "PlaneOrientationSequence": item({"ImageOrientationPatient": plane_orientation(geometry)}),
        "FrameAnatomySequence": anatomy(series),
        **kind.shared,
    }


def _frame_groups(series: Series, frame: FrameSource, kind: MultiFrame) -> Groups:
    geometry = frame.stack.volume.geometry
    count = geometry.shape[0]
    position = count - frame.index if series.habits.feet_first else frame.index + 1
    acquired = series.start + timedelta(milliseconds=frame.number)
    content = item(
        {
            "FrameAcquisitionNumber": 1,
            "FrameReferenceDateTime": datetime_text(acquired),
            "FrameAcquisitionDateTime": datetime_text(acquired),
            "FrameAcquisitionDuration": 1.0,
            "StackID": "1",
            "InStackPositionNumber": position,
            "DimensionIndexValues": [1, position, *([frame.place + 1] if kind.further_dimensions else [])],
            **kind.timing(frame),
        }
    )
    return {
        "FrameContentSequence": content,
        "PlanePositionSequence": item({"ImagePositionPatient": plane_position(geometry, frame.index)}),
        **kind.own(frame),
    }


def _set_dimensions(dataset: Dataset, *, series: Series, further: tuple[tuple[str, str], ...]) -> None:
    organization = derive_uid(series.uid, "dimensions")
    dataset.DimensionOrganizationSequence = [item({"DimensionOrganizationUID": organization})]
    dataset.DimensionIndexSequence = [
        item(
            {
                "DimensionOrganizationUID": organization,
                "DimensionIndexPointer": Tag(tag_for_keyword(keyword) or 0),
                "FunctionalGroupPointer": Tag(tag_for_keyword(group) or 0),
                "DimensionDescriptionLabel": keyword,
            }
        )
        for keyword, group in (*_STACK_DIMENSIONS, *further)
    ]
