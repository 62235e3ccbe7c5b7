"""Storage commitment over the network: either way of the report, and who may bring one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom import AE, build_context, build_role

from bmnode.archive.association import Caller
from bmnode.archive.commit import PUSH_MODEL, PUSH_MODEL_INSTANCE, CommitmentScu
from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.commitment import CommitmentObject, CommitmentReport, Reference
from bmnode.domain.ids import derive_uid
from bmnode.domain.peers import Peer
from bmnode.errors import PeerRefusedError
from bmnode.scp import Acceptor, AcceptorOptions
from bmnode.scp.policy import PeerRule, Policy
from bmnode.spool import Spool
from bmnode.storage import AuditTrail, Commitments, Database
from bmnode.testing.archive import ArchiveFaults, CommitmentRoute, EmbeddedArchive
from bmnode.testing.orthanc import OrthancPeer
from bmnode.testing.ports import LOOPBACK
from bmnode.work.commitments import new_commitment
from tests.support.acceptor import SMALL_JOURNAL, after_quiet
from tests.support.commitment_rows import add_job
from tests.support.objects import StudyMaker
from tests.support.polling import eventually

CLOCK = SystemClock()
NODE = "BMNODE"
JOB = "job"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The node's, with a job whose results are sent."""
    made = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    made.migrate()
    add_job(made, JOB, at=CLOCK.now())
    yield made
    made.dispose()


@pytest.fixture
def listener(tmp_path: Path, database: Database) -> Iterator[Acceptor]:
    """The node's listener, which knows the archive and nobody else."""
    options = AcceptorOptions(
        ae_title=NODE, bind=LOOPBACK, policy=Policy(peers=(PeerRule(ae_title="ARCHIVE"),)), journal=SMALL_JOURNAL
    )
    spool = Spool(tmp_path / "spool", min_free_bytes=0)
    acceptor = Acceptor(options, spool=spool, database=database, clock=CLOCK, quiet=after_quiet)
    acceptor.start()
    yield acceptor
    acceptor.stop(0)


def _store(peer: Peer, *paths: Path) -> list[Reference]:
    results = CStoreSender(NODE, clock=CLOCK).send(peer, paths)
    assert all(item.accepted for item in results)
    return [Reference(str(item.sop_class_uid), str(item.sop_instance_uid)) for item in results]


def _ask(database: Database, peer: Peer, references: list[Reference], *, stay_s: float = 5.0) -> tuple[str, bool]:
    """Make the row and the request as the worker does; Transaction UID, and whether the answer came at once."""
    objects = [CommitmentObject(owed_uid=item.sop_instance_uid, reference=item) for item in references]
    with database.write() as connection:
        request = new_commitment(connection, JOB, peer.name, asked_ae=peer.ae_title, objects=objects, at=CLOCK.now())

    def take(report: CommitmentReport) -> bool:
        with database.write() as connection:
            return Commitments(connection).answer(report, from_ae=peer.ae_title, at=CLOCK.now())

    scu = CommitmentScu(Caller(ae_title=NODE, clock=CLOCK), stay_s=stay_s)
    at_once = scu.request(peer, references, transaction_uid=request.transaction_uid, take=take)
    return request.transaction_uid, at_once


def _said(database: Database, transaction_uid: str) -> list[tuple[bool | None, int | None]]:
    with database.read() as connection:
        return [(item.committed, item.failure_reason) for item in Commitments(connection).objects(transaction_uid)]


def _events(database: Database, event: str) -> list[str]:
    with database.read() as connection:
        return [item.detail for item in AuditTrail(connection).entries() if item.event == event]


def _node(acceptor: Acceptor) -> Peer:
    return Peer(name="node", ae_title=NODE, host=LOOPBACK, port=acceptor.port)


def test_a_report_on_the_same_association_is_taken(tmp_path: Path, database: Database) -> None:
    """The request's own association brings the answer, and is not ended before the response has left."""
    route = CommitmentRoute.SAME_ASSOCIATION
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", commitment_route=route) as archive:
        references = _store(archive.as_peer(), *StudyMaker(directory=tmp_path / "study", seed="a").ct(2))
        uid, at_once = _ask(database, archive.as_peer(), references)
    assert at_once
    assert _said(database, uid) == [(True, None), (True, None)]


