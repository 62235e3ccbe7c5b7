"""Headers read from files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from bmnode import MANUFACTURER, MODEL_NAME
from bmnode.domain.ids import derive_uid
from bmnode.domain.study import EnergyWindow, Plane
from bmnode.selection.headers import read_study, read_study_headers

STUDY = derive_uid("headers", "study")
MR_CLASS = "1.2.840.10008.5.1.4.1.1.4"


def instance(name: str, *, series: str = "1", pixels: bool = True, **values: Any) -> Dataset:
    """A small image of one study."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = MR_CLASS
    dataset.SOPInstanceUID = derive_uid("headers", series, name)
    dataset.StudyInstanceUID = STUDY
    dataset.SeriesInstanceUID = derive_uid("headers", series)
    dataset.Modality = "MR"
    dataset.PatientID = "P1"
    dataset.Rows, dataset.Columns = 4, 4
    dataset.SamplesPerPixel = 1
    dataset.BitsAllocated = dataset.BitsStored = 16
    if pixels:
        dataset.PixelData = np.arange(16, dtype=np.uint16).tobytes()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def write(folder: Path, *datasets: Dataset) -> list[Path]:
    """The datasets as files."""
    paths = []
    for index, dataset in enumerate(datasets):
        path = folder / f"{index}.dcm"
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def item(**values: Any) -> Dataset:
    """A sequence item."""
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def code(value: str, scheme: str = "SCT") -> Sequence:
    """A code sequence of one item."""
    return Sequence([item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning="x")])


def test_series_are_grouped_and_frames_counted(tmp_path: Path) -> None:
    """Instances are grouped by series, frames of multi-frame images are counted, files are listed by series."""
    paths = write(tmp_path, instance("a"), instance("b"), instance("c", series="2", NumberOfFrames=3))
    reading = read_study(paths)
    by_uid = {item.series_uid: item for item in reading.headers.series}
    first, second = by_uid[derive_uid("headers", "1")], by_uid[derive_uid("headers", "2")]
    assert (first.instance_count, first.frame_count) == (2, 2)
    assert (second.instance_count, second.frame_count) == (1, 3)
    assert set(reading.files[first.series_uid]) == set(paths[:2])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_images_without_pixel_data_have_no_frames(tmp_path: Path, syntax: UID) -> None:
    """An instance that carries no pixels is told from one that does, without decoding either."""
    with_pixels, without = instance("a"), instance("b", series="2", pixels=False)
    for dataset in (with_pixels, without):
        dataset.file_meta.TransferSyntaxUID = syntax
    headers = read_study_headers(write(tmp_path, with_pixels, without))
    frames = {series.series_uid: series.frame_count for series in headers.series}
    assert frames == {derive_uid("headers", "1"): 1, derive_uid("headers", "2"): 0}


def test_deflated_image_is_read(tmp_path: Path) -> None:
    """The deflated transfer syntax hides where pixels start; such an image still counts as one."""
    dataset = instance("a")
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    headers = read_study_headers(write(tmp_path, dataset))
    assert [series.frame_count for series in headers.series] == [1]


def test_unreadable_files_are_reported(tmp_path: Path) -> None:
    """Other bytes, truncated pixels, an empty file and missing UIDs are listed, never raised."""
    good, truncated, nameless = write(tmp_path, instance("a"), instance("b"), instance("c", StudyInstanceUID=""))
    truncated.write_bytes(truncated.read_bytes()[:-6])
    text, empty = tmp_path / "text.dcm", tmp_path / "empty.dcm"
    text.write_text("not an image")
    empty.touch()
    reading = read_study([good, truncated, nameless, text, empty])
    assert set(reading.unreadable) == {truncated, nameless, text, empty}
    assert reading.headers.unreadable_files == 4
    assert [series.instance_count for series in reading.headers.series] == [1]


def test_patients_are_counted_by_id_and_issuer(tmp_path: Path) -> None:
    """Two IDs, or one ID of two issuers, are two patients."""
    datasets = (instance("a"), instance("b"), instance("c", PatientID="P2"), instance("d", IssuerOfPatientID="X"))
    assert read_study_headers(write(tmp_path, *datasets)).patient_count == 3


def test_own_results_are_no_input(tmp_path: Path) -> None:
    """What bmnode wrote itself is left out; another product of the same maker is not."""
    own = instance("a", Manufacturer=MANUFACTURER, ManufacturerModelName=MODEL_NAME)
    other = instance("b", series="2", Manufacturer=MANUFACTURER, ManufacturerModelName="simulator")
    reading = read_study(write(tmp_path, own, other))
    assert reading.own_results == 1
    assert [series.series_uid for series in reading.headers.series] == [derive_uid("headers", "2")]


def test_other_studies_are_left_out(tmp_path: Path) -> None:
    """Only the study that was asked for is read."""
    paths = write(tmp_path, instance("a", StudyInstanceUID=derive_uid("other")), instance("b"))
    assert read_study_headers(paths, study_uid=STUDY).series[0].instance_count == 1


