"""Enhanced and legacy converted PET give the SUV of the classic series that holds the same, and the same refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from highdicom import UID
from highdicom.legacy import LegacyConvertedEnhancedPETImage
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from bmnode.cli.entry import main
from bmnode.domain.codes import Unit
from bmnode.domain.study import Branch, Reason
from bmnode.selection.classify import classify
from bmnode.selection.headers import read_study
from operators.graph.contract import NotAssessableError
from operators.readers.pet import SuvVolume, read_suv
from operators.simulation.dicom.pet import write_pet
from operators.simulation.images import Content
from operators.simulation.protocols.habits import Habits, Vendor
from operators.simulation.protocols.pet import PetProtocol
from tests.unit.simulation.dicom import small

Break = Callable[[Dataset], object]


def protocol(**values: Any) -> PetProtocol:
    """Odd numbers, so that nothing is right by chance."""
    return PetProtocol(uptake_minutes=61.4, dose_mbq=253.7, **values)


def written(folder: Path, *, enhanced: bool, vendor: Vendor = Vendor.PLAIN, **values: Any) -> list[Path]:
    """One PET series, every slice with a slope of its own."""
    habits = Habits(vendor=vendor, per_slice_slopes=True, enhanced=enhanced)
    volume = small.volume(Content.ACTIVITY_BQML)
    series = write_pet(folder, header=small.HEADER, volume=volume, protocol=protocol(**values), habits=habits)
    return list(series.files)


def converted(folder: Path, files: Sequence[Path]) -> list[Path]:
    """The classic series as one legacy converted object, by an independent converter."""
    instance = LegacyConvertedEnhancedPETImage(
        [dcmread(path) for path in files],
        series_instance_uid=UID(),
        series_number=9,
        sop_instance_uid=UID(),
        instance_number=1,
        strict=False,
    )
    folder.mkdir()
    instance.save_as(folder / "converted.dcm")
    return [folder / "converted.dcm"]


def changed(files: Sequence[Path], change: Break) -> list[Path]:
    """The files, changed in place."""
    for path in files:
        dataset = dcmread(path)
        change(dataset)
        dataset.save_as(path)
    return list(files)


def assert_same_suv(one: SuvVolume, other: SuvVolume) -> None:
    """To rounding: voxels, grid, time of uptake, lean share."""
    np.testing.assert_allclose(one.volume.array, other.volume.array, rtol=1e-6)
    assert one.volume.geometry.is_same_grid(other.volume.geometry, tolerance_mm=1e-4)
    assert one.scale.uptake_time_s == pytest.approx(other.scale.uptake_time_s)
    assert one.lean_share == other.lean_share


@pytest.mark.parametrize("vendor", Vendor)
@pytest.mark.parametrize("reference", ["start", "admin"])
def test_enhanced_pet_gives_the_suv_of_the_classic_series(tmp_path: Path, vendor: Vendor, reference: str) -> None:
    """Slopes, mappings and beds differ from frame to frame; nothing is assumed, and both tell the tracer."""
    classic = written(tmp_path / "classic", enhanced=False, vendor=vendor, decay_corrected_to=reference)
    (enhanced,) = written(tmp_path / "enhanced", enhanced=True, vendor=vendor, decay_corrected_to=reference)
    suv = read_suv([enhanced])
    assert_same_suv(suv, read_suv(classic))
    assert not [note for note in suv.scale.notes if "read as" in note or "want of" in note]
    headers = read_study([enhanced]).headers
    assert classify(headers).branch is Branch.PET_CT
    assert (headers.series[0].tracer, "ATTN" in headers.series[0].corrected_image) == ("FDG", True)


@pytest.mark.parametrize("vendor", Vendor)
@pytest.mark.parametrize("reference", ["start", "admin"])
def test_legacy_converted_pet_gives_the_suv_of_the_classic_series(
    tmp_path: Path, vendor: Vendor, reference: str
) -> None:
    """Units, dose, decay and private factors are found among the unassigned attributes."""
    classic = written(tmp_path / "classic", enhanced=False, vendor=vendor, decay_corrected_to=reference)
    legacy = converted(tmp_path / "legacy", classic)
    assert_same_suv(read_suv(legacy), read_suv(classic))
    headers = read_study(legacy).headers
    assert classify(headers).branch is Branch.PET_CT
    assert headers.series[0].tracer == "FDG"


@given(order=st.permutations(range(small.SHAPE[0])))
@settings(max_examples=8, deadline=None)
def test_frame_order_changes_nothing(tmp_path_factory: pytest.TempPathFactory, order: Sequence[int]) -> None:
    """Frames and their groups in any order give the same volume: each brings its place and scale."""
    folder = tmp_path_factory.mktemp("order")
    files = written(folder, enhanced=True)
    before = read_suv(files)

    def shuffle(dataset: Dataset) -> None:
        stored = dataset.pixel_array
        groups = list(dataset.PerFrameFunctionalGroupsSequence)
        dataset.PerFrameFunctionalGroupsSequence = [groups[index] for index in order]
        dataset.PixelData = np.ascontiguousarray(stored[list(order)]).tobytes()

    np.testing.assert_array_equal(read_suv(changed(files, shuffle)).volume.array, before.volume.array)


def test_an_image_without_decay_correction_is_undone_frame_by_frame(tmp_path: Path) -> None:
    """Decay Corrected NO and classic NONE use each frame's own time and duration."""

    def classic_none(dataset: Dataset) -> None:
        dataset.DecayCorrection, dataset.CorrectedImage = "NONE", ["ATTN", "SCAT"]

    def enhanced_no(dataset: Dataset) -> None:
        dataset.DecayCorrected = "NO"
        del dataset.DecayCorrectionDateTime

    classic = changed(written(tmp_path / "classic", enhanced=False), classic_none)
    enhanced = changed(written(tmp_path / "enhanced", enhanced=True), enhanced_no)
    assert_same_suv(read_suv(enhanced), read_suv(classic))


