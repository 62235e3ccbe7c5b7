"""Truth against result: which of the lesions that were put in does the report name, and what else does it name.

Only the objects that arrived in the archive are read, as a viewer would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from bmnode.domain.codes import Concept, UptakeKind
from bmnode.domain.geometry import ImagePolygon
from bmnode.results.reading import (
    Report,
    ReportedFinding,
    frame_mask,
    is_placed,
    read_object,
    segment_frames,
)
from bmnode.testing.patients.spec import LesionTruth, StudyTruth

REACH_MM = 10.0
"""A finding in a volume counts for a lesion whose centre lies in it or within this distance."""
REACH_PX = 5.0
"""The same on a planar view, in pixels."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """How many lesions there were, how many of them were found, and how many findings lie at none."""

    lesions: int
    found: int
    elsewhere: int


def compare(truth: StudyTruth, *, report: Report, segmentations: Sequence[Path]) -> Comparison:
    """Match the findings that the report takes for lesions to the truth, by place alone."""
    voxels = _segment_positions(segmentations)
    findings = [finding for finding in report.findings if is_candidate(finding)]
    hits = [
        [_at(lesion, finding, voxels.get(finding.tracking_uid)) for finding in findings] for lesion in truth.lesions
    ]
    return Comparison(
        lesions=len(hits),
        found=sum(any(row) for row in hits),
        elsewhere=sum(not any(column) for column in zip(*hits, strict=True)) if hits else len(findings),
    )


def is_candidate(finding: ReportedFinding) -> bool:
    """Whether the report takes the finding for a lesion, and not for bladder, kidney or injection site."""
    kinds = {item.value for item in finding.evaluations if item.concept == Concept.UPTAKE_KIND}
    return kinds <= {UptakeKind.CANDIDATE}


def _at(lesion: LesionTruth, finding: ReportedFinding, positions: Points | None) -> bool:
    if positions is not None:
        gap = np.linalg.norm(positions - np.asarray(lesion.center_lps), axis=1)
        return bool(gap.min() <= REACH_MM)
    return any(
        _gap_px(polygon, column=point.column + 0.5, row=point.row + 0.5) <= REACH_PX
        for polygon in finding.polygons
        for point in lesion.image_points
        if point.frame_number == (polygon.frame_number or 1)
    )


def _gap_px(polygon: ImagePolygon, *, column: float, row: float) -> float:
    """Distance from the polygon's box to a point in image coordinates, in pixels; 0 inside the box."""
    points = np.asarray(polygon.points)
    low, high = points.min(axis=0), points.max(axis=0)
    outside = np.maximum(np.maximum(low - (column, row), (column, row) - high), 0.0)
    return float(np.hypot(*outside))


def _segment_positions(segmentations: Sequence[Path]) -> dict[str, Points]:
    """Voxel centres (LPS, mm) of every tracked segment, by Tracking UID."""
    positions: dict[str, list[Points]] = {}
    for path in segmentations:
        dataset = read_object(path)
        if not is_placed(dataset):
            continue  # of a planar view: its findings are matched by their outlines
        tracking = {int(item.SegmentNumber): item.get("TrackingUID") for item in dataset.SegmentSequence}
        shared = dataset.SharedFunctionalGroupsSequence[0]
        step = _steps(shared)
        for frame in segment_frames(dataset):
            uid = tracking[frame.segment_number]
            if uid is not None:
                index = np.argwhere(frame_mask(dataset, frame)).astype(np.float64)
                positions.setdefault(str(uid), []).append(np.asarray(frame.position) + index @ step)
    return {uid: np.concatenate(parts) for uid, parts in positions.items()}


def _steps(shared: Dataset) -> Points:
    """Millimetres (LPS) from one row to the next and from one column to the next, as the rows of a 2 by 3 array."""
    orientation = np.asarray(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=np.float64)
    between_rows, between_columns = (float(value) for value in shared.PixelMeasuresSequence[0].PixelSpacing)
    return np.array([orientation[3:] * between_rows, orientation[:3] * between_columns])
