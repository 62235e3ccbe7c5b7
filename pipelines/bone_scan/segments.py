"""Outlined hot spots to planar segmentations: the same pixels, view by view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bmnode.domain.codes import Concept, Finding, UptakeKind
from bmnode.domain.geometry import CroppedMask, ImagePolygon
from bmnode.domain.outlines import rasterise
from bmnode.domain.results import FindingResult, PlanarSegmentation, Segment
from operators.readers.planar import PlanarView, ViewName

_HEAD_UP: Mapping[ViewName, tuple[str, str]] = {
    ViewName.ANTERIOR: ("L", "F"),
    ViewName.POSTERIOR: ("R", "F"),
}
"""Where rows and columns run to when the head is above and the detector sees the patient from that side."""
_OPPOSITE = {"L": "R", "R": "L", "F": "H"}


def planar_segmentations(
    findings: Sequence[FindingResult], views: Sequence[PlanarView]
) -> tuple[PlanarSegmentation, ...]:
    """One segmentation a view with findings: each finding's pixels on it, lesions and exclusions alike.

    Args:
        findings: with their outlines on the images as stored.
        views: of the scan; none of them contradicts its header, such scans are refused.
    """
    segmentations = []
    for view in views:
        segments = [segment for finding in findings if (segment := _segment(finding, view)) is not None]
        if segments:
            segmentations.append(
                PlanarSegmentation(
                    source_instance_uid=view.sop_instance_uid,
                    frame_number=view.frame_number,
                    shape=_shape(view),
                    patient_orientation=orientation_of(view),
                    segments=tuple(segments),
                )
            )
    return tuple(segmentations)


def orientation_of(view: PlanarView) -> tuple[str, str] | None:
    """Patient Orientation (PS3.3 C.7.6.1.1.1) of the view as stored; None for a view that is not stated."""
    upright = _HEAD_UP.get(view.name)
    if upright is None or not view.is_head_down:
        return upright
    return _OPPOSITE[upright[0]], _OPPOSITE[upright[1]]


def _segment(finding: FindingResult, view: PlanarView) -> Segment | None:
    outlines = [polygon for polygon in finding.polygons if _is_on(polygon, view)]
    if not outlines:
        return None
    shape = _shape(view)
    inside = np.zeros(shape, dtype=np.bool_)
    for polygon in outlines:
        inside |= rasterise(polygon.points, shape=shape)
    kinds = [item.value for item in finding.evaluations if item.concept == Concept.UPTAKE_KIND]
    excluded = next((kind for kind in kinds if kind != UptakeKind.CANDIDATE), None)
    return Segment(
        label=finding.tracking_id if excluded is None else f"{finding.tracking_id} {excluded.meaning}",
        category=Finding.ABNORMAL_STRUCTURE if excluded is None else Finding.FUNCTION,
        type=finding.finding_type if excluded is None else excluded,
        mask=CroppedMask.from_array(inside[np.newaxis]),
        site=finding.site,
        laterality=finding.laterality,
        tracking_id=finding.tracking_id,
        tracking_uid=finding.tracking_uid,
    )


def _is_on(polygon: ImagePolygon, view: PlanarView) -> bool:
    return (polygon.sop_instance_uid, polygon.frame_number or 1) == (view.sop_instance_uid, view.frame_number or 1)


def _shape(view: PlanarView) -> tuple[int, int]:
    rows, columns = view.counts.shape
    return rows, columns
