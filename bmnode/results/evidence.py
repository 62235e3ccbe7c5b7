"""What a report is evidence of: the instances that it read or made (PS3.3 C.17.2.1).

`highdicom.sr.utils.collect_evidence` writes the same items; it makes every content item of the report anew, twice, to
find what it refers to, which for a whole-body study takes as long as making the report.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from pydicom.dataset import Dataset

from bmnode.errors import ResultError
from bmnode.results.sources import SourceInstance
from bmnode.results.walk import references


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One instance of the report's own study."""

    sop_class_uid: str
    sop_instance_uid: str
    series_uid: str

    def __post_init__(self) -> None:
        if not (self.sop_class_uid and self.sop_instance_uid and self.series_uid):
            raise ValueError("evidence names its class, its instance and its series")

    @classmethod
    def from_source(cls, instance: SourceInstance) -> Self:
        """An image that was read."""
        return cls(
            sop_class_uid=instance.sop_class_uid,
            sop_instance_uid=instance.sop_instance_uid,
            series_uid=instance.series_uid,
        )

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> Self:
        """An object that was made."""
        return cls(
            sop_class_uid=str(dataset.SOPClassUID),
            sop_instance_uid=str(dataset.SOPInstanceUID),
            series_uid=str(dataset.SeriesInstanceUID),
        )


def evidence_of(content: Dataset, evidence: Iterable[Evidence], *, study_uid: str) -> Dataset:
    """The item of Current Requested Procedure Evidence Sequence: each instance once, by series, in the order given.

    Raises ResultError where the content refers to an instance that is not among them.
    """
    once = {item.sop_instance_uid: item for item in evidence}
    missing = {uid for uid, _ in references(content)} - set(once)
    if missing:
        raise ResultError(f"the report refers to {min(missing)}, which is not among its evidence")
    by_series: dict[str, list[Dataset]] = {}
    for item in once.values():
        by_series.setdefault(item.series_uid, []).append(_reference(item))
    study = Dataset()
    study.StudyInstanceUID = study_uid
    study.ReferencedSeriesSequence = [_series(uid, members) for uid, members in by_series.items()]
    return study


def _reference(item: Evidence) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = item.sop_class_uid
    reference.ReferencedSOPInstanceUID = item.sop_instance_uid
    return reference


def _series(uid: str, members: list[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = uid
    series.ReferencedSOPSequence = members
    return series
