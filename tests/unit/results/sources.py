"""Synthetic source studies, small and exactly known: what the result objects are written about."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.ids import derive_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
NM = "1.2.840.10008.5.1.4.1.1.20"
PT = "1.2.840.10008.5.1.4.1.1.128"
SHAPE = (9, 12, 14)
SPACING = (2.5, 1.25, 0.9765625)
ORIGIN = (-31.7, 44.25, -812.5)


@dataclass(frozen=True, kw_only=True)
class SourceSeries:
    """A written series: its files and, where it has one, its grid."""

    study_uid: str
    series_uid: str
    files: tuple[Path, ...]
    instance_uids: tuple[str, ...]
    geometry: VolumeGeometry | None = None
    pixels: npt.NDArray[np.number] | None = None


@dataclass(frozen=True, kw_only=True)
class Patient:
    """Patient and study attributes, with the character set that holds them."""

    name: str = "Test^Result"
    character_set: str | list[str] | None = "ISO_IR 100"
    extra: dict[str, Any] = field(default_factory=dict)


def header(sop_class: str, modality: str, *, tag: str, instance: int = 1, patient: Patient | None = None) -> Dataset:
    """A data set with everything but the image; UIDs follow from the tag."""
    person = patient or Patient()
    dataset = Dataset()
    if person.character_set is not None:
        dataset.SpecificCharacterSet = person.character_set
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = derive_uid("test", tag, "instance", str(instance))
    dataset.StudyInstanceUID = derive_uid("test", tag, "study")
    dataset.SeriesInstanceUID = derive_uid("test", tag, "series")
    dataset.PatientName = person.name
    dataset.PatientID = "T-0001"
    dataset.PatientBirthDate = "19500102"
    dataset.PatientSex = "F"
    dataset.PatientAge = "075Y"
    dataset.StudyDate, dataset.StudyTime = "20250304", "101500"
    dataset.StudyID, dataset.AccessionNumber = "77", "ACC-1"
    dataset.StudyDescription = "Bone"
    dataset.ReferringPhysicianName = ""
    dataset.Modality = modality
    dataset.SeriesNumber = 3
    dataset.InstanceNumber = instance
    dataset.Manufacturer = "Maker"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    for keyword, value in person.extra.items():
        setattr(dataset, keyword, value)
    return dataset


def write(dataset: Dataset, path: Path) -> Path:
    """Write a Part 10 file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def noise(shape: tuple[int, ...], *, seed: int = 1) -> npt.NDArray[np.int16]:
    """Stored values that differ from voxel to voxel."""
    return np.random.default_rng(seed).integers(0, 2000, size=shape, dtype=np.int16)


def set_pixels(dataset: Dataset, pixels: npt.NDArray[np.int16]) -> None:
    """Image Pixel module for signed 16-bit frames (row, column) or (frame, row, column)."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"


def oblique_cosines() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Row and column direction of a slightly tilted, rotated slice."""
    row = np.array([0.98, 0.17, 0.05])
    row /= np.linalg.norm(row)
    column = np.cross([0.02, -0.1, 0.99], row)
    column /= np.linalg.norm(column)
    return row, column


def grid(frame_of_reference: str, *, oblique: bool = False, shape: tuple[int, int, int] = SHAPE) -> VolumeGeometry:
    """The grid that all synthetic volumes share, but for its size where another is asked for."""
    row, column = oblique_cosines() if oblique else (np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    matrix = np.eye(4)
    matrix[:3, 0] = np.cross(row, column) * SPACING[0]
    matrix[:3, 1] = column * SPACING[1]
    matrix[:3, 2] = row * SPACING[2]
    matrix[:3, 3] = ORIGIN
    return VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid=frame_of_reference)


def _cosines(geometry: VolumeGeometry) -> list[float]:
    steps = geometry.spacing_mm
    return [*(geometry.matrix[:3, 2] / steps[2]).round(12), *(geometry.matrix[:3, 1] / steps[1]).round(12)]


