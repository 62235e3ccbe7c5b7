"""The lesions of patients over time: what a report says of each, as the ledger keeps it.

Everything here stands in the report itself, so that the ledger can be made again from an archive.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from bmnode.domain.codes import Code
from bmnode.domain.follow_up_codes import FollowUp
from bmnode.domain.results import Evaluation, Measurement, Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerPatient:
    """Whose lesions they are: a digest of the Patient ID, and who gave it. Neither reaches a log or an exception.

    Args:
        digest: what stands for the Patient ID in the database; empty for a report that names no patient.
        issuer: Issuer of Patient ID (0010,0021) as the report states it; empty where it states none.
    """

    digest: str = field(repr=False)
    issuer: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentPlace:
    """Where a lesion is drawn: the segmentation's instance and series, and the segment's number from 1."""

    sop_instance_uid: str
    series_uid: str
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """One lesion at one time. Its Tracking UID is the lesion's for ever.

    Args:
        segment: None where it is not segmented, or no longer found.
        came_from: Tracking UIDs of the other lesions that it split from, or that merged into it.
    """

    tracking_id: str
    tracking_uid: str
    finding_type: Code
    site: Code | None = None
    laterality: Code | None = None
    segment: SegmentPlace | None = None
    came_from: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()

    @property
    def event(self) -> Code | None:
        """What became of it since the scan that it was compared with, a value of `Event`; None where it was not."""
        return next((item.value for item in self.evaluations if item.concept == FollowUp.EVENT), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry:
    """One root report: a time point of a patient. Raises ValueError where two observations share a Tracking UID.

    Args:
        report_uid: SOP Instance UID of the report.
        studied_on: Study Date; None where it is not stated.
        branch, pipeline: as the report has them, pipeline with its version; empty where it does not say.
        predecessor_uids: of the reports that it takes the place of.
        synthetic: its images were simulated.
        measurements, evaluations: of the whole study.
    """

    report_uid: str
    study_uid: str
    patient: LedgerPatient
    studied_on: date | None
    branch: str
    pipeline: str
    outcome: Outcome
    synthetic: bool = False
    predecessor_uids: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()

    def __post_init__(self) -> None:
        seen = [item.tracking_uid for item in self.observations]
        if len(seen) != len(set(seen)):
            raise ValueError("two observations of a report share a Tracking UID")


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionHistory:
    """One lesion over time: what each entry says of it, the first first."""

    tracking_uid: str
    course: tuple[tuple[LedgerEntry, Observation], ...]

    @property
    def last(self) -> Observation:
        """What was said of it last."""
        return self.course[-1][1]


def in_order(entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """By day; what has none last, what is of one day by its UIDs."""
    return tuple(sorted(entries, key=lambda item: (item.studied_on or date.max, item.study_uid, item.report_uid)))


def histories(entries: Iterable[LedgerEntry]) -> tuple[LesionHistory, ...]:
    """The lesions of one patient's entries, in the order in which they were first seen."""
    courses: dict[str, list[tuple[LedgerEntry, Observation]]] = {}
    for entry in in_order(entries):
        for item in entry.observations:
            courses.setdefault(item.tracking_uid, []).append((entry, item))
    return tuple(LesionHistory(tracking_uid=uid, course=tuple(course)) for uid, course in courses.items())


def became(lesion: LesionHistory, entries: Iterable[LedgerEntry]) -> tuple[str, ...]:
    """Tracking UIDs of the lesions that came from this one: its parts, and what it merged into."""
    found = (
        item.tracking_uid for entry in entries for item in entry.observations if lesion.tracking_uid in item.came_from
    )
    return tuple(dict.fromkeys(found))
