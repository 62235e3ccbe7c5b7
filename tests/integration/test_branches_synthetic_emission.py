"""PET/CT and SPECT/CT of whole synthetic patients: what was put into bone is found, and no organ is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from bmnode.domain.codes import Code, Concept, Derivation, Unit
from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.results import FindingResult, ResultSet
from bmnode.results.context import WriteContext
from bmnode.results.reading import read_report
from bmnode.results.write import write_results
from bmnode.selection import classify, read_study
from bmnode.testing.patients import LesionKind, LesionSpec, PatientSpec, Side, SyntheticStudy, write_pet_ct, write_spect
from bmnode.testing.patients.tracers import PSMA_1007
from operators.graph.contract import BranchDefinition, StudyInput
from pipelines.pet_ct.branch import BRANCH as PET_CT
from pipelines.spect.branch import BRANCH as SPECT
from tests.support.measured_region import load_regions, load_volume
from tests.support.recompute import (
    bone_region,
    expected_of_finding,
    expected_of_study,
    reference_figures,
)

CONTEXT = WriteContext(
    job_digest="synthetic emission",
    created_at=datetime(2025, 1, 1, tzinfo=UTC),
    software_version="test",
    pipeline_name="bone_metastasis",
    pipeline_version="test",
)
Write = Callable[..., SyntheticStudy]


def result_of(branch: BranchDefinition, study: SyntheticStudy) -> ResultSet:
    """All steps of a branch on a written study."""
    reading = read_study(study.files)
    value: Any = StudyInput(
        request=PipelineRequest(study_uid=study.study_uid, files=study.files, seed="seed"),
        headers=reading.headers,
        classification=classify(reading.headers),
        files=reading.files,
    )
    for step in branch.steps:
        value = step.run(value)
    assert isinstance(value, ResultSet)
    return value


def distance_mm(result: ResultSet, finding: FindingResult, point: tuple[float, float, float]) -> float:
    """From a point (LPS) to the next voxel of a finding."""
    assert finding.segment is not None
    segmentation = result.segmentations[0]
    mask = segmentation.segments[finding.segment.segment_number - 1].mask
    index = np.argwhere(mask.values) + np.asarray(mask.origin)
    matrix = segmentation.geometry.matrix
    places = index @ matrix[:3, :3].T + matrix[:3, 3]
    return float(np.linalg.norm(places - np.asarray(point), axis=1).min())


def value_of(item: ResultSet | FindingResult, concept: Code, derivation: Code | None = None) -> float:
    """The measurement of that concept and derivation."""
    return next(m.value for m in item.measurements if m.concept == concept and m.derivation == derivation)


def hot(bone: str, value: float, side: Side = Side.MIDLINE, *, radius_mm: float = 11.0) -> LesionSpec:
    """A hot lesion, sclerotic on CT."""
    return LesionSpec(bone=bone, kind=LesionKind.HOT, value=value, side=side, radii_mm=(radius_mm,) * 3, ct_hu=500.0)


BESIDE_ORGANS = (hot("pubis", 9.0, Side.RIGHT), hot("sternum", 9.0), hot("L1", 10.0), hot("sacrum", 9.0))
"""Beside the bladder, the heart, the kidneys and the bowel."""
LARGE = (hot("ilium", 30.0, Side.LEFT, radius_mm=26.0), hot("L5", 24.0, radius_mm=16.0))


@pytest.mark.parametrize(
    ("branch", "write", "lesions"),
    [
        (PET_CT, write_pet_ct, None),
        (PET_CT, write_pet_ct, ()),
        (PET_CT, partial(write_pet_ct, tracer=PSMA_1007), BESIDE_ORGANS),
        (SPECT, write_spect, None),
        (SPECT, partial(write_spect, quantitative=False), None),
        (SPECT, write_spect, LARGE),
    ],
    ids=["FDG", "FDG, no lesion", "PSMA beside organs", "SPECT", "SPECT in counts", "SPECT, large"],
)
def test_every_lesion_is_found_and_no_organ(
    tmp_path: Path, branch: BranchDefinition, write: Write, lesions: tuple[LesionSpec, ...] | None
) -> None:
    """Each lesion lies in a finding of its own, and there is no other finding: no brain, bladder or kidney."""
    study = write(tmp_path, spec=PatientSpec(seed=5, patient_id="SYN", lesions=lesions))
    result = result_of(branch, study)
    hits = [
        [finding.tracking_id for finding in result.findings if distance_mm(result, finding, lesion.center_lps) < 6.0]
        for lesion in study.truth.lesions
    ]
    assert [len(ids) for ids in hits] == [1] * len(study.truth.lesions)
    assert sorted(ids[0] for ids in hits) == sorted(finding.tracking_id for finding in result.findings)


def test_every_number_of_a_pet_ct_is_recomputed_from_its_segments(tmp_path: Path) -> None:
    """Lesions, bone, liver and blood pool, ratios, SULpeak and PERCIST's limit follow from SEG, image and header."""
    study = write_pet_ct(tmp_path / "in", spec=PatientSpec(seed=6, patient_id="SYN"))
    objects = write_results(
        result_of(PET_CT, study), source_files=study.files, out_dir=tmp_path / "out", context=CONTEXT
    )
    segmentation = next(item.path for item in objects if item.kind.value == "seg")
    report = next(
        found for item in objects if item.kind.value == "sr" and (found := read_report(item.path)).outcome is not None
    )
    slices = [path for path in study.files if dcmread(path, stop_before_pixels=True).Modality == "PT"]
    image = dcmread(slices[0], stop_before_pixels=True)
    drug = image.RadiopharmaceuticalInformationSequence[0]
    left_bq = float(drug.RadionuclideTotalDose) * 2.0 ** (-3600.0 / float(drug.RadionuclideHalfLife))
    factor = float(image.PatientWeight) * 1000.0 / left_bq
    volume = load_volume(slices, scale=lambda _: factor)
    regions = load_regions(segmentation, volume)
    figures = {**reference_figures(segmentation, regions, image), (Concept.SUV_FACTOR, None): factor}
    assert figures[Concept.LIVER_REFERENCE, Derivation.MEAN] == pytest.approx(2.2, rel=0.05)
    for item in report.measurements:
        bone = bone_region(segmentation, regions)
        expected = expected_of_study(item, report, regions, bone, figures=figures)
        assert item.value == pytest.approx(expected, rel=1e-5), item
    assert {concept for concept, _ in figures} <= {item.concept for item in report.measurements}
    for finding in report.findings:
        assert finding.segment is not None
        for item in finding.measurements:
            expected = expected_of_finding(item, regions[finding.segment.segment_number], finding, figures=figures)
            assert item.value == pytest.approx(expected, rel=1e-5), item