def test_a_report_on_the_archives_own_association_is_taken(
    tmp_path: Path, database: Database, listener: Acceptor
) -> None:
    """The listener writes the answer down for whoever asked, also a failure with its reason."""
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", known_peers=[_node(listener)]) as archive:
        references = _store(archive.as_peer(), *StudyMaker(directory=tmp_path / "study", seed="b").ct(2))
        references.append(Reference(references[0].sop_class_uid, "1.2.3.4"))
        uid, at_once = _ask(database, archive.as_peer(), references, stay_s=0.01)
        eventually(lambda: None not in [item[0] for item in _said(database, uid)], timeout_s=20)
    assert not at_once
    assert sorted(_said(database, uid), key=str) == [(False, 0x0112), (True, None), (True, None)]
    listener.settle(20)
    assert len(_events(database, "commitment_reported")) == 1


def test_a_denied_commitment_names_its_reason(tmp_path: Path, database: Database) -> None:
    """An archive that accepts and then denies commits to nothing."""
    route = CommitmentRoute.SAME_ASSOCIATION
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", commitment_route=route) as archive:
        references = _store(archive.as_peer(), StudyMaker(directory=tmp_path / "study", seed="c").sc())
        archive.inject(ArchiveFaults(commitment_failure_reason=0x0110))
        uid, _ = _ask(database, archive.as_peer(), references)
    assert _said(database, uid) == [(False, 0x0110)]


def test_an_answer_that_is_withheld_is_no_answer(tmp_path: Path, database: Database) -> None:
    """The request is over when the stay is, and nothing is committed."""
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        references = _store(archive.as_peer(), StudyMaker(directory=tmp_path / "study", seed="d").sc())
        archive.inject(ArchiveFaults(withhold_commitment=True))
        uid, at_once = _ask(database, archive.as_peer(), references, stay_s=0.05)
    assert not at_once
    assert _said(database, uid) == [(None, None)]


@pytest.mark.parametrize(
    ("calling_ae", "transaction", "status", "reason"),
    [
        ("ARCHIVE", "2.25.1", 0x0115, "unknown_transaction"),
        ("ARCHIVE", None, 0x0114, "unreadable"),
        ("STRANGER", "2.25.1", 0x0110, "not_of_peer"),
    ],
)
def test_what_nobody_asked_for_is_refused(
    database: Database, listener: Acceptor, calling_ae: str, transaction: str | None, status: int, reason: str
) -> None:
    """An unknown transaction, none at all, and somebody who is no peer: each has its status, and is audited."""
    information = Dataset()
    if transaction is not None:
        information.TransactionUID = transaction
    information.ReferencedSOPSequence = []
    association = AE(ae_title=calling_ae).associate(
        LOOPBACK,
        listener.port,
        contexts=[build_context(PUSH_MODEL)],
        ae_title=NODE,
        ext_neg=[build_role(PUSH_MODEL, scp_role=True)],
    )
    assert association.is_established
    answer, _ = association.send_n_event_report(information, 1, PUSH_MODEL, PUSH_MODEL_INSTANCE)
    association.release()
    listener.settle(20)
    assert answer.Status == status
    (detail,) = _events(database, "commitment_report_refused")
    assert reason in detail


def test_a_peer_without_the_service_refuses(listener: Acceptor, database: Database) -> None:
    """The node itself is nobody's archive: it does not take requests for commitment."""
    peer = _node(listener)
    with pytest.raises(PeerRefusedError):
        _ask(database, peer, [Reference("1.2.840.10008.5.1.4.1.1.2", derive_uid("x"))], stay_s=0.01)


def test_orthanc_commits_itself(tmp_path: Path, database: Database, orthanc_configuration: Path) -> None:
    """Debian's Orthanc as the provider: it brings its report to the listener, under its own title."""
    options = AcceptorOptions(
        ae_title=NODE, bind=LOOPBACK, policy=Policy(peers=(PeerRule(ae_title="ORTHANC"),)), journal=SMALL_JOURNAL
    )
    spool = Spool(tmp_path / "spool", min_free_bytes=0)
    acceptor = Acceptor(options, spool=spool, database=database, clock=CLOCK, quiet=after_quiet)
    acceptor.start()
    try:
        peers = [_node(acceptor)]
        with OrthancPeer(tmp_path / "orthanc", configuration=orthanc_configuration, known_peers=peers) as orthanc:
            assert orthanc.as_peer().ae_title == "ORTHANC"
            references = _store(orthanc.as_peer(), *StudyMaker(directory=tmp_path / "study", seed="e").ct(2))
            uid, _ = _ask(database, orthanc.as_peer(), references, stay_s=0.01)
            eventually(lambda: None not in [item[0] for item in _said(database, uid)], timeout_s=30)
    finally:
        acceptor.stop(0)
    assert _said(database, uid) == [(True, None), (True, None)]
