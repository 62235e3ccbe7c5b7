"""Who the patient is stays in the images and the results: nothing else that a node writes or shows says it."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydicom import dcmread

from bmnode.cli.entry import main
from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.storage import Database, Jobs
from bmnode.testing import patients
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.archive.index import IndexedInstance
from bmnode.testing.node import NodePlan, NodeProcess
from bmnode.testing.patients import PatientSpec
from bmnode.testing.patients.spec import SyntheticStudy
from tests.support.polling import eventually
from tests.support.raw_peer import PeerClosedError, RawPeer

RESULT_S = 240.0
MARKS = {
    "PatientName": "Zebrafink^Quirina",
    "PatientID": "MARK-7731-X",
    "PatientBirthDate": "19310707",
    "AccessionNumber": "ACCMARK55",
    "ReferringPhysicianName": "Okapidoktor^Ludo",
    "PatientAddress": "Tapirgasse 7",
    "OtherPatientIDs": "OTHER-9942",
    "PatientComments": "Gnuherde",
}
WORDS = (
    "zebrafink", "quirina", "mark-7731", "19310707", "1931-07-07", "accmark", "okapidoktor", "tapirgasse",
    "other-9942", "gnuherde",
)  # fmt: skip
COMMANDS = (
    ("study", "list"), ("job", "list"), ("delivery", "list"), ("audit", "export"), ("config", "show"), ("peer", "list"),
    ("check",), ("audit", "verify"),
)  # fmt: skip
THEN, NOW = datetime(2024, 3, 10, 9, 0, tzinfo=UTC), datetime(2025, 3, 10, 9, 0, tzinfo=UTC)
CLOCK = SystemClock()
_LOOKS_EVERY_S = 0.2
_EVENT = re.compile(r"\b[a-z]+_[a-z_]+\b")

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


def _mark(files: tuple[Path, ...]) -> None:
    for file in files:
        dataset = dcmread(file)
        for keyword, value in MARKS.items():
            setattr(dataset, keyword, value)
        dataset.save_as(file)


def _found(text: bytes) -> list[str]:
    lower = text.lower()
    return [word for word in WORDS if word.encode() in lower]


def _written(folder: Path) -> Iterator[Path]:
    """Everything but the images and the result objects, which carry the identity because they have to."""
    for path in folder.rglob("*"):
        if path.is_file() and folder / "data" / "spool" not in path.parents and not _is_dicom(path):
            yield path


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


@contextlib.contextmanager
def _watched_titles(pid: int) -> Iterator[set[bytes]]:
    """Look again and again at the titles of a node's processes and threads, those that last a moment included."""
    seen: set[bytes] = set()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(_LOOKS_EVERY_S):
            seen.add(_titles(psutil.Process(pid)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        thread.join()


def _titles(process: psutil.Process) -> bytes:
    parts = [process, *process.children(recursive=True)]
    told = []
    for part in parts:
        with contextlib.suppress(psutil.Error):
            told += [part.name(), *part.cmdline(), *(thread_name for thread_name in _threads(part.pid))]
    return "\n".join(told).encode()


def _threads(pid: int) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in Path(f"/proc/{pid}/task").glob("*/comm")]


def _has_result(study: SyntheticStudy) -> Callable[[Sequence[IndexedInstance]], bool]:
    return lambda items: any(item.study_uid == study.study_uid for item in items)


def _ask_badly(plan: NodePlan) -> None:
    """Put the name where it does not belong: into an AE title's neighbours, a UID, a broken request."""
    contexts = [("1.2.840.10008.5.1.4.1.1.2", ("1.2.840.10008.1.2.1",))]
    with contextlib.suppress(PeerClosedError), RawPeer(plan.port, contexts=contexts) as peer:
        name = MARKS["PatientName"].encode()
        peer.store(name * 50, sop_class_uid=contexts[0][0], sop_instance_uid="1.2.3.4")
        peer.store(name * 50, sop_class_uid=contexts[0][0], sop_instance_uid=MARKS["PatientID"])
        peer.send_raw(b"\x09" + name * 20)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A node, the archive that has the patient's earlier scan, and what is sent to the node."""

    plan: NodePlan
    archive: EmbeddedArchive
    studies: tuple[SyntheticStudy, ...]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Everything marked; whatever a process of the node writes outside of its folder, it writes in it."""
    node = tmp_path / "node"
    for variable in ("TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        (node / variable).mkdir(parents=True)
        monkeypatch.setenv(variable, str(node / variable))
    now = PatientSpec(seed=41, patient_id=MARKS["PatientID"], study_start=NOW)
    prior = patients.write_bone_scan(tmp_path / "then", spec=replace(now, study_start=THEN))
    writers = (patients.write_bone_scan, patients.write_chest_xray, patients.write_missing_pixel_data)
    studies = tuple(write(tmp_path / write.__name__, spec=now) for write in writers)
    for study in (prior, *studies):
        _mark(study.files)
    sections: dict[str, dict[str, Any]] = {
        "log": {"file": "node.log", "level": "DEBUG"},
        "audit": {"file": "audit.jsonl"},
        "priors": {"archives": ["archive"], "retry_s": 1.0},
    }
    plan = NodePlan(folder=node, peers=(), sections=sections)
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", known_peers=[plan.as_peer]) as archive:
        peer = archive.as_peer("archive")
        CStoreSender("SCANNER", clock=CLOCK).send(peer, prior.files)
        yield Scene(plan=replace(plan, peers=(peer,)), archive=archive, studies=studies)


def _drive(scene: Scene) -> None:
    """Send everything, in order and badly, and wait until every study has its result."""
    sender = CStoreSender("SCANNER", clock=CLOCK)
    for study in scene.studies:
        sender.send(scene.plan.as_peer, study.files)
    first = scene.studies[0].files[0]
    changed = dcmread(first)
    changed.PatientComments = f"{MARKS['PatientComments']} again"
    changed.save_as(first)
    sender.send(scene.plan.as_peer, [first])
    _ask_badly(scene.plan)
    for study in scene.studies:
        scene.archive.wait_for(_has_result(study), timeout_s=RESULT_S)
    eventually((scene.plan.folder / "audit.jsonl").exists, timeout_s=30)


def _ask_everything(scene: Scene) -> None:
    """Every command that shows something, with its defects shown too."""
    database = Database(scene.plan.settings.database_url)
    with database.read() as connection:
        jobs = [job.job_id for job in Jobs(connection).list()]
    database.dispose()
    uids = [study.study_uid for study in scene.studies]
    commands = [*COMMANDS, *(("job", "show", job) for job in jobs)]
    commands += [("study", what, uid) for what in ("show", "priors") for uid in uids]
    for command in commands:
        for form in ((), ("--json",)):
            with contextlib.suppress(SystemExit):
                main(["--config", str(scene.plan.config_file), "--debug", *command, *form])


def test_no_mark_is_found_outside_the_images(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Assessed, compared, refused, broken and repeated studies of a marked patient leave no mark but in images."""
    with NodeProcess(scene.plan, clock=CLOCK) as node:
        with _watched_titles(node.pid) as titles:
            _drive(scene)
        _ask_everything(scene)
    shown = capsys.readouterr()
    assert len(titles) > 1
    assert _found(b"".join(titles)) == []
    assert all(study.study_uid in shown.out for study in scene.studies)
    assert _found((shown.out + shown.err).encode()) == []
    searched = list(_written(scene.plan.folder))
    assert {"node.log", "node.sqlite", "audit.jsonl", "child.log", "serve.out"} <= {path.name for path in searched}
    assert {str(path): found for path in searched if (found := _found(path.read_bytes()))} == {}
    _check_the_marks_were_there(scene)


def _check_the_marks_were_there(scene: Scene) -> None:
    """In the images, in what the archive was asked, and in the results: or nothing was tried."""
    spooled = [path for path in (scene.plan.folder / "data" / "spool").rglob("*.dcm") if path.is_file()]
    assert any(_found(path.read_bytes()) for path in spooled)
    audit = (scene.plan.folder / "audit.jsonl").read_text(encoding="utf-8")
    assert {"prior_fetched", "study_queried", "instance_refused", "object_delivered"} <= set(_EVENT.findall(audit))
