"""The busiest hour of a large hospital and a quarter more, sent as fast as this machine takes it.

281 studies: 150 radiographs, 62 ultrasound, 38 CT, 31 MR. Numbers of images and matrices are the
project's own choice [P], drawn between what is usual for each. None of them is for a route, as
nearly everything that a node beside a PACS is sent: they may cost their receipt and no more.
"""

from __future__ import annotations

import queue
import random
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    MRImageStorage,
    UltrasoundImageStorage,
)

from benchmarks.ingest_objects import Kind, instances
from benchmarks.ingest_senders import send_by_socket
from bmnode.clock import SystemClock
from bmnode.domain.peers import Peer
from bmnode.domain.states import StudyState
from bmnode.storage import AuditTrail, Database, Instances, Jobs, Studies
from bmnode.testing.node import AE_TITLE, NodePlan, NodeProcess
from bmnode.testing.ports import LOOPBACK
from tests.support.polling import eventually

CLOCK = SystemClock()
SENDERS = 4
"""Modalities that send at the same time."""
THROUGH_WITHIN_S = 1800.0
_MB = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What one kind of device sends in the hour: studies, and the least and most images of each."""

    kind: Kind
    studies: int
    images: tuple[int, int]


LOADS = (
    Load(
        kind=Kind(
            name="XR", sop_class_uid=DigitalXRayImageStorageForPresentation, modality="DX", rows=2500, columns=2048
        ),
        studies=150,
        images=(1, 3),
    ),
    Load(
        kind=Kind(name="US", sop_class_uid=UltrasoundImageStorage, modality="US", rows=640, columns=720),
        studies=62,
        images=(10, 50),
    ),
    Load(
        kind=Kind(name="CT", sop_class_uid=CTImageStorage, modality="CT", rows=512, columns=512),
        studies=38,
        images=(100, 700),
    ),
    Load(
        kind=Kind(name="MR", sop_class_uid=MRImageStorage, modality="MR", rows=256, columns=256),
        studies=31,
        images=(100, 500),
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedStudy:
    """One study of the hour. `run` numbers it; its identifiers follow."""

    kind: Kind
    run: int
    images: int


@dataclass(kw_only=True)
class PeakFigures:
    """What came of a run."""

    seed: int
    studies: Mapping[str, int]
    images: int
    sent_mb: float
    sending_s: float
    responses_ms: list[float]
    cpu_s: Mapping[str, float]
    """CPU time by process."""
    more_memory_mb: float

    def percentile_ms(self, part: float) -> float:
        """Within how long so large a part of the images was answered."""
        ordered = sorted(self.responses_ms)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)]

    def __str__(self) -> str:
        """A few lines."""
        at = ", ".join(f"p{part * 100:g} {self.percentile_ms(part):.1f} ms" for part in (0.5, 0.9, 0.99, 0.999))
        cpu = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.cpu_s.items())
        return (
            f"seed {self.seed}: {dict(self.studies)}: {self.images} images of {self.sent_mb:.0f} MB in "
            f"{self.sending_s:.0f} s, {SENDERS} at a time: none refused, none lost\n"
            f"answered within {at}, greatest {max(self.responses_ms):.1f} ms\n"
            f"CPU {cpu}; the listener grew by {self.more_memory_mb:.0f} MB; no job was made"
        )


def planned(*, seed: int, scale: float) -> Sequence[PlannedStudy]:
    """The hour's studies in the order in which they come; a part of them where `scale` is below 1."""
    rng = random.Random(seed)
    found = [
        PlannedStudy(kind=load.kind, run=0, images=rng.randint(*load.images))
        for load in LOADS
        for _ in range(max(round(load.studies * scale), 1))
    ]
    rng.shuffle(found)
    return [PlannedStudy(kind=item.kind, run=number, images=item.images) for number, item in enumerate(found)]


@dataclass(kw_only=True)
class _Senders:
    """Some scanners that share the hour's studies, an association for each study."""

    port: int
    studies: queue.SimpleQueue[PlannedStudy]
    lock: threading.Lock = field(default_factory=threading.Lock)
    responses_ms: list[float] = field(default_factory=list)
    acknowledged: int = 0
    sent_bytes: int = 0

    def run(self) -> None:
        """Send until nothing is left."""
        while True:
            try:
                study = self.studies.get_nowait()
            except queue.Empty:
                return
            lot = instances(study.kind, run=study.run, count=study.images)
            sent = send_by_socket(self.port, AE_TITLE, [lot])
            with self.lock:
                self.responses_ms.extend(sent.responses_ms)
                self.acknowledged += sent.acknowledged
                self.sent_bytes += sum(len(item.data_set) for item in lot)


