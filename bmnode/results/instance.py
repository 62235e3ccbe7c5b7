"""What every result object shares: identification, patient and study, equipment, dates, character set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from bmnode import MANUFACTURER, MODEL_NAME
from bmnode.domain.codes import PROJECT_SCHEME, Code
from bmnode.domain.ids import derive_uid
from bmnode.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from bmnode.domain.objects import ResultKind
from bmnode.domain.results import Algorithm, ResultSet
from bmnode.results.character_set import header_for
from bmnode.results.concepts import (
    IHE_TRIAL_SCHEME,
    IHE_TRIAL_SCHEME_NAME,
    IMAGE_PROCESSING,
    PROCESSING_EQUIPMENT,
    PROJECT_SCHEME_NAME,
    PROJECT_SCHEME_UID,
    SERIES_NUMBER,
    SERIES_TEXT,
    SIMULATED,
    coded,
)
from bmnode.results.context import WriteContext
from bmnode.results.sources import IDENTIFYING, SourceStudy
from bmnode.results.text import plain


@dataclass(frozen=True, kw_only=True, slots=True)
class NewInstance:
    """Which object is made: its kind, its SOP Class, and its place among those of its kind, from 0."""

    kind: ResultKind
    sop_class_uid: str
    modality: str
    index: int = 0

    def sop_instance_uid(self, context: WriteContext) -> str:
        """The object's UID in this job."""
        return context.uid(f"{self.kind} instance", self.index)

    def series_instance_uid(self, context: WriteContext) -> str:
        """The UID of the object's own series; the pictures share one."""
        return context.uid(f"{self.kind} series", self.series_index)

    @property
    def series_index(self) -> int:
        """The series' place among those of the kind."""
        return 0 if self.kind is ResultKind.SC else self.index

    @property
    def instance_number(self) -> int:
        """The object's number in its series."""
        return 1 + self.index - self.series_index


def new_instance(what: NewInstance, *, source: SourceStudy, context: WriteContext, result_set: ResultSet) -> Dataset:
    """A data set with the Patient, Study, Series, Equipment and SOP Common modules filled.

    Dates and times come from the context alone, in the source's time zone where it states one
    (Timezone Offset From UTC) and in UTC otherwise.
    """
    dataset = Dataset()
    for element in header_for(result_set, source):
        dataset.add(element)
    for keyword in IDENTIFYING:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    dataset.StudyInstanceUID = source.study_uid
    _fill_series(dataset, what, context=context, result_set=result_set)
    _fill_sop_common(dataset, what, context=context, result_set=result_set)
    dataset.file_meta = _file_meta(dataset)
    dataset.preamble = b"\0" * 128
    return dataset


def algorithms_of(result_set: ResultSet, context: WriteContext) -> tuple[Algorithm, ...]:
    """Who computed; the pipeline itself where the result set names none."""
    return result_set.algorithms or (
        Algorithm(name=context.pipeline_name, version=context.pipeline_version, family=IMAGE_PROCESSING),
    )


def device_uid(algorithm: Algorithm) -> str:
    """The UID of an algorithm's version (IHE AIR 6.5.3.1: a new one whenever the model changes)."""
    return derive_uid("device", MODEL_NAME, algorithm.name, algorithm.version)


def observer_uid(context: WriteContext) -> str:
    """The UID of the software that observes: this version of bmnode with this version of the pipeline."""
    return derive_uid("device", MODEL_NAME, context.software_version, context.pipeline_name, context.pipeline_version)


def save(dataset: Dataset, path: Path) -> None:
    """Write a Part 10 file in Explicit VR Little Endian, deflated where its transfer syntax says so."""
    dataset.save_as(path, enforce_file_format=True, little_endian=True, implicit_vr=False)


