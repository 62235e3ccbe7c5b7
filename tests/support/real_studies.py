"""The real studies that end-to-end tests send: files as a scanner would send them, with what is expected of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import CTImageStorage

from bmnode.domain.ids import derive_uid
from tests.support.real_data import real_bone_scan, unpack


@dataclass(frozen=True, kw_only=True, slots=True)
class RealStudy:
    """One real study. `has_slices`: whether it is a volume; its SEG then lies in the patient."""

    name: str
    study_uid: str
    files: tuple[Path, ...]
    has_slices: bool


def _study(name: str, files: tuple[Path, ...], *, has_slices: bool = True) -> RealStudy:
    header = dcmread(files[0], stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
    return RealStudy(name=name, study_uid=str(header.StudyInstanceUID), files=files, has_slices=has_slices)


def bone_scan(_shared_data: Path, folder: Path) -> RealStudy:
    """The whole-body bone scan of the NEMA compression samples, JPEG Lossless."""
    folder.mkdir(parents=True, exist_ok=True)
    return _study("bone scan", (Path(shutil.copy(real_bone_scan(), folder)),), has_slices=False)


def pet(shared_data: Path, folder: Path) -> RealStudy:
    """A whole-body FDG PET without its CT."""
    files = unpack(shared_data / "sts001_raw_dicom" / "STS_001_FDG_PET.tar.xz", folder)
    return _study("PET", tuple(path for path in files if path.parent.name == "image"))


def mr(shared_data: Path, folder: Path) -> RealStudy:
    """An abdominal ADC map."""
    files = unpack(shared_data / "cmbcrc_mr_longitudinal" / "SCAN_002_ADC_dicom.tar.xz", folder)
    return _study("MR", tuple(path for path in files if path.suffix == ".dcm"))


def ct(shared_data: Path, folder: Path) -> RealStudy:
    """A CT series, JPEG 2000. Its UIDs were emptied by de-identification: consistent ones are put back."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for source in sorted((shared_data / "totalsegmentator_examples" / "example_ct_dicom").iterdir()):
        dataset = dcmread(source)
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
        dataset.StudyInstanceUID = derive_uid("restored", "study", str(dataset.FrameOfReferenceUID))
        dataset.SeriesInstanceUID = derive_uid("restored", "series", str(dataset.FrameOfReferenceUID))
        path = folder / f"{dataset.SOPInstanceUID}.dcm"
        dataset.save_as(path)
        files.append(path)
    return _study("CT", tuple(files))


REAL_STUDIES: tuple[Callable[[Path, Path], RealStudy], ...] = (bone_scan, pet, ct, mr)
