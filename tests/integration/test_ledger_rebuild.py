"""From an empty database and a full archive comes the ledger that there was: the reports alone hold all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import UID

from bmnode.archive import ArchiveLimits, WebCaller
from bmnode.archive.association import Caller
from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.dicomweb import WebSessions
from bmnode.domain.follow_up_codes import Event, FollowUp
from bmnode.domain.ids import derive_uid
from bmnode.domain.ledger import LedgerEntry, histories
from bmnode.domain.objects import ResultKind
from bmnode.domain.peers import Peer
from bmnode.domain.results import Evaluation, ResultSet
from bmnode.errors import PeerUnreachableError
from bmnode.results.context import ResultObject
from bmnode.results.write import write_results
from bmnode.storage import AuditTrail, Database, Ledger
from bmnode.testing.archive import ArchiveFaults, EmbeddedArchive
from bmnode.testing.orthanc import OrthancPeer
from bmnode.testing.ports import LOOPBACK, free_ports
from bmnode.work.ledger import read_ledger_entry
from bmnode.work.ledger_rebuild import LedgerRebuild, Rebuilt
from bmnode.work.ledger_sources import ArchiveReports
from tests.support.objects import StudyMaker
from tests.support.viewer_site import dicom_web_settings
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT
from tests.unit.results.test_revision import as_predecessors

CLOCK = SystemClock()
CALLER = Caller(ae_title="BMNODE", clock=CLOCK, limits=ArchiveLimits(answer_s=20.0, total_s=60.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """A patient's CT of two years, of which the second was assessed twice, and what the ledger had of it.

    `files` are all of them, images included, in the order in which they came.
    """

    files: tuple[Path, ...]
    entries: tuple[LedgerEntry, ...]
    damaged: Path
    """A report that holds no patient's study any more."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Written as the node writes it."""
    folder = tmp_path_factory.mktemp("history")
    then, now = _scan(folder / "then", "then", "20240304"), _scan(folder / "now", "now", "20250304")
    first = _write(then, result_sets.volumetric(then), job="then")
    soon = _write(now, _followed(result_sets.volumetric(now), Event.NEW), job="soon")
    late = _write(now, _followed(result_sets.volumetric(now), Event.MERGED), job="late", before=soon)
    entries = [read_ledger_entry(_root(objects)) for objects in (first, soon, late)]
    foreign = StudyMaker(directory=folder / "foreign", seed="foreign").sr()
    made = [item.path for objects in (first, soon, late) for item in objects]
    return History(
        files=(*then.files, *now.files, foreign, *made),
        entries=tuple(entries),
        damaged=_damaged(_root(first), folder / "damaged.dcm"),
    )


def _scan(folder: Path, tag: str, day: str) -> sources.SourceSeries:
    series = sources.classic_slices(folder, sources.CT, "CT")
    uids = {name: derive_uid("ledger", tag, name) for name in ("study", "series")}
    files, instances = [], []
    for number, path in enumerate(series.files):
        image = pydicom.dcmread(path)
        image.StudyInstanceUID, image.SeriesInstanceUID = uids["study"], uids["series"]
        image.SOPInstanceUID = UID(derive_uid("ledger", tag, str(number)))
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.StudyDate, image.IssuerOfPatientID = day, "HOSPITAL"
        image.save_as(path)
        files.append(path)
        instances.append(str(image.SOPInstanceUID))
    return replace(
        series, study_uid=uids["study"], series_uid=uids["series"], files=tuple(files), instance_uids=tuple(instances)
    )


def _followed(result_set: ResultSet, event: object) -> ResultSet:
    said = Evaluation(concept=FollowUp.EVENT, value=event)  # type: ignore[arg-type]  # a code of the table
    findings = tuple(replace(item, evaluations=(*item.evaluations, said)) for item in result_set.findings)
    return replace(result_set, findings=findings)


def _write(
    series: sources.SourceSeries, result_set: ResultSet, *, job: str, before: tuple[ResultObject, ...] = ()
) -> tuple[ResultObject, ...]:
    context = replace(CONTEXT, job_digest=job, predecessors=as_predecessors(before))
    out = series.files[0].parent / "out" / job
    return write_results(result_set, source_files=series.files, out_dir=out, context=context)


def _root(objects: Sequence[ResultObject]) -> Path:
    return next(item.path for item in objects if item.kind is ResultKind.SR)


def _damaged(path: Path, to: Path) -> Path:
    report = pydicom.dcmread(path)
    report.SOPInstanceUID = UID(derive_uid("ledger", "damaged"))
    report.file_meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID
    report.SeriesInstanceUID = derive_uid("ledger", "damaged", "series")
    del report.CurrentRequestedProcedureEvidenceSequence
    report.save_as(to)
    return to


