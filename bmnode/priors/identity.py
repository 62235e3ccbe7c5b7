"""Who and when a study is of, from one of its headers or from an archive's answer."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone, tzinfo

from pydicom.dataset import Dataset
from pydicom.valuerep import DA, TM

from bmnode.domain.ids import digest
from bmnode.priors.examination import PatientKey
from bmnode.selection.attributes import text

_OFFSET_LIMIT_H = 14


def patient_digest(patient_id: str) -> str:
    """What stands for a Patient ID in the database: equal IDs have equal digests; the issuer is compared afterwards."""
    return digest(("patient", patient_id.strip()))


def patient_of(header: Dataset, *, default_issuer: str | None) -> PatientKey | None:
    """Whose it is; None without a Patient ID. `default_issuer` is that of the site, for studies that state none."""
    patient_id = _stated(header, "PatientID")
    if patient_id is None:
        return None
    issuer = _stated(header, "IssuerOfPatientID") or default_issuer
    return PatientKey(patient_id=patient_id, issuer=issuer, birth_date=_day(header, "PatientBirthDate"))


def performed_at(header: Dataset, *, zone: tzinfo) -> datetime | None:
    """Study Date and Time in the zone that is stated (0008,0201), else in the site's; None without a date.

    A study without a time counts from the start of its day.
    """
    day = _day(header, "StudyDate")
    if day is None:
        return None
    try:
        at = TM(str(header.get("StudyTime") or "000000"))
    except ValueError:
        at = None
    time = at.replace(tzinfo=None) if at is not None else datetime.min.time()
    return datetime.combine(day, time, tzinfo=_offset(text(header, "TimezoneOffsetFromUTC")) or zone)


def _stated(header: Dataset, keyword: str) -> str | None:
    """As written but for the spaces around it: Patient IDs are compared by letter and case."""
    value = str(header.get(keyword) or "").strip(" \0")
    return value or None


def _day(header: Dataset, keyword: str) -> date | None:
    try:
        found = DA(str(header.get(keyword) or ""))
    except ValueError:
        return None
    return None if found is None else date(found.year, found.month, found.day)


def _offset(stated: str | None) -> timezone | None:
    """`&ZZXX`, e.g. +0100 (PS3.3 C.12.1.1.8); None where it is not one."""
    if stated is None or len(stated) != 5 or stated[0] not in "+-" or not stated[1:].isdigit():
        return None
    hours, minutes = int(stated[1:3]), int(stated[3:])
    if hours > _OFFSET_LIMIT_H or minutes > 59:
        return None
    sign = -1 if stated[0] == "-" else 1
    return timezone(sign * timedelta(hours=hours, minutes=minutes))
