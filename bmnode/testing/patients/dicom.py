"""What every synthetic instance has in common: identity, dates, equipment, the mark that it is synthetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from bmnode import __version__
from bmnode.domain.codes import Code
from bmnode.domain.ids import derive_uid
from bmnode.domain.study import Branch, Reason
from bmnode.testing.patients.grid import Grid
from bmnode.testing.patients.spec import PatientSpec, StudyTruth, SyntheticStudy

MANUFACTURER = "bmnode simulation"

RECUMBENT = Code("102538003", "SCT", "recumbent")
SUPINE = Code("40199007", "SCT", "supine")
HEAD_FIRST = Code("102540008", "SCT", "headfirst")
INTRAVENOUS = Code("47625008", "SCT", "Intravenous route")


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyFolder:
    """One study being written: `directory/dicom` takes the instances, `directory/truth.json` the truth."""

    directory: Path
    spec: PatientSpec
    name: str
    title: str
    """In Study Description and, upper case, as the given name of the patient."""

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return self.spec.uid(self.name)

    @property
    def frame_of_reference_uid(self) -> str:
        """Frame of Reference UID, one for all series of the study."""
        return self.spec.uid(self.name, "frame of reference")

    def dicom_folder(self) -> Path:
        """The folder of the instances; it exists afterwards."""
        folder = self.directory / "dicom"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def finish(
        self,
        files: list[Path],
        *,
        branch: Branch | None,
        description: str,
        truth: StudyTruth | None = None,
        refusal: Reason | None = None,
    ) -> SyntheticStudy:
        """Write the truth and return the study."""
        study = SyntheticStudy(
            name=self.name,
            study_uid=self.study_uid,
            branch=branch,
            description=description,
            files=tuple(files),
            truth_file=self.directory / "truth.json",
            truth=truth or StudyTruth(),
            refusal=refusal,
        )
        return study.write_truth()


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesHead:
    """One series of a study. `starts_after` counts from the study's start."""

    study: StudyFolder
    number: int
    modality: str
    sop_class_uid: str
    description: str
    body_part: str | None
    starts_after: timedelta = timedelta(0)
    has_frame_of_reference: bool = True

    @property
    def uid(self) -> str:
        """Series Instance UID."""
        return derive_uid(self.study.study_uid, "series", str(self.number))

    @property
    def start(self) -> datetime:
        """When its acquisition begins."""
        return self.study.spec.study_start + self.starts_after

    def instance_uid(self, index: int) -> str:
        """SOP Instance UID of the instance with Instance Number `index`."""
        return derive_uid(self.uid, "instance", str(index))

    def dataset(self) -> Dataset:
        """The attributes that all instances of the series share, pixel data and SOP Instance UID left out."""
        spec = self.study.spec
        ds = Dataset()
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.SOPClassUID = self.sop_class_uid
        ds.SyntheticData = "YES"
        ds.TimezoneOffsetFromUTC = "+0000"
        ds.PatientName = f"SYNTHETIC^{self.study.title.upper()}"
        ds.PatientID = spec.patient_id
        ds.PatientBirthDate = f"{spec.study_start.year - spec.age_years:04d}0101"
        ds.PatientSex = spec.sex
        ds.PatientAge = f"{spec.age_years:03d}Y"
        ds.PatientSize = f"{spec.height_m:.2f}"
        ds.PatientWeight = f"{spec.weight_kg:.1f}"
        ds.StudyInstanceUID = self.study.study_uid
        ds.StudyID = "1"
        ds.StudyDescription = f"SYNTHETIC {self.study.title}"
        ds.AccessionNumber = ""
        ds.ReferringPhysicianName = ""
        ds.SeriesInstanceUID = self.uid
        ds.SeriesNumber = self.number
        ds.SeriesDescription = self.description
        ds.Modality = self.modality
        if self.body_part is not None:
            ds.BodyPartExamined = self.body_part
        ds.Manufacturer = MANUFACTURER
        ds.ManufacturerModelName = "simple synthetic patient"
        ds.SoftwareVersions = __version__
        ds.DeviceSerialNumber = "0"
        ds.InstitutionName = "none (synthetic)"
        ds.ImageComments = "SYNTHETIC: computed from simple solids, not a patient"
        if self.has_frame_of_reference:
            ds.FrameOfReferenceUID = self.study.frame_of_reference_uid
            ds.PositionReferenceIndicator = ""
        set_time(ds, "Study", spec.study_start)
        for event in ("Series", "Acquisition", "Content"):
            set_time(ds, event, self.start)
        return ds


def set_time(ds: Dataset, event: str, moment: datetime) -> None:
    """Set `<event>Date` and `<event>Time`."""
    setattr(ds, f"{event}Date", moment.strftime("%Y%m%d"))
    setattr(ds, f"{event}Time", moment.strftime("%H%M%S.%f"))


def decimal(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2, VR DS)."""
    return f"{value:.9g}"


def code_item(code: Code) -> Dataset:
    """One item of a code sequence (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
    return item


def set_recumbent_supine_head_first(ds: Dataset) -> None:
    """NM/PET Patient Orientation (PS3.3 C.8.4.6)."""
    orientation = code_item(RECUMBENT)
    orientation.PatientOrientationModifierCodeSequence = [code_item(SUPINE)]
    ds.PatientOrientationCodeSequence = [orientation]
    ds.PatientGantryRelationshipCodeSequence = [code_item(HEAD_FIRST)]


def set_pixels(ds: Dataset, stored: npt.NDArray[np.generic]) -> None:
    """Image Pixel module of a grey image: (row, column), or (frame, row, column) with Number of Frames set."""
    bits = stored.dtype.itemsize * 8
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.BitsAllocated = bits
    ds.BitsStored = bits
    ds.HighBit = bits - 1
    ds.PixelRepresentation = 1 if stored.dtype.kind == "i" else 0
    if stored.ndim == 3:
        ds.NumberOfFrames = stored.shape[0]
    raw = stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes()
    ds.add_new("PixelData", "OW" if bits > 8 else "OB", raw)


def save(ds: Dataset, path: Path, *, instance_uid: str) -> Path:
    """Write one instance, Explicit VR Little Endian."""
    ds.SOPInstanceUID = instance_uid
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = UID(instance_uid)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)
    return path


def write_axial_series(
    head: SeriesHead,
    *,
    template: Dataset,
    stored: npt.NDArray[np.generic],
    grid: Grid,
    first_number: int = 1,
    per_slice: Callable[[Dataset, int], None] | None = None,
) -> list[Path]:
    """Write one instance per slice, feet first.

    Args:
        head: the series.
        template: its shared attributes; changed in place.
        stored: stored values (slice, row, column), uint16 or int16.
        grid: where they lie.
        first_number: Instance Number of the first slice, for a second stack in one series.
        per_slice: sets what differs from slice to slice.
    """
    folder = head.study.dicom_folder()
    dz, dy, dx = grid.spacing_mm
    template.PixelSpacing = [decimal(dy), decimal(dx)]
    template.SliceThickness = decimal(dz)
    template.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    paths = []
    for index in range(grid.shape[0]):
        number = first_number + index
        position = grid.slice_position(index)
        template.InstanceNumber = number
        template.ImagePositionPatient = [decimal(value) for value in position]
        template.SliceLocation = decimal(position[2])
        set_pixels(template, stored[index])
        if per_slice is not None:
            per_slice(template, index)
        path = folder / f"s{head.number:02d}_{head.modality.lower()}_{number:04d}.dcm"
        paths.append(save(template, path, instance_uid=head.instance_uid(number)))
    return paths
