"""A comparison that cannot be made gives its reason, and the present scan's own result stands as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from bmnode.domain.follow_up_codes import Compared, FollowUp
from bmnode.domain.ids import derive_uid
from bmnode.domain.results import Outcome, ResultSet
from bmnode.domain.study import Branch, Reason, Refusal
from bmnode.priors.handover import PriorInput, PriorRole, PriorStudy, SearchOutcome, write_prior_input
from operators.graph.contract import NotAssessableError, StudyInput
from pipelines.follow_up.register import register_prior
from tests.unit.follow_up.pairs import study_of

PRIOR = "1.2.30"


def never(_study: StudyInput) -> ResultSet:
    raise AssertionError("nobody asked for an assessment")


def present(folder: Path | None) -> StudyInput:
    study = study_of("1.2.20")
    return replace(study, request=replace(study.request, priors_dir=folder))


def alone() -> ResultSet:
    return ResultSet(study_uid="1.2.20", outcome=Outcome.ASSESSED, branch=Branch.CT, input_series_uids=("1.2.20.1",))


def write_prior(folder: Path, *, results: bool, **values: Any) -> Path:
    """A prior of twelve slices with a pixel each, and a result object that is damaged where `results`."""
    images = folder / "prior" / PRIOR / "images"
    images.mkdir(parents=True)
    for index in range(12):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        uid = UID(derive_uid("prior", str(index)))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.PatientID = PRIOR, f"{PRIOR}.1", "P"
        dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY"]
        dataset.PixelSpacing, dataset.ImagePositionPatient = [1, 1], [0, 0, index]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.Rows = dataset.Columns = dataset.SamplesPerPixel = 1
        dataset.BitsAllocated, dataset.PixelData = 16, b"\0\0"
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.save_as(images / f"{index}.dcm", enforce_file_format=True)
    damaged = folder / "prior" / PRIOR / "results" / "seg-1.dcm"
    if results:
        damaged.parent.mkdir()
        damaged.write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    prior = PriorStudy(
        study_uid=PRIOR,
        performed_on=date(2026, 1, 1),
        days_before=90,
        roles=(PriorRole.LATEST,),
        images=tuple(path.relative_to(folder) for path in sorted(images.iterdir())),
        results=(damaged.relative_to(folder),) if results else (),
    )
    told = PriorInput(study_uid="1.2.20", outcome=SearchOutcome.FOUND, explanation="One was found.", priors=(prior,))
    write_prior_input(told, folder)
    return folder


def assert_refused(found: object, reason: str) -> None:
    """The result says that and why it was not compared, and is otherwise that of the scan alone."""
    assert isinstance(found, ResultSet)
    assert (FollowUp.COMPARISON, Compared.REFUSED) in [(item.concept, item.value) for item in found.evaluations]
    assert reason in " ".join(found.limitations)
    assert replace(found, evaluations=(), limitations=()).findings == alone().findings
    assert found.outcome is Outcome.ASSESSED


def test_nobody_looked_nothing_is_said() -> None:
    """Without a folder the result goes on as it is, the very object."""
    result = alone()
    assert register_prior(result, study=present(None), assess_alone=never) is result


def test_an_unfinished_folder_is_a_reason(tmp_path: Path) -> None:
    """A folder without `priors.json` does not end the job."""
    assert_refused(register_prior(alone(), study=present(tmp_path), assess_alone=never), "cannot be read")


def test_none_comparable_is_told_in_the_words_of_the_search(tmp_path: Path) -> None:
    """What was said of the candidates stands in the report; nothing is claimed of a comparison."""
    told = PriorInput(study_uid="1.2.20", outcome=SearchOutcome.NONE_COMPARABLE, explanation="Two were too old.")
    write_prior_input(told, tmp_path)
    found = register_prior(alone(), study=present(tmp_path), assess_alone=never)
    assert isinstance(found, ResultSet)
    assert found.limitations == ("Two were too old.",)
    assert found.evaluations == ()


def test_a_damaged_result_of_the_prior_is_a_reason(tmp_path: Path) -> None:
    """A SEG that cannot be read is no ground to compare on, and none to leave out the present result."""
    folder = write_prior(tmp_path, results=True)
    assert_refused(register_prior(alone(), study=present(folder), assess_alone=never), "cannot be used")


def test_another_examination_is_a_reason(tmp_path: Path) -> None:
    """An MR is not compared with a CT, whatever the search thought."""
    folder = write_prior(tmp_path, results=False, Modality="MR", SeriesDescription="ADC")
    found = register_prior(alone(), study=present(folder), assess_alone=never)
    assert isinstance(found, ResultSet)
    assert "not compared with" in found.limitations[-1]


@pytest.mark.parametrize("raised", [True, False])
def test_a_prior_that_is_not_assessable_is_a_reason(tmp_path: Path, *, raised: bool) -> None:
    """Assessed anew and refused, by exception or as a result: the present result says why."""
    refusal = Refusal(reason=Reason.BONE_NOT_FOUND, explanation="There is no bone in it.")

    def refuse(study: StudyInput) -> ResultSet:
        if raised:
            raise NotAssessableError(refusal.reason, refusal.explanation)
        return ResultSet(
            study_uid=study.request.study_uid,
            outcome=Outcome.NOT_ASSESSABLE,
            branch=Branch.CT,
            input_series_uids=(),
            refusal=refusal,
        )

    folder = write_prior(tmp_path, results=False)
    assert_refused(register_prior(alone(), study=present(folder), assess_alone=refuse), "no bone in it")
