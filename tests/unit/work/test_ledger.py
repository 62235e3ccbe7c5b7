"""What the reports say of lesions stands in the ledger from their release on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pytest

from bmnode.domain.ids import derive_uid
from bmnode.domain.ledger import LedgerEntry, LedgerPatient
from bmnode.domain.objects import ResultKind
from bmnode.domain.records import ResultRecord
from bmnode.domain.results import Outcome, ResultSet
from bmnode.errors import ResultError
from bmnode.priors.identity import patient_digest
from bmnode.results.context import ResultObject
from bmnode.results.write import write_results
from bmnode.storage import Database, Instances, Ledger, Results
from bmnode.work.engine import FlowName
from bmnode.work.ledger import REPORT_CLASS, ledger_entry_of, read_ledger_entry
from bmnode.work.ledger_rebuild import LedgerRebuild
from bmnode.work.ledger_sources import OwnReports
from bmnode.work.requests import study_request
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT
from tests.unit.work.conftest import STUDY, Node

PATIENT_ID = "Q-77"


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A result on disk."""

    result_set: ResultSet
    objects: tuple[ResultObject, ...]

    def path(self, kind: ResultKind) -> Path:
        """The first object of a kind."""
        return next(item.path for item in self.objects if item.kind is kind)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    """A CT with lesions, of which one came from another; a bone scan; a refused one."""
    folder = tmp_path_factory.mktemp("ledger")
    ct, scan = sources.classic_slices(folder / "ct", sources.CT, "CT"), sources.planar_bone_scan(folder / "scan")
    for path in ct.files:
        image = pydicom.dcmread(path)
        image.PatientID, image.IssuerOfPatientID = PATIENT_ID, "HOSPITAL"
        image.save_as(path)
    made = {
        "ct": (ct, result_sets.volumetric(ct)),
        "planar": (scan, result_sets.planar_segmented(scan)),
        "refused": (scan, result_sets.refused(scan)),
    }
    return {
        name: Written(
            result_set=result_set,
            objects=write_results(
                result_set,
                source_files=series.files,
                out_dir=folder / name / "out",
                context=replace(CONTEXT, job_digest=name),
            ),
        )
        for name, (series, result_set) in made.items()
    }


@pytest.mark.parametrize("name", ["ct", "planar", "refused"])
def test_a_report_is_taken_in_whole(name: str, written: dict[str, Written]) -> None:
    """Every finding with its UIDs, place, links, numbers and answers, and those of the whole study."""
    case = written[name]
    entry, result_set = read_ledger_entry(case.path(ResultKind.SR)), case.result_set
    assert (entry.study_uid, entry.outcome, entry.branch) == (
        result_set.study_uid,
        result_set.outcome,
        result_set.branch or "",
    )
    assert (str(entry.studied_on), entry.pipeline) == ("2025-03-04", "bone_metastasis 1.0")
    assert (entry.measurements, entry.evaluations) == (result_set.measurements, result_set.evaluations)
    for seen, finding in zip(entry.observations, result_set.findings, strict=True):
        for field in ("tracking_id", "tracking_uid", "finding_type", "site", "laterality", "came_from"):
            assert getattr(seen, field) == getattr(finding, field)
        assert (seen.measurements, seen.evaluations) == (finding.measurements, finding.evaluations)


def test_a_lesion_is_found_in_its_segmentation(written: dict[str, Written]) -> None:
    """Instance, series and number of the segment are those of the SEG; a planar outline has none."""
    seg = pydicom.dcmread(written["ct"].path(ResultKind.SEG))
    tracked = {item.TrackingUID: item.SegmentNumber for item in seg.SegmentSequence if "TrackingUID" in item}
    for seen in read_ledger_entry(written["ct"].path(ResultKind.SR)).observations:
        assert seen.segment is not None
        assert (seen.segment.sop_instance_uid, seen.segment.series_uid) == (seg.SOPInstanceUID, seg.SeriesInstanceUID)
        assert seen.segment.number == tracked[seen.tracking_uid]
    planar = read_ledger_entry(written["planar"].path(ResultKind.SR))
    assert {item.segment for item in planar.observations} == {None}


def test_the_patient_is_a_digest(written: dict[str, Written]) -> None:
    """ID and issuer are told apart from others by what the report states; neither is in what is shown of an entry."""
    entry = read_ledger_entry(written["ct"].path(ResultKind.SR))
    assert entry.patient == LedgerPatient(digest=patient_digest(PATIENT_ID), issuer="HOSPITAL")
    assert PATIENT_ID not in repr(entry)
    assert entry.patient.digest not in repr(entry)


def test_what_is_no_root_report_is_no_entry(written: dict[str, Written]) -> None:
    """Outlines, segmentations and others' reports say nothing to the ledger."""
    case = written["ct"]
    for kind in (ResultKind.ROI_SR, ResultKind.SEG):
        assert ledger_entry_of(pydicom.dcmread(case.path(kind))) is None
        with pytest.raises(ResultError, match="no root report"):
            read_ledger_entry(case.path(kind))
    foreign = pydicom.dcmread(case.path(ResultKind.SR))
    foreign.Manufacturer = "Others"
    assert ledger_entry_of(foreign) is None


def _without_evidence(report: pydicom.Dataset) -> None:
    del report.CurrentRequestedProcedureEvidenceSequence


def _without_template(report: pydicom.Dataset) -> None:
    report.ContentTemplateSequence = []


