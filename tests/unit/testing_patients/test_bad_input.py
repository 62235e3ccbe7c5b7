"""Studies to be refused are broken in the one way that they promise, and the node's own selection agrees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.errors import InvalidDicomError

from bmnode.domain.study import Branch, Reason
from bmnode.selection import classify, read_study_headers
from bmnode.testing import patients
from bmnode.testing.patients import DEMO_PATIENTS, PatientSpec, SyntheticStudy

_SPEC = PatientSpec(seed=7, patient_id="SYN-BAD")

_REFUSALS: list[tuple[Callable[..., SyntheticStudy], Reason]] = [
    (patients.write_two_patients, Reason.SEVERAL_PATIENTS),
    (patients.write_missing_pixel_data, Reason.MISSING_PIXEL_DATA),
    (patients.write_absent_spacing, Reason.MISSING_GEOMETRY),
    (patients.write_chest_xray, Reason.UNSUPPORTED_MODALITY),
    (patients.write_secondary_capture, Reason.UNSUPPORTED_MODALITY),
    (patients.write_mibg, Reason.UNSUPPORTED_TRACER),
    (patients.write_brain_ct, Reason.UNSUPPORTED_EXAMINATION),
    (patients.write_not_dicom, Reason.UNREADABLE_INPUT),
]


@pytest.mark.parametrize(("write", "reason"), _REFUSALS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_selection_refuses_each_for_its_own_reason(
    tmp_path: Path, write: Callable[..., SyntheticStudy], reason: Reason
) -> None:
    """Headers alone show why the study is not assessable, and the study's truth names that reason."""
    study = write(tmp_path, spec=_SPEC)
    assert study.refusal is reason
    found = classify(read_study_headers(study.files))
    assert found.refusal is not None
    assert found.refusal.reason is reason


@pytest.mark.parametrize("folder", [patient.folder for patient in DEMO_PATIENTS])
def test_selection_takes_each_demo_study_to_its_branch(cohort: dict[str, SyntheticStudy], folder: str) -> None:
    """The branch that the truth names is the one that the headers lead to."""
    study = cohort[folder]
    found = classify(read_study_headers(study.files))
    assert found.branch is study.branch
    assert (found.refusal.reason if found.refusal else None) is study.refusal


def test_two_patients_differ_in_nothing_but_the_id(tmp_path: Path) -> None:
    """Half of the images carry another Patient ID under the same Study Instance UID."""
    study = patients.write_two_patients(tmp_path, spec=_SPEC)
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in study.files]
    assert {ds.PatientID for ds in headers} == {"SYN-BAD", "SYN-BAD-OTHER"}
    assert {ds.StudyInstanceUID for ds in headers} == {study.study_uid}


def test_a_truncated_file_keeps_its_header_but_not_its_pixels(tmp_path: Path) -> None:
    """The last file ends inside its pixel data while the others are whole."""
    study = patients.write_truncated(tmp_path, spec=_SPEC)
    sizes = [path.stat().st_size for path in study.files]
    assert sizes[-1] < 0.7 * min(sizes[:-1])
    assert pydicom.dcmread(study.files[-1], stop_before_pixels=True).StudyInstanceUID == study.study_uid
    with pytest.raises((EOFError, ValueError)):
        _ = pydicom.dcmread(study.files[-1]).pixel_array


def test_bytes_that_are_no_dicom_are_not_read_as_such(tmp_path: Path) -> None:
    """A reader that insists on the format refuses the file."""
    study = patients.write_not_dicom(tmp_path, spec=_SPEC)
    with pytest.raises(InvalidDicomError):
        pydicom.dcmread(study.files[0])


def test_a_long_patient_id_stays_within_its_length(tmp_path: Path) -> None:
    """The second patient's ID fits LO (64 characters) and still differs."""
    study = patients.write_two_patients(tmp_path, spec=PatientSpec(seed=7, patient_id="P" * 64))
    ids = {pydicom.dcmread(path, stop_before_pixels=True).PatientID for path in study.files}
    assert len(ids) == 2
    assert max(map(len, ids)) <= 64


def test_every_branch_has_a_writer() -> None:
    """The package offers one writer per branch of the pipeline."""
    assert all(hasattr(patients, f"write_{branch}") for branch in Branch)


def test_zero_slices_are_none(tmp_path: Path) -> None:
    """The tomogram alone is sent, and it says itself that it has no frame."""
    (file,) = patients.write_zero_slices(tmp_path, spec=_SPEC).files
    image = pydicom.dcmread(file)
    assert (image.Modality, int(image.NumberOfFrames)) == ("NM", 0)
    assert not image.PixelData
