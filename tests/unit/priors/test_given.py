"""Earlier studies that lie in a folder are judged by the node's rules, and none of them is passed over in silence."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import UID, ComprehensiveSRStorage

from bmnode import MANUFACTURER, MODEL_NAME
from bmnode.domain.study import Branch
from bmnode.errors import NotFoundError
from bmnode.priors.comparable import PriorRule
from bmnode.priors.given import NO_PATIENT, GivenPriors, GivenStudies, tell_of_given
from bmnode.priors.handover import PriorInput, PriorRole, SearchOutcome, read_prior_input
from bmnode.priors.reading import Site
from tests.support.tiny_ct import SLICES, write_tiny_ct

NOW, THEN, BEFORE = "1.2.50", "1.2.40", "1.2.30"
SITE = Site(zone=UTC)


def told(tmp_path: Path, **present: Any) -> tuple[GivenPriors, PriorInput]:
    """What a run on the present study is told of the folder `then`."""
    files = write_tiny_ct(tmp_path / "now", NOW, **{"StudyDate": "20260301", **present})
    given = tell_of_given(
        GivenStudies.from_folder(tmp_path / "then", site=SITE),
        files,
        study_uid=NOW,
        branch=Branch.CT,
        rule=PriorRule(oldest=timedelta(days=365)),
        into=tmp_path / "told",
    )
    return given, read_prior_input(given.folder)


def objections(found: PriorInput) -> dict[str, str | None]:
    return {item.study_uid: item.objection for item in found.considered}


def write_own_report(path: Path, *, like: Path) -> None:
    """A report of bmnode on the study of an image: of the header only what sorts it."""
    dataset = dcmread(like)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{THEN}.9")
    dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = "SR", MANUFACTURER, MODEL_NAME
    del dataset.PixelData
    dataset.save_as(path)


def test_the_latest_comparable_study_is_told_of_with_its_files(tmp_path: Path) -> None:
    """Of two the later is compared, by its images and what bmnode said of it; both are accounted for."""
    slices = write_tiny_ct(tmp_path / "then" / "a", THEN, StudyDate="20260101")
    write_tiny_ct(tmp_path / "then" / "b", BEFORE, StudyDate="20251001")
    write_own_report(tmp_path / "then" / "sr.dcm", like=slices[0])
    given, found = told(tmp_path)
    prior = found.prior(PriorRole.LATEST)
    assert prior is not None
    assert (prior.study_uid, prior.days_before, len(prior.images)) == (THEN, 59, SLICES)
    assert [path.resolve() for path in prior.results] == [(tmp_path / "then" / "sr.dcm").resolve()]
    assert objections(found) == {THEN: None, BEFORE: None}
    assert given.compared
    assert "2026-01-01 (folder): comparable" in given.sentences[1]


@pytest.mark.parametrize(
    ("values", "objection"),
    [
        ({"PatientID": "Q"}, "other_patient"),
        ({"PatientBirthDate": "19610203"}, "other_birth_date"),
        ({"IssuerOfPatientID": "ELSEWHERE"}, "issuer_unknown"),
        ({"StudyDate": "20240101"}, "too_old"),
        ({"StudyDate": "20260301"}, "same_day"),
        ({"BodyPartExamined": "FOOT"}, "other_body_part"),
        ({"Modality": "MR"}, "other_examination"),
        ({"PatientID": None}, "not_readable"),
    ],
)
def test_what_cannot_be_compared_is_told_with_its_reason(
    tmp_path: Path, values: dict[str, str | None], objection: str
) -> None:
    """The rules are those of the search in archives; a study without a patient is named, too."""
    write_tiny_ct(tmp_path / "then", THEN, **{"StudyDate": "20260101", **values})
    given, found = told(tmp_path, PatientBirthDate="19600203", BodyPartExamined="PELVIS")
    assert (found.outcome, found.priors) == (SearchOutcome.NONE_COMPARABLE, ())
    assert objections(found) == {THEN: objection}
    assert given.compared == ""
    assert objection in " ".join(given.sentences)


def test_the_present_study_is_no_prior_of_itself(tmp_path: Path) -> None:
    """The same folder twice is told as such."""
    write_tiny_ct(tmp_path / "then", NOW, StudyDate="20260301")
    _, found = told(tmp_path)
    assert objections(found) == {NOW: "same_study"}


def test_without_a_patient_nothing_is_compared(tmp_path: Path) -> None:
    """A present study that names no patient is assessed alone, and the report says why."""
    write_tiny_ct(tmp_path / "then", THEN, StudyDate="20260101")
    _, found = told(tmp_path, PatientID=None)
    assert (found.outcome, found.explanation) == (SearchOutcome.NOT_LOOKED_FOR, NO_PATIENT)


def test_a_folder_without_a_study_is_an_error(tmp_path: Path) -> None:
    """Who names a folder means something by it."""
    (tmp_path / "then").mkdir()
    (tmp_path / "then" / "note.txt").write_text("no DICOM")
    with pytest.raises(NotFoundError, match="earlier study"):
        GivenStudies.from_folder(tmp_path / "then", site=SITE)
