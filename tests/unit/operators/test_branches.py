"""The four tomographic branches end to end on small synthetic studies, from files to result sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from bmnode.domain.codes import Code, Concept, Derivation, LesionType, Localisation, NotEvaluable, SiteCertainty, Unit
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.results import FindingResult, ResultSet, Verdict
from bmnode.domain.study import Branch, Classification, Reason, SeriesRole
from operators.graph.contract import BranchDefinition, NotAssessableError, StudyInput
from operators.kernels.decay import HALF_LIFE_S
from operators.readers.pet import read_suv
from operators.readers.volume import read_volume
from pipelines.ct.branch import BRANCH as CT
from pipelines.mri.branch import BRANCH as MRI
from pipelines.pet_ct.branch import BRANCH as PET_CT
from pipelines.spect.branch import BRANCH as SPECT
from tests.unit.operators.phantoms import VERTEBRA_CENTRE_MM, ball, disc, grid, trunk_adc, trunk_ct
from tests.unit.operators.series import (
    geometry_of,
    pet_attributes,
    radiopharmaceutical,
    study_of,
    write_series,
    write_spect,
)

CENTRE = (75.0, *VERTEBRA_CENTRE_MM)
LIVER = (75.0, 110.0, 60.0)


def run(branch: BranchDefinition, study: StudyInput) -> ResultSet:
    """All steps of a branch, one after the other."""
    assert study.classification.branch is branch.branch, study.classification
    value: Any = study
    for step in branch.steps:
        value = step.run(value)
    assert isinstance(value, ResultSet)
    return value


def refusal(branch: BranchDefinition, study: StudyInput) -> Reason:
    """The reason with which a branch refuses a study."""
    with pytest.raises(NotAssessableError) as caught:
        run(branch, study)
    return caught.value.refusal.reason


def value_of(item: ResultSet | FindingResult, concept: Code, derivation: Code | None = None) -> float:
    """The one measurement of that concept and derivation; the first where methods differ."""
    return next(m.value for m in item.measurements if m.concept == concept and m.derivation == derivation)


def mask_of(result: ResultSet, finding: FindingResult) -> CroppedMask:
    """The finding's segment."""
    assert finding.segment is not None
    return result.segmentations[0].segments[finding.segment.segment_number - 1].mask


def pet_array(*, organ: bool = False) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """SUV of the trunk: 1 everywhere, 9 in a vertebral lesion, 12 in an organ in front of the spine."""
    _, z, y, x = grid()
    suv = np.where(disc(y, x, (110.0, 140.0), (80.0, 120.0)), 1.0, 0.0)
    suv[ball(CENTRE, 10.0)] = 9.0
    if organ:
        suv[ball(LIVER, 12.0)] = 12.0
        from_organ = np.sqrt((z - 30.0) ** 2 + (y - 92.0) ** 2 + (x - 140.0) ** 2)
        suv = np.where(from_organ <= 22.0, 14.0 - 0.3 * from_organ, suv)
    return suv


BQML_OF_SUV_1 = 350e6 * 2.0 ** (-3600.0 / HALF_LIFE_S["F-18"]) / 70000.0


def write_pet(folder: Path, suv: np.ndarray[Any, Any], **overrides: Any) -> list[Path]:
    """The trunk's SUV in Bq/ml, one slope a slice."""
    geometry = geometry_of((50, 110, 140), spacing_mm=(3.0, 2.0, 2.0))
    activity = suv * BQML_OF_SUV_1
    slopes = [max(float(plane.max()), 1.0) / 30000.0 for plane in activity]
    return write_series(
        folder, activity, geometry, modality="PT", slopes=slopes, attributes=pet_attributes(**overrides)
    )


def test_ct_reports_a_sclerotic_lesion_with_bone_type_and_numbers_of_its_mask(tmp_path: Path) -> None:
    """The lesion is found, typed, and its numbers are those of the stored mask on the source image."""
    hu, geometry, _ = trunk_ct()
    lesion = ball(CENTRE, 9.0)
    hu[lesion] = 750.0 + np.random.default_rng(1).normal(scale=60.0, size=int(lesion.sum()))
    files = write_series(tmp_path / "ct", hu, geometry, modality="CT", attributes={"KVP": 120.0})
    result = run(CT, study_of(tmp_path))
    (finding,) = result.findings
    mask = mask_of(result, finding)
    values = read_volume(files).array[mask.to_array()].astype(np.float64)
    assert value_of(finding, Concept.ATTENUATION, Derivation.MEAN) == pytest.approx(values.mean(), rel=1e-6)
    assert value_of(finding, Concept.VOLUME) == pytest.approx(mask.voxel_count * 0.012)
    assert {e.value for e in finding.evaluations} == {
        LesionType.SCLEROTIC,
        Localisation.IN_BONE,
        SiteCertainty.NONE,
        NotEvaluable.DRAWN_IN_BONE,
        NotEvaluable.NO_BODY,
    }
    bone, _ = result.segmentations[0].segments
    assert (bone.mask.to_array() & mask.to_array()).sum() == mask.voxel_count
    share = value_of(result, Concept.LESION_FRACTION)
    assert share == pytest.approx(100.0 * mask.voxel_count / bone.mask.voxel_count)
    assert value_of(result, Concept.LESION_COUNT) == 1.0


