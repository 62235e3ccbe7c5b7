"""A power cut on a real file system: an ext4 image, copied at the instant of SIGKILL, tells what was flushed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bmnode.spool import replay
from bmnode.storage import AuditTrail, Instances
from bmnode.testing.clock import FakeClock
from tests.support.acceptor import store
from tests.support.encoded import encoded_ct
from tests.support.raw_peer import RawPeer
from tests.support.receiving_process import database_of, due_at, spool_of

pytestmark = pytest.mark.acceptance

INSTANCES = 100
IMAGE_BYTES = 256 << 20


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=120)


@contextmanager
def _mounted(image: Path, at: Path) -> Iterator[Path]:
    """The image's file system, mounted. Skips where this machine allows nobody to mount."""
    at.mkdir()
    try:
        _run("mount", "-o", "loop", image, at)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("loop mounts are not allowed here")
    try:
        yield at
    finally:
        _run("umount", "--lazy", at)


@pytest.mark.parametrize("mode", ["journal", "files"])
def test_every_acknowledged_instance_survives_a_power_cut(tmp_path: Path, repository_root: Path, mode: str) -> None:
    """100 of 100 are readable and in the index, whether they lie in the journal or in files of their own."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("needs the right to mount, and mkfs.ext4")
    image, copy = tmp_path / "disk.img", tmp_path / "copy.img"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    _run("mkfs.ext4", "-q", image)
    instances = encoded_ct(tmp_path / "source", count=INSTANCES)
    with _mounted(image, tmp_path / "disk") as disk:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.receiving_process", str(disk), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=repository_root,
        )
        assert process.stdout is not None
        port = int(process.stdout.readline())
        context = (instances[0].sop_class_uid, (instances[0].transfer_syntax_uid,))
        with RawPeer(port, contexts=[context]) as peer:
            assert {store(peer, instance) for instance in instances} == {0x0000}
            process.kill()
            _run("cp", "--sparse=always", image, copy)
        process.communicate(timeout=30)
    with _mounted(copy, tmp_path / "after") as after:
        database, spool = database_of(after), spool_of(after)
        report = replay(spool, database=database, clock=FakeClock(), due_at=due_at)
        assert report.missing == ()
        with database.read() as connection:
            for instance in instances:
                row = Instances(connection).get(instance.sop_instance_uid)
                assert spool.path(row.study_uid, row.sop_instance_uid).read_bytes().endswith(instance.data_set)
            assert AuditTrail(connection).first_broken() is None
        database.dispose()
