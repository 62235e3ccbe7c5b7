"""An examination as its own files describe it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from bmnode import MANUFACTURER, MODEL_NAME
from bmnode.domain.study import Branch, StudyHeaders
from bmnode.priors.examination import Examination
from bmnode.priors.identity import patient_digest, patient_of, performed_at
from bmnode.selection.attributes import text
from bmnode.selection.classify import classify
from bmnode.selection.headers import read_study

_KEYWORDS = [
    "SpecificCharacterSet", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "StudyDate", "StudyTime",
    "TimezoneOffsetFromUTC", "StudyInstanceUID", "Manufacturer", "ManufacturerModelName",
]  # fmt: skip
_NO_IMAGES = frozenset({"SR", "SEG", "REG", "PR", "KO", "DOC"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What holds where a study does not say: the issuer of Patient IDs and the zone of times."""

    zone: tzinfo
    issuer: str | None = None


def read_examination(
    files: Sequence[Path], *, study_uid: str, site: Site, branch: Branch | None = None
) -> Examination | None:
    """The examination by some of its files, one a series will do; None where they name no patient.

    `branch` is what is known of it otherwise.
    """
    header = _header(files, study_uid=study_uid)
    patient = None if header is None else patient_of(header, default_issuer=site.issuer)
    if header is None or patient is None:
        return None
    headers = read_study(files, study_uid=study_uid).headers
    return Examination(
        study_uid=study_uid,
        patient=patient,
        performed_at=performed_at(header, zone=site.zone),
        branch=branch,
        tracer=_tracer(headers),
        body_parts=frozenset(item.body_part.upper() for item in headers.series if item.body_part),
        modalities=frozenset(item.modality for item in headers.series) - _NO_IMAGES,
    )


def read_whole(files: Sequence[Path], *, study_uid: str, site: Site) -> tuple[Examination | None, str | None]:
    """The examination by all of its files, with the branch that it takes; or with why it takes none."""
    classification = classify(read_study(files, study_uid=study_uid).headers)
    refusal = classification.refusal
    found = read_examination(files, study_uid=study_uid, site=site, branch=classification.branch)
    return found, None if refusal is None else refusal.reason.value


def digest_of_patient(files: Iterable[Path], *, study_uid: str) -> str | None:
    """What stands for the patient of a study in the database; None where no file names one."""
    header = _header(files, study_uid=study_uid)
    patient = None if header is None else patient_of(header, default_issuer=None)
    return None if patient is None else patient_digest(patient.patient_id)


def is_own_result(path: Path) -> bool:
    """Whether bmnode wrote it."""
    header = _read(path)
    if header is None:
        return False
    maker = (text(header, "Manufacturer"), text(header, "ManufacturerModelName"))
    return maker == (MANUFACTURER.upper(), MODEL_NAME.upper())


def _tracer(headers: StudyHeaders) -> str | None:
    """Of its nuclear series; None where they name none or several."""
    named = {item.tracer for item in headers.series if item.modality in {"NM", "PT"} and item.tracer}
    return next(iter(named)) if len(named) == 1 else None


def _header(files: Iterable[Path], *, study_uid: str) -> Dataset | None:
    """The first file of the study that can be read."""
    readable = (_read(path) for path in sorted(files))
    return next((item for item in readable if item is not None and item.get("StudyInstanceUID") == study_uid), None)


def _read(path: Path) -> Dataset | None:
    try:
        return dcmread(path, stop_before_pixels=True, specific_tags=_KEYWORDS)
    except (InvalidDicomError, OSError, EOFError, ValueError, TypeError, AttributeError, KeyError):
        return None
