"""The verification finds what is wrong in a written object: each check is seen to fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from bmnode.domain.ids import derive_uid
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.sources import SourceStudy
from bmnode.results.verify import verify_object
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT


@dataclasses.dataclass(frozen=True)
class Written:
    """What verification is given."""

    result_set: ResultSet
    source: SourceStudy
    paths: Mapping[str, Path]
    siblings: Mapping[str, Path]

    def verify(self, name: str) -> None:
        """Verify one of the files."""
        verify_object(self.paths[name], result_set=self.result_set, source=self.source, siblings=self.siblings)


def _write(series: sources.SourceSeries, result_set: ResultSet, folder: Path) -> Written:
    objects = write_results(result_set, source_files=series.files, out_dir=folder, context=CONTEXT)
    return Written(
        result_set=result_set,
        source=SourceStudy.from_files(series.files, study_uid=series.study_uid),
        paths={item.path.name: item.path for item in objects},
        siblings={item.sop_instance_uid: item.path for item in objects},
    )


@pytest.fixture
def volumetric(tmp_path: Path) -> Written:
    """A CT result as it was released."""
    series = sources.classic_slices(tmp_path / "ct", sources.CT, "CT")
    return _write(series, result_sets.volumetric(series), tmp_path / "out")


@pytest.fixture
def planar(tmp_path: Path) -> Written:
    """A bone scan result as it was released."""
    series = sources.planar_bone_scan(tmp_path / "planar")
    return _write(series, result_sets.planar(series), tmp_path / "out")


def _groups(dataset: Dataset) -> list[Dataset]:
    container = next(
        item
        for item in dataset.ContentSequence
        if item.ValueType == "CONTAINER" and item.ConceptNameCodeSequence[0].CodeValue == "126010"
    )
    return list(container.ContentSequence)


def _first(dataset: Dataset, value_type: str) -> Dataset:
    items: list[Dataset] = list(_groups(dataset)[0].ContentSequence)
    return next(item for item in items if item.ValueType == value_type)


def _change_value(dataset: Dataset) -> None:
    _first(dataset, "NUM").MeasuredValueSequence[0].FloatingPointValue *= 1.0000001


def _change_unit(dataset: Dataset) -> None:
    _first(dataset, "NUM").MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue = "l"


def _change_segment(dataset: Dataset) -> None:
    _first(dataset, "IMAGE").ReferencedSOPSequence[0].ReferencedSegmentNumber = 2


def _change_segmentation_number(dataset: Dataset) -> None:
    dataset.SeriesNumber += 1


def _drop_a_group(dataset: Dataset) -> None:
    for item in dataset.ContentSequence:
        if item.ValueType == "CONTAINER" and item.ConceptNameCodeSequence[0].CodeValue == "126010":
            del item.ContentSequence[0]


def _refer_elsewhere(dataset: Dataset) -> None:
    series = dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = derive_uid("elsewhere")


def _say_negative(dataset: Dataset) -> None:
    for item in dataset.ContentSequence:
        if item.ValueType == "CONTAINER" and item.ConceptNameCodeSequence[0].CodeValue == "C0034375":
            item.ContentSequence[0].ConceptCodeSequence[0].CodeValue = "111245"
            item.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning = "No algorithms succeeded; without findings"


def _move_outline(dataset: Dataset) -> None:
    scoord = _first(dataset, "SCOORD")
    scoord.GraphicData = [value + 1.0 for value in scoord.GraphicData]


def _other_frame(dataset: Dataset) -> None:
    _first(dataset, "SCOORD").ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber = 2


def _flip_a_voxel(dataset: Dataset) -> None:
    dataset.PixelData = bytes([dataset.PixelData[0] ^ 1]) + dataset.PixelData[1:]


def _move_a_frame(dataset: Dataset) -> None:
    plane = dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    plane.ImagePositionPatient[2] += 0.01


def _swap_spacing(dataset: Dataset) -> None:
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.PixelSpacing = list(measures.PixelSpacing)[::-1]


def _thicken(dataset: Dataset) -> None:
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices *= 1.00001


def _turn(dataset: Dataset) -> None:
    plane = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    plane.ImageOrientationPatient = [-1, 0, 0, 0, -1, 0]


def _drop_a_frame(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[-1]
    dataset.NumberOfFrames -= 1


COMMON: tuple[tuple[Callable[[Dataset], object], str], ...] = (
    (lambda d: setattr(d, "PatientID", "somebody else"), "patient and study"),
    (lambda d: d.__delattr__("StudyDate"), "required attributes|patient and study"),
    (lambda d: setattr(d, "StudyInstanceUID", derive_uid("another")), "patient and study"),
    (lambda d: setattr(d, "SyntheticData", "YES"), "synthetic data"),
    (lambda d: d.__delattr__("SeriesNumber"), "required attributes"),
)


@pytest.mark.parametrize(("change", "check"), COMMON)
@pytest.mark.parametrize("name", ["sr.dcm", "seg-1.dcm"])
def test_a_wrong_header_is_found(
    change: Callable[[Dataset], object], check: str, name: str, volumetric: Written
) -> None:
    """A result under another patient or study, or with a gap, is not released."""
    _tampered(volumetric, name, change, check)


def test_a_malformed_uid_is_found(volumetric: Written) -> None:
    """A UID with a leading zero is not written."""

    def change(dataset: Dataset) -> None:
        dataset["SeriesInstanceUID"]._value = pydicom.uid.UID("1.02.3")

    _tampered(volumetric, "sr.dcm", change, "UIDs")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (_change_value, "content: L1: Volume"),
        (_change_unit, "content: L1: Volume"),
        (_change_segment, "content: L1: refers to another segment"),
        (_drop_a_group, "content: the report does not hold"),
        (_refer_elsewhere, "references"),
        (_say_negative, "content: the report states another outcome"),
    ],
)
def test_a_wrong_report_is_found(change: Callable[[Dataset], object], check: str, volumetric: Written) -> None:
    """Every number and reference is compared."""
    _tampered(volumetric, "sr.dcm", change, check)


@pytest.mark.parametrize("change", [_move_outline, _other_frame])
def test_a_wrong_outline_is_found(change: Callable[[Dataset], object], planar: Written) -> None:
    """An outline on another place or another view is not released."""
    for name in ("sr.dcm", "roi_sr.dcm"):
        _tampered(planar, name, change, "content: H1: an outline differs")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (_flip_a_voxel, "geometry and voxels: frame 1 does not hold"),
        (_move_a_frame, "geometry and voxels: frame 1 does not lie"),
        (_swap_spacing, "the pixel spacing is not that of the source"),
        (_thicken, "the voxel volume is not that of the grid"),
        (_turn, "the orientation is not that of the source"),
        (_drop_a_frame, "missing or repeated|highdicom"),
        (lambda d: setattr(d, "SegmentationType", "FRACTIONAL"), "highdicom reads it: the segmentation is not binary"),
        (lambda d: d.PerFrameFunctionalGroupsSequence[0].__delattr__("FrameContentSequence"), "highdicom reads it"),
    ],
)
def test_a_wrong_segmentation_is_found(change: Callable[[Dataset], object], check: str, volumetric: Written) -> None:
    """One voxel or a hundredth of a millimetre is enough."""
    _tampered(volumetric, "seg-1.dcm", change, check)


def test_a_finding_in_another_segmentation_is_found(volumetric: Written) -> None:
    """The report's reference must lead to the segmentation that the finding was drawn in."""
    dataset = pydicom.dcmread(volumetric.paths["seg-1.dcm"])
    _change_segmentation_number(dataset)
    dataset.save_as(volumetric.paths["seg-1.dcm"])
    with pytest.raises(ResultError, match="segments: L1: refers to another segmentation"):
        volumetric.verify("sr.dcm")


def test_bytes_that_are_no_dicom_are_found(volumetric: Written) -> None:
    """A damaged file is named as such."""
    volumetric.paths["sr.dcm"].write_bytes(b"\0" * 300)
    with pytest.raises(ResultError, match="cannot be read"):
        volumetric.verify("sr.dcm")


def _tampered(written: Written, name: str, change: Callable[[Dataset], object], check: str) -> None:
    written.verify(name)
    dataset = pydicom.dcmread(written.paths[name])
    change(dataset)
    dataset.save_as(written.paths[name])
    with pytest.raises(ResultError, match=check):
        written.verify(name)
