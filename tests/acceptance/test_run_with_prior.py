"""The scientist's way: two folders in, a comparison out, without a node."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bmnode.app import build_runner
from bmnode.clock import SystemClock
from bmnode.config import Settings
from bmnode.domain.follow_up_codes import Compared, Event, FollowUp
from bmnode.folder_run import RunReport, run_folder
from bmnode.results.reading import Report, read_report
from bmnode.run.child_runner import LocalChildRunner
from bmnode.testing.patients import PatientSpec
from bmnode.testing.patients.pet_ct import write_pet_ct


def _run(folder: Path, out: Path, runner: LocalChildRunner, *, prior: Path | None = None) -> tuple[RunReport, Report]:
    found = run_folder(Settings(), folder, out, lambda _: None, prior_dir=prior, runner=runner)
    return found, read_report(out / "sr.dcm")


@pytest.mark.acceptance
@pytest.mark.timeout(900)
def test_lesions_keep_their_identity_from_folder_to_folder(tmp_path: Path) -> None:
    """With the objects of the earlier run beside the earlier images, every lesion goes on under its Tracking UID; a
    study of another patient is not compared, and its report says why."""
    for year, patient in ((2024, "SYN-PAIR"), (2025, "SYN-PAIR"), (2023, "SYN-OTHER")):
        start = datetime(year, 9, 10, 9, 0, tzinfo=UTC)
        spec = PatientSpec(seed=5, patient_id=patient, age_years=year - 1957, study_start=start)
        write_pet_ct(tmp_path / str(year), spec=spec)
    runner = build_runner(Settings(), log_path=tmp_path / "child.log", clock=SystemClock())
    try:
        _, first = _run(tmp_path / "2024", tmp_path / "then", runner)
        shutil.copytree(tmp_path / "then", tmp_path / "2024" / "bmnode")
        told, second = _run(tmp_path / "2025", tmp_path / "now", runner, prior=tmp_path / "2024")
        alone, _ = _run(tmp_path / "2025", tmp_path / "alone", runner, prior=tmp_path / "2023")
    finally:
        runner.close()
    assert told.comparison == Compared.LESIONS.meaning
    assert {item.tracking_uid for item in second.findings} == {item.tracking_uid for item in first.findings}
    assert len(first.findings) > 0
    for item in second.findings:
        assert (FollowUp.EVENT, Event.PERSISTENT) in [(said.concept, said.value) for said in item.evaluations]
    assert alone.comparison is None
    assert "other_patient" in " ".join(alone.priors)
