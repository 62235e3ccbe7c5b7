"""A CT as small as the selection takes it: twelve slices of one pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from bmnode.domain.ids import derive_uid

SLICES = 12


def write_tiny_ct(folder: Path, study_uid: str, **values: Any) -> tuple[Path, ...]:
    """One series; `values` are attributes of every slice, None takes one away."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(SLICES):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        uid = UID(derive_uid("tiny", study_uid, str(index)))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.PatientID = study_uid, f"{study_uid}.1", "P"
        dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY"]
        dataset.PixelSpacing, dataset.ImagePositionPatient = [1, 1], [0, 0, index]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.Rows = dataset.Columns = dataset.SamplesPerPixel = 1
        dataset.BitsAllocated, dataset.PixelData = 16, b"\0\0"
        for keyword, value in values.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        paths.append(folder / f"{index}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return tuple(paths)
