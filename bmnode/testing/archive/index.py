"""What the archive holds: one entry an instance, with the attributes that a C-FIND may ask for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType

from pydicom import Dataset, dcmread

from bmnode.domain.ids import is_safe_uid


class Level(IntEnum):
    """Query/Retrieve levels from the root down (PS3.4 C.3.4)."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    IMAGE = 3


UNIQUE_KEYS: Mapping[Level, str] = MappingProxyType(
    {
        Level.PATIENT: "PatientID",
        Level.STUDY: "StudyInstanceUID",
        Level.SERIES: "SeriesInstanceUID",
        Level.IMAGE: "SOPInstanceUID",
    }
)

ATTRIBUTES: Mapping[Level, tuple[str, ...]] = MappingProxyType(
    {
        Level.PATIENT: ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "IssuerOfPatientID"),
        Level.STUDY: (
            "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription",
            "ReferringPhysicianName", "InstitutionName", "PatientAge", "PatientSize", "PatientWeight",
        ),
        Level.SERIES: (
            "SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "SeriesDate", "SeriesTime",
            "BodyPartExamined", "ProtocolName", "Manufacturer", "ManufacturerModelName", "StationName",
            "FrameOfReferenceUID", "Laterality", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
        ),
        Level.IMAGE: (
            "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "ImageType", "ContentDate", "ContentTime",
            "AcquisitionDate", "AcquisitionTime", "AcquisitionNumber", "Rows", "Columns", "NumberOfFrames",
        ),
    }
)  # fmt: skip
"""Keys of PS3.4 C.6 that the archive answers, by the level they belong to."""

_HEADER = ["SpecificCharacterSet", *(keyword for keywords in ATTRIBUTES.values() for keyword in keywords)]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class IndexedInstance:
    """One stored instance. `attributes` holds those of `ATTRIBUTES` that it has."""

    path: Path
    transfer_syntax_uid: str
    sop_class_uid: str
    attributes: Dataset

    @classmethod
    def from_file(cls, path: Path) -> IndexedInstance:
        """Read a stored file. Raises ValueError where it names no study, series or instance that can be kept."""
        header = dcmread(path, specific_tags=_HEADER, stop_before_pixels=True)
        header.decode()
        for level in (Level.STUDY, Level.SERIES, Level.IMAGE):
            if not is_safe_uid(str(header.get(UNIQUE_KEYS[level], ""))):
                raise ValueError(f"{UNIQUE_KEYS[level]} is missing or not a UID")
        return cls(
            path=path,
            transfer_syntax_uid=str(header.file_meta.TransferSyntaxUID),
            sop_class_uid=str(header.get("SOPClassUID", "")),
            attributes=header,
        )

    def key(self, level: Level) -> str:
        """The unique key at a level; the Patient ID may be empty."""
        return str(self.attributes.get(UNIQUE_KEYS[level], ""))

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return self.key(Level.STUDY)

    @property
    def series_uid(self) -> str:
        """Series Instance UID."""
        return self.key(Level.SERIES)

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID."""
        return self.key(Level.IMAGE)

    @property
    def modality(self) -> str:
        """Modality, empty where absent."""
        return str(self.attributes.get("Modality", ""))


class ArchiveIndex:
    """Instances by SOP Instance UID, in the order of their arrival; safe between threads."""

    def __init__(self) -> None:
        self._instances: dict[str, IndexedInstance] = {}
        self._changed = threading.Condition()

    def add(self, instance: IndexedInstance) -> None:
        """Keep an instance; one that is there already stays."""
        with self._changed:
            self._instances.setdefault(instance.sop_instance_uid, instance)
            self._changed.notify_all()

    def get(self, sop_instance_uid: str) -> IndexedInstance | None:
        """The instance, or None."""
        with self._changed:
            return self._instances.get(sop_instance_uid)

    def all(self) -> tuple[IndexedInstance, ...]:
        """Every instance."""
        with self._changed:
            return tuple(self._instances.values())

    def wait_for(
        self, condition: Callable[[tuple[IndexedInstance, ...]], bool], *, timeout_s: float
    ) -> tuple[IndexedInstance, ...]:
        """Block until the instances fulfil the condition. Raises TimeoutError after `timeout_s` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(tuple(self._instances.values())), timeout=timeout_s):
                raise TimeoutError(f"not within {timeout_s:g} s; the archive holds {len(self._instances)} instances")
            return tuple(self._instances.values())
