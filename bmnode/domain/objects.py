"""Which objects a result becomes, and which of them a destination gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath

from bmnode.domain.codes import Code
from bmnode.domain.ids import digest


class ResultKind(StrEnum):
    """The objects that a result set becomes."""

    SR = "sr"
    """The root: everything that was found, Comprehensive 3D SR by TID 1500."""
    ROI_SR = "roi_sr"
    """Only the findings with outlines, for viewers that draw measurements from SCOORD."""
    SEG = "seg"
    REG = "reg"
    """How an earlier study maps onto this one: Spatial or Deformable Spatial Registration; only where one was used."""
    SC = "sc"
    """Pictures as Secondary Capture, for archives and viewers that open neither SR nor SEG."""
    PDF = "pdf"
    """The report and its pictures as pages, for readers who open documents only."""


AIR_PROCESSING_ALGORITHM = Code("Newcode1", "99IHE", "Processing Algorithm")
"""IHE AI Results 6.5.3.1: the trial text still names the purpose of an algorithm's equipment item by a placeholder."""
DEFAULT_KINDS = (ResultKind.SR, ResultKind.ROI_SR, ResultKind.SEG, ResultKind.REG)
"""What a destination gets that says nothing else."""


class SegEncoding(StrEnum):
    """How the segmentations of volumes are encoded. A result set is written whole in each, with UIDs of its own, so
    that a report refers to segments that its receiver has."""

    BINARY = "binary"
    """Segmentation, one bit a voxel, one frame a segment and slice: what every viewer reads. Always written."""
    LABELMAP = "labelmap"
    """Label Map Segmentation (PS3.3 A.51, Segmentation Type LABELMAP), RLE Lossless: one frame a slice."""


DEFAULT_ENCODINGS = (SegEncoding.BINARY,)
"""What a destination gets that says nothing else."""
ENCODED_KINDS = frozenset({ResultKind.SR, ResultKind.ROI_SR, ResultKind.SEG, ResultKind.REG})
"""What is written in each encoding: the segmentations, and what refers to them or is referred to beside them."""


def encoding_of(path: str) -> SegEncoding:
    """The encoding of an object by its path: the folder of every other than `BINARY` is named after it."""
    folders = PurePosixPath(path).parts[:-1]
    return next((item for item in SegEncoding if item.value in folders[-1:]), SegEncoding.BINARY)


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputOptions:
    """What is written beyond the reports and segmentations of every result, and how."""

    pictures: bool = False
    """Whether the pictures are written as Secondary Capture."""
    document: bool = False
    """Whether the report is written as Encapsulated PDF."""
    fictitious_planar_geometry: bool = False
    """Whether segmentations of planar views get an invented place, for viewers that draw none without; they say so."""
    algorithm_purpose: Code = AIR_PROCESSING_ALGORITHM
    """Purpose of Reference of every algorithm in Contributing Equipment Sequence."""
    seg_encodings: tuple[SegEncoding, ...] = DEFAULT_ENCODINGS
    """The encodings in which segmentations of volumes are written, `BINARY` first."""

    def __post_init__(self) -> None:
        if self.seg_encodings[:1] != DEFAULT_ENCODINGS or len(set(self.seg_encodings)) != len(self.seg_encodings):
            raise ValueError("segmentations are written in BINARY first, and in no encoding twice")

    def distinguish(self, job_digest: str) -> str:
        """The job's digest; another one where reports and segmentations are not those of the defaults, for other
        objects never have the same UIDs. Pictures, document and further encodings change nothing of the others."""
        usual = replace(self, pictures=False, document=False, seg_encodings=DEFAULT_ENCODINGS)
        if usual == OutputOptions():
            return job_digest
        purpose = self.algorithm_purpose
        return digest((job_digest, str(self.fictitious_planar_geometry), purpose.value, purpose.scheme))


@dataclass(frozen=True, kw_only=True, slots=True)
class PredecessorDocument:
    """A report on the same study that a later one takes the place of."""

    kind: ResultKind
    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str
    encoding: SegEncoding = SegEncoding.BINARY
    """That of the result set it is part of."""
