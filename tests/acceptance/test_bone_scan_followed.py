"""Two bone scans of one patient: lesions keep their names, a new one is called new, whatever the patient's place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import dcmread

from bmnode.app import build_runner
from bmnode.clock import SystemClock
from bmnode.config import Settings
from bmnode.domain.follow_up_codes import Compared, Event, FollowUp
from bmnode.folder_run import RunReport, run_folder
from bmnode.results.read_back import read_back
from bmnode.results.reading import Report, read_report
from bmnode.run.child_runner import LocalChildRunner
from bmnode.testing.patients import PatientSpec, write_bone_scan

Views = npt.NDArray[np.uint16]
MOVE_PX = (12, 5)
THIGH_ROW = 640


def _scan(
    folder: Path, *, year: int, change: Callable[[Views], Views] = lambda views: views, is_feet_first: bool = False
) -> Path:
    """The folder of a scan of the patient, whose views may have changed; feet first it is stored head down."""
    start = datetime(year, 9, 10, 9, 0, tzinfo=UTC)
    write_bone_scan(folder, spec=PatientSpec(seed=5, patient_id="SYN-PAIR", age_years=year - 1957, study_start=start))
    for path in folder.rglob("*.dcm"):
        image = dcmread(path)
        views = change(image.pixel_array.copy())
        if is_feet_first:
            image.PatientPosition, views = "FFS", views[:, ::-1, ::-1]
        image.PixelData = views.tobytes()
        image.save_as(path)
    return folder


def _later(views: Views) -> Views:
    """The patient lies elsewhere, and has a new focus in the right thigh."""
    half = views.shape[2] // 2
    for view, right in ((views[0], slice(0, half)), (views[1], slice(half, None))):
        column = int(np.argmax(view[THIGH_ROW, right])) + right.start
        rows, columns = np.indices(view.shape)
        inside = (rows - THIGH_ROW) ** 2 + (columns - column) ** 2 <= 36
        view[inside] = 12 * view[THIGH_ROW, column] + 60
    return np.roll(views, MOVE_PX, axis=(1, 2))


def _run(folder: Path, out: Path, runner: LocalChildRunner, *, prior: Path | None = None) -> tuple[RunReport, Report]:
    found = run_folder(Settings(), folder, out, lambda _: None, prior_dir=prior, runner=runner)
    return found, read_report(out / "sr.dcm")


def _events(report: Report) -> dict[str, object]:
    """By Tracking UID, of what is followed."""
    return {
        finding.tracking_uid: said.value
        for finding in report.findings
        for said in finding.evaluations
        if said.concept == FollowUp.EVENT
    }


@pytest.mark.acceptance
@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_feet_first", [False, True], ids=["head first", "feet first"])
def test_lesions_of_bone_scans_keep_their_names(tmp_path: Path, *, is_feet_first: bool) -> None:
    """Every lesion of the earlier report goes on under its Tracking UID, the new focus is new; no two findings of the
    report have one name, and the segments of both views are called as the findings are."""
    then = _scan(tmp_path / "2024", year=2024)
    now = _scan(tmp_path / "2025", year=2025, change=_later, is_feet_first=is_feet_first)
    runner = build_runner(Settings(), log_path=tmp_path / "child.log", clock=SystemClock())
    try:
        _, first = _run(then, tmp_path / "then", runner)
        shutil.copytree(tmp_path / "then", then / "bmnode")
        told, second = _run(now, tmp_path / "now", runner, prior=then)
    finally:
        runner.close()
    assert told.comparison == Compared.LESIONS.meaning
    events = _events(second)
    earlier = {finding.tracking_uid for finding in first.findings}
    assert {uid for uid, event in events.items() if event == Event.PERSISTENT} <= earlier
    assert [event for uid, event in events.items() if uid not in earlier] == [Event.NEW]
    assert sum(event == Event.PERSISTENT for event in events.values()) == len(events) - 1 > 0
    names = [finding.tracking_id for finding in second.findings]
    assert len(set(names)) == len(names)
    result = read_back(sorted((tmp_path / "now").glob("*.dcm"))).result_set
    called = {finding.tracking_uid: finding.tracking_id for finding in result.findings}
    segments = [segment for view in result.planar_segmentations for segment in view.segments]
    assert {segment.tracking_uid for segment in segments} == set(called)
    assert all(called[str(segment.tracking_uid)] == segment.tracking_id for segment in segments)
