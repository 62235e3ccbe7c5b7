"""The tomographic branches on real images: what they say, and that the numbers are those of mask and source."""

from __future__ import annotations

import gzip
import lzma
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from bmnode.domain.codes import Code, Concept, Derivation, Finding, Localisation
from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.results import Outcome, ResultSet, Verdict
from bmnode.domain.study import Branch, Reason
from bmnode.results.context import WriteContext
from bmnode.results.recompute import recompute_segments
from bmnode.results.write import write_results
from bmnode.selection import classify, read_study
from operators.graph.contract import BranchDefinition, NotAssessableError, StudyInput
from operators.readers.pet import read_suv
from operators.readers.volume import read_volume
from pipelines.ct.branch import BRANCH as CT
from pipelines.mri.branch import BRANCH as MRI
from pipelines.pet_ct.branch import BRANCH as PET_CT
from tests.support import real_studies
from tests.support.real_data import unpack
from tests.support.real_studies import RealStudy

pytestmark = pytest.mark.real_data

DROS = ("0_0", "1_0", "2_0", "2_1", "2_4", "2_5", "3_0", "3_1", "3_3", "4_0", "4_1")
BRANCHES = {Branch.CT: CT, Branch.PET_CT: PET_CT, Branch.MRI: MRI}
CONTEXT = WriteContext(
    job_digest="real data",
    created_at=datetime(2025, 1, 1, tzinfo=UTC),
    software_version="test",
    pipeline_name="bone_metastasis",
    pipeline_version="test",
)


def study_input(files: tuple[Path, ...]) -> StudyInput:
    """The files as the graph would hand them to a branch."""
    reading = read_study(files)
    return StudyInput(
        request=PipelineRequest(study_uid=reading.headers.study_uid, files=files, seed="seed"),
        headers=reading.headers,
        classification=classify(reading.headers),
        files=reading.files,
    )


def run(branch: BranchDefinition, study: StudyInput) -> ResultSet:
    """All steps of a branch, one after the other."""
    value: Any = study
    for step in branch.steps:
        value = step.run(value)
    assert isinstance(value, ResultSet)
    return value


def assess(study: RealStudy) -> ResultSet:
    """The result of the branch that the selection chooses."""
    given = study_input(study.files)
    assert given.classification.branch is not None, given.classification.refusal
    return run(BRANCHES[given.classification.branch], given)


def nifti(path: Path) -> npt.NDArray[np.uint8]:
    """The voxels of an 8-bit NIfTI-1 file (slice, row, column)."""
    raw = gzip.decompress(path.read_bytes())
    width, height, depth = np.frombuffer(raw, dtype="<i2", count=4, offset=40)[1:]
    offset = int(np.frombuffer(raw, dtype="<f4", count=1, offset=108)[0])
    kind = {2: "<u1", 4: "<i2", 16: "<f4", 64: "<f8", 512: "<u2"}[
        int(np.frombuffer(raw, dtype="<i2", count=1, offset=70)[0])
    ]
    values = np.frombuffer(raw, dtype=kind, count=int(width) * int(height) * int(depth), offset=offset)
    return values.reshape(int(depth), int(height), int(width)).astype(np.uint8)


@pytest.fixture(scope="module")
def dro_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked digital reference objects of the IBSI."""
    folder = tmp_path_factory.mktemp("dro")
    archive = shared_data / "ibsi_suv_dro" / "DRO.tar.xz"
    if not archive.is_file():
        pytest.skip("the IBSI digital reference objects are absent")
    with lzma.open(archive) as stream, tarfile.open(fileobj=stream) as tar:
        tar.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize("name", DROS)
def test_reference_objects_have_their_suv(dro_folder: Path, name: str) -> None:
    """SUV minimum, median and maximum inside the mask are 0.20, 1.00 and 4.00 within 0.005."""
    (folder,) = dro_folder.rglob(f"DRO_{name}")
    suv = read_suv(sorted((folder / "PT").iterdir())).volume.array
    (mask_file,) = (folder / "mask").glob("*.nii.gz")
    values = suv[nifti(mask_file) > 0]
    assert (values.min(), np.median(values), values.max()) == pytest.approx((0.2, 1.0, 4.0), abs=0.005)


def value_of(result: ResultSet, concept: Code) -> float:
    """The study's measurement of that concept, whatever its derivation."""
    return next(item.value for item in result.measurements if item.concept == concept)


def test_whole_body_pet_without_ct(shared_data: Path, tmp_path: Path) -> None:
    """SUV is computed, the hottest region is the bladder's tens, and no region claims to be bone."""
    result = assess(real_studies.pet(shared_data, tmp_path))
    assert (result.outcome, result.branch) == (Outcome.ASSESSED, Branch.PET_CT)
    assert 1 <= len(result.findings) <= 60
    assert {finding.evaluations[0].value for finding in result.findings} == {Localisation.NOT_LOCALISED}
    assert all(segment.type == Finding.LESION for segment in result.segmentations[0].segments)
    highest = max(m.value for f in result.findings for m in f.measurements if m.derivation == Derivation.MAXIMUM)
    assert 30.0 < highest < 100.0
    assert any("not localised to bone" in sentence for sentence in result.limitations)