def run(folder: Path, *, seed: int, scale: float = 1.0) -> PeakFigures:
    """The hour. Raises AssertionError where an image was refused or lost, or a study cost more than its receipt."""
    studies = planned(seed=seed, scale=scale)
    with _node(folder) as node:
        parts = _parts(node)
        before = {name: sum(part.cpu_times()[:2]) for name, part in parts.items()}
        memory = parts["listener"].memory_info().rss
        senders = _Senders(port=node.plan.port, studies=queue.SimpleQueue())
        for study in studies:
            senders.studies.put(study)
        started = CLOCK.monotonic_s()
        threads = [threading.Thread(target=senders.run) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sending_s = CLOCK.monotonic_s() - started
        images = sum(study.images for study in studies)
        assert senders.acknowledged == images, f"{images - senders.acknowledged} of {images} images were refused"
        grown = parts["listener"].memory_info().rss - memory
        _check_everything_is_kept(node.plan, studies)
        return PeakFigures(
            seed=seed,
            studies=Counter(study.kind.name for study in studies),
            images=images,
            sent_mb=senders.sent_bytes / _MB,
            sending_s=sending_s,
            responses_ms=senders.responses_ms,
            cpu_s={name: sum(part.cpu_times()[:2]) - before[name] for name, part in parts.items()},
            more_memory_mb=grown / _MB,
        )


@contextmanager
def _node(folder: Path) -> Iterator[NodeProcess]:
    """A node whose only route is for bone scans and PET, once its child has nothing more to load."""
    archive = Peer(name="archive", ae_title="ARCHIVE", host=LOOPBACK, port=104)
    plan = NodePlan(folder=folder / "node", peers=(archive,))
    plan.write_config()
    text = plan.config_file.read_text(encoding="utf-8")
    narrowed = text.replace('name = "everything"', 'name = "bone"\nmodalities = ["NM", "PT"]')
    assert narrowed != text
    plan.config_file.write_text(narrowed, encoding="utf-8")
    node = NodeProcess(plan, clock=CLOCK)
    node.start()
    try:
        _await_idle_child(node)
        yield node
    finally:
        node.stop()


def _parts(node: NodeProcess) -> dict[str, psutil.Process]:
    marks = {"listener": "--part listener", "worker": "--part worker", "child": "bmnode.child"}
    family = psutil.Process(node.pid).children(recursive=True)
    found = {}
    for name, mark in marks.items():
        for process in family:
            if mark in " ".join(process.cmdline()):
                found[name] = process
    return found


def _await_idle_child(node: NodeProcess) -> None:
    """It loads the pipelines at its start; that is no study's cost."""

    def idle() -> bool:
        parts = _parts(node)
        return "child" in parts and parts["child"].cpu_percent(interval=2.0) < 5.0

    eventually(idle, timeout_s=300.0)


def _check_everything_is_kept(plan: NodePlan, studies: Sequence[PlannedStudy]) -> None:
    """Each image has its row and its file, each study was looked at, and no job was made of any."""
    database = Database(plan.settings.database_url)
    spool = plan.settings.spool_directory / "studies"
    try:
        eventually(lambda: _all_decided(database, len(studies)), timeout_s=THROUGH_WITHIN_S)
        with database.read() as connection:
            rows = set(Instances(connection).uids())
            assert Jobs(connection).list() == []
            assert AuditTrail(connection).first_broken() is None
    finally:
        database.dispose()
    assert len(rows) == sum(study.images for study in studies)
    assert {(path.parent.name, path.stem) for path in spool.glob("*/*")} == rows


def _all_decided(database: Database, count: int) -> bool:
    with database.read() as connection:
        found = Studies(connection).list(limit=count + 1)
        decided = [Studies(connection).find_revision(item.study_uid, item.revision) for item in found]
    return len(found) == count and all(item.state is StudyState.COMPLETE for item in found) and None not in decided
