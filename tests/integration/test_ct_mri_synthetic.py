"""CT and MRI of the demo's synthetic patients, from files to findings: what is found of a known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.results import ResultSet
from bmnode.domain.study import Branch, Reason
from bmnode.selection import classify, read_study
from bmnode.testing.patients import LesionTruth, PatientSpec, SyntheticStudy, write_brain_ct, write_ct, write_mri
from operators.graph.contract import BranchDefinition, NotAssessableError, StudyInput
from pipelines.ct.branch import BRANCH as CT
from pipelines.mri.branch import BRANCH as MRI


def run(branch: BranchDefinition, study: SyntheticStudy) -> tuple[ResultSet, VolumeGeometry]:
    """The result of all steps, and the grid that it lies on."""
    reading = read_study(study.files)
    value: Any = StudyInput(
        request=PipelineRequest(study_uid=reading.headers.study_uid, files=study.files, seed="seed"),
        headers=reading.headers,
        classification=classify(reading.headers),
        files=reading.files,
    )
    for step in branch.steps:
        value = step.run(value)
    assert isinstance(value, ResultSet)
    return value, value.segmentations[0].geometry


def masks(result: ResultSet) -> tuple[CroppedMask, ...]:
    """The findings' masks."""
    numbers = [finding.segment.segment_number for finding in result.findings if finding.segment]
    return tuple(result.segmentations[0].segments[number - 1].mask for number in numbers)


def holds(mask: CroppedMask, lesion: LesionTruth, geometry: VolumeGeometry) -> bool:
    """Whether the lesion's centre lies in the mask."""
    index = np.rint((np.linalg.inv(geometry.matrix) @ [*lesion.center_lps, 1.0])[:3]).astype(int)
    return bool(mask.to_array()[tuple(index)])


def test_every_lesion_of_the_synthetic_ct_is_found_with_its_volume(tmp_path: Path) -> None:
    """Four of four, the one that fills the iliac wing included, each within a fifth of its volume; nothing else."""
    study = write_ct(tmp_path, spec=PatientSpec(seed=4, patient_id="SYN-CT"))
    result, geometry = run(CT, study)
    assert len(result.findings) == len(study.truth.lesions) == 4
    for lesion in study.truth.lesions:
        (mask,) = (mask for mask in masks(result) if holds(mask, lesion, geometry))
        assert mask.voxel_count * geometry.voxel_volume_ml == pytest.approx(lesion.volume_ml, rel=0.2)


def test_the_vertebral_lesion_of_the_synthetic_mri_is_found(tmp_path: Path) -> None:
    """L4 is found by its signal at b = 900, though it is shorter than a vertebra; the pelvis is not evaluated."""
    study = write_mri(tmp_path, spec=PatientSpec(seed=5, patient_id="SYN-MRI"))
    result, geometry = run(MRI, study)
    (mask,) = masks(result)
    assert [lesion.bone for lesion in study.truth.lesions if holds(mask, lesion, geometry)] == ["L4"]
    evaluated = result.segmentations[0].segments[0].mask
    outside = [lesion.bone for lesion in study.truth.lesions if not holds(evaluated, lesion, geometry)]
    assert outside == ["sacrum", "ilium"]


def test_healthy_synthetic_marrow_has_no_candidates(tmp_path: Path) -> None:
    """Without lesions nothing is marked, discs neither."""
    result, _ = run(MRI, write_mri(tmp_path, spec=PatientSpec(seed=6, patient_id="SYN-NONE", lesions=())))
    assert result.findings == ()


def test_a_head_is_known_by_its_cranium_where_no_header_says_so(tmp_path: Path) -> None:
    """A CT of the head whose descriptions are empty is refused all the same."""
    study = write_brain_ct(tmp_path, spec=PatientSpec(seed=7, patient_id="SYN-HEAD"))
    for path in study.files:
        image = dcmread(path)
        for keyword in ("BodyPartExamined", "SeriesDescription", "StudyDescription", "ProtocolName"):
            image.pop(keyword, None)
        image.save_as(path)
    assert classify(read_study(study.files).headers).branch is Branch.CT
    with pytest.raises(NotAssessableError) as caught:
        run(CT, study)
    assert caught.value.refusal.reason is Reason.UNSUPPORTED_EXAMINATION
    assert "cranial cavity" in caught.value.refusal.explanation
