"""Which objects a result becomes, and which of them a destination gets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ResultKind(StrEnum):
    """The objects that a result set becomes."""

    SR = "sr"
    """The root: everything that was found, Comprehensive 3D SR by TID 1500."""
    ROI_SR = "roi_sr"
    """Only the findings with outlines, for viewers that draw measurements from SCOORD."""
    SEG = "seg"
    SC = "sc"
    """Pictures as Secondary Capture, for archives and viewers that open neither SR nor SEG."""


DEFAULT_KINDS = (ResultKind.SR, ResultKind.ROI_SR, ResultKind.SEG)
"""What a destination gets that says nothing else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputOptions:
    """What is written beyond the reports and segmentations of every result, and how."""

    pictures: bool = False
    """Whether the pictures are written as Secondary Capture."""
    fictitious_planar_geometry: bool = False
    """Whether segmentations of planar views get an invented place, for viewers that draw none without; they say so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PredecessorDocument:
    """A report on the same study that a later one takes the place of."""

    kind: ResultKind
    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str
