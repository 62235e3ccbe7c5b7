"""Which of the reports and segmentations of a study are edits of a result of bmnode.

An archive holds other reports too: of the dose, of other software, of earlier runs. Not an edit is whatever bmnode
wrote itself, a report that is no TID 1500, and what has no tie to the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from bmnode import MANUFACTURER
from bmnode.domain.earlier import EarlierResult
from bmnode.results.concepts import PERSON, Item
from bmnode.results.content_tree import children, coded_value, is_same_concept
from bmnode.results.reading import predecessor_uids

_BY_HAND = frozenset({"MANUAL", "SEMIAUTOMATIC"})
"""Segment Algorithm Type (PS3.3 C.8.20.4)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Edits:
    """The reports and segmentations that others made of a result."""

    reports: tuple[Dataset, ...]
    segmentations: tuple[Dataset, ...]

    def __bool__(self) -> bool:
        return bool(self.reports or self.segmentations)


def find_edits(reports: Sequence[Dataset], segmentations: Sequence[Dataset], *, earlier: EarlierResult) -> Edits:
    """A report is an edit where a person stands for it, it names one of ours, directly or through others, as its
    predecessor, or it has a Tracking UID of ours; a segmentation where such a report refers to it, it has a Tracking
    UID of ours, or any of its segments was drawn by hand."""
    uids = frozenset(item.tracking_uid for item in earlier.result_set.findings)
    foreign = [item for item in reports if item.get("Manufacturer") != MANUFACTURER and _is_measurement_report(item)]
    after = _successors(foreign, earlier.object_uids)
    kept = tuple(
        item
        for item in foreign
        if is_by_a_person(item) or str(item.SOPInstanceUID) in after or not uids.isdisjoint(_tracked_in_report(item))
    )
    referred = {uid for item in kept for uid in _evidence(item)}
    return Edits(
        reports=kept,
        segmentations=tuple(
            item
            for item in segmentations
            if item.get("Manufacturer") != MANUFACTURER
            and (str(item.SOPInstanceUID) in referred or _is_by_hand(item) or not uids.isdisjoint(_tracked(item)))
        ),
    )


def is_by_a_person(report: Dataset) -> bool:
    """A person stands for the report: it is verified (PS3.3 C.17.2), or a person observed (TID 1001)."""
    observer = coded_value(report, Item.OBSERVER_TYPE)
    return report.get("VerificationFlag") == "VERIFIED" or is_same_concept(observer, PERSON)


def _is_measurement_report(report: Dataset) -> bool:
    return any(item.get("TemplateIdentifier") == "1500" for item in report.get("ContentTemplateSequence") or ())


def _successors(reports: Sequence[Dataset], first: Iterable[str]) -> frozenset[str]:
    """The reports that name one of the first as predecessor, or another report that does."""
    chain = set(first)
    while True:
        more = {str(item.SOPInstanceUID) for item in reports if not chain.isdisjoint(predecessor_uids(item))} - chain
        if not more:
            return frozenset(chain)
        chain |= more


def _tracked_in_report(report: Dataset) -> set[str]:
    return {
        str(item.UID)
        for container in children(report, Item.IMAGING_MEASUREMENTS)
        for group in children(container, Item.MEASUREMENT_GROUP)
        for item in children(group, Item.TRACKING_UID)
    }


def _tracked(segmentation: Dataset) -> set[str]:
    return {str(item.get("TrackingUID") or "") for item in segmentation.get("SegmentSequence") or ()}


def _is_by_hand(segmentation: Dataset) -> bool:
    return any(item.get("SegmentAlgorithmType") in _BY_HAND for item in segmentation.get("SegmentSequence") or ())


def _evidence(report: Dataset) -> set[str]:
    return {
        str(item.ReferencedSOPInstanceUID)
        for study in report.get("CurrentRequestedProcedureEvidenceSequence") or ()
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
