"""What a job is told of an earlier scan, as small as the readers take it, and what a refused comparison looks like."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from bmnode.domain.follow_up_codes import Compared, FollowUp
from bmnode.domain.ids import derive_uid
from bmnode.domain.results import Outcome, ResultSet
from bmnode.domain.study import Branch
from bmnode.priors.handover import PriorInput, PriorRole, PriorStudy, SearchOutcome, write_prior_input
from operators.graph.contract import StudyInput
from tests.unit.follow_up.pairs import study_of

PRIOR, PRESENT = "1.2.30", "1.2.20"


def present(folder: Path | None) -> StudyInput:
    study = study_of(PRESENT)
    return replace(study, request=replace(study.request, priors_dir=folder))


def alone() -> ResultSet:
    return ResultSet(study_uid=PRESENT, outcome=Outcome.ASSESSED, branch=Branch.CT, input_series_uids=(f"{PRESENT}.1",))


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
    told = PriorInput(study_uid=PRESENT, outcome=SearchOutcome.FOUND, explanation="One was found.", priors=(prior,))
    write_prior_input(told, folder)
    return folder


def assert_refused(found: object, reason: str) -> None:
    """The result says that and why it was not compared, and is otherwise that of the scan alone."""
    assert isinstance(found, ResultSet)
    assert (FollowUp.COMPARISON, Compared.REFUSED) in [(item.concept, item.value) for item in found.evaluations]
    assert reason in " ".join(found.limitations)
    assert replace(found, evaluations=(), limitations=()).findings == alone().findings
    assert found.outcome is Outcome.ASSESSED
