"""What is broken or foreign ends with a clear status or a "not assessable" result, an audit line, no traceback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender, SendResult
from bmnode.domain.results import Outcome
from bmnode.domain.study import Reason
from bmnode.results.reading import Report, read_report
from bmnode.storage import AuditTrail, Database, Instances
from bmnode.testing import patients
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.node import NodePlan, NodeProcess
from bmnode.testing.patients import PatientSpec
from bmnode.testing.patients.spec import SyntheticStudy
from bmnode.testing.ports import LOOPBACK
from tests.support.polling import eventually
from tests.support.validators import complaints

RESULT_S = 120.0
FILED_S = 20.0
"""Many times what an acknowledged image may wait for its row."""

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(400)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """A node and the archive that it delivers to."""

    node: NodeProcess
    archive: EmbeddedArchive

    def send(self, study: SyntheticStudy) -> tuple[SendResult, ...]:
        """C-STORE a study to the node."""
        return CStoreSender("SCANNER", clock=SystemClock()).send(self.node.plan.as_peer, study.files)

    def report(self, study_uid: str) -> Report:
        """The study's report, once it is in the archive."""
        held = self.archive.wait_for(
            lambda items: any(item.study_uid == study_uid for item in items), timeout_s=RESULT_S
        )
        path = next(item.path for item in held if item.study_uid == study_uid)
        assert [line for line in complaints(path) if line.startswith("Error")] == []
        return read_report(path)

    def audited(self, subject: str) -> list[str]:
        """Events of the audit trail about a subject."""
        database = Database(self.node.plan.settings.database_url)
        with database.read() as connection:
            events = [entry.event for entry in AuditTrail(connection).entries(subject=subject)]
        database.dispose()
        return events

    def kept(self, study_uid: str) -> set[str]:
        """SOP Instance UIDs of a study's images that have their rows."""
        database = Database(self.node.plan.settings.database_url)
        with database.read() as connection:
            found = {item.sop_instance_uid for item in Instances(connection).of_study(study_uid)}
        database.dispose()
        return found

    def said(self) -> str:
        """Everything that the node wrote to its terminal."""
        return (self.node.plan.folder / "serve.out").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A running node."""
    folder = tmp_path_factory.mktemp("scene")
    with EmbeddedArchive(folder / "archive", ae_title="ARCHIVE") as archive:
        plan = NodePlan(folder=folder / "node", peers=(archive.as_peer(),))
        with NodeProcess(plan, clock=SystemClock()) as node:
            yield Scene(node=node, archive=archive)


Write = Callable[..., SyntheticStudy]


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (patients.write_two_patients, Reason.SEVERAL_PATIENTS),
        (patients.write_missing_pixel_data, Reason.MISSING_PIXEL_DATA),
        (patients.write_absent_spacing, Reason.MISSING_GEOMETRY),
        (patients.write_chest_xray, Reason.UNSUPPORTED_MODALITY),
        (patients.write_brain_ct, Reason.UNSUPPORTED_EXAMINATION),
        (patients.write_mibg, Reason.UNSUPPORTED_TRACER),
    ],
)
def test_what_cannot_be_assessed_leaves_with_its_reason(
    scene: Scene, tmp_path: Path, write: Write, reason: Reason
) -> None:
    """Every image is kept, and the archive gets a valid report that says why the study is not assessable."""
    study = write(tmp_path, spec=PatientSpec(seed=31, patient_id=f"SYN-{reason}"))
    assert all(item.accepted for item in scene.send(study))
    report = scene.report(study.study_uid)
    assert (report.outcome, report.reason) == (Outcome.NOT_ASSESSABLE, reason)
    assert not report.findings
    assert "study_selected" in scene.audited(study.study_uid)
    assert scene.said() == ""


@pytest.mark.parametrize("write", [patients.write_truncated, patients.write_zero_slices])
def test_a_broken_image_is_refused_and_the_others_are_kept(scene: Scene, tmp_path: Path, write: Write) -> None:
    """The cut or empty image gets a status of its own and an audit line; its sender has it still, the rest is kept."""
    study = write(tmp_path, spec=PatientSpec(seed=32, patient_id="SYN-CUT"))
    results = scene.send(study)
    refused = [item for item in results if not item.accepted]
    assert [item.status for item in refused] == [0xC000]
    accepted = {item.sop_instance_uid for item in results if item.accepted}
    eventually(lambda: len(scene.kept(study.study_uid)) >= len(accepted), timeout_s=FILED_S)
    assert scene.kept(study.study_uid) == accepted
    # Written behind the answer, so that a sender never waits for the audit.
    eventually(lambda: "instance_refused" in scene.audited(str(refused[0].sop_instance_uid)), timeout_s=FILED_S)
    assert scene.said() == ""


def test_a_stream_that_is_not_dicom_is_closed_and_the_next_sender_is_served(scene: Scene, tmp_path: Path) -> None:
    """Garbage on the port ends its own connection and nothing else."""
    with socket.create_connection((LOOPBACK, scene.node.plan.port), timeout=20.0) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
        while connection.recv(4096):  # an A-ABORT, then the end; the time-out of the socket would raise
            pass
    study = patients.write_chest_xray(tmp_path, spec=PatientSpec(seed=33, patient_id="SYN-AFTER"))
    assert all(item.accepted for item in scene.send(study))
    assert scene.said() == ""


def test_a_file_that_is_not_dicom_is_no_study(scene: Scene, tmp_path: Path) -> None:
    """`bmnode run` on a folder without images says so in one line, with an exit code, without a traceback."""
    (tmp_path / "notes.txt").write_text("not DICOM", encoding="utf-8")
    command = ["-m", "bmnode", "run", str(tmp_path), "--out", str(tmp_path / "out"), "--json"]
    said = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=120, check=False)
    assert said.returncode == 3
    assert json.loads(said.stdout)["error"]["type"] == "NotFoundError"
    assert "Traceback" not in said.stdout + said.stderr
