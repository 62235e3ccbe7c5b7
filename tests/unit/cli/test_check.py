"""What `check` promises: whoever is called at night reads what is wrong and what to do, and a monitor sees it too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bmnode.domain.states import DeliveryEvent, DeliveryState, JobState
from bmnode.errors import AssociationRejectedError, PeerRefusedError, PeerUnreachableError
from bmnode.spool import InstanceIdentity, Spool
from bmnode.spool.journal import Journal, JournalOptions
from bmnode.storage import Database, Deliveries, Jobs, Studies
from bmnode.testing.clock import FakeClock
from bmnode.testing.ports import free_ports
from bmnode.work.nodes import LOCK_FILE, SERVE_LOCK_FILE, NodeLock
from tests.unit.cli.conftest import CONFIGURATION, JOB, NOW, STUDY, Answer, Outside, Run

UID = "1.2.840.99.77"
REJECTED = "the association was rejected"


@dataclass(kw_only=True)
class Scene:
    """A node that runs and has nothing to complain of, and ways to spoil it."""

    folder: Path
    database: Database
    outside: Outside
    locks: dict[str, NodeLock]

    @property
    def file(self) -> Path:
        """The configuration."""
        return self.folder / "bmnode.toml"

    def execute(self, statement: str) -> None:
        """Change rows behind the node's back."""
        with self.database.write() as connection:
            connection.execute(sa.text(statement))

    def journal(self, *, age: timedelta) -> None:
        """Leave an acknowledged image in the journal."""
        spool = Spool(self.folder / "bmnode-data" / "spool", min_free_bytes=0)
        spool.prepare()
        spool.make_directory(spool.directory / "journal")
        journal = Journal(spool, options=JournalOptions(segment_bytes=1 << 16, ready=0))
        identity = InstanceIdentity(
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            sop_instance_uid=UID,
            study_uid=UID,
            series_uid=UID,
            transfer_syntax_uid="1.2.840.10008.1.2.1",
        )
        entry = journal.append(
            identity, source_ae="SCANNER", received_at=NOW - age, file=(b"head", memoryview(b"data set"))
        )
        journal.commit(entry)
        journal.close()


@pytest.fixture
def scene(tmp_path: Path, database: Database, outside: Outside) -> Iterator[Scene]:
    """A running node: its processes' locks are held, and nobody wants the study whose job failed."""
    port = free_ports(1)[0]
    (tmp_path / "bmnode.toml").write_text(
        f"[node]\nport = {port}\n[spool]\nmin_free_mb = 1\n{CONFIGURATION}", encoding="utf-8"
    )
    with database.write() as connection:
        Studies(connection).reject(STUDY)
    locks = {name: NodeLock(tmp_path / "bmnode-data", file=name) for name in (SERVE_LOCK_FILE, LOCK_FILE)}
    with ExitStack() as held:
        for lock in locks.values():
            held.enter_context(lock)
        yield Scene(folder=tmp_path, database=database, outside=outside, locks=locks)


def _by_severity(answer: Answer, severity: str) -> dict[str, str]:
    return {item["key"]: item["message"] for item in answer.json["findings"] if item["severity"] == severity}


def test_a_node_without_fault_needs_no_hand(run: Run, scene: Scene) -> None:
    """Everything is looked at, nothing is complained of, and the exit code says so."""
    answer = run("check", "--json")
    assert (_by_severity(answer, "error"), _by_severity(answer, "warning")) == ({}, {})
    assert (answer.code, answer.json["ok"]) == (0, True)
    told = _by_severity(answer, "ok")
    looked_at = {"configuration", "node", "node.worker", "node.listener", "journal", "database.url", "database.schema"}
    looked_at |= {"clock", "audit", "studies", "jobs", "spool.directory", "spool.min_free_mb", "deliveries.pacs"}
    assert looked_at | {"destination.pacs", "destination.orthanc"} <= told.keys()
    assert "nothing needs a hand" in run("check").out


def _stop_the_node(scene: Scene) -> None:
    for lock in scene.locks.values():
        lock.release()


def _silence(name: str) -> Callable[[Scene], None]:
    def silence(scene: Scene) -> None:
        scene.outside.peer_errors[name] = PeerUnreachableError("no answer")

    return silence


