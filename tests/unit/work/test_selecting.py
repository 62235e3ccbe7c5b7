"""What the adapter of headers, classification and routes tells the study flow."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

import bmnode
from bmnode.domain.records import StudyRecord
from bmnode.domain.states import StudyState
from bmnode.selection.rules import RouteRule
from bmnode.work.selecting import RuleSelector

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ROUTE = RouteRule(name="all", pipeline="bone_metastasis", destinations=("pacs",), priority=3)
STUDY = StudyRecord(
    study_uid="1.2.3",
    state=StudyState.RECEIVING,
    version=1,
    revision=0,
    instance_count=1,
    source_ae="SCANNER",
    first_received_at=NOW,
    opened_at=NOW,
    last_received_at=NOW,
    due_at=NOW,
)


def _slice(folder: Path, number: int, *, manufacturer: str = "Scanner Ltd") -> Path:
    path = folder / f"1.2.3.{number}.dcm"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{number}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ct = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ct.SOPClassUID, ct.SOPInstanceUID = CTImageStorage, f"1.2.3.{number}"
    ct.StudyInstanceUID, ct.SeriesInstanceUID, ct.FrameOfReferenceUID = "1.2.3", "1.2.3.0", "1.2.3.4"
    ct.Modality, ct.Manufacturer, ct.PatientID = "CT", manufacturer, "P1"
    ct.ManufacturerModelName = bmnode.MODEL_NAME if manufacturer == bmnode.MANUFACTURER else "CT 1"
    ct.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ct.BodyPartExamined, ct.ConvolutionKernel = "CHEST", "B60"
    ct.ImageOrientationPatient, ct.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, float(number)]
    ct.PixelSpacing, ct.SliceThickness = [1.0, 1.0], 1.0
    ct.RescaleSlope, ct.RescaleIntercept, ct.RescaleType = 1, -1024, "HU"
    ct.Rows = ct.Columns = 16
    ct.SamplesPerPixel, ct.PhotometricInterpretation, ct.PixelRepresentation = 1, "MONOCHROME2", 0
    ct.BitsAllocated = ct.BitsStored = 16
    ct.HighBit = 15
    ct.PixelData = np.zeros((16, 16), np.uint16).tobytes()
    ct.save_as(path, enforce_file_format=True)
    return path


def test_a_study_with_a_route_gets_its_job(tmp_path: Path) -> None:
    """Branch, pipeline, destinations and urgency come from classification and route; every file is an input."""
    files = [_slice(tmp_path, number) for number in range(1, 31)]
    decision = RuleSelector(rules=(ROUTE,))(STUDY, files)
    assert (decision.branch, decision.decision) == ("ct", "selected")
    (job,) = decision.jobs
    assert (job.route, job.pipeline, job.destinations, job.priority) == ("all", "bone_metastasis", ("pacs",), 3)
    assert decision.inputs == frozenset(files)


def test_a_study_without_a_route_is_not_for_us(tmp_path: Path) -> None:
    """The explanation says which condition did not hold."""
    rule = RouteRule(name="mr_only", pipeline="bone_metastasis", modalities=("MR",))
    decision = RuleSelector(rules=(rule,))(STUDY, [_slice(tmp_path, number) for number in range(1, 31)])
    assert (decision.decision, decision.jobs) == ("not_for_us", ())
    assert "mr_only: no series has modality MR" in decision.explanation


def test_a_study_that_cannot_be_assessed_is_reported(tmp_path: Path) -> None:
    """A refusal is a decision with its reason, and its job makes the report."""
    decision = RuleSelector(rules=(ROUTE,))(STUDY, [_slice(tmp_path, 1)])
    assert decision.branch is None
    assert decision.decision not in {"selected", "not_for_us"}
    assert decision.explanation
    assert len(decision.jobs) == 1


def test_an_unreadable_file_is_an_input(tmp_path: Path) -> None:
    """A file that is no DICOM changes what the study is: it counts."""
    broken = tmp_path / "1.2.3.99.dcm"
    broken.write_bytes(b"not DICOM")
    decision = RuleSelector(rules=(ROUTE,))(STUDY, [broken])
    assert decision.inputs == frozenset({broken})
    assert len(decision.jobs) == 1


def test_our_own_results_are_no_input(tmp_path: Path) -> None:
    """What bmnode wrote itself and the PACS sent back is left out."""
    files = [_slice(tmp_path, number) for number in range(1, 31)]
    result = _slice(tmp_path, 99, manufacturer=bmnode.MANUFACTURER)
    decision = RuleSelector(rules=(ROUTE,))(STUDY, [*files, result])
    assert decision.inputs == frozenset(files)