@pytest.mark.parametrize("damage", [_without_evidence, _without_template])
def test_a_damaged_report_is_told_without_the_patient(
    damage: Callable[[pydicom.Dataset], None], written: dict[str, Written]
) -> None:
    """It is an error, and no entry with holes."""
    report = pydicom.dcmread(written["ct"].path(ResultKind.SR))
    damage(report)
    with pytest.raises(ResultError) as refused:
        ledger_entry_of(report)
    assert PATIENT_ID not in str(refused.value)


# --- at release ------------------------------------------------------------------------


def _entry(path: Path) -> LedgerEntry:
    """Of one of the fake runner's texts, which names what it takes the place of."""
    lines = path.read_text().splitlines()
    return LedgerEntry(
        report_uid=derive_uid(str(path)),
        study_uid=STUDY,
        patient=LedgerPatient(digest="d"),
        studied_on=None,
        branch="ct",
        pipeline=lines[0],
        outcome=Outcome.ASSESSED,
    )


def _node(folder: Path, read_entry: Callable[[Path], LedgerEntry]) -> Node:
    database = Database(f"sqlite:///{folder / 'node.sqlite'}")
    database.migrate()
    return Node(folder=folder, database=database, read_entry=read_entry)


def test_a_released_result_is_in_the_ledger(tmp_path: Path) -> None:
    """With the success of the job; the report is read once, in its first encoding alone."""
    read: list[Path] = []

    def remember(path: Path) -> LedgerEntry:
        read.append(path)
        return _entry(path)

    node = _node(tmp_path, remember)
    job = node.queued_job()
    node.do(node.next(FlowName.RUN))
    with node.database.read() as connection:
        (entry,) = Ledger(connection).of_study(STUDY)
        (result,) = [item for item in Results(connection).of_job(job.job_id) if item.kind == "sr"]
    assert entry.pipeline.startswith("assessed")
    assert read == [tmp_path / "results" / result.path]


def test_a_cancelled_job_leaves_nothing_in_the_ledger(tmp_path: Path) -> None:
    """Results that are not released are not known: the rows appear together or not at all."""

    def stop(path: Path) -> LedgerEntry:
        with node.database.write() as connection:
            connection.exec_driver_sql("UPDATE jobs SET state = 'cancelled'")
        return _entry(path)

    node = _node(tmp_path, stop)
    node.queued_job()
    node.do(node.next(FlowName.RUN))
    with node.database.read() as connection:
        assert list(Ledger(connection).current()) == []


def test_a_report_that_cannot_be_read_keeps_no_result_back(tmp_path: Path) -> None:
    """The job succeeds and delivers; that the ledger lacks it stands in the audit trail."""

    def fail(path: Path) -> LedgerEntry:
        raise ResultError(f"{path.name} is damaged")

    node = _node(tmp_path, fail)
    node.queued_job()
    node.do(node.next(FlowName.RUN))
    assert node.job().outcome == "assessed"
    assert len(node.deliveries()) == 1
    assert node.audited()[-2:] == ["ledger_not_written", "job_succeeded"]
    with node.database.read() as connection:
        assert list(Ledger(connection).current()) == []


def test_the_next_revision_is_another_entry(tmp_path: Path) -> None:
    """Each revision's report is put in when it is released."""
    node = _node(tmp_path, _entry)
    node.queued_job()
    node.do(node.next(FlowName.RUN))
    node.do(study_request(node.receive(2)))
    node.do(node.next(FlowName.RUN))
    with node.database.read() as connection:
        assert len(Ledger(connection).current()) == 2


# --- the node's own store --------------------------------------------------------------


def test_own_reports_are_those_released_and_those_received(tmp_path: Path, written: dict[str, Written]) -> None:
    """A report that this node made is found by its row, one that came with an earlier study by its file."""
    node = _node(tmp_path, _entry)
    job = node.queued_job()
    made, received = written["ct"].objects[0], written["planar"].objects[0]
    (tmp_path / "results" / "j" / "attempt-1").mkdir(parents=True)
    path = shutil.copy(made.path, tmp_path / "results" / "j" / "attempt-1" / "sr.dcm")
    report = pydicom.dcmread(received.path)
    record = ResultRecord(
        sop_instance_uid=made.sop_instance_uid,
        sop_class_uid=made.sop_class_uid,
        series_uid=made.series_instance_uid,
        job_id=job.job_id,
        kind="sr",
        path="j/attempt-1/sr.dcm",
        sha256="",
        created_at=node.clock.now(),
    )
    other = replace(record, sop_instance_uid="1.5.6", path="j/attempt-1/labelmap/sr.dcm")
    with node.database.write() as connection:
        Results(connection).replace(job.job_id, [record, other])
        (image,) = Instances(connection).of_study(STUDY)
        uid = str(report.SOPInstanceUID)
        Instances(connection).add(replace(image, sop_instance_uid=uid, sop_class_uid=REPORT_CLASS))
    source = OwnReports(database=node.database, locate=lambda _: received.path, results_dir=tmp_path / "results")
    done = LedgerRebuild(database=node.database, clock=node.clock, actor="test").run(source, lambda _: None)
    assert (done.studies, done.added, done.failures) == (1, 2, ())
    with node.database.read() as connection:
        found = {item.report_uid for item in Ledger(connection).current()}
    assert found == {made.sop_instance_uid, received.sop_instance_uid}
    Path(path).unlink()
    assert LedgerRebuild(database=node.database, clock=node.clock, actor="test").run(source, lambda _: None).known == 2
