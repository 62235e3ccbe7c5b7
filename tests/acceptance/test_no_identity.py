"""Who the patient is stays in the images and the results: nothing else that a node writes or shows says it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from pydicom import dcmread

from bmnode.cli.entry import main
from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.testing import patients
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.archive.index import IndexedInstance
from bmnode.testing.node import NodePlan, NodeProcess
from bmnode.testing.patients import PatientSpec
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
)  # fmt: skip
_IMAGES = ("spool", "results")

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
    """Everything but the images and the results, which carry the identity because they have to."""
    for path in folder.rglob("*"):
        if path.is_file() and not set(path.relative_to(folder).parts) & set(_IMAGES):
            yield path


def _titles(process: psutil.Process) -> bytes:
    parts = [process, *process.children(recursive=True)]
    told = []
    for part in parts:
        with contextlib.suppress(psutil.Error):
            told += [part.name(), *part.cmdline(), *(thread_name for thread_name in _threads(part.pid))]
    return "\n".join(told).encode()


def _threads(pid: int) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in Path(f"/proc/{pid}/task").glob("*/comm")]


def _has_study(study_uid: str) -> Callable[[Sequence[IndexedInstance]], bool]:
    return lambda items: any(item.study_uid == study_uid for item in items)


def _ask_badly(plan: NodePlan) -> None:
    """Put the name where it does not belong: into an AE title's neighbours, a UID, a broken request."""
    contexts = [("1.2.840.10008.5.1.4.1.1.2", ("1.2.840.10008.1.2.1",))]
    with contextlib.suppress(PeerClosedError), RawPeer(plan.port, contexts=contexts) as peer:
        name = MARKS["PatientName"].encode()
        peer.store(name * 50, sop_class_uid=contexts[0][0], sop_instance_uid="1.2.3.4")
        peer.store(name * 50, sop_class_uid=contexts[0][0], sop_instance_uid=MARKS["PatientID"])
        peer.send_raw(b"\x09" + name * 20)


def test_no_mark_is_found_outside_the_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Assessed, refused, broken and repeated studies of a marked patient leave no mark in what is not an image."""
    spec = PatientSpec(seed=41, patient_id=MARKS["PatientID"])
    studies = [
        write(tmp_path / write.__name__, spec=spec)
        for write in (patients.write_bone_scan, patients.write_chest_xray, patients.write_missing_pixel_data)
    ]
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        sections = {"log": {"file": "node.log", "level": "DEBUG"}, "audit": {"file": "audit.jsonl"}}
        plan = NodePlan(folder=tmp_path / "node", peers=(archive.as_peer(),), sections=sections)
        with NodeProcess(plan, clock=SystemClock()) as node:
            sender = CStoreSender("SCANNER", clock=SystemClock())
            for study in studies:
                _mark(study.files)
                sender.send(plan.as_peer, study.files)
            changed = dcmread(studies[0].files[0])
            changed.PatientComments = f"{MARKS['PatientComments']} again"
            changed.save_as(studies[0].files[0])
            sender.send(plan.as_peer, studies[0].files[:1])
            _ask_badly(plan)
            titles = b""
            for study in studies:
                archive.wait_for(_has_study(study.study_uid), timeout_s=RESULT_S)
                titles += _titles(psutil.Process(node.pid))
            eventually((plan.folder / "audit.jsonl").exists, timeout_s=30)
            for command in COMMANDS:
                with contextlib.suppress(SystemExit):
                    main(["--config", str(plan.config_file), *command, "--json"])
        shown = capsys.readouterr()
    assert _found(titles) == []
    assert _found((shown.out + shown.err).encode()) == []
    searched = list(_written(plan.folder))
    assert {"node.log", "node.sqlite", "audit.jsonl"} <= {path.name for path in searched}
    assert {str(path): found for path in searched if (found := _found(path.read_bytes()))} == {}
    spooled = [path for path in (plan.folder / "data" / "spool").rglob("*") if path.is_file()]
    assert any(_found(path.read_bytes()) for path in spooled), "the marks never reached the node"
