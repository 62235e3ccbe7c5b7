"""Pairs of results with lesions that are boxes, for the rules of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from bmnode.domain.codes import Concept, Derivation, Finding, Unit
from bmnode.domain.earlier import EarlierResult
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.results import (
    FindingResult,
    Measurement,
    Outcome,
    ResultSet,
    Segment,
    Segmentation,
    SegmentReference,
)
from bmnode.domain.study import Branch, Classification, SeriesHeader, SeriesRole, StudyHeaders
from bmnode.priors.handover import PriorRole, PriorStudy
from operators.graph.contract import StudyInput
from operators.kernels.lesion_matching.contract import LesionGroup, event_of
from pipelines.follow_up.contract import Matched, Pair, Registered
from pipelines.follow_up.drawn import lesions_of

SHAPE = (40, 40, 40)
GEOMETRY = VolumeGeometry.from_matrix(
    [[0, 0, 2, 0], [0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1]], shape=SHAPE, frame_of_reference_uid="1.2.3"
)
Box = tuple[int, int]
"""First voxel on every axis, and size."""


def study_of(uid: str, *, tracer: str | None = "FDG") -> StudyInput:
    """A PET/CT without files."""
    series = SeriesHeader(
        series_uid=f"{uid}.1", modality="PT", sop_class_uid="1.2.840", instance_count=1, frame_count=1, tracer=tracer
    )
    return StudyInput(
        request=PipelineRequest(study_uid=uid, files=(), seed="s", priors_dir=Path("nowhere")),
        headers=StudyHeaders(study_uid=uid, series=(series,)),
        classification=Classification(branch=Branch.PET_CT, roles={SeriesRole.EMISSION: (f"{uid}.1",)}),
        files={},
    )


def result_of(uid: str, boxes: Sequence[Box], *, suv_max: Sequence[float]) -> ResultSet:
    """Lesions numbered from 1; volume in ml of 8 mm3 voxels."""
    segments, findings = [], []
    for number, ((first, size), highest) in enumerate(zip(boxes, suv_max, strict=True), 1):
        mask = CroppedMask(grid_shape=SHAPE, origin=(first,) * 3, values=np.ones((size,) * 3, dtype=np.bool_))
        tracking_id, tracking_uid = f"bmnode lesion {number}", f"{uid}.9.{number}"
        segments.append(
            Segment(
                label=f"Lesion {number}",
                category=Finding.ABNORMAL_STRUCTURE,
                type=Finding.LESION,
                mask=mask,
                tracking_id=tracking_id,
                tracking_uid=tracking_uid,
            )
        )
        findings.append(
            FindingResult(
                tracking_id=tracking_id,
                tracking_uid=tracking_uid,
                finding_type=Finding.LESION,
                segment=SegmentReference(segmentation_index=0, segment_number=number),
                measurements=(
                    Measurement(concept=Concept.VOLUME, value=size**3 * 0.008, unit=Unit.ML, method="VOXEL_COUNT_V1"),
                    Measurement(
                        concept=Concept.SUV_BW,
                        value=highest,
                        unit=Unit.SUV_BW,
                        method="PET_SUV_QIBA_V1",
                        derivation=Derivation.MAXIMUM,
                    ),
                ),
            )
        )
    segmentation = Segmentation(
        source_series_uid=f"{uid}.1", source_instance_uids=("1.2",), geometry=GEOMETRY, segments=tuple(segments)
    )
    return ResultSet(
        study_uid=uid,
        outcome=Outcome.ASSESSED,
        branch=Branch.PET_CT,
        input_series_uids=(f"{uid}.1",),
        findings=tuple(findings),
        segmentations=(segmentation,) if segments else (),
    )


def matched_of(
    prior: ResultSet, current: ResultSet, groups: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]
) -> Matched:
    """A pair whose groups are given."""
    pair = Pair(
        study=study_of(current.study_uid),
        result=current,
        prior=PriorStudy(
            study_uid=prior.study_uid,
            performed_on=date(2026, 1, 2),
            days_before=90,
            roles=(PriorRole.LATEST,),
            images=(Path("image"),),
        ),
        prior_study=study_of(prior.study_uid),
        earlier=EarlierResult(result_set=prior, report_uid="1.5", object_uids=frozenset()),
    )
    return Matched(
        registered=Registered(pair=pair, why_not="Registered elsewhere."),
        prior=lesions_of(prior),
        current=lesions_of(current),
        groups=tuple(
            LesionGroup(event=event_of(len(before), len(now)), prior=before, current=now) for before, now in groups
        ),
    )