@pytest.fixture(params=["embedded", "orthanc", "orthanc web"])
def archive(request: pytest.FixtureRequest, tmp_path: Path, history: History) -> Iterator[Peer]:
    """Everything of the patient is in it."""
    held: EmbeddedArchive | OrthancPeer
    if request.param == "embedded":
        held = EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE")
    else:
        node = Peer(name="node", ae_title="BMNODE", host=LOOPBACK, port=free_ports(1)[0])
        configuration = request.getfixturevalue("orthanc_configuration")
        overrides: dict[str, object] = {"LuaScripts": []}
        if request.param == "orthanc web":
            overrides |= dicom_web_settings(site_port=free_ports(1)[0])
        held = OrthancPeer(tmp_path / "archive", configuration=configuration, known_peers=[node], overrides=overrides)
    with held:
        peer = held.as_peer()
        _store(peer, history.files)
        if request.param == "orthanc web":
            peer = replace(peer, dicomweb_url=f"{peer.rest_url}/dicom-web")
        yield peer


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    """A database with nothing in it."""
    database = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    database.migrate()
    yield database
    database.dispose()


def _store(archive: Peer, files: Sequence[Path]) -> None:
    assert all(result.accepted for result in CStoreSender("NODE", clock=CLOCK).send(archive, files))


def _reports(archive: Peer, *, most: int = 1000) -> ArchiveReports:
    web = WebCaller(sessions=WebSessions(), clock=CLOCK)
    return ArchiveReports(peer=archive, caller=CALLER if archive.dicomweb_url is None else web, most=most)


def _rebuild(database: Database, source: ArchiveReports) -> Rebuilt:
    return LedgerRebuild(database=database, clock=CLOCK, actor="test").run(source, lambda _: None)


def _current(database: Database) -> list[LedgerEntry]:
    with database.read() as connection:
        return list(Ledger(connection).current())


def test_an_emptied_database_gets_the_same_ledger(archive: Peer, history: History, empty: Database) -> None:
    """The same lesions, Tracking UIDs, events, links and numbers; the last report of each study counts."""
    done = _rebuild(empty, _reports(archive))
    assert (done.added, done.known, done.failures, done.is_complete) == (3, 0, (), True)
    first, _, last = history.entries
    assert _current(empty) == [first, last]
    lesion, other = histories(_current(empty))
    assert [seen.event for _, seen in lesion.course] == [None, Event.MERGED]
    assert [len(item.came_from) for _, item in other.course] == [1, 1]


def test_a_second_time_changes_nothing(archive: Peer, history: History, empty: Database) -> None:
    """What is known is not read again."""
    _rebuild(empty, _reports(archive))
    before = _current(empty)
    again = _rebuild(empty, _reports(archive))
    assert (again.added, again.known) == (0, 3)
    assert _current(empty) == before
    with empty.read() as connection:
        assert [item.event for item in AuditTrail(connection).entries()] == ["ledger_rebuilt"] * 2


def test_an_archive_with_more_than_it_tells_at_once_is_asked_day_by_day(
    archive: Peer, empty: Database, tmp_path: Path
) -> None:
    """Where one study is told at a time, those of all days are found; that a day has more than one is said."""
    done = _rebuild(empty, _reports(archive, most=1))
    assert (done.studies, done.added, done.is_complete) == (3, 3, True)
    _store(archive, [StudyMaker(directory=tmp_path, seed="same day", study_date="20250304").sr()])
    assert not _rebuild(empty, _reports(archive, most=1)).is_complete


def test_a_damaged_report_is_named_and_the_rest_taken(archive: Peer, history: History, empty: Database) -> None:
    """By its SOP Instance UID, without the patient; the others are in."""
    _store(archive, [history.damaged])
    done = _rebuild(empty, _reports(archive))
    (failure,) = done.failures
    assert failure.sop_instance_uid == derive_uid("ledger", "damaged")
    assert "T-0001" not in failure.reason
    assert (done.added, len(_current(empty))) == (3, 2)


def test_an_archive_that_stops_answering_loses_nothing(tmp_path: Path, history: History, empty: Database) -> None:
    """The call ends with an error, what came before stays, and the next one goes on from there."""
    with EmbeddedArchive(tmp_path / "faulty", ae_title="FAULTY") as held:
        _store(held.as_peer(), history.files)
        hasty = Caller(ae_title="BMNODE", clock=CLOCK, limits=ArchiveLimits(answer_s=1.0, total_s=2.0))
        source = ArchiveReports(peer=held.as_peer(), caller=hasty)
        half = LedgerRebuild(database=empty, clock=CLOCK, actor="test")
        studies: list[str] = []

        def silence(progress: object) -> None:
            studies.append(str(progress))
            if len(studies) == 2:
                held.inject(ArchiveFaults(query_delay_s=30.0))

        with pytest.raises(PeerUnreachableError):
            half.run(source, silence)
        assert 0 < len(_current(empty)) < 2
        held.inject(ArchiveFaults())
        assert half.run(source, lambda _: None).added >= 1
    assert len(_current(empty)) == 2