def test_a_second_run_gives_the_same_tracking_uid(tmp_path: Path) -> None:
    """UIDs come from the seed: a retry makes the same instances."""
    hu, geometry, _ = trunk_ct()
    hu[ball(CENTRE, 9.0)] = 750.0
    write_series(tmp_path / "ct", hu, geometry, modality="CT")
    first, second = (run(CT, study_of(tmp_path)) for _ in range(2))
    assert [f.tracking_uid for f in first.findings] == [f.tracking_uid for f in second.findings]
    assert first.findings[0].tracking_id == "bmnode lesion 1"


def test_ct_without_bone_is_not_assessable(tmp_path: Path) -> None:
    """Soft tissue alone: bone_not_found."""
    hu, geometry, _ = trunk_ct(table=False)
    write_series(tmp_path / "ct", np.minimum(hu, 60.0), geometry, modality="CT")
    assert refusal(CT, study_of(tmp_path)) is Reason.BONE_NOT_FOUND


def test_pet_ct_keeps_uptake_in_bone_and_drops_organs(tmp_path: Path) -> None:
    """Of three hot regions only the vertebral one remains, with SUV, volume and glycolysis of its mask."""
    hu, geometry, _ = trunk_ct()
    write_series(tmp_path / "ct", hu, geometry, modality="CT")
    files = write_pet(tmp_path / "pet", pet_array(organ=True))
    result = run(PET_CT, study_of(tmp_path))
    (finding,) = result.findings
    mask = mask_of(result, finding)
    values = read_suv(files).volume.array[mask.to_array()].astype(np.float64)
    assert value_of(finding, Concept.SUV_BW, Derivation.MAXIMUM) == pytest.approx(9.0, rel=1e-3)
    assert value_of(finding, Concept.SUV_BW, Derivation.MEAN) == pytest.approx(values.mean(), rel=1e-6)
    volume = value_of(finding, Concept.METABOLIC_VOLUME)
    assert volume == pytest.approx(ball(CENTRE, 10.0).sum() * 0.012, rel=0.05)
    assert value_of(finding, Concept.TOTAL_LESION_GLYCOLYSIS) == pytest.approx(values.mean() * volume, rel=1e-6)
    assert finding.evaluations[0].value == Localisation.IN_BONE
    assert len(result.input_series_uids) == 2
    assert value_of(result, Concept.BONE_EVALUATED) > 50.0


def test_pet_without_ct_reports_regions_as_not_localised(tmp_path: Path) -> None:
    """Every hot region is reported, none as bone, and the reader is told why."""
    write_pet(tmp_path / "pet", pet_array(organ=True))
    result = run(PET_CT, study_of(tmp_path))
    assert len(result.findings) == 3
    assert {f.evaluations[0].value for f in result.findings} == {Localisation.NOT_LOCALISED}
    assert all(segment.tracking_uid for segment in result.segmentations[0].segments)
    assert any("Physiological uptake" in sentence for sentence in result.limitations)


def test_pet_that_shows_nothing_has_no_segmentation(tmp_path: Path) -> None:
    """Nothing above the threshold and no CT: assessed, no findings, nothing to draw."""
    write_pet(tmp_path / "pet", np.minimum(pet_array(), 2.0))
    result = run(PET_CT, study_of(tmp_path))
    assert (result.findings, result.segmentations) == ((), ())
    assert value_of(result, Concept.LESION_COUNT) == 0.0


def test_psma_and_fluoride_have_their_own_thresholds(tmp_path: Path) -> None:
    """SUV 9 is a lesion with PSMA and none with sodium fluoride."""
    for name, tracer, count in (("psma", "68Ga-PSMA-11", 1), ("naf", "NaF", 0)):
        half_life = HALF_LIFE_S["Ga-68" if name == "psma" else "F-18"]
        drug = radiopharmaceutical(Radiopharmaceutical=tracer, RadionuclideHalfLife=half_life)
        write_pet(tmp_path / name, pet_array(), RadiopharmaceuticalInformationSequence=drug, DecayCorrection="ADMIN")
        assert len(run(PET_CT, study_of(tmp_path / name)).findings) == count