@pytest.mark.parametrize(("branch", "write"), [(PET_CT, write_pet_ct), (SPECT, write_spect)])
def test_the_stated_factor_and_totals_are_those_of_the_counted_lesions(
    tmp_path: Path, branch: BranchDefinition, write: Write
) -> None:
    """A reader can recompute: SUV from Bq/ml by the one factor, totals from the lesions reported."""
    spec = PatientSpec(seed=6, patient_id="SYN")
    result = result_of(branch, write(tmp_path, spec=spec))
    emission = next(
        header
        for path in sorted((tmp_path / "dicom").iterdir())
        if (header := dcmread(path, stop_before_pixels=True)).Modality in {"PT", "NM"}
    )
    drug = emission.RadiopharmaceuticalInformationSequence[0]
    is_pet = emission.Modality == "PT"
    dose_bq = float(drug.RadionuclideTotalDose) * (1.0 if is_pet else 1e6)
    half_life_s, waited_s = (6586.2, 3600.0) if is_pet else (21624.12, 3 * 3600.0)
    expected = spec.weight_kg * 1000.0 / (dose_bq * 2.0 ** (-waited_s / half_life_s))
    assert value_of(result, Concept.SUV_FACTOR) == pytest.approx(expected, rel=1e-5)
    assert next(m.unit for m in result.measurements if m.concept == Concept.SUV_FACTOR) == Unit.GRAM_PER_BQ
    volumes = [value_of(finding, Concept.VOLUME) for finding in result.findings]
    assert value_of(result, Concept.VOLUME, Derivation.TOTAL) == pytest.approx(sum(volumes), rel=1e-9)
    assert value_of(result, Concept.LESION_COUNT) == len(volumes)
