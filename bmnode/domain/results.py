"""What a pipeline found, before it becomes DICOM: the contract between image science and the node."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from bmnode.domain.codes import Code
from bmnode.domain.geometry import CroppedMask, ImagePolygon, VolumeGeometry
from bmnode.domain.registration import Registration
from bmnode.domain.study import Branch, Refusal


class Outcome(StrEnum):
    """Whether the study could be assessed."""

    ASSESSED = "assessed"
    NOT_ASSESSABLE = "not_assessable"


class Verdict(StrEnum):
    """What a quality check said."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"
    NOT_EVALUABLE = "not_evaluable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One number with its unit, method and version. A value that is not known is no measurement.

    `concept` modified by `derivation` says what (e.g. SUVbw, maximum); `method` names the
    published or project rule, with its version, e.g. `PET_SUV_QIBA_V1`.
    """

    concept: Code
    value: float
    unit: Code
    method: str
    derivation: Code | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.concept.meaning}: a measurement is finite; what is not evaluable is left out")
        if not 0 < len(self.method) <= 64:
            raise ValueError(f"{self.concept.meaning}: a measurement names its method in 64 characters")


@dataclass(frozen=True, kw_only=True, slots=True)
class BurdenPoint:
    """One study of a patient's history: what was measured on the whole of it, as its report has it.

    What is absent could not be evaluated then.
    """

    studied_on: date
    measurements: tuple[Measurement, ...]
    synthetic: bool = False
    """Its images were simulated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """One coded answer, e.g. type of lesion: sclerotic."""

    concept: Code
    value: Code


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityCheck:
    """One check of the input with its value and limit, as the reader will see it."""

    name: str
    verdict: Verdict
    explanation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Algorithm:
    """TID 4019: who computed."""

    name: str
    version: str
    family: Code
    parameters: tuple[str, ...] = ()
    """`key=value`, the thresholds that were in force."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Segment:
    """One segment of a segmentation, numbered from 1 in the order of its tuple."""

    label: str
    category: Code
    type: Code
    mask: CroppedMask
    site: Code | None = None
    laterality: Code | None = None
    tracking_id: str | None = None
    tracking_uid: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Segmentation:
    """Segments on the grid of one source series. Segments may overlap."""

    source_series_uid: str
    source_instance_uids: tuple[str, ...]
    """The SOP Instance UID of every slice, in the order of the grid's first axis; one UID
    alone for a multi-frame source."""
    geometry: VolumeGeometry
    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        for segment in self.segments:
            if segment.mask.grid_shape != self.geometry.shape:
                raise ValueError(f"segment {segment.label!r} is on another grid than its segmentation")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanarSegmentation:
    """Segments on one view: one frame of a planar image, which has no place in the patient.

    A segment is the pixels inside its finding's outlines on this view and is known by the
    finding's Tracking UID; its mask has one slice. Raises ValueError where a mask is on another
    matrix, or a Tracking UID is missing or repeated.
    """

    source_instance_uid: str
    frame_number: int | None
    """From 1; None for an instance of one frame."""
    shape: tuple[int, int]
    """(rows, columns) of the frame."""
    patient_orientation: tuple[str, str] | None
    """Where rows run to and where columns run to (Patient Orientation, PS3.3 C.7.6.1.1.1); None where not known."""
    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        tracked = [segment.tracking_uid for segment in self.segments]
        if not self.segments or None in tracked or len(set(tracked)) != len(tracked):
            raise ValueError("a planar segmentation has segments, each with a Tracking UID of its own")
        if any(segment.mask.grid_shape != (1, *self.shape) for segment in self.segments):
            raise ValueError("a planar segment is on another matrix than its view")

    def shows(self, polygon: ImagePolygon) -> bool:
        """Whether the outline lies on this view."""
        return (polygon.sop_instance_uid, polygon.frame_number or 1) == (
            self.source_instance_uid,
            self.frame_number or 1,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentReference:
    """Where a finding is drawn: segmentation (index into the result set) and segment number (from 1)."""

    segmentation_index: int
    segment_number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingResult:
    """One finding: where it is and what was measured on it.

    Raises ValueError where it came from itself, or twice from one earlier lesion.
    """

    tracking_id: str
    tracking_uid: str
    finding_type: Code
    site: Code | None = None
    laterality: Code | None = None
    segment: SegmentReference | None = None
    polygons: tuple[ImagePolygon, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    came_from: tuple[str, ...] = ()
    """Tracking UIDs, beside its own, of the earlier lesions that it came from: of the one that split, of those that
    merged into it."""

    def __post_init__(self) -> None:
        if len({self.tracking_uid, *self.came_from}) != 1 + len(self.came_from):
            raise ValueError(f"{self.tracking_id} came from other lesions, once from each")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ResultSet:
    """Everything a pipeline says of one study.

    Raises ValueError where it contradicts itself: a refusal with findings, a finding whose
    segment does not exist, a planar segment without its finding, two findings under one Tracking UID.
    """

    study_uid: str
    outcome: Outcome
    branch: Branch | None
    input_series_uids: tuple[str, ...]
    refusal: Refusal | None = None
    findings: tuple[FindingResult, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    """Of the whole study."""
    evaluations: tuple[Evaluation, ...] = ()
    """Of the whole study."""
    segmentations: tuple[Segmentation, ...] = ()
    planar_segmentations: tuple[PlanarSegmentation, ...] = ()
    """One a view at most; linked to the findings by Tracking UID."""
    quality: tuple[QualityCheck, ...] = ()
    algorithms: tuple[Algorithm, ...] = ()
    limitations: tuple[str, ...] = ()
    """Sentences that the reader must know: what was not evaluated, and why."""
    notices: tuple[str, ...] = ()
    """Sentences that the reader should see first, e.g. a possible superscan. They ask for a review and are never advice
    to treat."""
    synthetic: bool = False
    """Whether any input was simulated; then every output says so."""
    registrations: tuple[Registration, ...] = ()
    """Of earlier studies to this one, where one was used."""
    history: tuple[BurdenPoint, ...] = ()
    """The earlier studies and this one, for the pictures; reports hold the numbers of their own study."""

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.NOT_ASSESSABLE) != (self.refusal is not None):
            raise ValueError("a study is not assessable if and only if there is a refusal")
        if any(point.synthetic for point in self.history) and not self.synthetic:
            raise ValueError("a result with a simulated history says that it is simulated")
        if any(item.fixed.study_uid != self.study_uid for item in self.registrations):
            raise ValueError("a registration is to an image of the study")
        segmented = self.segmentations or self.planar_segmentations
        said = (self.findings, self.measurements, self.evaluations, segmented, self.notices)
        if self.refusal is not None and any(said):
            raise ValueError(
                "a study that is not assessable has no findings, measurements, evaluations, segmentations or notices"
            )
        seen = [finding.tracking_uid for finding in self.findings]
        if len(seen) != len(set(seen)):
            raise ValueError("two findings share a Tracking UID")
        self._check_segments()
        self._check_views()

    def _check_segments(self) -> None:
        for finding in self.findings:
            reference = finding.segment
            if reference is None:
                continue
            if not 0 <= reference.segmentation_index < len(self.segmentations):
                raise ValueError(f"{finding.tracking_id} names a segmentation that does not exist")
            if not 1 <= reference.segment_number <= len(self.segmentations[reference.segmentation_index].segments):
                raise ValueError(f"{finding.tracking_id} names a segment that does not exist")

    def _check_views(self) -> None:
        views = [(item.source_instance_uid, item.frame_number or 1) for item in self.planar_segmentations]
        if len(views) != len(set(views)):
            raise ValueError("two planar segmentations are of one view")
        outlines = {finding.tracking_uid: finding.polygons for finding in self.findings}
        for view in self.planar_segmentations:
            for segment in view.segments:
                if not any(view.shows(polygon) for polygon in outlines.get(segment.tracking_uid or "", ())):
                    raise ValueError(f"segment {segment.label!r} is of no finding with an outline on its view")
