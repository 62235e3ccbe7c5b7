"""The C-STORE sender against peers that take, change, refuse and break off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
)
from pynetdicom import AE, evt

from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender, SenderTimeouts, SendOutcome
from bmnode.domain.objects import ResultKind, SegEncoding
from bmnode.domain.peers import Peer
from bmnode.errors import PeerRefusedError, PeerUnreachableError
from bmnode.results.concepts import SOP_CLASSES
from bmnode.results.write import write_results
from bmnode.testing.archive import ArchiveFaults, EmbeddedArchive
from tests.support.objects import StudyMaker
from tests.support.receiver import LOOPBACK, Receiver
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT


@pytest.fixture
def sender() -> CStoreSender:
    """A sender that gives up soon."""
    return CStoreSender("BMNODE", clock=SystemClock(), timeouts=SenderTimeouts(dimse_s=20.0))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[EmbeddedArchive]:
    """An archive that takes everything until told otherwise."""
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE") as running:
        yield running


@pytest.fixture
def study(tmp_path: Path) -> StudyMaker:
    """A study to send."""
    return StudyMaker(directory=tmp_path / "study", seed="sender")


class LatchedClock(SystemClock):
    """A clock whose sleeper wakes when told to, not when time has passed."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def sleep_s(self, seconds: float) -> None:
        """Wait for the release."""
        self.released.wait(timeout=60)


def test_a_batch_goes_over_one_association_in_its_order(
    sender: CStoreSender, archive: EmbeddedArchive, study: StudyMaker
) -> None:
    """Results stand in the order of the files, and the peer sees a single association for all of them."""
    paths = [study.sr(), *study.ct(3), study.sc()]
    results = sender.send(archive.as_peer(), paths)
    assert [result.path for result in results] == paths
    assert all(result.accepted and result.status == 0 for result in results)
    assert [item.sop_instance_uid for item in archive.instances()] == [result.sop_instance_uid for result in results]
    assert archive.association_count == 1


def test_what_is_not_compressed_goes_in_implicit_vr_where_the_peer_takes_nothing_else(
    sender: CStoreSender, study: StudyMaker
) -> None:
    """Only the encoding of the VR changes: every element arrives with its value, and the result says so."""
    path = study.ct(1)[0]
    with Receiver("OLDPACS", transfer_syntaxes=(ImplicitVRLittleEndian,)) as receiver:
        (result,) = sender.send(receiver.peer, [path])
        (received,) = receiver.received(str(result.sop_instance_uid))
    assert result.accepted
    assert result.transfer_syntax_uid == received.transfer_syntax_uid == ImplicitVRLittleEndian
    assert received.dataset() == Dataset(dcmread(path))


@pytest.mark.parametrize("taken", [(), (DeflatedExplicitVRLittleEndian,)], ids=["plain only", "deflated too"])
def test_a_deflated_object_is_inflated_on_the_way(sender: CStoreSender, tmp_path: Path, taken: tuple[UID, ...]) -> None:
    """Deflate is a way of writing, not of changing: the values arrive in Explicit VR."""
    source = dcmread(StudyMaker(directory=tmp_path, seed="deflated").sr())
    source.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = tmp_path / "deflated.dcm"
    source.save_as(path, enforce_file_format=True)
    with Receiver("OLDPACS", transfer_syntaxes=(*taken, ExplicitVRLittleEndian)) as receiver:
        (result,) = sender.send(receiver.peer, [path])
        (received,) = receiver.received(str(result.sop_instance_uid))
    assert result.transfer_syntax_uid == received.transfer_syntax_uid == ExplicitVRLittleEndian
    assert received.dataset() == Dataset(source)


def test_a_compressed_object_is_never_transcoded(sender: CStoreSender, bone_scan: Path, study: StudyMaker) -> None:
    """A peer that takes no JPEG Lossless refuses the scan by name; the rest of the batch still goes."""
    other = study.sc()
    with Receiver("OLDPACS", transfer_syntaxes=(ImplicitVRLittleEndian, ExplicitVRLittleEndian)) as receiver:
        refused, stored = sender.send(receiver.peer, [bone_scan, other])
        assert receiver.received(str(refused.sop_instance_uid)) == ()
    assert refused.outcome is SendOutcome.REFUSED_TRANSFER_SYNTAX
    assert refused.detail == f"refused: transfer syntax {JPEGLosslessSV1}"
    assert not refused.retryable
    assert stored.accepted


