"""What rejecting a study promises: all of it goes or nothing does, and what comes later is another work."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bmnode.delivery.sender import SendResult
from bmnode.domain.peers import Peer
from bmnode.domain.records import JobRecord
from bmnode.domain.states import JobState, StudyState
from bmnode.errors import NotFoundError
from bmnode.spool import Spool
from bmnode.spool.filesystem import OsFileSystem
from bmnode.storage import AuditTrail, Database, Deliveries, Instances, Jobs, Results, Studies
from bmnode.testing.clock import FakeClock
from bmnode.testing.sender import FakeSender
from bmnode.work.engine import FlowName
from bmnode.work.rejecting import StudyRejection
from bmnode.work.requests import study_request
from tests.unit.work.conftest import STUDY, Node

OTHER = "1.2.4"


class KillingFiles(OsFileSystem):
    """Ends its process, as kill -9 does, before one of its operations."""

    def __init__(self, at: int) -> None:
        self._left = at

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)

    def replace(self, source: Path, target: Path) -> None:
        """Counted."""
        self._count()
        super().replace(source, target)

    def make_directory(self, path: Path) -> bool:
        """Counted."""
        self._count()
        return super().make_directory(path)

    def sync_directory(self, path: Path) -> None:
        """Counted."""
        self._count()
        super().sync_directory(path)

    def list(self, directory: Path, suffix: str) -> Sequence[Path]:
        """Counted."""
        self._count()
        return super().list(directory, suffix)


def _rejection(folder: Path, database: Database, *, killed_at: int = 0) -> StudyRejection:
    spool = Spool(folder / "spool", min_free_bytes=0, file_system=KillingFiles(killed_at))
    return StudyRejection(database=database, spool=spool, results_dir=folder / "results", clock=FakeClock())


def _put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"image")


def _receive(node: Node, numbers: Sequence[int]) -> None:
    """Images with their files, and what selection makes of them."""
    for number in numbers:
        _put(node.folder / "spool" / "studies" / STUDY / f"{STUDY}.{number}.dcm")
        study = node.receive(number)
    node.do(study_request(study))


@pytest.fixture
def job(node: Node) -> JobRecord:
    """An assessed and delivered study, with a file that was put aside, beside a neighbour of a similar name."""
    _put(node.folder / "spool" / "studies" / OTHER / "1.dcm")
    _put(node.folder / "spool" / "quarantine" / f"{STUDY}_9.dcm")
    _put(node.folder / "spool" / "quarantine" / f"{STUDY}.1.0123456789abcdef.dcm")
    _put(node.folder / "spool" / "quarantine" / f"{OTHER}_9.dcm")
    _receive(node, (1, 2))
    node.do(node.next(FlowName.RUN))
    node.do(node.next(FlowName.DELIVER))
    return node.job()


def _files(folder: Path) -> set[str]:
    found = [*(folder / "spool").rglob("*"), *(folder / "results").rglob("*")]
    return {str(path.relative_to(folder)) for path in found if path.is_file()}


def _rows(database: Database) -> tuple[StudyState, int, int, int]:
    """The study's state; how many images, results and deliveries there are of it."""
    with database.read() as connection:
        (job,) = Jobs(connection).of_study(STUDY)
        return (
            Studies(connection).get(STUDY).state,
            len(Instances(connection).of_study(STUDY)),
            len(Results(connection).of_job(job.job_id)),
            len(Deliveries(connection).of_job(job.job_id)),
        )


def test_images_results_and_rows_are_deleted(node: Node, job: JobRecord) -> None:
    """Nothing of it is left on the disk, nor in the tables of images, results and deliveries; the neighbour's is."""
    rejected = _rejection(node.folder, node.database).reject(STUDY, actor="administrator")
    assert (rejected.deleted.images, rejected.deleted.results, rejected.cancelled) == (2, 1, ())
    assert _files(node.folder) == {f"spool/studies/{OTHER}/1.dcm", f"spool/quarantine/{OTHER}_9.dcm"}
    assert list((node.folder / "spool" / "trash").iterdir()) == []
    assert _rows(node.database) == (StudyState.REJECTED, 0, 0, 0)


def test_what_was_done_stays(node: Node, job: JobRecord) -> None:
    """The job, its history and its revision's digest stay; the trail says what was deleted and who has results."""
    _rejection(node.folder, node.database).reject(STUDY, actor="administrator")
    with node.database.read() as connection:
        assert Jobs(connection).get(job.job_id) == job
        assert [event.event for event in Jobs(connection).events(job.job_id)] == ["created", "started", "succeeded"]
        assert Studies(connection).get_revision(STUDY, 1).instance_count == 2
        line = AuditTrail(connection).entries()[-1]
        assert AuditTrail(connection).first_broken() is None
    assert (line.event, line.actor, line.subject) == ("study_rejected", "administrator", STUDY)
    assert line.detail == '{"cancelled": [], "delivered": {"pacs": 1}, "images": 2, "results": 1}'