def test_pet_without_weight_is_not_assessable(tmp_path: Path) -> None:
    """The exact reason reaches the reader."""
    write_pet(tmp_path / "pet", pet_array(), PatientWeight=0.0)
    with pytest.raises(NotAssessableError, match="weight is missing") as caught:
        run(PET_CT, study_of(tmp_path))
    assert caught.value.refusal.reason is Reason.MISSING_CALIBRATION


def test_a_ct_of_another_frame_of_reference_is_not_used(tmp_path: Path) -> None:
    """Places of different frames of reference cannot be compared: the PET stays not localised."""
    hu, geometry, _ = trunk_ct()
    write_series(tmp_path / "ct", hu, geometry, modality="CT", attributes={"FrameOfReferenceUID": "1.2.826.0.1.9"})
    write_pet(tmp_path / "pet", pet_array())
    result = run(PET_CT, study_of(tmp_path))
    assert {f.evaluations[0].value for f in result.findings} == {Localisation.NOT_LOCALISED}


def test_a_ct_that_was_chosen_in_another_frame_of_reference_is_refused_with_the_reason(tmp_path: Path) -> None:
    """Even where the roles name it, a CT elsewhere in space localises nothing."""
    hu, geometry, _ = trunk_ct()
    write_series(tmp_path / "ct", hu, geometry, modality="CT", attributes={"FrameOfReferenceUID": "1.2.826.0.1.9"})
    write_pet(tmp_path / "pet", pet_array())
    study = study_of(tmp_path)
    ct_uid = next(series.series_uid for series in study.headers.series if series.modality == "CT")
    roles = {**study.classification.roles, SeriesRole.ANATOMY: (ct_uid,)}
    result = run(PET_CT, replace(study, classification=Classification(branch=Branch.PET_CT, roles=roles)))
    assert any("different frames of reference" in sentence for sentence in result.limitations)
    assert {f.evaluations[0].value for f in result.findings} == {Localisation.NOT_LOCALISED}


def spect_counts() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Counts: soft tissue 20, bone 100, a lesion 600."""
    _, _, truth = trunk_ct()
    _, _, y, x = grid()
    counts = np.where(disc(y, x, (110.0, 140.0), (80.0, 120.0)), 20.0, 0.0)
    counts[truth] = 100.0
    counts[ball(CENTRE, 12.0)] = 600.0
    return counts


def activity_map(slope: float) -> DicomSequence:
    """A Real World Value Mapping to Bq/ml."""
    unit, item = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "Bq/ml", "UCUM", "Becquerels/milliliter"
    item.MeasurementUnitsCodeSequence = DicomSequence([unit])
    item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, 0.0
    return DicomSequence([item])


def test_uncalibrated_spect_gives_ratios_to_normal_bone_and_never_suv(tmp_path: Path) -> None:
    """With a CT the reference is bone's own level; the lesion is six times as hot."""
    hu, geometry, _ = trunk_ct()
    write_series(tmp_path / "ct", hu, geometry, modality="CT")
    write_spect(tmp_path / "nm", spect_counts(), geometry, attributes={})
    result = run(SPECT, study_of(tmp_path))
    (finding,) = result.findings
    assert value_of(finding, Concept.UPTAKE_RATIO, Derivation.MAXIMUM) == pytest.approx(6.0, rel=0.1)
    level = value_of(result, Concept.TOMOGRAM_ACTIVITY, Derivation.MEAN)
    assert value_of(finding, Concept.UPTAKE_RATIO, Derivation.MAXIMUM) * level == pytest.approx(600.0, rel=1e-6)
    units = {m.unit for m in (*result.measurements, *finding.measurements)}
    assert Unit.SUV_BW not in units
    assert result.quality[0].verdict is Verdict.WARN


