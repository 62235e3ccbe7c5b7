"""Truth against result: a finding counts by its place, and only where the report takes it for a lesion."""

from __future__ import annotations

import pytest

from bmnode.demo.truth import Comparison, compare
from bmnode.domain.codes import Code, Concept, Finding, UptakeKind
from bmnode.domain.geometry import ImagePolygon
from bmnode.domain.results import Evaluation, Outcome
from bmnode.results.reading import Report, ReportedFinding
from bmnode.testing.patients.spec import ImagePoint, LesionKind, LesionTruth, Side, StudyTruth


def _lesion(*, column: float, row: float, frame: int = 1) -> LesionTruth:
    return LesionTruth(
        bone="L3",
        side=Side.MIDLINE,
        kind=LesionKind.HOT,
        center_lps=(0.0, 0.0, 0.0),
        volume_ml=5.0,
        voxel_count=10,
        value=4.0,
        unit="{ratio}",
        image_points=(ImagePoint(frame_number=frame, column=column, row=row),),
    )


def _square(*, column: float, row: float, kind: Code = UptakeKind.CANDIDATE) -> ReportedFinding:
    """A finding of 10 by 10 pixels on frame 1 whose upper left corner is given."""
    right, low = column + 10.0, row + 10.0
    points = ((column, row), (right, row), (right, low), (column, low), (column, row))
    return ReportedFinding(
        tracking_id="ANT-1",
        tracking_uid=f"2.25.{int(column)}{int(row)}",
        finding_type=Finding.LESION,
        site=None,
        laterality=None,
        segment=None,
        polygons=(ImagePolygon(sop_instance_uid="1.2", frame_number=1, points=points),),
        measurements=(),
        evaluations=(Evaluation(concept=Concept.UPTAKE_KIND, value=kind),),
    )


def _report(*findings: ReportedFinding) -> Report:
    return Report(
        sop_instance_uid="1.2.3",
        title=Code("126001", "DCM", "Oncology Measurement Report"),
        outcome=Outcome.ASSESSED,
        reason=None,
        findings=findings,
        measurements=(),
        texts=(),
        synthetic=True,
    )


@pytest.mark.parametrize(
    ("lesion", "expected"),
    [
        (_lesion(column=55, row=55), Comparison(lesions=1, found=1, elsewhere=0)),
        (_lesion(column=64, row=55), Comparison(lesions=1, found=1, elsewhere=0)),
        (_lesion(column=75, row=55), Comparison(lesions=1, found=0, elsewhere=1)),
        (_lesion(column=55, row=55, frame=2), Comparison(lesions=1, found=0, elsewhere=1)),
    ],
    ids=["inside", "beside", "away", "other view"],
)
def test_a_lesion_is_found_where_it_lies(lesion: LesionTruth, expected: Comparison) -> None:
    """In the outline or a few pixels beside it, on the same view: found; anywhere else: missed."""
    truth = StudyTruth(lesions=(lesion,))
    assert compare(truth, report=_report(_square(column=50, row=50)), segmentations=()) == expected


def test_what_is_labelled_as_bladder_is_no_finding() -> None:
    """Uptake that the report takes for an organ neither finds a lesion nor counts as one elsewhere."""
    truth = StudyTruth(lesions=(_lesion(column=55, row=55),))
    report = _report(_square(column=50, row=50, kind=UptakeKind.BLADDER))
    assert compare(truth, report=report, segmentations=()) == Comparison(lesions=1, found=0, elsewhere=0)


def test_on_a_healthy_skeleton_every_candidate_is_elsewhere() -> None:
    """Without lesions nothing can be found, and each candidate counts against us."""
    report = _report(_square(column=50, row=50), _square(column=90, row=90))
    assert compare(StudyTruth(), report=report, segmentations=()) == Comparison(lesions=0, found=0, elsewhere=2)