def drug(dataset: Dataset) -> Dataset:
    """The one radiopharmaceutical."""
    item: Dataset = dataset.RadiopharmaceuticalInformationSequence[0]
    return item


def _units(value: str) -> Break:
    def change(dataset: Dataset) -> None:
        for group in dataset.get("PerFrameFunctionalGroupsSequence", []):
            group.RealWorldValueMappingSequence[0].MeasurementUnitsCodeSequence[0].CodeValue = value
        if "Units" in dataset:
            dataset.Units = {"{propcounts}/s": "PROPCPS", "{counts}/s": "CPS"}[value]

    return change


def _not_attenuation_corrected(dataset: Dataset) -> None:
    if "AttenuationCorrected" in dataset:
        dataset.AttenuationCorrected = "NO"
    else:
        dataset.CorrectedImage = ["DECY", "SCAT"]


def _twice(dataset: Dataset) -> None:
    second = deepcopy(drug(dataset))
    second.RadionuclideTotalDose = float(second.RadionuclideTotalDose) * 1.5
    dataset.RadiopharmaceuticalInformationSequence.append(second)


def _intercept(dataset: Dataset) -> None:
    for group in dataset.get("PerFrameFunctionalGroupsSequence", []):
        group.PixelValueTransformationSequence[0].RescaleIntercept = "5"
    if "RescaleIntercept" in dataset:
        dataset.RescaleIntercept = "5"


def _share_of_dose(share: float) -> Break:
    def change(dataset: Dataset) -> None:
        drug(dataset).RadionuclideTotalDose = f"{float(drug(dataset).RadionuclideTotalDose) * share:.6g}"

    return change


def _in_millicuries(dataset: Dataset) -> None:
    drug(dataset).RadionuclideTotalDose = "7.57"


def _after_the_scan(dataset: Dataset) -> None:
    drug(dataset).RadiopharmaceuticalStartDateTime = "20260304120000"


BREAKS: dict[str, tuple[Break, str]] = {
    "weight": (lambda dataset: dataset.pop("PatientWeight"), "weight is missing"),
    "dose": (lambda dataset: drug(dataset).pop("RadionuclideTotalDose"), "dose is missing"),
    "dose in GBq": (_share_of_dose(1e-3), "another unit"),
    "dose in mCi": (_in_millicuries, "another unit"),
    "half-life": (lambda dataset: setattr(drug(dataset), "RadionuclideHalfLife", "4057.7"), "half-life does not fit"),
    "attenuation": (_not_attenuation_corrected, "not corrected for attenuation"),
    "units": (_units("{propcounts}/s"), "units 'PROPCPS'"),
    "two injections": (_twice, "more than one injection"),
    "intercept": (_intercept, "intercept of a PET image must be 0"),
    "injection": (_after_the_scan, "dated after the scan"),
}


@pytest.mark.parametrize("enhanced", [False, True], ids=["classic", "enhanced"])
@pytest.mark.parametrize("name", BREAKS)
def test_refusals_are_those_of_the_classic_series(tmp_path: Path, name: str, enhanced: bool) -> None:
    """What makes SUV not computable does so in both, with the same sentence."""
    change, said = BREAKS[name]

    def apply(dataset: Dataset) -> None:
        for group in dataset.get("SharedFunctionalGroupsSequence", []):
            group.pop("RadiopharmaceuticalUsageSequence", None)
        change(dataset)

    files = changed(written(tmp_path, enhanced=enhanced), apply)
    with pytest.raises(NotAssessableError) as caught:
        read_suv(files)
    assert caught.value.refusal.reason is Reason.MISSING_CALIBRATION
    assert said in caught.value.refusal.explanation


def _by_table(dataset: Dataset) -> None:
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.RealWorldValueMappingSequence[0].RealWorldValueSlope


def _without_mapping(dataset: Dataset) -> None:
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.RealWorldValueMappingSequence


def _projected(dataset: Dataset) -> None:
    group = dataset.SharedFunctionalGroupsSequence[0].PETFrameTypeSequence[0]
    group.VolumeBasedCalculationTechnique = "MAX_IP"


