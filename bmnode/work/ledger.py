"""A root report as an entry of the lesion ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydicom.dataset import Dataset

from bmnode import MANUFACTURER
from bmnode.domain.codes import Finding
from bmnode.domain.ledger import LedgerEntry, LedgerPatient, Observation, SegmentPlace
from bmnode.domain.results import Outcome
from bmnode.errors import ResultError
from bmnode.priors.identity import patient_digest, patient_of
from bmnode.results.concepts import COMPREHENSIVE_3D_SR, Title
from bmnode.results.content_tree import LONG, is_same_concept, name_of
from bmnode.results.damage import DAMAGED, explain
from bmnode.results.read_back import RESULT_CLASSES
from bmnode.results.reading import ReportedFinding, parse_report, read_object
from bmnode.results.report_context import ReportContext

REPORT_CLASS = COMPREHENSIVE_3D_SR
"""SOP Class of every report of bmnode."""


def read_ledger_entry(path: Path) -> LedgerEntry:
    """What a root report says. Raises ResultError where the file is none, or damaged."""
    entry = ledger_entry_of(read_object(path))
    if entry is None:
        raise ResultError(f"{path.name} is no root report of bmnode")
    return entry


def ledger_entry_of(dataset: Dataset) -> LedgerEntry | None:
    """What a root report of bmnode says; None of any other object.

    Raises ResultError where it is damaged. No message names the patient.
    """
    try:
        is_ours = dataset.get("Manufacturer") == MANUFACTURER and dataset.get("SOPClassUID") == REPORT_CLASS
        if not is_ours or not is_same_concept(name_of(dataset), Title.ONCOLOGY):
            return None
        context = ReportContext.from_dataset(dataset, own_classes=RESULT_CLASSES)
        series = _series_of_evidence(dataset)
    except DAMAGED as error:
        raise ResultError(f"the SR cannot be understood: {explain(error)}") from None
    report = parse_report(dataset)
    try:
        return LedgerEntry(
            report_uid=report.sop_instance_uid,
            study_uid=str(dataset.StudyInstanceUID),
            patient=_patient(dataset),
            studied_on=context.studied_on,
            branch="" if context.branch is None else context.branch.value,
            pipeline=context.pipeline,
            outcome=report.outcome or Outcome.ASSESSED,
            synthetic=report.synthetic,
            predecessor_uids=report.predecessor_uids,
            observations=tuple(_observation(item, series) for item in report.findings),
            measurements=report.measurements,
            evaluations=report.evaluations,
        )
    except (AttributeError, KeyError, ValueError) as error:
        raise ResultError(f"the SR cannot be understood: {explain(error)}") from None


def _patient(dataset: Dataset) -> LedgerPatient:
    found = patient_of(dataset, default_issuer=None)
    if found is None:
        return LedgerPatient(digest="")
    return LedgerPatient(digest=patient_digest(found.patient_id), issuer=(found.issuer or "")[:LONG])


def _observation(finding: ReportedFinding, series: Mapping[str, str]) -> Observation:
    """Raises KeyError where the finding's segmentation is not among the report's evidence."""
    link = finding.segment
    segment = None
    if link is not None:
        uid = link.sop_instance_uid
        segment = SegmentPlace(sop_instance_uid=uid, series_uid=series[uid], number=link.segment_number)
    return Observation(
        tracking_id=finding.tracking_id,
        tracking_uid=finding.tracking_uid,
        finding_type=finding.finding_type or Finding.LESION,
        site=finding.site,
        laterality=finding.laterality,
        segment=segment,
        came_from=finding.came_from,
        measurements=finding.measurements,
        evaluations=finding.evaluations,
    )


def _series_of_evidence(dataset: Dataset) -> dict[str, str]:
    """Series Instance UID of every instance that the report is evidence of."""
    return {
        str(item.ReferencedSOPInstanceUID): str(series.SeriesInstanceUID)
        for study in dataset.get("CurrentRequestedProcedureEvidenceSequence") or ()
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
