"""A crash matrix: kill -9 of any part of a running node at random moments, while storescu sends to it.

The node is `bmnode serve` with its own pipelines, the sender DCMTK's, the destination a slow archive
in this process. Studies follow each other; each meets one kill, a drawn time after it has come to a
drawn stage. So kills fall into receipt, assembly, waiting, computation with writing, and delivery, of
this study and of those before it that are not through yet.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path

import psutil
from pydicom import dcmread

from bmnode.clock import SystemClock
from bmnode.domain.records import JobRecord
from bmnode.domain.states import DeliveryState, JobState, StudyState
from bmnode.storage import AuditTrail, Database, Deliveries, Instances, Jobs, Results, Studies
from bmnode.storage.jobs import UNFINISHED
from bmnode.testing.archive import ArchiveFaults, EmbeddedArchive
from bmnode.testing.node import NodePlan, NodeProcess
from bmnode.testing.patients import PatientSpec, write_bone_scan
from tests.soak.storescu import Scanner
from tests.support.encoded import encode_instance
from tests.support.objects import StudyMaker
from tests.support.polling import eventually

CLOCK = SystemClock()
QUIET_S = 0.5
TAKEN_WITHIN_S = 180.0
"""A supervisor waits up to half a minute before it starts a part that keeps ending."""
THROUGH_WITHIN_S = 600.0
MAX_UNDERWAY = 6
_ASSESSABLE_EVERY = 5
_ENDED = frozenset({JobState.SUCCEEDED, JobState.FAILED})


class Target(StrEnum):
    """What is killed."""

    LISTENER = "listener"
    WORKER = "worker"
    CHILD = "child"
    NODE = "node"


_WEIGHTS: Mapping[Target, int] = {Target.LISTENER: 2, Target.WORKER: 2, Target.CHILD: 2, Target.NODE: 4}
"""A node that is started anew by hand forgets how often its parts ended; else it would wait ever longer."""
_MARKS: Mapping[Target, str] = {
    Target.LISTENER: "--part listener",
    Target.WORKER: "--part worker",
    Target.CHILD: "bmnode.child",
}


class Stage(IntEnum):
    """How far a study is."""

    RECEIPT = 0
    ASSEMBLY = 1
    QUEUED = 2
    RUNNING = 3
    DELIVERY = 4
    THROUGH = 5


_LASTS_S: Mapping[Stage, float] = {
    Stage.RECEIPT: 0.3,
    Stage.ASSEMBLY: 2.0,
    Stage.QUEUED: 0.5,
    Stage.RUNNING: 3.0,
    Stage.DELIVERY: 0.5,
}
"""Within so many seconds of a stage's beginning its kill falls: about as long as the stage lasts."""
_SLOW_STORE_S = 0.2
"""How long the archive takes for an object: else no kill would meet a delivery."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentStudy:
    """A study and the scanner that sends it."""

    study_uid: str
    files: tuple[Path, ...]
    scanner: Scanner


@dataclass(frozen=True, kw_only=True, slots=True)
class KillFigures:
    """What came of a run."""

    seed: int
    killed: Mapping[str, int]
    """Kills by target."""
    stages: Mapping[str, int]
    """Kills by how far the study was that they met."""
    missed: int
    """Kills whose target did not run at that moment."""
    studies: int
    instances: int
    associations: int
    results: int
    sent_again: int
    """Objects that the destination was sent a second time, with the same bytes: killed before the answer was noted."""
    seconds: float

    def __str__(self) -> str:
        """One line a figure."""
        return (
            f"seed {self.seed}: {sum(self.killed.values())} kills in {self.seconds:.0f} s ({dict(self.killed)}; "
            f"{self.missed} more found their target not running), in {dict(self.stages)}\n"
            f"{self.studies} studies of {self.instances} instances in {self.associations} associations: "
            f"none lost; {self.results} results at the destination, each once ({self.sent_again} sent again)"
        )


@dataclass(kw_only=True)
class Matrix:
    """A running node under fire."""

    node: NodeProcess
    archive: EmbeddedArchive
    database: Database
    storescu: Path
    folder: Path
    seed: int
    random: random.Random
    studies: list[SentStudy] = field(default_factory=list)
    killed: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    missed: int = 0

    def send_next(self) -> SentStudy:
        """Have the next study sent: mostly a few CT slices that are refused, now and then a whole bone scan."""
        number = len(self.studies)
        folder = self.folder / f"study{number}"
        if number % _ASSESSABLE_EVERY == 1:
            spec = PatientSpec(seed=self.seed + number, patient_id=f"SOAK-{number}")
            made = write_bone_scan(folder, spec=spec)
            study_uid, files = made.study_uid, made.files
        else:
            maker = StudyMaker(directory=folder, seed=f"kill-{self.seed}-{number}")
            study_uid, files = maker.study_uid, maker.ct(self.random.randint(1, 12))
        scanner = Scanner(program=self.storescu, files=files, port=self.node.plan.port)
        study = SentStudy(study_uid=study_uid, files=files, scanner=scanner)
        self.studies.append(study)
        scanner.start()
        return study

    def job(self, study: SentStudy) -> JobRecord | None:
        """The job on all of a study's images, once there is one."""
        with self.database.read() as connection:
            for job in Jobs(connection).of_study(study.study_uid):
                if len(Instances(connection).of_revision(study.study_uid, job.revision)) == len(study.files):
                    return job
        return None

    def is_through(self, study: SentStudy) -> bool:
        """Whether all of the study is assessed, and what came of it delivered."""
        job = self.job(study)
        if job is None or job.state in UNFINISHED:
            return False
        with self.database.read() as connection:
            owed = Deliveries(connection).of_job(job.job_id)
        return bool(owed) and all(item.state is DeliveryState.DELIVERED for item in owed)

    def stage(self, study: SentStudy) -> Stage:
        """How far the study is."""
        with self.database.read() as connection:
            record = Studies(connection).find(study.study_uid)
            jobs = Jobs(connection).of_study(study.study_uid)
        if record is None or len(study.scanner.kept) < len(study.files):
            return Stage.RECEIPT
        if record.state is StudyState.RECEIVING or not jobs:
            return Stage.ASSEMBLY
        if jobs[0].state in UNFINISHED:
            return Stage.RUNNING if jobs[0].state is JobState.RUNNING else Stage.QUEUED
        return Stage.THROUGH if self.is_through(study) else Stage.DELIVERY

    def kill(self, target: Target) -> bool:
        """Kill -9; False where there is no such process just now. A node that was killed whole is started again."""
        family = psutil.Process(self.node.pid).children(recursive=True)
        if target is Target.NODE:
            self.node.kill()
            eventually(lambda: not any(process.is_running() for process in family), timeout_s=20.0)
            self.node.start()
            return True
        for process in family:
            try:
                if _MARKS[target] in " ".join(process.cmdline()):
                    os.kill(process.pid, signal.SIGKILL)
                    return True
            except (psutil.NoSuchProcess, ProcessLookupError):  # it ended by itself while it was looked for
                continue
        return False

    def strike(self, study: SentStudy) -> None:
        """One kill, a drawn time after the study has come to a drawn stage."""
        wanted = self.random.choice(list(_LASTS_S))
        eventually(lambda: self.stage(study) >= wanted, timeout_s=THROUGH_WITHIN_S)
        CLOCK.sleep_s(self.random.uniform(0.0, _LASTS_S[wanted]))
        (target,) = self.random.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()))
        stage = self.stage(study)
        if self.kill(target):
            self.killed[target.value] += 1
            self.stages[stage.name.lower()] += 1
        else:
            self.missed += 1

    def drain(self, *, to: int) -> None:
        """Wait until at most so many studies are underway."""

        def underway() -> int:
            return sum(not self.is_through(study) for study in self.studies)

        eventually(lambda: underway() <= to, timeout_s=THROUGH_WITHIN_S)