def test_contrast_ct_with_jpeg_2000(shared_data: Path, tmp_path: Path) -> None:
    """A Siemens series decodes, its bone is found, and the contrast medium is mentioned."""
    result = assess(real_studies.ct(shared_data, tmp_path))
    assert result.branch is Branch.CT
    assert result.segmentations[0].segments[0].type == Finding.BONE
    assert 50.0 < value_of(result, Concept.BONE_EVALUATED) < 1000.0
    assert len(result.findings) <= 5
    assert any("Contrast medium was given" in check.explanation for check in result.quality)


@pytest.mark.parametrize(("archive", "slices"), [("SCAN_001_ADC", 36), ("SCAN_002_ADC", 45)])
def test_adc_maps_of_two_dates(shared_data: Path, tmp_path: Path, archive: str, slices: int) -> None:
    """The canal is followed over the whole map, the region in front of it is evaluated, and no disc is marked."""
    files = unpack(shared_data / "cmbcrc_mr_longitudinal" / f"{archive}_dicom.tar.xz", tmp_path)
    result = run(MRI, study_input(tuple(path for path in files if path.suffix == ".dcm")))
    assert result.outcome is Outcome.ASSESSED
    region = result.segmentations[0].segments[0]
    evaluated = region.mask.to_array()
    assert evaluated.shape[0] == slices
    assert evaluated.any(axis=(1, 2)).mean() > 0.9
    assert 40.0 < value_of(result, Concept.BONE_EVALUATED) < 120.0
    assert result.findings == ()  # the patient has no known bone metastases
    assert any("ellipse in front of the spinal canal" in sentence for sentence in result.limitations)
    assert result.quality[0].verdict is Verdict.PASS


def test_a_thigh_without_diffusion_is_refused(shared_data: Path, tmp_path: Path) -> None:
    """A fat-suppressed T2 alone has nothing to measure marrow on."""
    files = unpack(shared_data / "sts001_raw_dicom" / "STS_001_MR_T2FS.tar.xz", tmp_path)
    study = study_input(tuple(path for path in files if path.parent.name == "image"))
    assert study.classification.refusal is not None
    assert study.classification.refusal.reason is Reason.MISSING_DIFFUSION
    with pytest.raises(NotAssessableError) as caught:
        run(MRI, study)
    assert caught.value.refusal.reason is Reason.MISSING_DIFFUSION


@pytest.mark.parametrize("make", [real_studies.pet, real_studies.ct, real_studies.mr])
def test_numbers_are_those_of_the_written_segmentation_and_the_source(
    shared_data: Path, tmp_path: Path, make: Callable[[Path, Path], RealStudy]
) -> None:
    """Mean, maximum and volume of every lesion and of the bone agree to 1e-6 with SEG and source files."""
    study = make(shared_data, tmp_path / "study")
    result = assess(study)
    objects = write_results(result, source_files=study.files, out_dir=tmp_path / "out", context=CONTEXT)
    written = next(item.path for item in objects if item.kind.value == "seg")
    segments = {s.number: s for s in recompute_segments(written, source_files=study.files)}
    factor = _factor(study) if result.branch is Branch.PET_CT else 1.0
    for finding in result.findings:
        assert finding.segment is not None
        segment = segments[finding.segment.segment_number]
        numbers = {(m.concept, m.derivation): m.value for m in reversed(finding.measurements)}
        assert numbers[Concept.VOLUME, None] == pytest.approx(segment.volume_ml, rel=1e-6)
        for derivation, expected in ((Derivation.MEAN, segment.mean), (Derivation.MAXIMUM, segment.maximum)):
            (got,) = (value for (what, kind), value in numbers.items() if kind == derivation and what in VOXEL_VALUES)
            assert got == pytest.approx(expected * factor, rel=1e-6)
    if result.segmentations[0].segments[0].type == Finding.BONE:
        assert value_of(result, Concept.BONE_EVALUATED) == pytest.approx(segments[1].volume_ml, rel=1e-6)


VOXEL_VALUES = {Concept.ATTENUATION, Concept.SUV_BW, Concept.ADC}
"""What a lesion's own voxels give, in the unit of the image."""


def _factor(study: RealStudy) -> float:
    """Bq/ml to SUVbw, from dose, weight and times of the headers alone."""
    elapsed_s, half_life_s, dose_bq, weight_g = 45 * 60 + 11, 6588.0, 388777472.0, 71000.0
    assert read_volume(study.files).array.max() > 1e5
    return weight_g / (dose_bq * float(2.0 ** (-elapsed_s / half_life_s)))