def classic_slices(
    folder: Path,
    sop_class: str,
    modality: str,
    *,
    patient: Patient | None = None,
    oblique: bool = False,
    shape: tuple[int, int, int] = SHAPE,
) -> SourceSeries:
    """One file a slice: CT, MR or PT."""
    tag = f"{modality}-{'oblique' if oblique else 'axial'}"
    geometry = grid(derive_uid("test", tag, "frame"), oblique=oblique, shape=shape)
    pixels = noise(shape)
    files, uids = [], []
    for index in range(shape[0]):
        dataset = header(sop_class, modality, tag=tag, instance=index + 1, patient=patient)
        dataset.FrameOfReferenceUID = geometry.frame_of_reference_uid
        dataset.PositionReferenceIndicator = ""
        dataset.ImagePositionPatient = [round(v, 9) for v in geometry.position_lps((float(index), 0.0, 0.0))]
        dataset.ImageOrientationPatient = _cosines(geometry)
        dataset.PixelSpacing = list(SPACING[1:])
        dataset.SliceThickness = SPACING[0]
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        set_pixels(dataset, pixels[index])
        # names that do not sort in slice order
        files.append(write(dataset, folder / f"{shape[0] - index:03d}-{modality}.dcm"))
        uids.append(str(dataset.SOPInstanceUID))
    return SourceSeries(
        study_uid=str(dataset.StudyInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        files=tuple(files),
        instance_uids=tuple(uids),
        geometry=geometry,
        pixels=pixels,
    )


def enhanced_mr(folder: Path) -> SourceSeries:
    """One multi-frame object whose frames are stored against the direction of the grid, at two b-values."""
    geometry = grid(derive_uid("test", "enhanced", "frame"))
    dataset = header(ENHANCED_MR, "MR", tag="enhanced")
    dataset.FrameOfReferenceUID = geometry.frame_of_reference_uid
    order = [*reversed(range(SHAPE[0]))] * 2
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(SPACING[1:]), SPACING[0]
    orientation.ImageOrientationPatient = _cosines(geometry)
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([orientation])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for index in order:
        position, group = Dataset(), Dataset()
        position.ImagePositionPatient = list(geometry.position_lps((float(index), 0.0, 0.0)))
        group.PlanePositionSequence = Sequence([position])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    pixels = noise(SHAPE)
    set_pixels(dataset, np.concatenate([pixels[::-1], pixels[::-1] + 1]))
    return _multi_frame(dataset, folder / "enhanced.dcm", geometry, pixels)


def spect_recon(folder: Path) -> SourceSeries:
    """A reconstructed nuclear medicine tomogram, stored head first with a negative slice spacing."""
    geometry = grid(derive_uid("test", "spect", "frame"))
    dataset = header(NM, "NM", tag="spect")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    dataset.FrameOfReferenceUID = geometry.frame_of_reference_uid
    detector = Dataset()
    detector.ImagePositionPatient = list(geometry.position_lps((SHAPE[0] - 1.0, 0.0, 0.0)))
    detector.ImageOrientationPatient = _cosines(geometry)
    dataset.DetectorInformationSequence = Sequence([detector])
    dataset.FrameIncrementPointer = 0x00540080
    dataset.SliceVector = list(range(1, SHAPE[0] + 1))
    dataset.NumberOfSlices = SHAPE[0]
    dataset.PixelSpacing, dataset.SliceThickness = list(SPACING[1:]), SPACING[0]
    dataset.SpacingBetweenSlices = -SPACING[0]
    pixels = noise(SHAPE)
    set_pixels(dataset, pixels[::-1].copy())
    return _multi_frame(dataset, folder / "spect.dcm", geometry, pixels)


def _multi_frame(dataset: Dataset, path: Path, geometry: VolumeGeometry, pixels: npt.NDArray[np.int16]) -> SourceSeries:
    return SourceSeries(
        study_uid=str(dataset.StudyInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        files=(write(dataset, path),),
        instance_uids=(str(dataset.SOPInstanceUID),),
        geometry=geometry,
        pixels=pixels,
    )


def planar_bone_scan(folder: Path) -> SourceSeries:
    """Whole-body planar scan: one object, anterior and posterior frame, no geometry."""
    dataset = header(NM, "NM", tag="planar")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    pixels = np.zeros((2, 64, 32), dtype=np.int16)
    pixels[:, 8:56, 12:20] = 40
    pixels[0, 20:24, 13:16] = 300
    pixels[1, 20:24, 16:19] = 260
    set_pixels(dataset, pixels)
    dataset.FrameIncrementPointer = [0x00540010, 0x00540020]
    dataset.PixelSpacing = [4.0, 4.0]
    return SourceSeries(
        study_uid=str(dataset.StudyInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        files=(write(dataset, folder / "planar.dcm"),),
        instance_uids=(str(dataset.SOPInstanceUID),),
        pixels=pixels,
    )
