"""What each branch finds on a synthetic patient, written as SR and SEG, comes back as what the branch found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.results import ResultSet
from bmnode.domain.study import Branch
from bmnode.results.read_back import read_back
from bmnode.results.write import write_results
from bmnode.selection import classify, read_study
from bmnode.testing.patients import (
    PatientSpec,
    SyntheticStudy,
    write_bone_scan,
    write_ct,
    write_mri,
    write_pet_ct,
    write_spect,
)
from operators.graph.contract import StudyInput
from pipelines.bone_scan.branch import BRANCH as BONE_SCAN
from pipelines.ct.branch import BRANCH as CT
from pipelines.mri.branch import BRANCH as MRI
from pipelines.pet_ct.branch import BRANCH as PET_CT
from pipelines.spect.branch import BRANCH as SPECT
from tests.support.same_results import assert_same_result
from tests.unit.results.result_sets import CONTEXT

BRANCHES = {Branch.BONE_SCAN: BONE_SCAN, Branch.CT: CT, Branch.MRI: MRI, Branch.PET_CT: PET_CT, Branch.SPECT: SPECT}


def assess(study: SyntheticStudy) -> ResultSet:
    """What the branch says that the selection chooses."""
    reading = read_study(study.files)
    classification = classify(reading.headers)
    assert classification.branch is not None
    value: Any = StudyInput(
        request=PipelineRequest(study_uid=reading.headers.study_uid, files=study.files, seed="seed"),
        headers=reading.headers,
        classification=classification,
        files=reading.files,
    )
    for step in BRANCHES[classification.branch].steps:
        value = step.run(value)
    assert isinstance(value, ResultSet)
    return value


@pytest.mark.parametrize("write", [write_bone_scan, write_ct, write_mri, write_pet_ct, write_spect])
def test_what_a_branch_found_comes_back(write: Callable[..., SyntheticStudy], tmp_path: Path) -> None:
    """Findings and every number, with the images on their grid and without them at the same places."""
    study = write(tmp_path / "in", spec=PatientSpec(seed=5, patient_id="SYN"))
    result_set = assess(study)
    assert result_set.findings
    objects = write_results(result_set, source_files=study.files, out_dir=tmp_path / "out", context=CONTEXT)
    files = [item.path for item in objects]
    assert_same_result(read_back(files, images=study.files).result_set, result_set, same_grid=True)
    assert_same_result(read_back(files).result_set, result_set, same_grid=False)