def _refuse(scene: Scene) -> None:
    scene.outside.peer_errors["orthanc"] = PeerRefusedError("it does not accept verification")


def _refuse_segmentations(scene: Scene) -> None:
    scene.outside.refused["pacs"] = ("1.2.840.10008.5.1.4.1.1.66.4",)


def _want_the_study(scene: Scene) -> None:
    scene.execute(f"UPDATE studies SET state = 'complete' WHERE study_uid = '{STUDY}'")  # noqa: S608 - our own constant


def _set_the_clock_back(scene: Scene) -> None:
    scene.outside.clock = FakeClock(start=NOW - timedelta(days=2))


def _leave_a_study(scene: Scene) -> None:
    with scene.database.write() as connection:
        Studies(connection).image_arrived(UID, source_ae="SCANNER", at=NOW, due_at=NOW)
    scene.outside.clock.advance(3600)


def _leave_a_job(scene: Scene) -> None:
    with scene.database.write() as connection:
        job = replace(Jobs(connection).get(JOB), job_id="job-2", state=JobState.QUEUED, input_digest="other")
        Jobs(connection).add(job)
    scene.outside.clock.advance(2 * 3600)


def _forge_the_trail(scene: Scene) -> None:
    scene.execute("UPDATE audit SET actor = 'somebody' WHERE sequence = 1")


def _age_the_schema(scene: Scene) -> None:
    scene.execute("UPDATE alembic_version SET version_num = '0000'")


def _take_the_peer_away(scene: Scene) -> None:
    _owe(scene, destination="gone")


def _owe(scene: Scene, *, destination: str) -> None:
    with scene.database.write() as connection:
        deliveries = Deliveries(connection)
        uid = deliveries.of_job(JOB)[0].sop_instance_uid
        deliveries.add(uid, destination=destination, job_id=JOB, at=NOW)
        owed = deliveries.find(uid, destination)
        assert owed is not None
        deliveries.apply(owed, DeliveryEvent.DEFERRED, at=NOW, error="connection refused", next_attempt_at=NOW)


def _age_the_journal(scene: Scene) -> None:
    scene.journal(age=timedelta(minutes=10))


def _break_the_configuration(scene: Scene) -> None:
    scene.file.write_text("[node]\nporrt = 1\n", encoding="utf-8")


def _remove_the_database(scene: Scene) -> None:
    scene.database.dispose()
    (scene.folder / "bmnode-data" / "node.sqlite").unlink()


@pytest.mark.parametrize(
    ("spoil", "keys", "remedy"),
    [
        pytest.param(_stop_the_node, {"node"}, "start it", id="not running"),
        pytest.param(lambda scene: scene.locks[LOCK_FILE].release(), {"node.worker"}, "the log", id="no worker"),
        pytest.param(_silence("myself"), {"node.listener"}, "the log", id="listener silent"),
        pytest.param(_silence("pacs"), {"destination.pacs"}, "peer echo pacs", id="destination down"),
        pytest.param(_refuse, {"destination.orthanc"}, "AE title BMNODE", id="destination refuses"),
        pytest.param(_refuse_segmentations, {"destination.pacs"}, "accepts no seg", id="refuses segmentations"),
        pytest.param(_want_the_study, {"jobs.failed", "deliveries.pacs"}, "retry", id="failed and given up"),
        pytest.param(_set_the_clock_back, {"clock"}, "time server", id="clock set back"),
        pytest.param(_leave_a_study, {"studies"}, UID, id="study not judged"),
        pytest.param(_leave_a_job, {"jobs"}, "job show job-2", id="job waits"),
        pytest.param(_forge_the_trail, {"audit"}, "line 1", id="trail forged"),
        pytest.param(_age_the_schema, {"database.schema"}, "start the node", id="old schema"),
        pytest.param(_take_the_peer_away, {"destination.gone"}, "add it again", id="peer removed"),
        pytest.param(_age_the_journal, {"journal"}, "10 minutes", id="journal not filed"),
        pytest.param(_break_the_configuration, {"configuration"}, "port", id="configuration broken"),
        pytest.param(_remove_the_database, {"database"}, "node.sqlite", id="database removed"),
    ],
)
def test_what_needs_a_hand_is_told_with_its_remedy(
    run: Run, scene: Scene, spoil: Callable[[Scene], None], keys: set[str], remedy: str
) -> None:
    """One fault is one sentence, or one a part that it stops, first in the list, and the exit code is not 0."""
    spoil(scene)
    answer = run("check", "--json")
    told = _by_severity(answer, "error")
    assert told.keys() == keys
    assert remedy in " ".join(told.values())
    assert (answer.code, answer.json["ok"]) == (1, False)
    assert answer.json["findings"][0]["severity"] == "error"
    assert "a hand" in run("check").out