def _fill_series(dataset: Dataset, what: NewInstance, *, context: WriteContext, result_set: ResultSet) -> None:
    text = SERIES_TEXT[what.kind] + (f" - {SIMULATED}" if result_set.synthetic else "")
    dataset.Modality = what.modality
    dataset.SeriesInstanceUID = what.series_instance_uid(context)
    dataset.SeriesNumber = SERIES_NUMBER[what.kind] + what.series_index
    dataset.SeriesDescription = text
    dataset.SeriesDate, dataset.SeriesTime = _date_and_time(dataset, context)
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MODEL_NAME
    dataset.DeviceSerialNumber = plain(f"{context.pipeline_name} {context.pipeline_version}", limit=64)
    dataset.SoftwareVersions = _software_versions(context)


def _fill_sop_common(dataset: Dataset, what: NewInstance, *, context: WriteContext, result_set: ResultSet) -> None:
    dataset.SOPClassUID = what.sop_class_uid
    dataset.SOPInstanceUID = what.sop_instance_uid(context)
    dataset.InstanceNumber = what.instance_number
    date, time = _date_and_time(dataset, context)
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    dataset.ContentDate, dataset.ContentTime = date, time
    if result_set.synthetic:
        dataset.SyntheticData = "YES"
    dataset.CodingSchemeIdentificationSequence = _private_schemes(context)
    equipment = [
        _equipment(PROCESSING_EQUIPMENT, uid=observer_uid(context), context=context),
        *(
            _equipment(
                context.output.algorithm_purpose, uid=device_uid(algorithm), context=context, algorithm=algorithm
            )
            for algorithm in algorithms_of(result_set, context)
        ),
    ]
    for item in equipment:
        # In the time zone of the object's other dates: DCMTK 3.6.7 refuses every offset that begins with a plus.
        item.ContributionDateTime = date + time
    dataset.ContributingEquipmentSequence = equipment


def _private_schemes(context: WriteContext) -> list[Dataset]:
    """Coding Scheme Identification (PS3.3 C.12.1): the project's scheme, and IHE's where its placeholder is used."""
    ours = Dataset()
    ours.CodingSchemeDesignator = PROJECT_SCHEME
    ours.CodingSchemeUID = PROJECT_SCHEME_UID
    ours.CodingSchemeName = PROJECT_SCHEME_NAME
    ours.CodingSchemeResponsibleOrganization = MANUFACTURER
    if context.output.algorithm_purpose.scheme != IHE_TRIAL_SCHEME:
        return [ours]
    trial = Dataset()
    trial.CodingSchemeDesignator = IHE_TRIAL_SCHEME
    trial.CodingSchemeName = IHE_TRIAL_SCHEME_NAME
    trial.CodingSchemeResponsibleOrganization = "IHE"
    return [ours, trial]


def _equipment(purpose: Code, *, uid: str, context: WriteContext, algorithm: Algorithm | None = None) -> Dataset:
    """One item of Contributing Equipment Sequence (PS3.3 C.12.1.1.5)."""
    concept: CodedConcept = coded(purpose)
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [concept]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = MODEL_NAME if algorithm is None else plain(algorithm.name, limit=64)
    item.SoftwareVersions = _software_versions(context) if algorithm is None else plain(algorithm.version, limit=64)
    item.DeviceUID = uid
    if algorithm is not None and algorithm.parameters:
        item.ContributionDescription = plain("; ".join(algorithm.parameters), limit=1024)
    return item


def _software_versions(context: WriteContext) -> list[str]:
    return [
        plain(f"{MODEL_NAME} {context.software_version}", limit=64),
        plain(f"{context.pipeline_name} {context.pipeline_version}", limit=64),
    ]


def _date_and_time(dataset: Dataset, context: WriteContext) -> tuple[str, str]:
    local = context.created_utc.astimezone(_zone(str(dataset.get("TimezoneOffsetFromUTC") or "")))
    return local.strftime("%Y%m%d"), local.strftime("%H%M%S")


def _zone(offset: str) -> timezone:
    """Timezone Offset From UTC (0008,0201), `&ZZXX`, as a time zone; UTC where it is empty or not of this form."""
    try:
        parsed = datetime.strptime(offset, "%z").utcoffset()
    except ValueError:
        parsed = None
    return timezone(parsed or timedelta(0))


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta
