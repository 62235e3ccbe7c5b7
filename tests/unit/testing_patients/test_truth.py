"""Every modality shows its lesions where the truth says, read through the DICOM headers alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import Dataset

from bmnode.testing.patients import LesionKind, PatientSpec, Side, SyntheticStudy, write_bone_scan, write_spect
from bmnode.testing.patients.grid import gaussian_blur
from tests.unit.testing_patients.reading import Point, read_slices, read_tomogram

Cohort = dict[str, SyntheticStudy]

_CORE_MM = 5.0
_LIVER: Point = (-64.0, -6.0, 340.0)


def _mirrored(point: Point) -> Point:
    return -point[0], point[1], point[2]


def _suv_factor(ds: Dataset) -> float:
    """SUVbw of 1 Bq/ml for Decay Correction START, from the headers (clinical reference 4.1)."""
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    waited = _seconds(ds.SeriesTime) - _seconds(drug.RadiopharmaceuticalStartTime)
    dose = float(drug.RadionuclideTotalDose) * float(2.0 ** (-waited / float(drug.RadionuclideHalfLife)))
    return float(ds.PatientWeight) * 1000.0 / dose


def _seconds(time: str) -> float:
    return int(time[:2]) * 3600 + int(time[2:4]) * 60 + float(time[4:])


def test_ct_numbers_at_the_lesions_are_the_truth(cohort: Cohort) -> None:
    """The core of every CT lesion has its HU within the noise; lytic below marrow, sclerotic above."""
    study = cohort["ct"]
    volume = read_slices(study.files, keep=lambda ds: ds.Modality == "CT")
    assert {lesion.kind for lesion in study.truth.lesions} == {LesionKind.LYTIC, LesionKind.SCLEROTIC}
    for lesion in study.truth.lesions:
        assert volume.mean_near(lesion.center_lps, radius_mm=_CORE_MM) == pytest.approx(lesion.value, abs=15)


def test_ct_tissues_have_their_usual_numbers(cohort: Cohort) -> None:
    """Healthy marrow is about 180 with a spread of about 40, cortex passes 1000, air is about -1000."""
    volume = read_slices(cohort["ct"].files, keep=lambda ds: ds.Modality == "CT")
    healthy = volume.near((0.0, 12.0, 204.0), radius_mm=9.0)
    assert healthy.mean() == pytest.approx(180, abs=15)
    assert 25 < healthy.std() < 50
    assert volume.values.max() > 1100
    assert np.median(volume.values) == pytest.approx(-1000, abs=30)
    assert volume.mean_near((*_LIVER[:2], 300.0), radius_mm=15) == pytest.approx(60, abs=5)


def test_suv_from_the_pet_headers_is_the_truth(cohort: Cohort) -> None:
    """SUV computed from dose, weight and times peaks near the true value in lesions and is normal elsewhere."""
    study = cohort["pet-ct"]
    volume = read_slices(study.files, keep=lambda ds: ds.Modality == "PT")
    factor = _suv_factor(volume.header)
    for lesion in study.truth.lesions:
        peak = factor * volume.mean_near(lesion.center_lps, radius_mm=_CORE_MM)
        assert 0.8 * lesion.value < peak < 1.1 * lesion.value
        if lesion.side is not Side.MIDLINE and abs(lesion.center_lps[0]) > 30:
            assert factor * volume.mean_near(_mirrored(lesion.center_lps), radius_mm=_CORE_MM) < 2.0
    assert factor * volume.mean_near(_LIVER, radius_mm=15.0) == pytest.approx(2.2, abs=0.1)
    assert factor * volume.mean_near((0.0, 15.0, 167.0), radius_mm=8.0) == pytest.approx(1.0, abs=0.2)


def test_pet_slices_carry_slopes_and_times_of_their_own(cohort: Cohort) -> None:
    """As on real scanners the slope changes from slice to slice, and beds follow each other after the series' start."""
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in cohort["pet-ct"].files]
    slices = [ds for ds in headers if ds.Modality == "PT"]
    assert len({str(ds.RescaleSlope) for ds in slices}) > 0.9 * len(slices)
    assert min(ds.AcquisitionTime for ds in slices) == slices[0].SeriesTime
    assert len({ds.AcquisitionTime for ds in slices}) > 1


