"""What bmnode relies on in an archive, asked of the embedded archive and of Debian's Orthanc alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ImplicitVRLittleEndian, JPEGLosslessSV1

from bmnode.clock import SystemClock
from bmnode.delivery.presentation import Outgoing
from bmnode.delivery.sender import CStoreSender, SendOutcome
from bmnode.domain.ids import derive_uid
from bmnode.domain.peers import Peer
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.orthanc import OrthancPeer
from tests.support.objects import StudyMaker
from tests.support.receiver import CommitmentReport, Receiver
from tests.support.scu import PATIENT_ROOT, STUDY_ROOT, QueryRetrieveScu, identifier

REQUESTER = "RECEIVER"
NO_SUCH_INSTANCE = 0x0112
ROOTS = pytest.mark.parametrize("root", [STUDY_ROOT, PATIENT_ROOT], ids=["study_root", "patient_root"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One archive, a receiver that it knows, and clients for both."""

    archive: Peer
    receiver: Receiver
    sender: CStoreSender
    scu: QueryRetrieveScu


@pytest.fixture(scope="module", params=["embedded", "orthanc"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The archive under test; tests share it and keep apart by their studies' UIDs."""
    directory = tmp_path_factory.mktemp("archive")
    with Receiver(REQUESTER) as receiver:
        peers = [receiver.peer]
        archive: EmbeddedArchive | OrthancPeer
        if request.param == "embedded":
            archive = EmbeddedArchive(directory, ae_title="ARCHIVE", known_peers=peers)
        else:
            configuration = request.getfixturevalue("orthanc_configuration")
            archive = OrthancPeer(directory, configuration=configuration, known_peers=peers)
        with archive:
            peer = archive.as_peer()
            yield Stage(
                archive=peer,
                receiver=receiver,
                sender=CStoreSender("MODALITY", clock=SystemClock()),
                scu=QueryRetrieveScu(REQUESTER, peer),
            )


@pytest.fixture
def study(request: pytest.FixtureRequest, tmp_path: Path) -> StudyMaker:
    """A study of this test's own."""
    return StudyMaker(directory=tmp_path / "study", seed=request.node.nodeid)


def _store(stage: Stage, *paths: Path) -> list[Outgoing]:
    results = stage.sender.send(stage.archive, paths)
    assert [result.outcome for result in results] == [SendOutcome.ACCEPTED] * len(paths)
    return [Outgoing.from_file(path) for path in paths]


def _values(matches: list[Dataset], keyword: str) -> set[str]:
    return {str(match[keyword].value) for match in matches}


def test_echo_is_answered(stage: Stage) -> None:
    """C-ECHO succeeds and takes time."""
    assert stage.sender.echo(stage.archive).round_trip_s > 0


@pytest.mark.parametrize(
    "make",
    [
        lambda study: study.ct(2)[0],
        lambda study: study.nm(),
        lambda study: study.sc(),
        lambda study: study.sr(),
        lambda study: study.seg(),
    ],
    ids=["CT", "NM", "SC", "SR", "SEG"],
)
def test_every_kind_of_object_is_stored_and_comes_back_the_same(
    stage: Stage, study: StudyMaker, make: Callable[[StudyMaker], Path]
) -> None:
    """A stored object is found, and moved to a third party with every element as it was."""
    path = make(study)
    (stored,) = _store(stage, path)
    outcome = stage.scu.move(identifier("STUDY", StudyInstanceUID=study.study_uid), REQUESTER)
    assert (outcome.status, outcome.completed, outcome.failed) == (0x0000, 1, 0)
    (received,) = stage.receiver.received(stored.sop_instance_uid)
    assert received.dataset() == Dataset(dcmread(path))


def test_a_compressed_scan_is_kept_as_it_came(stage: Stage, bone_scan: Path) -> None:
    """The real JPEG Lossless scan comes back in JPEG Lossless, its pixel data bit for bit."""
    (stored,) = _store(stage, bone_scan)
    original = dcmread(bone_scan)
    stage.scu.move(identifier("STUDY", StudyInstanceUID=str(original.StudyInstanceUID)), REQUESTER)
    received = stage.receiver.received(stored.sop_instance_uid)[-1]
    assert received.transfer_syntax_uid == JPEGLosslessSV1
    assert original.PixelData in received.encoded


def test_an_object_in_implicit_vr_is_taken(stage: Stage, tmp_path: Path) -> None:
    """Implicit VR Little Endian, DICOM's default, is accepted as it is."""
    study = StudyMaker(
        directory=tmp_path, seed=f"implicit {stage.archive.name}", transfer_syntax_uid=ImplicitVRLittleEndian
    )
    (result,) = stage.sender.send(stage.archive, [study.sc()])
    assert result.accepted
    assert result.transfer_syntax_uid == ImplicitVRLittleEndian


def test_storing_the_same_object_twice_is_success_and_keeps_one(stage: Stage, study: StudyMaker) -> None:
    """A repeated C-STORE of one SOP Instance UID succeeds and does not double it."""
    path = study.sc()
    _store(stage, path)
    _store(stage, path)
    matches = stage.scu.find(identifier("IMAGE", StudyInstanceUID=study.study_uid, SOPInstanceUID=""))
    assert len(matches) == 1


@ROOTS
def test_a_study_is_found_by_its_uid_with_its_counts(stage: Stage, study: StudyMaker, root: str) -> None:
    """A study-level query returns the study once, with its modalities and the numbers of what it holds."""
    _store(stage, *study.ct(3), study.nm())
    (match,) = stage.scu.find(
        identifier(
            "STUDY",
            StudyInstanceUID=study.study_uid,
            PatientID="",
            StudyDate="",
            ModalitiesInStudy="",
            NumberOfStudyRelatedSeries="",
            NumberOfStudyRelatedInstances="",
        ),
        root=root,
    )
    assert match.PatientID == study.patient_id
    assert match.StudyDate == study.study_date
    assert set(match.ModalitiesInStudy) == {"CT", "NM"}
    assert int(match.NumberOfStudyRelatedSeries) == 2
    assert int(match.NumberOfStudyRelatedInstances) == 4


def test_a_patient_is_found_at_the_patient_level(stage: Stage, study: StudyMaker) -> None:
    """Patient Root answers at its own level, once a patient."""
    _store(stage, *study.ct(2))
    query = identifier("PATIENT", PatientID=study.patient_id, PatientName="")
    assert len(stage.scu.find(query, root=PATIENT_ROOT)) == 1


def test_series_and_images_are_found_below_their_study(stage: Stage, study: StudyMaker) -> None:
    """Series-level and image-level queries return what the study holds, no more."""
    sent = _store(stage, *study.ct(3), study.nm())
    series = stage.scu.find(
        identifier(
            "SERIES",
            StudyInstanceUID=study.study_uid,
            SeriesInstanceUID="",
            Modality="",
            NumberOfSeriesRelatedInstances="",
        )
    )
    assert {(item.Modality, int(item.NumberOfSeriesRelatedInstances)) for item in series} == {("CT", 3), ("NM", 1)}
    images = stage.scu.find(
        identifier(
            "IMAGE",
            StudyInstanceUID=study.study_uid,
            SeriesInstanceUID=study.series_uid("CT"),
            SOPInstanceUID="",
            InstanceNumber="",
        )
    )
    assert _values(images, "SOPInstanceUID") == {item.sop_instance_uid for item in sent[:3]}


def test_a_query_by_modality_keeps_to_it(stage: Stage, study: StudyMaker) -> None:
    """Modality is matched at the series level and, through Modalities in Study, at the study level."""
    _store(stage, *study.ct(1), study.nm())
    series = stage.scu.find(identifier("SERIES", StudyInstanceUID=study.study_uid, SeriesInstanceUID="", Modality="NM"))
    assert _values(series, "SeriesInstanceUID") == {study.series_uid("NM")}
    for modality, count in (("CT", 1), ("MR", 0)):
        query = identifier("STUDY", StudyInstanceUID=study.study_uid, ModalitiesInStudy=modality)
        assert len(stage.scu.find(query)) == count


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("*{tail}", True), ("{head}*", True), ("?{rest}", True), ("{head}", False), ("*X{tail}", False)],
)
def test_wildcards_match_as_the_standard_says(stage: Stage, study: StudyMaker, pattern: str, found: bool) -> None:
    """`*` stands for any text and `?` for one character (PS3.4 C.2.2.2.4); without them the whole value counts."""
    _store(stage, study.sc())
    patient = study.patient_id
    key = pattern.format(head=patient[:4], tail=patient[-7:], rest=patient[1:])
    matches = stage.scu.find(identifier("STUDY", PatientID=key, StudyInstanceUID=study.study_uid))
    assert bool(matches) is found