def _second_agent_in_one_frame(dataset: Dataset) -> None:
    _twice(dataset)
    dataset.RadiopharmaceuticalInformationSequence[1].RadiopharmaceuticalAgentNumber = 2
    usage = Dataset()
    usage.RadiopharmaceuticalAgentNumber = 2
    dataset.PerFrameFunctionalGroupsSequence[3].RadiopharmaceuticalUsageSequence = [usage]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda dataset: dataset.pop("DecayCorrectionDateTime"), "moment that decay correction refers to"),
        (_by_table, "by a table"),
        (_without_mapping, "Units are missing"),
        (_projected, "a projection"),
        (_second_agent_in_one_frame, "disagree on RadionuclideTotalDose"),
    ],
)
def test_what_only_an_enhanced_image_can_lack_is_refused(tmp_path: Path, change: Break, said: str) -> None:
    """Its decay date, a linear mapping with a unit, slices rather than projections, one agent."""
    with pytest.raises(NotAssessableError, match=said):
        read_suv(changed(written(tmp_path, enhanced=True), change))


def test_the_agent_in_use_is_the_one_that_counts(tmp_path: Path) -> None:
    """Of two agents that the object lists, Radiopharmaceutical Usage names the one of these frames."""
    files = written(tmp_path, enhanced=True)
    before = read_suv(files)

    def list_another_first(dataset: Dataset) -> None:
        own = drug(dataset)
        other = deepcopy(own)
        other.RadionuclideTotalDose, own.RadiopharmaceuticalAgentNumber = "600", 2
        other.RadiopharmaceuticalCodeSequence[0].CodeMeaning = "PSMA-11"
        other.RadiopharmaceuticalCodeSequence[0].CodeValue = "126752"
        other.RadiopharmaceuticalCodeSequence[0].CodingSchemeDesignator = "DCM"
        dataset.RadiopharmaceuticalInformationSequence = [other, own]
        shared = dataset.SharedFunctionalGroupsSequence[0]
        shared.RadiopharmaceuticalUsageSequence[0].RadiopharmaceuticalAgentNumber = 2

    assert_same_suv(read_suv(changed(files, list_another_first)), before)
    assert read_study(files).headers.series[0].tracer == "FDG"


def test_a_dose_in_bq_is_read_and_said(tmp_path: Path) -> None:
    """An enhanced image states MBq; a number that can only be Bq is read as such, and the report can say so."""
    files = written(tmp_path, enhanced=True)
    before = read_suv(files)
    after = read_suv(changed(files, _share_of_dose(1e6)))
    assert_same_suv(after, before)
    assert "The injected dose was read as Bq." in after.scale.notes
    assert not [note for note in before.scale.notes if "dose" in note]


def test_an_image_mapped_to_suv_is_taken_as_it_is(tmp_path: Path) -> None:
    """Where SUVbw is the only mapping, dose and times are not needed; an unused mapping changes nothing."""
    files = written(tmp_path, enhanced=True, vendor=Vendor.SIEMENS)
    before = read_suv(files)

    def suv_alone(dataset: Dataset) -> None:
        for group in dataset.PerFrameFunctionalGroupsSequence:
            del group.RealWorldValueMappingSequence[1]
        del drug(dataset).RadionuclideTotalDose

    units = dcmread(files[0]).PerFrameFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert units.MeasurementUnitsCodeSequence[0].CodeValue == Unit.SUV_BW.value
    assert_same_suv(read_suv(changed(files, suv_alone)), before)


def test_bmnode_suv_writes_the_volume_of_an_enhanced_object(tmp_path: Path) -> None:
    """The command takes a folder with the one file, of any type of SUV."""
    classic = written(tmp_path / "classic", enhanced=False)
    written(tmp_path / "enhanced", enhanced=True)
    for suv_type in ("bw", "lbm-janma"):
        for kind in ("classic", "enhanced"):
            out = tmp_path / f"{kind}-{suv_type}.nii.gz"
            with pytest.raises(SystemExit) as ended:
                main(["suv", str(tmp_path / kind), "--out", str(out), "--type", suv_type])
            assert not ended.value.code
        one, other = (
            np.asarray(nibabel.load(tmp_path / f"{kind}-{suv_type}.nii.gz").get_fdata())  # type: ignore[attr-defined]
            for kind in ("classic", "enhanced")
        )
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert len(classic) > 1


@pytest.mark.parametrize("millicuries", [15.5, 20.0])
def test_more_activity_than_was_injected_is_refused(tmp_path: Path, millicuries: float) -> None:
    """A dose in mCi that would do as MBq leads to an image that holds more than the patient got."""

    def write_in_millicuries(dataset: Dataset) -> None:
        drug(dataset).RadionuclideTotalDose = f"{millicuries:g}"

    geometry = small.grid(shape=(14, 170, 170))
    volume = small.volume(Content.ACTIVITY_BQML, geometry=geometry)
    series = write_pet(
        tmp_path,
        header=small.HEADER,
        volume=volume,
        protocol=PetProtocol(dose_mbq=millicuries * 37.0),
        habits=Habits(),
    )
    read_suv(series.files)
    with pytest.raises(NotAssessableError, match="times the injected activity"):
        read_suv(changed(list(series.files), write_in_millicuries))