@pytest.mark.parametrize("folder", ["pet-ct", "spect-ct"])
def test_hybrid_ct_shares_frame_of_reference_and_place(cohort: Cohort, folder: str) -> None:
    """The CT beside an emission series lies in its frame of reference and shows the lesion's CT number there."""
    study = cohort[folder]
    emission = pydicom.dcmread(next(path for path in study.files if "_ct_" not in path.name), stop_before_pixels=True)
    volume = read_slices([p for p in study.files if "_ct_" in p.name], keep=lambda ds: ds.Modality == "CT")
    assert volume.header.FrameOfReferenceUID == emission.FrameOfReferenceUID
    dense = max(volume.mean_near(lesion.center_lps, radius_mm=_CORE_MM) for lesion in study.truth.lesions)
    assert dense > 450


def test_spect_suv_at_the_lesions_is_high_and_on_their_side(cohort: Cohort) -> None:
    """Activity by the Real World Value Mapping gives a lesion's SUV, lowered by blur, and normal bone around 4."""
    study = cohort["spect-ct"]
    volume = read_tomogram(study.files[0])
    ds = volume.header
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    waited = _seconds(ds.AcquisitionTime) - _seconds(drug.RadiopharmaceuticalStartTime)
    # Megabecquerel in NM (PS3.3 C.8.4.10); half-life of Tc-99m 6.0067 h.
    dose = float(drug.RadionuclideTotalDose) * 1e6 * 2.0 ** (-waited / 21624.12)
    factor = float(ds.PatientWeight) * 1000.0 / dose
    for lesion in study.truth.lesions:
        assert 0.5 * lesion.value < factor * volume.mean_near(lesion.center_lps, radius_mm=_CORE_MM) < lesion.value
    ilium = next(lesion for lesion in study.truth.lesions if lesion.side is Side.LEFT and lesion.bone == "ilium")
    assert factor * volume.mean_near(_mirrored(ilium.center_lps), radius_mm=_CORE_MM) < 5.0
    assert factor * volume.mean_near((0.0, 14.0, 240.0), radius_mm=6.0) == pytest.approx(3.5, abs=0.6)


def test_spect_without_calibration_offers_none(tmp_path: Path) -> None:
    """The counts-only variant carries no unit and no attenuation correction, so that no SUV can be claimed."""
    study = write_spect(tmp_path, spec=PatientSpec(seed=1, patient_id="SYN"), quantitative=False)
    ds = pydicom.dcmread(study.files[0], stop_before_pixels=True)
    assert "RealWorldValueMappingSequence" not in ds
    assert "ATTN" not in ds.CorrectedImage


def test_mr_lesions_are_restricted_bright_and_dark_on_t1(cohort: Cohort) -> None:
    """A lesion has its true ADC on the map, outshines marrow at b 900 and is darker than marrow on T1."""
    study = cohort["mri"]
    adc = read_slices(study.files, keep=lambda ds: "ADC" in ds.ImageType)
    high = read_slices(study.files, keep=lambda ds: ds.get("DiffusionBValue") == 900)
    t1 = read_slices(study.files, keep=lambda ds: "T1" in ds.SeriesDescription)
    healthy = (0.0, 22.0, 130.0)
    for lesion in study.truth.lesions:
        assert adc.mean_near(lesion.center_lps, radius_mm=_CORE_MM) == pytest.approx(lesion.value, rel=0.08)
        assert high.mean_near(lesion.center_lps, radius_mm=_CORE_MM) > 1.8 * high.mean_near(healthy, radius_mm=8)
        assert t1.mean_near(lesion.center_lps, radius_mm=_CORE_MM) < 0.6 * t1.mean_near(healthy, radius_mm=8)
    assert adc.mean_near(healthy, radius_mm=8) < 655