def _keep_a_file_aside(scene: Scene) -> None:
    folder = scene.folder / "bmnode-data" / "spool" / "quarantine"
    folder.mkdir(parents=True)
    (folder / "broken.dcm").write_bytes(b"")


def _let_a_delivery_wait(scene: Scene) -> None:
    _owe(scene, destination="orthanc")
    scene.outside.clock.advance(2 * 3600)


def _want_the_study_of_last_month(scene: Scene) -> None:
    _want_the_study(scene)
    scene.outside.clock.advance(30 * 24 * 3600)


@pytest.mark.parametrize(
    ("spoil", "key", "told"),
    [
        pytest.param(_want_the_study_of_last_month, "jobs.failed", "30 days ago", id="failed long ago"),
        pytest.param(_want_the_study_of_last_month, "deliveries.pacs", "given up", id="given up long ago"),
        pytest.param(_keep_a_file_aside, "quarantine", "send those images again", id="quarantine"),
        pytest.param(lambda scene: scene.journal(age=timedelta(minutes=1)), "journal", "they are safe", id="journal"),
        pytest.param(_let_a_delivery_wait, "deliveries.orthanc", "connection refused", id="delivery waits"),
        pytest.param(
            lambda scene: setattr(scene.outside, "clock", FakeClock(start=NOW - timedelta(seconds=20))),
            "clock",
            "20 seconds behind",
            id="clock",
        ),
    ],
)
def test_what_passes_by_itself_is_told_and_needs_no_hand(
    run: Run, scene: Scene, spoil: Callable[[Scene], None], key: str, told: str
) -> None:
    """A warning is for whoever looks; nobody is called at night for it."""
    spoil(scene)
    answer = run("check", "--json")
    assert _by_severity(answer, "error") == {}
    assert told in _by_severity(answer, "warning")[key]
    assert answer.code == 0


def test_a_journal_in_use_is_no_fault(run: Run, scene: Scene) -> None:
    """What was received a moment ago has its file in a moment, and is counted."""
    scene.journal(age=timedelta(seconds=2))
    assert "1 acknowledged image in the journal" in _by_severity(run("check", "--json"), "ok")["journal"]


def test_a_listener_that_knows_configured_peers_alone_answers(run: Run, scene: Scene) -> None:
    """It rejects the check itself as a stranger: so somebody is there, and it is the node."""
    scene.outside.peer_errors["myself"] = AssociationRejectedError(REJECTED, reason=(1, 1, 3))
    assert "node.listener" in _by_severity(run("check", "--json"), "ok")
    scene.outside.peer_errors["myself"] = AssociationRejectedError(REJECTED, reason=(1, 1, 7))
    assert "node.listener" in _by_severity(run("check", "--json"), "error")


def test_the_check_changes_nothing(run: Run, scene: Scene) -> None:
    """Asked beside a running node, it leaves rows, journal and deliveries as they are."""
    scene.journal(age=timedelta(minutes=10))
    with scene.database.read() as connection:
        before = Deliveries(connection).list(state=DeliveryState.DEAD)
    files = {path: path.read_bytes() for path in (scene.folder / "bmnode-data" / "spool").rglob("*") if path.is_file()}
    first, second = run("check", "--json").json, run("check", "--json").json
    assert first == second
    with scene.database.read() as connection:
        assert Deliveries(connection).list(state=DeliveryState.DEAD) == before
    assert {path: path.read_bytes() for path in files} == files