@pytest.mark.parametrize(
    ("dates", "found"),
    [
        ("20260115", True),
        ("20260101-20260131", True),
        ("20260115-", True),
        ("-20260115", True),
        ("20260116-", False),
        ("-20260114", False),
        ("20260116-20260131", False),
    ],
)
def test_dates_match_as_ranges(stage: Stage, study: StudyMaker, dates: str, found: bool) -> None:
    """A date range is closed at both ends and may be open at either (PS3.4 C.2.2.2.5)."""
    _store(stage, study.sc())
    matches = stage.scu.find(identifier("STUDY", StudyInstanceUID=study.study_uid, StudyDate=dates))
    assert bool(matches) is found


def test_a_list_of_uids_finds_each(stage: Stage, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Several UIDs in one key return every study named (PS3.4 C.2.2.2.2), and none that was not."""
    studies = [
        StudyMaker(directory=tmp_path / str(number), seed=f"{request.node.nodeid} {number}") for number in range(3)
    ]
    for maker in studies:
        _store(stage, maker.sc())
    wanted = [maker.study_uid for maker in studies[:2]]
    matches = stage.scu.find(identifier("STUDY", StudyInstanceUID=wanted))
    assert _values(matches, "StudyInstanceUID") == set(wanted)


def test_a_name_beyond_ascii_comes_back_readable(stage: Stage, study: StudyMaker) -> None:
    """A patient's name keeps its letters on the way through store and query."""
    _store(stage, study.sc())
    (match,) = stage.scu.find(identifier("STUDY", StudyInstanceUID=study.study_uid, PatientName=""))
    assert str(match.PatientName) == f"Müller^{study.patient_id}"


def test_an_unknown_study_is_not_found(stage: Stage, study: StudyMaker) -> None:
    """A UID that nobody sent matches nothing, and that is a success."""
    assert stage.scu.find(identifier("STUDY", StudyInstanceUID=study.study_uid)) == []


@ROOTS
def test_a_series_is_moved_alone(stage: Stage, study: StudyMaker, root: str) -> None:
    """A series-level C-MOVE sends that series and nothing else of the study."""
    *slices, scan = _store(stage, *study.ct(2), study.nm())
    query = identifier(
        "SERIES",
        PatientID=study.patient_id,
        StudyInstanceUID=study.study_uid,
        SeriesInstanceUID=study.series_uid("CT"),
    )
    outcome = stage.scu.move(query, REQUESTER, root=root)
    assert (outcome.status, outcome.completed, outcome.failed) == (0x0000, 2, 0)
    assert len(stage.receiver.received(*(item.sop_instance_uid for item in slices))) == 2
    assert stage.receiver.received(scan.sop_instance_uid) == ()


def test_a_move_to_nobody_fails(stage: Stage, study: StudyMaker) -> None:
    """C-MOVE to an AE title that the archive does not know ends with a failure and moves nothing."""
    (stored,) = _store(stage, study.sc())
    outcome = stage.scu.move(identifier("STUDY", StudyInstanceUID=study.study_uid), "NOBODY")
    assert outcome.status not in {0x0000, 0xB000}
    assert stage.receiver.received(stored.sop_instance_uid) == ()


def test_a_move_of_an_unknown_study_moves_nothing(stage: Stage, study: StudyMaker) -> None:
    """C-MOVE of a study that nobody sent completes no sub-operation."""
    outcome = stage.scu.move(identifier("STUDY", StudyInstanceUID=study.study_uid), REQUESTER)
    assert outcome.completed == 0


def test_a_study_is_got_on_the_requesters_association(stage: Stage, study: StudyMaker) -> None:
    """C-GET brings the study over the association that asked for it."""
    sent = _store(stage, *study.ct(2))
    outcome = stage.scu.get(identifier("STUDY", StudyInstanceUID=study.study_uid), sent)
    assert (outcome.status, outcome.completed, outcome.failed) == (0x0000, 2, 0)
    assert {item.sop_instance_uid for item in outcome.received} == {item.sop_instance_uid for item in sent}


def test_commitment_vouches_for_what_is_stored(stage: Stage, study: StudyMaker) -> None:
    """A commitment of stored objects is reported with event 1 and names each of them."""
    sent = _store(stage, *study.ct(2))
    report = _commit(stage, study, [(item.sop_class_uid, item.sop_instance_uid) for item in sent])
    assert report.event_type == 1
    committed = {str(item.ReferencedSOPInstanceUID) for item in report.information.ReferencedSOPSequence}
    assert committed == {item.sop_instance_uid for item in sent}


def test_commitment_of_an_unknown_object_is_denied(stage: Stage, study: StudyMaker) -> None:
    """What the archive does not have is reported with event 2, apart from what it has."""
    (stored,) = _store(stage, study.sc())
    missing = derive_uid(study.seed, "never sent")
    report = _commit(stage, study, [(stored.sop_class_uid, stored.sop_instance_uid), (stored.sop_class_uid, missing)])
    assert report.event_type == 2
    (failed,) = report.information.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == (missing, NO_SUCH_INSTANCE)
    (committed,) = report.information.ReferencedSOPSequence
    assert committed.ReferencedSOPInstanceUID == stored.sop_instance_uid


def _commit(stage: Stage, study: StudyMaker, references: list[tuple[str, str]]) -> CommitmentReport:
    transaction_uid = derive_uid(study.seed, "transaction")
    report: CommitmentReport = stage.scu.request_commitment(
        references,
        transaction_uid=transaction_uid,
        report_handlers=stage.receiver.report_handlers,
        until_released=lambda: stage.receiver.next_report(timeout_s=30),
    )
    assert report.information.TransactionUID == transaction_uid
    return report