def test_diffusion_comes_as_one_instance_per_slice_and_b_value(cohort: Cohort) -> None:
    """Each position is there once per b-value of 50, 400 and 900, in one series."""
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in cohort["mri"].files]
    weighted = [ds for ds in headers if "DiffusionBValue" in ds]
    seen = {(ds.DiffusionBValue, tuple(ds.ImagePositionPatient)) for ds in weighted}
    assert {b for b, _ in seen} == {50.0, 400.0, 900.0}
    assert len(seen) == len(weighted)
    assert len({ds.SeriesInstanceUID for ds in weighted}) == 1


@pytest.fixture(scope="module")
def bone_scan_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[SyntheticStudy, SyntheticStudy]:
    """The same patient with and without lesions."""
    with_lesions = write_bone_scan(tmp_path_factory.mktemp("with"), spec=PatientSpec(seed=8, patient_id="SYN"))
    healthy = PatientSpec(seed=8, patient_id="SYN", lesions=())
    return with_lesions, write_bone_scan(tmp_path_factory.mktemp("without"), spec=healthy)


def _smooth_frames(study: SyntheticStudy) -> npt.NDArray[np.float32]:
    pixels = pydicom.dcmread(study.files[0]).pixel_array.astype(np.float32)
    return gaussian_blur(pixels, fwhm=(0.0, 3.0, 3.0))


def test_bone_scan_lesions_project_to_the_true_pixels(bone_scan_pair: tuple[SyntheticStudy, SyntheticStudy]) -> None:
    """Against the healthy scan of the same body, the counts of every lesion centre on its true pixel in both views."""
    study, healthy = bone_scan_pair
    excess = _smooth_frames(study) - _smooth_frames(healthy)
    reach = 9
    for lesion in study.truth.lesions:
        for point in lesion.image_points:
            row, column = round(point.row), round(point.column)
            window = (slice(row - reach, row + reach + 1), slice(column - reach, column + reach + 1))
            found = np.maximum(excess[point.frame_number - 1][window], 0)
            rows, columns = np.indices(found.shape)
            hot = found > 0.5 * found.max()
            assert row - reach + rows[hot].mean() == pytest.approx(point.row, abs=1.5)
            assert column - reach + columns[hot].mean() == pytest.approx(point.column, abs=1.5)


def test_left_is_image_right_in_the_anterior_view_only(bone_scan_pair: tuple[SyntheticStudy, SyntheticStudy]) -> None:
    """The left femur's lesion outshines its mirror image right of the middle in ANT, left of it in POST."""
    study, _ = bone_scan_pair
    ds = pydicom.dcmread(study.files[0])
    frames = _smooth_frames(study)
    views = [item.ViewCodeSequence[0].CodeValue for item in ds.DetectorInformationSequence]
    anterior = frames[ds.DetectorVector.index(views.index("399321004") + 1)]
    posterior = frames[ds.DetectorVector.index(views.index("399001007") + 1)]
    lesion = next(item for item in study.truth.lesions if item.bone == "femur")
    assert lesion.side is Side.LEFT
    assert lesion.center_lps[0] > 0
    row = round(lesion.image_points[0].row)
    shift = round(lesion.center_lps[0] / float(ds.PixelSpacing[1]))
    right_half, left_half = (slice(row - 3, row + 4), 128 + shift), (slice(row - 3, row + 4), 127 - shift)
    assert anterior[right_half].mean() > 2 * anterior[left_half].mean()
    assert posterior[left_half].mean() > 2 * posterior[right_half].mean()


def test_bone_scan_has_the_counts_of_a_good_scan(cohort: Cohort) -> None:
    """Each view holds 1.5 to 2 million counts, head up, kidneys brighter from behind."""
    ds = pydicom.dcmread(cohort["bone-scan-negative"].files[0])
    anterior, posterior = ds.pixel_array
    assert 1.5e6 < anterior.sum() < 2e6
    assert 1.5e6 < posterior.sum() < 2e6
    assert (anterior.shape, ds.PixelSpacing) == ((1024, 256), [2.4, 2.4])
    kidneys = slice(295, 330), slice(95, 112)
    assert posterior[kidneys].mean() > 1.3 * anterior[kidneys].mean()