def run(folder: Path, *, storescu: Path, seed: int, kills: int) -> KillFigures:
    """So many kills. Raises AssertionError where anything was lost or done twice."""
    started = CLOCK.monotonic_s()
    with _matrix(folder, storescu=storescu, seed=seed) as matrix:
        while sum(matrix.killed.values()) < kills:
            study = matrix.send_next()
            matrix.strike(study)
            study.scanner.finish(timeout_s=TAKEN_WITHIN_S)
            matrix.drain(to=MAX_UNDERWAY)
        matrix.drain(to=0)
        results = _check_destination(matrix)
        _check_spool(matrix)
        return KillFigures(
            seed=seed,
            killed=matrix.killed,
            stages=matrix.stages,
            missed=matrix.missed,
            studies=len(matrix.studies),
            instances=sum(len(study.files) for study in matrix.studies),
            associations=sum(study.scanner.associations for study in matrix.studies),
            results=results,
            sent_again=matrix.archive.store_count - results,
            seconds=CLOCK.monotonic_s() - started,
        )


@contextmanager
def _matrix(folder: Path, *, storescu: Path, seed: int) -> Iterator[Matrix]:
    with EmbeddedArchive(folder / "archive", ae_title="ARCHIVE") as archive:
        archive.inject(ArchiveFaults(store_delay_s=_SLOW_STORE_S))
        plan = NodePlan(folder=folder / "node", peers=(archive.as_peer(),), sections={"assembly": {"quiet_s": QUIET_S}})
        with NodeProcess(plan, clock=CLOCK) as node:
            database = Database(plan.settings.database_url)
            yield Matrix(
                node=node,
                archive=archive,
                database=database,
                storescu=storescu,
                folder=folder,
                seed=seed,
                random=random.Random(seed),
            )
            database.dispose()


