"""What surrounds the node fails, and comes back: nothing is lost, the state is told, nobody has to do anything."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from bmnode.cli.entry import main
from bmnode.clock import SystemClock
from bmnode.domain.peers import Peer
from bmnode.domain.states import DeliveryState
from bmnode.storage import AuditTrail, Database, Deliveries, Instances, Jobs
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.node import NodePlan, NodeProcess, is_delivered
from bmnode.testing.ports import LOOPBACK, free_ports
from tests.support.acceptor import store
from tests.support.encoded import EncodedInstance, encoded_ct
from tests.support.polling import eventually
from tests.support.raw_peer import PeerClosedError, RawPeer

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

CLOCK = SystemClock()
OUT_OF_RESOURCES = 0xA700
COMES_BACK_S = 60.0
THROUGH_S = 240.0
LOCKED_S = 35.0
"""Longer than a writer waits for the lock."""


@dataclass(kw_only=True)
class Ground:
    """A running node, its archive, and what may be asked of them."""

    plan: NodePlan
    archive: EmbeddedArchive
    capsys: pytest.CaptureFixture[str]
    database: Database = field(init=False)

    def __post_init__(self) -> None:
        self.database = Database(self.plan.settings.database_url)

    def send(self, instance: EncodedInstance) -> int:
        """C-STORE one image; its status."""
        contexts = [(instance.sop_class_uid, (instance.transfer_syntax_uid,))]
        with RawPeer(self.plan.port, contexts=contexts) as peer:
            status = store(peer, instance)
            peer.release()
            return status

    def ask(self, *arguments: str) -> tuple[int, Any]:
        """Exit code and JSON document of a command."""
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(self.plan.config_file), *arguments, "--json"])
        return int(ended.value.code or 0), json.loads(self.capsys.readouterr().out)

    def findings(self) -> Mapping[str, str]:
        """Severity by what was looked at, as `check` tells it; by its worst."""
        found = self.ask("check")[1]["findings"]
        return {item["key"]: item["severity"] for item in reversed(found)}

    def is_through(self, *instances: EncodedInstance) -> bool:
        """Whether every image has its row and its bytes in the spool, and the study's results were delivered."""
        spool = self.plan.settings.spool_directory / "studies"
        for item in instances:
            path = spool / item.study_uid / f"{item.sop_instance_uid}.dcm"
            with self.database.read() as connection:
                row = Instances(connection).find(item.sop_instance_uid)
            if row is None or not path.read_bytes().endswith(item.data_set):
                return False
        return is_delivered(self.database, instances[0].study_uid)

    def check_it_is_once_there(self, study_uid: str) -> None:
        """The archive holds the study's results, each once, and the trail is whole."""
        with self.database.read() as connection:
            (job,) = Jobs(connection).of_study(study_uid)
            owed = [item.sop_instance_uid for item in Deliveries(connection).of_job(job.job_id, destination="archive")]
            assert AuditTrail(connection).first_broken() is None
        held = [item.sop_instance_uid for item in self.archive.instances() if item.study_uid == study_uid]
        assert sorted(held) == sorted(owed)


@contextmanager
def _ground(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    sections: Mapping[str, Mapping[str, Any]],
    others: tuple[Peer, ...] = (),
) -> Iterator[tuple[Ground, NodeProcess]]:
    with EmbeddedArchive(folder / "archive", ae_title="ARCHIVE") as archive:
        plan = NodePlan(folder=folder / "node", peers=(archive.as_peer(), *others), sections=sections)
        with NodeProcess(plan, clock=CLOCK) as node:
            ground = Ground(plan=plan, archive=archive, capsys=capsys)
            yield ground, node
            ground.database.dispose()