def test_the_same_images_are_another_work_afterwards(node: Node, job: JobRecord) -> None:
    """Images that come again are assessed again, as a new revision whose results have UIDs of their own."""
    with node.database.read() as connection:
        before = Results(connection).of_job(job.job_id)
    _rejection(node.folder, node.database).reject(STUDY, actor="administrator")
    _receive(node, (1, 2))
    first, second = node.jobs()
    assert (first.job_id, second.revision, second.state) == (job.job_id, 2, JobState.QUEUED)
    node.do(node.next(FlowName.RUN))
    with node.database.read() as connection:
        after = Results(connection).of_job(second.job_id)
    assert {item.sop_instance_uid for item in after}.isdisjoint(item.sop_instance_uid for item in before)
    _rejection(node.folder, node.database).settle()
    assert (node.folder / "results" / after[0].path).is_file()


def test_a_run_that_ends_after_the_rejection_leaves_nothing(node: Node) -> None:
    """What an interrupted run wrote behind the rejection goes with the next settlement."""
    _receive(node, (1,))
    job = node.job()
    assert _rejection(node.folder, node.database).reject(STUDY, actor="a").cancelled == (job.job_id,)
    _put(node.folder / "results" / job.job_id / "attempt-1" / "sr.dcm")
    _rejection(node.folder, node.database).settle()
    assert _files(node.folder) == set()


def test_a_study_without_a_name_here_is_not_found(node: Node) -> None:
    """What was never received cannot be rejected."""
    with pytest.raises(NotFoundError):
        _rejection(node.folder, node.database).reject("1.2.5", actor="a")


def test_what_came_meanwhile_stays_when_a_rejection_is_undone(node: Node, job: JobRecord) -> None:
    """A restored image lies in its place again when the others are put back."""
    before = _files(node.folder)
    folder = node.folder / "spool" / "studies" / STUDY
    aside = node.folder / "spool" / "trash" / f"{STUDY}.1" / "studies"
    aside.mkdir(parents=True)
    folder.rename(aside / STUDY)
    _put(folder / f"{STUDY}.1.dcm")
    _rejection(node.folder, node.database).settle()
    assert _files(node.folder) == before


@dataclass(kw_only=True)
class OvertakenSender(FakeSender):
    """Something happens before its answer is written down."""

    meanwhile: Callable[[], object]

    def send(self, peer: Peer, paths: Sequence[Path]) -> tuple[SendResult, ...]:
        """Send, then let it happen."""
        results = super().send(peer, paths)
        self.meanwhile()
        return results


def test_a_delivery_that_the_rejection_overtook_is_audited(node: Node) -> None:
    """What left the node is told of, though its row has gone."""
    rejection = _rejection(node.folder, node.database)
    sender = OvertakenSender(meanwhile=lambda: rejection.reject(STUDY, actor="a"))
    busy = Node(folder=node.folder, database=node.database, sender=sender)
    _receive(busy, (1,))
    busy.do(busy.next(FlowName.RUN))
    busy.do(busy.next(FlowName.DELIVER))
    assert busy.audited()[-2:] == ["study_rejected", "object_delivered"]


def test_a_kill_at_any_step_leaves_all_or_nothing(node: Node, job: JobRecord, tmp_path: Path) -> None:
    """Whatever step a kill -9 comes before, the next settlement finds the study whole, or nothing of it."""
    whole = _files(tmp_path)
    assert _rows(node.database) == (StudyState.COMPLETE, 2, 1, 1)
    node.database.dispose()
    ends: list[StudyState] = []
    for step in range(1, 100):
        folder = tmp_path.parent / f"{tmp_path.name}-{step}"
        shutil.copytree(tmp_path, folder, symlinks=True)
        was_killed = _reject_in_a_child(folder, killed_at=step)
        database = Database(f"sqlite:///{folder / 'node.sqlite'}")
        _rejection(folder, database).settle()
        rows, files = _rows(database), _files(folder)
        database.dispose()
        if rows[0] is StudyState.COMPLETE:
            assert (rows[1:], files) == ((2, 1, 1), whole), step
        else:
            assert (rows[1:], [name for name in files if f"/{STUDY}" in name or "results" in name]) == ((0, 0, 0), [])
        ends.append(rows[0])
        if not was_killed:
            break
    assert set(ends) == {StudyState.COMPLETE, StudyState.REJECTED}
    assert ends == sorted(ends), "once it is committed it holds"
    assert len(ends) > 10


def _reject_in_a_child(folder: Path, *, killed_at: int) -> bool:
    """Whether it was killed."""
    child = os.fork()
    if not child:
        try:
            database = Database(f"sqlite:///{folder / 'node.sqlite'}")
            _rejection(folder, database, killed_at=killed_at).reject(STUDY, actor="a")
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)
