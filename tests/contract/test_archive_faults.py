"""What only the embedded archive can do: fail on request, report either way, and come back with its files."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pynetdicom import AE, StorageCommitmentPresentationContexts

from bmnode.archive.commit import PUSH_MODEL, PUSH_MODEL_INSTANCE
from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.ids import derive_uid
from bmnode.testing.archive import ArchiveFaults, CommitmentRoute, EmbeddedArchive
from bmnode.testing.orthanc import OrthancPeer
from tests.support.objects import StudyMaker
from tests.support.polling import eventually
from tests.support.receiver import LOOPBACK, CommitmentReport, Receiver
from tests.support.scu import QueryRetrieveScu, identifier


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Who asks for commitment."""
    with Receiver("RECEIVER") as running:
        yield running


@pytest.fixture
def study(tmp_path: Path) -> StudyMaker:
    """A study to store."""
    return StudyMaker(directory=tmp_path / "study", seed="faults")


def _send(archive: EmbeddedArchive, *paths: Path) -> list[tuple[str, str]]:
    results = CStoreSender("MODALITY", clock=SystemClock()).send(archive.as_peer(), paths)
    return [(str(result.sop_class_uid), str(result.sop_instance_uid)) for result in results if result.accepted]


def _request(archive: EmbeddedArchive, receiver: Receiver, references: list[tuple[str, str]]) -> CommitmentReport:
    report: CommitmentReport = QueryRetrieveScu("RECEIVER", archive.as_peer()).request_commitment(
        references,
        transaction_uid=derive_uid("transaction"),
        report_handlers=receiver.report_handlers,
        until_released=lambda: receiver.next_report(timeout_s=2),
    )
    return report


@pytest.mark.parametrize("known", [True, False], ids=["known_requester", "unknown_requester"])
@pytest.mark.parametrize("route", list(CommitmentRoute))
def test_commitment_is_reported_on_the_chosen_association(
    tmp_path: Path, receiver: Receiver, study: StudyMaker, route: CommitmentRoute, known: bool
) -> None:
    """A report on the request's association needs no address of the requester; on a new one it does."""
    peers = [receiver.peer] if known else []
    with EmbeddedArchive(
        tmp_path / "archive", ae_title="ARCHIVE", known_peers=peers, commitment_route=route
    ) as archive:
        references = _send(archive, study.sc())
        if known or route is CommitmentRoute.SAME_ASSOCIATION:
            assert _request(archive, receiver, references).event_type == 1
        else:
            with pytest.raises(queue.Empty):
                _request(archive, receiver, references)


def test_a_denied_commitment_names_the_reason(tmp_path: Path, receiver: Receiver, study: StudyMaker) -> None:
    """With the fault in force even stored objects are refused, until the archive is healed."""
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", known_peers=[receiver.peer]) as archive:
        references = _send(archive, study.sc())
        archive.inject(ArchiveFaults(commitment_failure_reason=0x0110))
        denied = _request(archive, receiver, references)
        archive.inject(ArchiveFaults())
        healed = _request(archive, receiver, references)
    assert (denied.event_type, denied.information.FailedSOPSequence[0].FailureReason) == (2, 0x0110)
    assert healed.event_type == 1


def test_a_withheld_commitment_never_comes(tmp_path: Path, receiver: Receiver, study: StudyMaker) -> None:
    """The request is taken with success, and no report follows."""
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", known_peers=[receiver.peer]) as archive:
        references = _send(archive, study.sc())
        archive.inject(ArchiveFaults(withhold_commitment=True))
        with pytest.raises(queue.Empty):
            _request(archive, receiver, references)


def test_an_unknown_action_is_refused(tmp_path: Path) -> None:
    """Storage commitment has one action type; any other is answered with 0123 (PS3.7 annex C)."""
    requester = AE(ae_title="RECEIVER")
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        association = requester.associate(LOOPBACK, archive.port, contexts=StorageCommitmentPresentationContexts)
        request = Dataset()
        request.TransactionUID = derive_uid("transaction")
        status, _ = association.send_n_action(request, 2, PUSH_MODEL, PUSH_MODEL_INSTANCE)
        association.release()
    assert status.Status == 0x0123


def test_refusals_stop_after_the_count(tmp_path: Path, study: StudyMaker) -> None:
    """`store_count` limits a fault to that many requests; what was refused is not kept."""
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        archive.inject(ArchiveFaults(store_status=0xA700, store_count=2))
        accepted = _send(archive, *study.ct(3))
        assert [item.sop_instance_uid for item in archive.instances()] == [uid for _, uid in accepted]
        assert len(accepted) == 1


def test_an_archive_that_starts_again_has_what_it_had(tmp_path: Path, receiver: Receiver, study: StudyMaker) -> None:
    """A second archive on the same directory answers for what the first one stored."""
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as first:
        stored = _send(first, *study.ct(2))
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", known_peers=[receiver.peer]) as second:
        scu = QueryRetrieveScu("RECEIVER", second.as_peer())
        outcome = scu.move(identifier("STUDY", StudyInstanceUID=study.study_uid), "RECEIVER")
    assert outcome.completed == len(stored) == 2


def test_waiting_for_what_does_not_come_says_so(tmp_path: Path) -> None:
    """`wait_for` gives up after its time with what the archive holds."""
    with (
        EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive,
        pytest.raises(TimeoutError, match="holds 0 instances"),
    ):
        archive.wait_for(lambda instances: len(instances) > 0, timeout_s=0.05)


def test_orthanc_takes_the_embedded_archives_commitment(
    tmp_path: Path, orthanc_configuration: Path, study: StudyMaker
) -> None:
    """Orthanc as the requester understands the archive's report: success for what it sent there."""
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as archive:
        references = _send(archive, *study.ct(2))
        peers = [archive.as_peer("archive")]
        with OrthancPeer(tmp_path / "orthanc", configuration=orthanc_configuration, known_peers=peers) as orthanc:
            archive.add_peer(orthanc.as_peer())
            request = {"DicomInstances": [list(reference) for reference in references]}
            transaction = orthanc.rest.post("modalities/archive/storage-commitment", json=request).json()["ID"]
            path = f"storage-commitment/{transaction}"
            eventually(lambda: orthanc.rest.get_json(path)["Status"] != "Pending", timeout_s=20)
            report = orthanc.rest.get_json(path)
    assert report["Status"] == "Success"
    assert len(report["Success"]) == 2