def _check_destination(matrix: Matrix) -> int:
    """Every study's results are there once and whole, and nothing else is. Returns how many."""
    held = {item.sop_instance_uid: item.path for item in matrix.archive.instances()}
    results_dir = matrix.node.plan.settings.node.data_dir / "results"
    with matrix.database.read() as connection:
        trail = AuditTrail(connection)
        assert trail.first_broken() is None
        told = Counter(entry.subject for entry in trail.entries() if entry.event == "object_delivered")
        for study in matrix.studies:
            for job in Jobs(connection).of_study(study.study_uid):
                assert job.state in _ENDED, f"a job is {job.state}"
                events = Counter(event.event for event in Jobs(connection).events(job.job_id))
                assert sum(events[state.value] for state in _ENDED) == 1, dict(events)
                results = Results(connection).of_job(job.job_id)
                assert results, "a job ended without a result"
                for result in results:
                    there = held.pop(result.sop_instance_uid)
                    assert told[result.sop_instance_uid] == 1
                    assert _data_set(there) == _data_set(results_dir / result.path)
        assert not held, f"{len(held)} objects at the destination are nobody's result"
    return len(matrix.archive.instances())


def _check_spool(matrix: Matrix) -> None:
    """Every acknowledged image is in the spool with its bytes, and has its row; nothing else is there."""
    spool = matrix.node.plan.settings.spool_directory
    wanted = set()
    with matrix.database.read() as connection:
        for study in matrix.studies:
            rows = {row.sop_instance_uid: row for row in Instances(connection).of_study(study.study_uid)}
            assert Studies(connection).get(study.study_uid).instance_count == len(study.files)
            for path in study.files:
                row = rows.pop(str(dcmread(path, stop_before_pixels=True).SOPInstanceUID))
                kept = spool / "studies" / row.study_uid / f"{row.sop_instance_uid}.dcm"
                data_set = _data_set(path)
                assert kept.read_bytes().endswith(data_set)
                assert row.sha256 == hashlib.sha256(data_set).hexdigest()
                wanted.add(kept)
            assert not rows
    assert set((spool / "studies").glob("*/*")) == wanted
    for name in ("incoming", "quarantine"):
        assert list((spool / name).iterdir()) == []


def _data_set(path: Path) -> bytes:
    """The encoded data set of a file, as it travels."""
    dataset = dcmread(path)
    return encode_instance(dataset, transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID)).data_set
