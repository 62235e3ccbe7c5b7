"""Small synthetic DICOM series for the readers' and branches' tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import ExplicitVRLittleEndian

from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.ids import derive_uid
from bmnode.domain.pipelines import PipelineRequest
from bmnode.selection import classify, read_study
from operators.graph.contract import StudyInput

STUDY_UID = derive_uid("synthetic study")
FRAME_UID = derive_uid("synthetic frame of reference")
SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
}
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"

Values = npt.NDArray[np.floating]


def geometry_of(
    shape: tuple[int, int, int], *, spacing_mm: tuple[float, float, float] = (3.0, 2.0, 2.0)
) -> VolumeGeometry:
    """An axial grid whose first voxel lies at (-50, -60, -70) mm."""
    matrix = np.zeros((4, 4))
    matrix[2, 0], matrix[1, 1], matrix[0, 2] = spacing_mm
    matrix[:, 3] = (-50.0, -60.0, -70.0, 1.0)
    return VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid=FRAME_UID)


def base_dataset(*, modality: str, series: str, name: str) -> Dataset:
    """The identifiers that every image needs."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = SOP_CLASSES[modality]
    dataset.SOPInstanceUID = derive_uid(series, name)
    dataset.StudyInstanceUID = STUDY_UID
    dataset.SeriesInstanceUID = derive_uid(series)
    dataset.FrameOfReferenceUID = FRAME_UID
    dataset.Modality = modality
    dataset.PatientID = "SYNTHETIC"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    return dataset


def add_pixels(dataset: Dataset, stored: npt.NDArray[np.generic]) -> None:
    """16-bit signed pixels (row, column) or (frame, row, column)."""
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.PixelData = stored.astype("<i2").tobytes()


def save(dataset: Dataset, path: Path) -> Path:
    """Write the data set as a DICOM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def slice_dataset(geometry: VolumeGeometry, index: int, *, modality: str, series: str) -> Dataset:
    """One classic slice's place; pixels are added by the caller."""
    dataset = base_dataset(modality=modality, series=series, name=str(index))
    row, column = geometry.matrix[:3, 1], geometry.matrix[:3, 2]
    _, row_mm, column_mm = geometry.spacing_mm
    dataset.ImageOrientationPatient = [*(column / column_mm), *(row / row_mm)]
    dataset.ImagePositionPatient = list(geometry.position_lps((index, 0, 0)))
    dataset.PixelSpacing = [row_mm, column_mm]
    dataset.SliceThickness = geometry.spacing_mm[0]
    return dataset


def write_series(
    folder: Path,
    array: Values,
    geometry: VolumeGeometry,
    *,
    modality: str,
    slopes: Sequence[float] | float = 1.0,
    attributes: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Classic slices of an array in the series' unit; stored values are rounded quotients by the slope."""
    files = []
    series = f"{modality} {folder.name}"
    for index in range(array.shape[0]):
        slope = slopes if isinstance(slopes, float) else slopes[index]
        dataset = slice_dataset(geometry, index, modality=modality, series=series)
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, 0.0
        add_pixels(dataset, np.round(array[index] / slope))
        for keyword, value in (attributes or {}).items():
            setattr(dataset, keyword, value)
        files.append(save(dataset, folder / f"{index:03d}.dcm"))
    return files


def radiopharmaceutical(**attributes: Any) -> DicomSequence:
    """A Radiopharmaceutical Information Sequence of FDG, overruled by the attributes."""
    item = Dataset()
    item.Radiopharmaceutical = "FDG"
    item.RadionuclideTotalDose = 350e6
    item.RadionuclideHalfLife = 6586.2
    item.RadiopharmaceuticalStartTime = "100000"
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return DicomSequence([item])


def pet_attributes(**overrides: Any) -> dict[str, Any]:
    """What a PET series needs for SUV: Bq/ml, decay corrected to the start of the scan at 11:00."""
    return {
        "Units": "BQML",
        "DecayCorrection": "START",
        "CorrectedImage": ["ATTN", "DECY", "SCAT"],
        "SeriesType": ["STATIC", "IMAGE"],
        "PatientWeight": 70.0,
        "PatientSize": 1.75,
        "SeriesDate": "20250101",
        "SeriesTime": "110000",
        "AcquisitionDate": "20250101",
        "AcquisitionTime": "110000",
        "ActualFrameDuration": 120000,
        "FrameReferenceTime": 0.0,
        "RadiopharmaceuticalInformationSequence": radiopharmaceutical(),
        **overrides,
    }


def write_spect(folder: Path, array: Values, geometry: VolumeGeometry, *, attributes: Mapping[str, Any]) -> Path:
    """A reconstructed multi-frame tomogram in counts."""
    dataset = base_dataset(modality="NM", series=f"NM {folder.name}", name="tomogram")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    dataset.NumberOfFrames = array.shape[0]
    dataset.FrameIncrementPointer = 0x00540080
    dataset.SliceVector = list(range(1, array.shape[0] + 1))
    dataset.PixelSpacing = list(geometry.spacing_mm[1:])
    dataset.SliceThickness = dataset.SpacingBetweenSlices = geometry.spacing_mm[0]
    detector = Dataset()
    detector.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    detector.ImagePositionPatient = list(geometry.position_lps((0, 0, 0)))
    dataset.DetectorInformationSequence = DicomSequence([detector])
    dataset.RadiopharmaceuticalInformationSequence = radiopharmaceutical(Radiopharmaceutical="MDP Tc-99m")
    dataset.SeriesDescription = "BONE SPECT"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    add_pixels(dataset, np.round(array))
    return save(dataset, folder / "spect.dcm")


def write_enhanced_ct(folder: Path, array: Values, geometry: VolumeGeometry, *, order: Sequence[int]) -> Path:
    """An enhanced CT whose frames come in `order` of their slices; each slice k has the intercept -10 k."""
    dataset = base_dataset(modality="CT", series=f"enhanced {folder.name}", name="volume")
    dataset.SOPClassUID = ENHANCED_CT
    dataset.NumberOfFrames = len(order)
    shared = Dataset()
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(geometry.spacing_mm[1:]), geometry.spacing_mm[0]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence = DicomSequence([measures])
    shared.PlaneOrientationSequence = DicomSequence([orientation])
    dataset.SharedFunctionalGroupsSequence = DicomSequence([shared])
    groups = []
    for index in order:
        group, position, transform = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = list(geometry.position_lps((index, 0, 0)))
        transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = 1.0, -10.0 * index, "HU"
        group.PlanePositionSequence = DicomSequence([position])
        group.PixelValueTransformationSequence = DicomSequence([transform])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = DicomSequence(groups)
    stored = np.stack([array[index] + 10.0 * index for index in order])
    add_pixels(dataset, np.round(stored))
    return save(dataset, folder / "enhanced.dcm")


def study_of(folder: Path) -> StudyInput:
    """The folder as the graph would hand it to a branch: read and classified by the selection."""
    files = tuple(sorted(path for path in folder.rglob("*") if path.is_file()))
    reading = read_study(files)
    return StudyInput(
        request=PipelineRequest(study_uid=reading.headers.study_uid, files=files, seed="seed"),
        headers=reading.headers,
        classification=classify(reading.headers),
        files=reading.files,
    )