def test_nuclear_medicine_headers(tmp_path: Path) -> None:
    """Tracer, radionuclide, energy windows and view codes come from their sequences."""
    windows = Sequence(
        [
            item(
                EnergyWindowRangeSequence=Sequence([item(EnergyWindowLowerLimit=126.5, EnergyWindowUpperLimit=154.5)])
            ),
            item(EnergyWindowRangeSequence=Sequence([item(EnergyWindowLowerLimit=90, EnergyWindowUpperLimit=110)])),
        ]
    )
    agent = item(RadionuclideCodeSequence=code("C-163A8", "SRT"), RadiopharmaceuticalCodeSequence=code("96390006"))
    detectors = Sequence(
        [
            item(ViewCodeSequence=code("399001007"), ImageOrientationPatient=[]),
            item(ViewCodeSequence=code("399321004")),
        ]
    )
    dataset = instance(
        "a",
        Modality="NM",
        ImageType=["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"],
        EnergyWindowInformationSequence=windows,
        RadiopharmaceuticalInformationSequence=Sequence([agent]),
        DetectorInformationSequence=detectors,
        PixelSpacing=[2.4, 2.2],
    )
    (series,) = read_study_headers(write(tmp_path, dataset)).series
    assert (series.radionuclide, series.tracer) == ("Tc-99m", "MDP")
    assert series.energy_windows == (
        EnergyWindow(lower_kev=126.5, upper_kev=154.5),
        EnergyWindow(lower_kev=90.0, upper_kev=110.0),
    )
    assert series.view_codes == ("399001007", "399321004")
    assert series.spacing_mm == (2.4, 2.2)


def test_enhanced_image_states_its_geometry_in_functional_groups(tmp_path: Path) -> None:
    """Spacing, position, orientation and b-values of multi-frame images come from the functional groups."""
    shared = item(
        PixelMeasuresSequence=Sequence([item(PixelSpacing=[1.5, 1.5], SliceThickness=4)]),
        PlaneOrientationSequence=Sequence([item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])]),
    )
    frames = [
        item(
            PlanePositionSequence=Sequence([item(ImagePositionPatient=[index, 0, 0])]),
            MRDiffusionSequence=Sequence([item(DiffusionBValue=float(b))]),
        )
        for index, b in enumerate((0, 900))
    ]
    dataset = instance(
        "a",
        NumberOfFrames=2,
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(frames),
    )
    (series,) = read_study_headers(write(tmp_path, dataset)).series
    assert series.spacing_mm == (1.5, 1.5)
    assert series.slice_thickness_mm == 4.0
    assert series.has_position
    assert series.plane is Plane.SAGITTAL
    assert series.b_values == (0.0, 900.0)


def test_malformed_values_count_as_absent(tmp_path: Path) -> None:
    """A zero spacing, an orientation of four numbers and a free-text number are read as not stated."""
    dataset = instance("a", PixelSpacing=[0, 1], ImagePositionPatient=[0, 0, 0])
    dataset.ImageOrientationPatient = [1, 0, 0, 1]
    (series,) = read_study_headers(write(tmp_path, dataset)).series
    assert series.spacing_mm is None
    assert series.plane is None
    assert not series.has_position


def _private(group: int, creator: str, element: int, value: tuple[str, Any], **values: Any) -> Dataset:
    dataset = instance("a", **values)
    block = dataset.private_block(group, creator, create=True)
    block.add_new(element, value[0], value[1])
    return dataset


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (instance("a", DiffusionBValue=800.0, SequenceName="ep_b50"), (800.0,)),
        (_private(0x0019, "SIEMENS MR HEADER", 0x0C, ("IS", "600"), Manufacturer="SIEMENS"), (600.0,)),
        (
            _private(0x0043, "GEMS_PARM_01", 0x39, ("IS", [1000000700, 8, 0, 0]), Manufacturer="GE MEDICAL SYSTEMS"),
            (700.0,),
        ),
        (_private(0x2001, "Philips Imaging DD 001", 0x03, ("FL", 900.0), Manufacturer="Philips"), (900.0,)),
        (instance("a", SequenceName="*ep_b1000t", SeriesDescription="DWI"), (1000.0,)),
        (instance("a", SeriesDescription="DWI b=750 tra"), (750.0,)),
        (instance("a", SeriesDescription="T1 B2 VIBE"), ()),
    ],
    ids=["standard first", "Siemens", "GE", "Philips", "sequence name", "description", "no diffusion"],
)
def test_b_value_sources(tmp_path: Path, dataset: Dataset, expected: tuple[float, ...]) -> None:
    """b comes from the standard attribute, else the vendor's own, else a diffusion sequence's name."""
    (series,) = read_study_headers(write(tmp_path, dataset)).series
    assert series.b_values == expected


def test_selection_loads_no_heavy_library() -> None:
    """Importing selection costs pydicom and numpy, and none of the image libraries or the settings."""
    heavy = "torch monai SimpleITK scipy skimage highdicom pynetdicom pydantic sqlalchemy"
    program = f"import sys, bmnode.selection; print([m for m in '{heavy}'.split() if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
