"""Revisions: the same input gives the same objects, another input a report that names the one before it."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from highdicom.sr import srread

from bmnode.domain.objects import OutputOptions, PredecessorDocument, ResultKind
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.context import ResultObject, WriteContext
from bmnode.results.reading import read_report
from bmnode.results.sources import SourceStudy
from bmnode.results.verify import verify_object
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

DATED = {
    "InstanceCreationDate",
    "InstanceCreationTime",
    "SeriesDate",
    "SeriesTime",
    "ContentDate",
    "ContentTime",
    "ContributionDateTime",
    "DateOfSecondaryCapture",
    "TimeOfSecondaryCapture",
}
EVERYTHING = dataclasses.replace(CONTEXT, output=OutputOptions(pictures=True, document=True))


def as_predecessors(objects: tuple[ResultObject, ...]) -> tuple[PredecessorDocument, ...]:
    """The reports among written objects, as the next run is told of them."""
    return tuple(
        PredecessorDocument(
            kind=item.kind,
            sop_class_uid=item.sop_class_uid,
            sop_instance_uid=item.sop_instance_uid,
            series_uid=item.series_instance_uid,
        )
        for item in objects
        if item.kind in (ResultKind.SR, ResultKind.ROI_SR)
    )


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> sources.SourceSeries:
    """A planar scan, whose result has every kind of object."""
    return sources.planar_bone_scan(tmp_path_factory.mktemp("scan"))


def write(scan: sources.SourceSeries, folder: Path, context: WriteContext) -> tuple[ResultObject, ...]:
    """Write the scan's result in a context."""
    result_set: ResultSet = result_sets.planar_segmented(scan)
    return write_results(result_set, source_files=scan.files, out_dir=folder, context=context)


def test_a_repeated_run_differs_in_its_dates_alone(scan: sources.SourceSeries, tmp_path: Path) -> None:
    """Of every kind of object that a planar scan becomes: put the first run's dates in and the bytes are the same."""
    later = dataclasses.replace(EVERYTHING, created_at=CONTEXT.created_at + timedelta(days=40, hours=1, seconds=3))
    first, second = write(scan, tmp_path / "a", EVERYTHING), write(scan, tmp_path / "b", later)
    assert {item.kind for item in first} == set(ResultKind) - {ResultKind.REG}
    for one, other in zip(first, second, strict=True):
        assert one.sha256 != other.sha256
        original, dataset = pydicom.dcmread(one.path), pydicom.dcmread(other.path)
        _copy_dates(original, dataset)
        dataset.save_as(other.path)
        assert other.path.read_bytes() == one.path.read_bytes(), one.kind


def _copy_dates(original: pydicom.Dataset, dataset: pydicom.Dataset) -> None:
    for element in dataset:
        if element.keyword == "EncapsulatedDocument":
            (date,) = set(re.findall(rb"D:[0-9]{14}Z", original[element.tag].value))
            element.value = re.sub(rb"D:[0-9]{14}Z", date, element.value)
        elif element.keyword in DATED:
            element.value = original[element.keyword].value
        elif element.VR == "SQ":
            for one, other in zip(original[element.tag].value, element.value, strict=True):
                _copy_dates(one, other)


def test_a_changed_input_names_the_report_before(scan: sources.SourceSeries, tmp_path: Path) -> None:
    """The new root report names the old root report, the new outlines the old outlines; both UIDs are new."""
    first = write(scan, tmp_path / "a", CONTEXT)
    changed = dataclasses.replace(CONTEXT, job_digest="with one more image", predecessors=as_predecessors(first))
    second = {item.kind: item for item in write(scan, tmp_path / "b", changed)}
    for before in first:
        if before.kind is ResultKind.SEG:
            continue
        after = second[before.kind]
        assert after.sop_instance_uid != before.sop_instance_uid
        assert read_report(after.path).predecessor_uids == (before.sop_instance_uid,)
        (study,) = srread(after.path).PredecessorDocumentsSequence
        assert study.StudyInstanceUID == scan.study_uid
        assert study.ReferencedSeriesSequence[0].SeriesInstanceUID == before.series_instance_uid
    assert read_report(first[0].path).predecessor_uids == ()


def test_a_repeated_run_does_not_name_itself(scan: sources.SourceSeries, tmp_path: Path) -> None:
    """A run that finds its own report already there writes the same bytes again."""
    first = write(scan, tmp_path / "a", CONTEXT)
    again = dataclasses.replace(CONTEXT, predecessors=as_predecessors(first))
    assert [item.sha256 for item in write(scan, tmp_path / "b", again)] == [item.sha256 for item in first]


def test_a_report_that_names_another_predecessor_is_not_released(scan: sources.SourceSeries, tmp_path: Path) -> None:
    """A predecessor lost, or one too many, is found."""
    before = as_predecessors(write(scan, tmp_path / "a", CONTEXT))
    changed = dataclasses.replace(CONTEXT, job_digest="changed", predecessors=before)
    objects = write(scan, tmp_path / "b", changed)
    source = SourceStudy.from_files(scan.files, study_uid=scan.study_uid)
    siblings = {item.sop_instance_uid: item.path for item in objects}
    result_set = result_sets.planar_segmented(scan)
    check = {"result_set": result_set, "source": source, "siblings": siblings}
    verify_object(objects[0].path, **check, predecessors=before)  # type: ignore[arg-type]  # a mixed mapping
    with pytest.raises(ResultError, match="references: PredecessorDocumentsSequence refers to"):
        verify_object(objects[0].path, **check)  # type: ignore[arg-type]  # as above
    dataset = pydicom.dcmread(objects[0].path)
    del dataset.PredecessorDocumentsSequence
    dataset.save_as(objects[0].path)
    with pytest.raises(ResultError, match="does not name its predecessors"):
        verify_object(objects[0].path, **check, predecessors=before)  # type: ignore[arg-type]  # as above
