"""The real whole-body bone scan, through the whole graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from bmnode.domain.outlines import rasterise, ring_area
from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.results import Outcome, ResultSet, Verdict
from bmnode.domain.study import Branch, Reason
from operators.graph.contract import BranchDefinition
from pipelines.app import BoneMetastasisPipeline

SHAPE = (1024, 256)
LANDMARKS = {
    "second to fourth lumbar vertebra": (362, 147, "UP-CANDIDATE"),
    "left knee, medial": (624, 157, "UP-CANDIDATE"),
    "right knee": (606, 68, "UP-CANDIDATE"),
    "left wrist": (478, 234, "UP-INJECTION"),
    "bladder": (420, 140, "UP-BLADDER"),
}
"""Row, column and kind of what a reader sees on the scan."""


def _bone_scan_alone() -> tuple[BranchDefinition, ...]:
    from pipelines.bone_scan.branch import BRANCH

    return (BRANCH,)


def run(path: Path) -> ResultSet:
    """Assess a study of one file."""
    study_uid = str(dcmread(path, stop_before_pixels=True).StudyInstanceUID)
    request = PipelineRequest(study_uid=study_uid, files=(path,), seed="real")
    return BoneMetastasisPipeline(branches=_bone_scan_alone).run(request, lambda _: None)


@pytest.fixture(scope="module")
def result(bone_scan: Path) -> ResultSet:
    """The scan's result."""
    return run(bone_scan)


def test_real_scan_is_assessed(result: ResultSet) -> None:
    """An export as Secondary Capture with one unstated view is assessed, and says what it does not know."""
    assert result.outcome is Outcome.ASSESSED
    assert result.branch is Branch.BONE_SCAN
    verdicts = {check.name.split(" (")[0]: check.verdict for check in result.quality}
    assert verdicts["Counts"] is Verdict.PASS
    assert verdicts["Counts in header"] is Verdict.PASS
    assert verdicts["View"] is Verdict.WARN
    assert verdicts["Uptake time"] is Verdict.NOT_EVALUABLE
    assert not result.synthetic


@pytest.mark.parametrize(("row", "column", "kind"), LANDMARKS.values(), ids=LANDMARKS.keys())
def test_what_a_reader_sees_is_found(result: ResultSet, row: int, column: int, kind: str) -> None:
    """The foci that are visible on the scan lie in a hot spot, taken for what it is."""
    kinds = [
        finding.evaluations[0].value.value
        for finding in result.findings
        if rasterise(finding.polygons[0].points, shape=SHAPE)[row, column]
    ]
    assert kinds == [kind]


def test_few_hot_spots(result: ResultSet) -> None:
    """A handful of hot spots, not specks."""
    assert 5 <= len(result.findings) <= 12


def test_numbers_follow_from_outline_and_pixels(bone_scan: Path, result: ResultSet) -> None:
    """Every number is recomputed from the outline and the decoded pixels, to 1e-6."""
    counts = dcmread(bone_scan).pixel_array.astype(float)
    (level,) = (item.value for item in result.measurements if item.concept.value == "NORMAL-VIEW")
    for finding in result.findings:
        points = finding.polygons[0].points
        inside = counts[rasterise(points, shape=SHAPE)]
        assert [item.value for item in finding.measurements] == pytest.approx(
            [inside.max() / level, inside.mean() / level, ring_area(points) * 0.0226 * 2.26, inside.sum()], rel=1e-6
        )
        assert np.count_nonzero(inside) >= 4


def test_lossy_copy_is_refused(shared_data: Path) -> None:
    """A copy compressed 2097:1 shows no counts any more and is refused for that."""
    path = shared_data / "nema_nm1_bonescan" / "NM1_J2KI_lossy.dcm"
    if not path.is_file():
        pytest.skip("the lossy copy of the bone scan is not among the real images")
    refusal = run(path).refusal
    assert refusal is not None
    assert refusal.reason is Reason.UNREADABLE_INPUT
    assert "2097" in refusal.explanation
