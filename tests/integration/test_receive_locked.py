"""Somebody else holds the database's write lock: peers come, send, are refused and go as if nobody did."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pynetdicom import AE, build_context

from bmnode.clock import SystemClock
from bmnode.scp import AcceptorOptions
from bmnode.scp.contexts import VERIFICATION
from bmnode.scp.policy import Policy
from bmnode.storage import AuditTrail
from tests.support.acceptor import SMALL_JOURNAL, ReceivingNode, receiving_node, store
from tests.support.encoded import EncodedInstance, encoded_ct
from tests.support.raw_peer import RejectedError

ANSWERED_WITHIN_S = 5.0
"""Far below the half minute that a writer waits for the lock."""
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CLOCK = SystemClock()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ReceivingNode]:
    """A running acceptor."""
    options = AcceptorOptions(
        ae_title="BMNODE", bind="127.0.0.1", policy=Policy(called_ae="BMNODE"), journal=SMALL_JOURNAL
    )
    with receiving_node(tmp_path / "node", options=options) as node:
        yield node


@contextmanager
def _locked(node: ReceivingNode) -> Iterator[None]:
    """Hold the lock, and see that nothing within waited for it."""
    with closing(sqlite3.connect(node.spool.directory.parent / "node.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = CLOCK.monotonic_s()
        yield
        took_s = CLOCK.monotonic_s() - started
        other.execute("ROLLBACK")
    assert took_s < ANSWERED_WITHIN_S, f"somebody waited {took_s:.1f} s"


def _is_sent(node: ReceivingNode, image: EncodedInstance) -> bool:
    with node.peer(image) as peer:
        status = store(peer, image)
        peer.release()
    return status == 0x0000


def _change(image: EncodedInstance) -> EncodedInstance:
    """Other pixels under the same identifiers."""
    return replace(image, data_set=image.data_set[:-1] + bytes([image.data_set[-1] ^ 1]))


def test_nobody_waits_for_a_locked_database(node: ReceivingNode, tmp_path: Path) -> None:
    """New associations, strangers, queries and refused images are answered; their lines follow."""
    images = encoded_ct(tmp_path / "ct", count=4)
    with _locked(node):
        assert all(_is_sent(node, image) for image in images)
        assert not _is_sent(node, _change(images[0]))
        with pytest.raises(RejectedError):
            node.peer(images[0], called_ae="SOMEBODYELSE")
        contexts = [build_context(item) for item in (VERIFICATION, STUDY_ROOT_FIND)]
        curious = AE(ae_title="CURIOUS").associate("127.0.0.1", node.port, contexts=contexts, ae_title="BMNODE")
        assert curious.is_established
        curious.release()
    node.settle()
    with node.database.read() as connection:
        trail = AuditTrail(connection)
        assert trail.first_broken() is None
        told = Counter(entry.event for entry in trail.entries())
    lines = {"association_accepted": 6, "association_released": 6, "instance_stored": 4, "instance_refused": 1}
    assert told == lines | {"association_rejected": 1, "query_refused": 1}
