"""Kill -9 of the receiver in the middle of a stream: what was acknowledged is there."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bmnode.spool import replay
from bmnode.storage import AuditTrail, Instances, Studies
from bmnode.testing.clock import FakeClock
from tests.support.acceptor import store
from tests.support.encoded import EncodedInstance, encoded_ct
from tests.support.raw_peer import PeerClosedError, RawPeer
from tests.support.receiving_process import database_of, due_at, spool_of

SENDERS = 2


@contextmanager
def _receiver(directory: Path, root: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A receiver in a process of its own, and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.receiving_process", str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=30)


def _stream(port: int, instances: list[EncodedInstance], *, acknowledged: list[EncodedInstance]) -> None:
    """Send until everything is sent or the peer is gone, noting each success."""
    try:
        with RawPeer(port, contexts=[(instances[0].sop_class_uid, (instances[0].transfer_syntax_uid,))]) as peer:
            for instance in instances:
                if store(peer, instance) == 0x0000:
                    acknowledged.append(instance)  # noqa: PERF401 - the test watches the list grow
    except PeerClosedError:
        return


@pytest.mark.parametrize("kill_after", [1, 6, 15, 40])
def test_nothing_acknowledged_is_lost_to_a_kill(tmp_path: Path, repository_root: Path, kill_after: int) -> None:
    """Every acknowledged instance has its bytes and its row; replay leaves spool and database in agreement."""
    streams = [encoded_ct(tmp_path / f"source{n}", seed=f"s{n}", count=60) for n in range(SENDERS)]
    acknowledged: list[EncodedInstance] = []
    with _receiver(tmp_path, repository_root) as (process, port):
        senders = [
            threading.Thread(target=_stream, args=(port, stream), kwargs={"acknowledged": acknowledged})
            for stream in streams
        ]
        for sender in senders:
            sender.start()
        while len(acknowledged) < kill_after and any(sender.is_alive() for sender in senders):
            senders[0].join(0.001)
        process.kill()
        for sender in senders:
            sender.join(30)
    assert kill_after <= len(acknowledged) < SENDERS * len(streams[0]), "the kill came too early or too late"

    database, spool = database_of(tmp_path), spool_of(tmp_path)
    report = replay(spool, database=database, clock=FakeClock(), due_at=due_at)
    assert report.missing == ()
    assert report.quarantined == ()
    with database.read() as connection:
        for instance in acknowledged:
            row = Instances(connection).get(instance.sop_instance_uid)
            assert spool.path(row.study_uid, row.sop_instance_uid).read_bytes().endswith(instance.data_set)
        rows = set(Instances(connection).uids())
        counted = sum(study.instance_count for study in Studies(connection).list())
        assert AuditTrail(connection).first_broken() is None
    files = {(path.parent.name, path.stem) for path in spool.studies_directory.glob("*/*.dcm")}
    assert files == rows
    assert counted == len(rows)
    assert list(spool.incoming_directory.iterdir()) == []
    database.dispose()


def test_the_stream_goes_on_after_a_kill(tmp_path: Path, repository_root: Path) -> None:
    """A sender that starts over after the restart gets success for all, and each instance is there once."""
    stream = encoded_ct(tmp_path / "source", count=40)
    acknowledged: list[EncodedInstance] = []
    with _receiver(tmp_path, repository_root) as (process, port):
        sender = threading.Thread(target=_stream, args=(port, stream), kwargs={"acknowledged": acknowledged})
        sender.start()
        while len(acknowledged) < 10 and sender.is_alive():
            sender.join(0.001)
        process.kill()
        sender.join(30)
    acknowledged.clear()
    with _receiver(tmp_path, repository_root) as (_, port):
        _stream(port, stream, acknowledged=acknowledged)
    assert acknowledged == stream
    database = database_of(tmp_path)
    replay(spool_of(tmp_path), database=database, clock=FakeClock(), due_at=due_at)
    with database.read() as connection:
        assert Studies(connection).get(stream[0].study_uid).instance_count == len(stream)
    database.dispose()