def _mount(*arguments: str | Path) -> None:
    """Skips where this machine allows nobody to mount."""
    try:
        subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounts are not allowed here")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 400 MB."""
    if os.geteuid() != 0:
        pytest.skip("needs the right to mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", "size=400m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True, timeout=60)


def test_a_full_disk(tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything of the node is on a disk without a free byte: A700, told by the check; then it goes on by itself."""
    images = encoded_ct(tmp_path / "ct", count=6)
    sections: dict[str, dict[str, Any]] = {"node": {"data_dir": str(small_disk / "data")}, "spool": {"min_free_mb": 20}}
    with _ground(tmp_path, capsys, sections=sections) as (ground, _):
        assert ground.send(images[0]) == 0x0000
        filler = small_disk / "filler"
        _fill(filler)
        assert {ground.send(image) for image in images[1:4]} == {OUT_OF_RESOURCES}
        assert ground.findings()["spool.min_free_mb"] == "error"
        filler.unlink()
        assert {ground.send(image) for image in images[1:]} == {0x0000}
        eventually(lambda: ground.is_through(*images), timeout_s=THROUGH_S)
        assert ground.ask("study", "show", images[0].study_uid)[1]["instance_count"] == len(images)
        assert ground.findings()["spool.min_free_mb"] == "ok"


def _fill(path: Path) -> None:
    """Write a file until the disk takes no more."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 20)):
            pass
    assert shutil.disk_usage(path.parent).free == 0


def test_a_spool_that_is_read_only(tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The listener, started anew on it, comes up by itself once it can be written to; what was kept is kept."""
    images = encoded_ct(tmp_path / "ct", count=4)
    sections: dict[str, dict[str, Any]] = {
        "spool": {"directory": str(small_disk / "spool"), "min_free_mb": 20},
        "assembly": {"quiet_s": 30.0},
    }
    with _ground(tmp_path, capsys, sections=sections) as (ground, node):
        assert ground.send(images[0]) == 0x0000
        listener = next(
            item for item in psutil.Process(node.pid).children() if "--part listener" in " ".join(item.cmdline())
        )
        listener.kill()
        eventually(lambda: _remounted(small_disk, "ro"), timeout_s=10.0)
        eventually(lambda: ground.findings()["spool.directory"] == "error", timeout_s=20.0)
        assert (small_disk / "spool").is_dir()
        eventually(lambda: _remounted(small_disk, "rw"), timeout_s=10.0)
        eventually(lambda: _takes(ground, images[1]), timeout_s=COMES_BACK_S)
        assert {ground.send(image) for image in images[2:]} == {0x0000}
        eventually(lambda: ground.is_through(*images), timeout_s=THROUGH_S)
        ground.check_it_is_once_there(images[0].study_uid)


def _remounted(folder: Path, mode: str) -> bool:
    command = ["mount", "-o", f"remount,{mode}", str(folder)]
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0


def _takes(ground: Ground, image: EncodedInstance) -> bool:
    try:
        return ground.send(image) == 0x0000
    except (OSError, PeerClosedError):
        return False


def test_a_database_that_is_locked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody holds the write lock for longer than anybody waits: images are taken at once, and filed when it goes."""
    images = encoded_ct(tmp_path / "ct", count=5)
    with _ground(tmp_path, capsys, sections={}) as (ground, _):
        file = ground.plan.settings.database_file
        assert file is not None
        contexts = [(images[0].sop_class_uid, (images[0].transfer_syntax_uid,))]
        with RawPeer(ground.plan.port, contexts=contexts) as peer:
            assert store(peer, images[0]) == 0x0000
            with closing(sqlite3.connect(file, isolation_level=None, timeout=60.0)) as other:
                other.execute("BEGIN IMMEDIATE")
                locked_at = CLOCK.monotonic_s()
                assert {store(peer, image) for image in images[1:]} == {0x0000}
                assert CLOCK.monotonic_s() - locked_at < LOCKED_S / 2
                assert ground.findings()["database.url"] == "warning"
                CLOCK.sleep_s(max(LOCKED_S - (CLOCK.monotonic_s() - locked_at), 0.0))
                other.execute("ROLLBACK")
            peer.release()
        eventually(lambda: ground.is_through(*images), timeout_s=THROUGH_S)
        assert ground.findings()["database.url"] == "ok"


def test_a_database_that_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The node makes a new one and puts every image into it from the spool, those included that came meanwhile."""
    images = encoded_ct(tmp_path / "ct", count=6)
    with _ground(tmp_path, capsys, sections={}) as (ground, _):
        file = ground.plan.settings.database_file
        assert file is not None
        assert {ground.send(image) for image in images[:3]} == {0x0000}
        eventually(lambda: ground.is_through(*images[:3]), timeout_s=THROUGH_S)
        file.unlink()  # its -wal and -shm stay behind
        sent = [image for image in images[3:5] if _takes(ground, image)]
        ground.database.dispose()
        eventually(lambda: _takes(ground, images[5]), timeout_s=COMES_BACK_S)
        again = [image for image in images[3:5] if image not in sent]
        assert {ground.send(image) for image in again} <= {0x0000}
        eventually(lambda: file.is_file() and ground.is_through(*images), timeout_s=THROUGH_S)
        assert ground.findings()["database.url"] == "ok"
        assert ground.ask("study", "show", images[0].study_uid)[1]["instance_count"] == len(images)
        with ground.database.read() as connection:
            assert AuditTrail(connection).first_broken() is None


@contextmanager
def _hangs(port: int) -> Iterator[None]:
    """Takes every connection on a port and never says a word."""
    taken: list[socket.socket] = []
    with socket.create_server((LOOPBACK, port), backlog=64) as server:
        over = threading.Event()
        server.settimeout(0.2)

        def take() -> None:
            while not over.is_set():
                try:
                    taken.append(server.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            for connection in taken:
                connection.close()


def test_a_destination_that_hangs_for_ever(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The healthy one has its results at once, again and again; the other gets all of them when it wakes up."""
    studies = [encoded_ct(tmp_path / f"ct{number}", seed=f"hang{number}", count=2) for number in range(4)]
    port = free_ports(1)[0]
    asleep = Peer(name="asleep", ae_title="ASLEEP", host=LOOPBACK, port=port)
    with _ground(tmp_path, capsys, sections={"delivery": {"longest_retry_s": 5.0}}, others=(asleep,)) as (ground, _):
        with _hangs(port):
            for images in studies:
                assert {ground.send(image) for image in images} == {0x0000}
                eventually(lambda: _owed(ground, images[0].study_uid)["archive"], timeout_s=THROUGH_S)  # noqa: B023
                assert not _owed(ground, images[0].study_uid)["asleep"]
            deliveries = ground.ask("delivery", "list")[1]["deliveries"]
            waiting = [item for item in deliveries if item["state"] == "pending"]
            assert {item["destination"] for item in waiting} == {"asleep"}
            eventually(lambda: _told_why(ground), timeout_s=THROUGH_S)
            found = ground.findings()
            assert (found["destination.asleep"], found["destination.archive"]) == ("error", "ok")
            shown = ground.ask("study", "show", studies[0][0].study_uid)[1]["deliveries"]
            late = {item["destination"] for item in shown if item["state"] == "pending" and item["last_error"]}
            assert late == {"asleep"}
        with EmbeddedArchive(tmp_path / "awake", ae_title="ASLEEP", port=port) as awake:
            for images in studies:
                eventually(lambda: is_delivered(ground.database, images[0].study_uid), timeout_s=THROUGH_S)  # noqa: B023
                ground.check_it_is_once_there(images[0].study_uid)
            uids = [sorted(item.sop_instance_uid for item in there.instances()) for there in (awake, ground.archive)]
            assert uids[0] == uids[1]


def test_many_destinations_that_hang_hold_up_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty accept the connection and say nothing, with every place of theirs taken, which is more than a node has
    threads: the healthy one has each result within the time that it usually takes, and studies go on being assessed."""
    studies = [encoded_ct(tmp_path / f"ct{number}", seed=f"many{number}", count=2) for number in range(3)]
    ports = free_ports(20)
    asleep = tuple(
        Peer(name=f"asleep-{number}", ae_title="ASLEEP", host=LOOPBACK, port=port) for number, port in enumerate(ports)
    )
    with _ground(tmp_path, capsys, sections={}, others=asleep) as (ground, _), ExitStack() as stack:
        for port in ports:
            stack.enter_context(_hangs(port))
        for images in studies:
            assert {ground.send(image) for image in images} == {0x0000}
            eventually(lambda: _owed(ground, images[0].study_uid)["archive"], timeout_s=THROUGH_S)  # noqa: B023
        deliveries = ground.ask("delivery", "list")[1]["deliveries"]
        waiting = [item for item in deliveries if item["state"] == "pending"]
        assert {item["destination"] for item in waiting} == {peer.name for peer in asleep}


def _owed(ground: Ground, study_uid: str) -> dict[str, bool]:
    """Whether each destination has everything of a study; that it has nothing to get yet is no."""
    with ground.database.read() as connection:
        found = [
            item for job in Jobs(connection).of_study(study_uid) for item in Deliveries(connection).of_job(job.job_id)
        ]
    names = ("archive", "asleep")
    own = {name: [item for item in found if item.destination == name] for name in names}
    return {
        name: bool(items) and all(item.state is DeliveryState.DELIVERED for item in items)
        for name, items in own.items()
    }


def _told_why(ground: Ground) -> bool:
    """Whether somebody who looks is told what is wrong with the destination, and that it will be tried again."""
    found = [item for item in ground.ask("delivery", "list")[1]["deliveries"] if item["state"] == "pending"]
    return all(item["last_error"] and item["next_attempt_at"] for item in found)