def test_calibrated_spect_gives_suv(tmp_path: Path) -> None:
    """Bq/ml, dose in MBq, weight and times give SUVbw of Tc-99m."""
    drug = radiopharmaceutical(
        Radiopharmaceutical="MDP Tc-99m", RadionuclideTotalDose=680.0, RadiopharmaceuticalStartTime="080000"
    )
    del drug[0].RadionuclideHalfLife
    attributes = {
        "RealWorldValueMappingSequence": activity_map(200.0),
        "PatientWeight": 70.0,
        "AcquisitionDate": "20250101",
        "AcquisitionTime": "110000",
        "RadiopharmaceuticalInformationSequence": drug,
    }
    _, geometry, _ = trunk_ct()
    write_spect(tmp_path / "nm", spect_counts(), geometry, attributes=attributes)
    result = run(SPECT, study_of(tmp_path))
    (finding,) = result.findings
    expected = 600.0 * 200.0 * 70000.0 / 481.0185e6
    assert value_of(finding, Concept.SUV_BW, Derivation.MAXIMUM) == pytest.approx(expected, rel=1e-5)
    assert finding.evaluations[0].value == Localisation.NOT_LOCALISED


def test_empty_spect_has_insufficient_counts(tmp_path: Path) -> None:
    """An image without counts is refused."""
    _, geometry, _ = trunk_ct()
    write_spect(tmp_path / "nm", np.zeros(geometry.shape), geometry, attributes={})
    assert refusal(SPECT, study_of(tmp_path)) is Reason.INSUFFICIENT_COUNTS


ADC_ATTRIBUTES = {"ImageType": ["DERIVED", "PRIMARY", "ADC"], "SeriesDescription": "ADC"}


def test_mri_reports_marrow_in_the_published_range(tmp_path: Path) -> None:
    """A lesion of 1000 um2/s over several slices is found with its own ADC."""
    adc, geometry = trunk_adc()
    adc[ball(CENTRE, 22.0)] = 1000.0
    files = write_series(tmp_path / "adc", adc, geometry, modality="MR", attributes=ADC_ATTRIBUTES)
    result = run(MRI, study_of(tmp_path))
    (finding,) = result.findings
    values = read_volume(files).array[mask_of(result, finding).to_array()].astype(np.float64)
    assert value_of(finding, Concept.ADC, Derivation.MEAN) == pytest.approx(values.mean(), rel=1e-6)
    assert value_of(finding, Concept.ADC, Derivation.MEAN) == pytest.approx(1000.0, rel=0.05)
    assert result.segmentations[0].segments[0].label == "Evaluated vertebral region"


def test_mri_says_that_sides_are_the_header_s(tmp_path: Path) -> None:
    """No anatomy on an ADC map tells left from right: the report does not pass that over."""
    adc, geometry = trunk_adc()
    write_series(tmp_path / "adc", adc, geometry, modality="MR", attributes=ADC_ATTRIBUTES)
    (check,) = (item for item in run(MRI, study_of(tmp_path)).quality if item.name == "Orientation of the MR images")
    assert check.verdict is Verdict.NOT_EVALUABLE
    assert "header was believed" in check.explanation


def test_an_adc_map_in_other_units_is_scaled_and_said(tmp_path: Path) -> None:
    """A map in 10^-3 of um2/s gives the same numbers, with a warning."""
    adc, geometry = trunk_adc()
    write_series(tmp_path / "adc", adc / 1000.0, geometry, modality="MR", slopes=1e-3, attributes=ADC_ATTRIBUTES)
    result = run(MRI, study_of(tmp_path))
    assert value_of(result, Concept.ADC, Derivation.MEDIAN) == pytest.approx(400.0, rel=0.05)
    assert result.quality[0].verdict is Verdict.WARN


def test_b_values_are_fitted_where_there_is_no_map(tmp_path: Path) -> None:
    """Two b-values in two series give the ADC that made them, on the first series' grid."""
    adc, geometry = trunk_adc()
    for b_value in (50.0, 900.0):
        signal = np.where(adc > 0.0, 3000.0 * np.exp(-b_value * adc * 1e-6), 0.0)
        write_series(
            tmp_path / f"b{b_value:g}",
            signal,
            geometry,
            modality="MR",
            attributes={
                "DiffusionBValue": b_value,
                "SeriesDescription": f"DWI b{b_value:g}",
                "ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION"],
            },
        )
    result = run(MRI, study_of(tmp_path))
    assert result.branch is Branch.MRI
    assert value_of(result, Concept.ADC, Derivation.MEDIAN) == pytest.approx(400.0, rel=0.1)
    assert len(result.input_series_uids) == 2


def test_mri_without_a_canal_is_not_assessable(tmp_path: Path) -> None:
    """No landmark, no region: refused rather than guessed."""
    adc, geometry = trunk_adc()
    write_series(tmp_path / "adc", np.minimum(adc, 1200.0), geometry, modality="MR", attributes=ADC_ATTRIBUTES)
    assert refusal(MRI, study_of(tmp_path)) is Reason.BONE_NOT_FOUND
