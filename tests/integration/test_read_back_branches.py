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
from pipelines.bone_scan.branch import describe, detect, normalise, read_views
from pipelines.bone_scan.spots import NETWORK_OUTPUT
from pipelines.ct.branch import BRANCH as CT
from pipelines.mri.branch import BRANCH as MRI
from pipelines.pet_ct.branch import BRANCH as PET_CT
from pipelines.spect.branch import BRANCH as SPECT
from tests.support.known_model import known_model
from tests.support.same_results import assert_same_result
from tests.unit.results.result_sets import CONTEXT

BRANCHES = {Branch.BONE_SCAN: BONE_SCAN, Branch.CT: CT, Branch.MRI: MRI, Branch.PET_CT: PET_CT, Branch.SPECT: SPECT}


def given(study: SyntheticStudy) -> StudyInput:
    """The study as a branch gets it."""
    reading = read_study(study.files)
    classification = classify(reading.headers)
    return StudyInput(
        request=PipelineRequest(study_uid=reading.headers.study_uid, files=study.files, seed="seed"),
        headers=reading.headers,
        classification=classification,
        files=reading.files,
    )


def assess(study: SyntheticStudy) -> ResultSet:
    """What the branch says that the selection chooses."""
    value: Any = given(study)
    assert value.classification.branch is not None
    for step in BRANCHES[value.classification.branch].steps:
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


def test_what_a_model_found_comes_back(tmp_path: Path) -> None:
    """Who found it, by which bundle, and its output under each outline: what is sent says so, and can be read."""
    study = write_bone_scan(tmp_path / "in", spec=PatientSpec(seed=5, patient_id="SYN"))
    prepared = normalise(read_views(given(study)))
    result_set = describe(detect(prepared, model=known_model(detect(prepared))))
    objects = write_results(result_set, source_files=study.files, out_dir=tmp_path / "out", context=CONTEXT)
    found = read_back([item.path for item in objects], images=study.files).result_set
    assert_same_result(found, result_set, same_grid=True)
    assert NETWORK_OUTPUT in {item.concept for finding in found.findings for item in finding.measurements}
    assert result_set.algorithms[0].name in {item.name for item in found.algorithms}
