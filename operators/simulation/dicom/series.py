"""One series being written: identity, equipment and times that all its instances share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from bmnode.domain.ids import derive_uid
from bmnode.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from operators.simulation.dicom.elements import date_text, decimal, fill, moment
from operators.simulation.dicom.header import SeriesPlan, StudyHeader
from operators.simulation.dicom.optional import strip_optional
from operators.simulation.dicom.vendors import INSTITUTION, MANUFACTURERS, MODEL, SOFTWARE
from operators.simulation.images import Content
from operators.simulation.protocols.habits import Habits


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenSeries:
    """What a writer made.

    Args:
        modality: NM, CT, PT or MR.
        files: one an instance, in the order of Instance Number; a file that was sent twice follows at the end.
        volumes: which of the volumes given to the writer the series holds, by index.
        contents: what they are; empty for planar views.
        stored_per_value: stored values a unit of the given ones, where the header has no rescale for it; else 1.
    """

    series_uid: str
    number: int
    modality: str
    description: str
    files: tuple[Path, ...]
    volumes: tuple[int, ...] = (0,)
    contents: tuple[Content, ...] = ()
    stored_per_value: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """A series of a study, and how its site writes."""

    folder: Path
    header: StudyHeader
    plan: SeriesPlan
    habits: Habits
    modality: str
    sop_class_uid: str
    description: str
    body_part: str

    @property
    def uid(self) -> str:
        """Series Instance UID."""
        return derive_uid(self.header.study_uid, "series", str(self.plan.number))

    @property
    def start(self) -> datetime:
        """When its first acquisition begins."""
        return self.header.start + timedelta(seconds=self.plan.starts_after_s)

    def instance_uid(self, number: int) -> str:
        """SOP Instance UID of the instance with this Instance Number."""
        return derive_uid(self.uid, "instance", str(number))

    def dataset(self) -> Dataset:
        """The attributes that all instances share; SOP Instance UID, image and modality are left out."""
        return fill(Dataset(), {**self._patient(), **self._study(), **self._series(), **self._equipment()})

    def save(self, dataset: Dataset, *, number: int, name: str = "") -> Path:
        """Write one instance, Explicit VR Little Endian, and return its file.

        Args:
            dataset: changed in place: Instance Number, UIDs and, by habit, what is left out.
            number: Instance Number.
            name: of the file, without suffix; by default it follows from the numbers.
        """
        dataset.InstanceNumber = number
        dataset.SOPInstanceUID = self.instance_uid(number)
        if self.habits.missing_optional:
            strip_optional(dataset)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = UID(self.sop_class_uid)
        meta.MediaStorageSOPInstanceUID = UID(self.instance_uid(number))
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
        meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
        dataset.file_meta = meta
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name or self.file_name(number)}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return path

    def file_name(self, number: int) -> str:
        """Of an instance, without suffix."""
        return f"s{self.plan.number:02d}_{self.modality.lower()}_{number:04d}"

    def _patient(self) -> dict[str, Any]:
        header = self.header
        return {
            "SpecificCharacterSet": "ISO_IR 192",
            "SyntheticData": "YES",
            "PatientName": header.patient_name,
            "PatientID": header.patient_id,
            "PatientBirthDate": f"{header.birth_date:%Y%m%d}",
            "PatientSex": header.sex.value,
            "PatientAge": f"{header.age_years:03d}Y",
            "PatientSize": decimal(header.height_cm / 100.0),
            "PatientWeight": decimal(header.weight_kg),
        }

    def _study(self) -> dict[str, Any]:
        header = self.header
        return {
            **moment("Study", header.start),
            "StudyInstanceUID": header.study_uid,
            "StudyID": header.accession[-6:],
            "StudyDescription": f"SIM {header.description}",
            "AccessionNumber": header.accession,
            "ReferringPhysicianName": "",
            "TimezoneOffsetFromUTC": "+0000",
        }

    def _series(self) -> dict[str, Any]:
        events = {
            key: value
            for event in ("Series", "Acquisition", "Content", "InstanceCreation")
            for key, value in moment(event, self.start).items()
        }
        return {
            **events,
            "SOPClassUID": self.sop_class_uid,
            "SeriesInstanceUID": self.uid,
            "SeriesNumber": self.plan.number,
            "SeriesDescription": self.description,
            "ProtocolName": f"SIM {self.header.description}",
            "Modality": self.modality,
            "BodyPartExamined": self.body_part,
            "OperatorsName": "",
            "PerformedProcedureStepStartDate": date_text(self.header.start),
            "PerformedProcedureStepStartTime": moment("Study", self.header.start)["StudyTime"],
            "PerformedProcedureStepID": self.header.accession[-6:],
            "PerformedProcedureStepDescription": f"SIM {self.header.description}",
            "ImageComments": "SIMULATED, not a patient",
            "BurnedInAnnotation": "NO",
            "LossyImageCompression": "00",
        }

    def _equipment(self) -> dict[str, Any]:
        return {
            "Manufacturer": MANUFACTURERS[self.habits.vendor],
            "ManufacturerModelName": MODEL,
            "SoftwareVersions": SOFTWARE,
            "DeviceSerialNumber": "0",
            "StationName": f"SIM{self.modality}",
            "InstitutionName": INSTITUTION,
        }