@pytest.mark.parametrize("taken", [RLELossless, ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_rle_is_decoded_for_a_peer_that_takes_none(sender: CStoreSender, tmp_path: Path, taken: UID) -> None:
    """The same instance arrives with the same pixels, compressed where the peer takes it so."""
    series = sources.classic_slices(tmp_path / "in", sources.CT, "CT")
    context = CONTEXT.encoded(SegEncoding.LABELMAP)
    objects = write_results(
        result_sets.volumetric(series), source_files=series.files, out_dir=tmp_path / "out", context=context
    )
    path = next(item.path for item in objects if item.kind is ResultKind.SEG)
    with Receiver("OLDPACS", transfer_syntaxes=(taken,)) as receiver:
        assert sender.takes(receiver.peer, [path])
        (result,) = sender.send(receiver.peer, [path])
        (received,) = receiver.received(str(result.sop_instance_uid))
    assert result.accepted
    assert received.transfer_syntax_uid == taken
    source, arrived = dcmread(path), received.dataset()
    assert arrived.SOPInstanceUID == source.SOPInstanceUID
    arrived.file_meta = FileMetaDataset()
    arrived.file_meta.TransferSyntaxUID = taken
    np.testing.assert_array_equal(arrived.pixel_array, source.pixel_array)


def test_a_peer_says_what_it_takes(sender: CStoreSender, study: StudyMaker) -> None:
    """A context for every file is acceptance; one that is missing is none, and so is none at all."""
    ae = AE(ae_title="CTONLY")
    ae.add_supported_context(CTImageStorage)
    with _server(ae) as peer:
        assert sender.takes(peer, study.ct(2))
        assert not sender.takes(peer, [*study.ct(2), study.nm()])
        assert not sender.takes(peer, [study.nm()])


def test_a_peer_says_which_classes_it_refuses(sender: CStoreSender) -> None:
    """Asked for what results are made of, with one class unknown and one taken deflated alone; nothing is sent."""
    known, deflated_only, unknown = (SOP_CLASSES[kind][0] for kind in (ResultKind.SR, ResultKind.PDF, ResultKind.SEG))
    ae = AE(ae_title="CTONLY")
    ae.add_supported_context(known, ImplicitVRLittleEndian)
    ae.add_supported_context(deflated_only, DeflatedExplicitVRLittleEndian)
    with _server(ae) as peer:
        assert sender.refused_classes(peer, [known, deflated_only, unknown]) == (deflated_only, unknown)
        assert sender.refused_classes(peer, [unknown]) == (unknown,)


def test_a_sop_class_that_the_peer_does_not_know_is_named(sender: CStoreSender, study: StudyMaker) -> None:
    """A refused abstract syntax is told apart from a refused transfer syntax, even when nothing was accepted."""
    ae = AE(ae_title="CTONLY")
    ae.add_supported_context(CTImageStorage)
    with _server(ae) as peer:
        (result,) = sender.send(peer, [study.nm()])
    assert result.outcome is SendOutcome.REFUSED_SOP_CLASS
    assert not result.retryable


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_warning_is_acceptance(
    sender: CStoreSender, archive: EmbeddedArchive, study: StudyMaker, status: int
) -> None:
    """The three warning statuses of C-STORE mean that the object is stored (PS3.4 Table B.2-1)."""
    archive.inject(ArchiveFaults(store_status=status))
    (result,) = sender.send(archive.as_peer(), [study.sc()])
    assert (result.outcome, result.status) == (SendOutcome.ACCEPTED_WITH_WARNING, status)
    assert result.accepted
    assert len(archive.instances()) == 1


@pytest.mark.parametrize(
    ("status", "retryable"), [(0xA700, True), (0xA702, True), (0x0110, True), (0xA900, False), (0xC000, False)]
)
def test_a_failure_status_is_refusal_and_says_whether_to_try_again(
    sender: CStoreSender, archive: EmbeddedArchive, study: StudyMaker, status: int, retryable: bool
) -> None:
    """Full disks and processing failures may pass, an object that the peer cannot understand will not."""
    archive.inject(ArchiveFaults(store_status=status, store_count=1))
    refused, stored = sender.send(archive.as_peer(), study.ct(2))
    assert (refused.outcome, refused.status) == (SendOutcome.REFUSED_STATUS, status)
    assert refused.retryable is retryable
    assert stored.outcome is SendOutcome.ACCEPTED


def test_an_association_that_breaks_keeps_what_was_answered(
    sender: CStoreSender, archive: EmbeddedArchive, study: StudyMaker
) -> None:
    """What the peer answered before it aborted stays accepted; the rest is not answered and may be tried again."""
    paths = study.ct(3)
    first = sender.send(archive.as_peer(), paths[:1])
    archive.inject(ArchiveFaults(abort_store=True))
    rest = sender.send(archive.as_peer(), paths[1:])
    assert [result.outcome for result in (*first, *rest)] == [
        SendOutcome.ACCEPTED,
        SendOutcome.NOT_ANSWERED,
        SendOutcome.NOT_ANSWERED,
    ]
    assert all(result.retryable for result in rest)


def test_a_peer_that_never_answers_costs_the_time_limit_and_no_more(tmp_path: Path, study: StudyMaker) -> None:
    """A C-STORE without a response within `dimse_s` is not answered."""
    clock = LatchedClock()
    sender = CStoreSender("BMNODE", clock=SystemClock(), timeouts=SenderTimeouts(dimse_s=0.5))
    with EmbeddedArchive(tmp_path / "slow", ae_title="SLOW", clock=clock) as archive:
        archive.inject(ArchiveFaults(store_delay_s=1.0))
        (result,) = sender.send(archive.as_peer(), [study.sc()])
        clock.released.set()
    assert result.outcome is SendOutcome.NOT_ANSWERED


def test_a_file_that_is_no_dicom_is_reported_and_the_rest_is_sent(
    sender: CStoreSender, archive: EmbeddedArchive, study: StudyMaker, tmp_path: Path
) -> None:
    """An unreadable file has its own result and stops nothing."""
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"not DICOM")
    unreadable, missing, stored = sender.send(archive.as_peer(), [broken, tmp_path / "missing.dcm", study.sc()])
    assert unreadable.outcome is missing.outcome is SendOutcome.UNREADABLE
    assert not unreadable.retryable
    assert stored.accepted


def test_nothing_to_send_opens_no_association(sender: CStoreSender) -> None:
    """An empty batch needs no peer."""
    assert sender.send(Peer(name="nobody", ae_title="NOBODY", host=LOOPBACK, port=1), []) == ()


def test_a_peer_that_does_not_listen_is_unreachable(sender: CStoreSender, study: StudyMaker) -> None:
    """Both services say so, name the peer and not the patient."""
    with Receiver("GONE") as receiver:
        peer = receiver.peer
    with pytest.raises(PeerUnreachableError, match="peer gone"):
        sender.echo(peer)
    with pytest.raises(PeerUnreachableError) as raised:
        sender.send(peer, [study.sc()])
    assert study.patient_id not in str(raised.value)


def test_a_rejected_association_is_unreachable_with_the_peers_reason(sender: CStoreSender) -> None:
    """A peer that does not know the AE title rejects; its reason reaches the administrator."""
    ae = AE(ae_title="STRICT")
    ae.require_calling_aet = ["SOMEBODY"]
    ae.add_supported_context("1.2.840.10008.1.1")
    with _server(ae) as peer, pytest.raises(PeerUnreachableError, match="Calling AE title not recognised"):
        sender.echo(peer)


def test_a_peer_without_verification_refuses_the_echo(sender: CStoreSender) -> None:
    """An association without C-ECHO is a refusal, not an unreachable peer."""
    ae = AE(ae_title="MUTE")
    ae.add_supported_context(CTImageStorage)
    with _server(ae) as peer, pytest.raises(PeerRefusedError, match="verification"):
        sender.echo(peer)


def test_an_echo_with_a_failure_status_is_refused_with_it(sender: CStoreSender) -> None:
    """The status that the peer gave is on the error."""
    ae = AE(ae_title="ANGRY")
    ae.add_supported_context("1.2.840.10008.1.1")
    with _server(ae, (evt.EVT_C_ECHO, lambda _: 0x0122)) as peer, pytest.raises(PeerRefusedError) as raised:
        sender.echo(peer)
    assert raised.value.status == 0x0122


@contextmanager
def _server(ae: AE, *handlers: evt.EventHandlerType) -> Iterator[Peer]:
    """A pynetdicom acceptor on a free port, as a peer."""
    running = ae.start_server((LOOPBACK, 0), block=False, evt_handlers=list(handlers))
    assert running is not None
    try:
        socket = running.socket
        assert socket is not None
        yield Peer(name="peer", ae_title=ae.ae_title, host=LOOPBACK, port=int(socket.getsockname()[1]))
    finally:
        running.shutdown()
