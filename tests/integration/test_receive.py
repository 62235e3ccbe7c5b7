"""Images over real sockets: what arrives is kept as it came, and acknowledged when it is safe."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLosslessSV1
from pynetdicom import AE, build_context

from bmnode.clock import SystemClock
from bmnode.domain.states import StudyState
from bmnode.scp.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES, VERIFICATION
from tests.support.acceptor import QUIET, ReceivingNode, receiving_node, store
from tests.support.encoded import EncodedInstance, ct_slices, encode_instance, encoded_ct
from tests.support.raw_peer import RawPeer
from tests.support.real_data import unpack


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ReceivingNode]:
    """A running acceptor."""
    with receiving_node(tmp_path) as node:
        yield node


def _run(program: Path, *arguments: object) -> str:
    """A DCMTK program as it is, Nagle's algorithm included; asserts that it succeeds and returns what it wrote."""
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_real_bone_scan_arrives_byte_for_byte(node: ReceivingNode, bone_scan: Path) -> None:
    """Not one byte of the JPEG Lossless scan's data set is changed, and it decodes to the same pixels."""
    source = dcmread(bone_scan)
    data_set = bone_scan.read_bytes()[132 + 12 + source.file_meta.FileMetaInformationGroupLength :]
    context = (str(source.SOPClassUID), (JPEGLosslessSV1,))
    with RawPeer(node.port, contexts=[context], calling_ae="GAMMA_1") as peer:
        status = peer.store(
            data_set, sop_class_uid=str(source.SOPClassUID), sop_instance_uid=str(source.SOPInstanceUID)
        )
    assert status == 0x0000
    row = node.row(str(source.SOPInstanceUID))
    assert row is not None
    assert node.data_set(row) == data_set
    kept = dcmread(node.spool.path(row.study_uid, row.sop_instance_uid))
    assert (kept.pixel_array == source.pixel_array).all()
    assert kept.file_meta.SourceApplicationEntityTitle == "GAMMA_1"


def test_dcmtk_sends_the_real_bone_scan(node: ReceivingNode, storescu: Path, bone_scan: Path) -> None:
    """DCMTK proposes JPEG Lossless first and gets it: the compressed pixels and the sender's title are kept."""
    source = dcmread(bone_scan)
    _run(storescu, "-xs", "-aec", "BMNODE", "-aet", "GAMMA_1", "127.0.0.1", node.port, bone_scan)
    row = node.row(str(source.SOPInstanceUID))
    assert row is not None
    assert (row.transfer_syntax_uid, row.source_ae) == (JPEGLosslessSV1, "GAMMA_1")
    assert dcmread(node.spool.path(row.study_uid, row.sop_instance_uid)).PixelData == source.PixelData


@pytest.mark.real_data
def test_a_real_series_arrives_whole(node: ReceivingNode, storescu: Path, shared_data: Path, tmp_path: Path) -> None:
    """A real MR series from DCMTK over one association: every slice has its row and its bytes."""
    archives = sorted((shared_data / "cmbcrc_mr_longitudinal").rglob("*SCAN_001*ADC*.tar*"))
    if not archives:
        pytest.skip("the shared data has no ADC series of SCAN_001")
    files = [path for path in unpack(archives[0], tmp_path / "adc") if path.suffix == ".dcm"]
    _run(storescu, "+sd", "+r", "-aec", "BMNODE", "127.0.0.1", node.port, tmp_path / "adc")
    for path in files:
        row = node.row(str(dcmread(path, stop_before_pixels=True).SOPInstanceUID))
        assert row is not None
        assert dcmread(node.spool.path(row.study_uid, row.sop_instance_uid)).PixelData == dcmread(path).PixelData
    released = node.audit("association_released")
    assert [f'"stored": {len(files)}' in entry.detail for entry in released] == [True]


def test_a_pynetdicom_sender_is_understood(node: ReceivingNode, tmp_path: Path) -> None:
    """C-ECHO and C-STORE from another implementation on one association."""
    dataset = ct_slices(tmp_path)[0]
    ae = AE(ae_title="PYNET")
    contexts = [build_context(VERIFICATION), build_context(dataset.SOPClassUID, ExplicitVRLittleEndian)]
    association = ae.associate("127.0.0.1", node.port, contexts=contexts, ae_title="BMNODE")
    assert association.is_established
    assert association.send_c_echo().Status == 0x0000
    assert association.send_c_store(dataset).Status == 0x0000
    association.release()
    assert node.row(str(dataset.SOPInstanceUID)) is not None


def _in_syntax(source: Dataset, syntax: str, number: int) -> EncodedInstance:
    """A slice in a transfer syntax, compressed ones with fragments that stand for real ones."""
    dataset = Dataset()
    dataset.update(source)
    dataset.SOPInstanceUID = f"{source.SOPInstanceUID}"[:50] + f".{number}"
    if UID(syntax).is_compressed and not UID(syntax).is_deflated:
        dataset.PixelData = encapsulate([bytes([number]) * 40])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    return encode_instance(dataset, transfer_syntax_uid=syntax)


def test_every_transfer_syntax_is_kept_as_it_came(node: ReceivingNode, tmp_path: Path) -> None:
    """Each of the transfer syntaxes is accepted, and the bytes in the spool are those that were sent."""
    source = ct_slices(tmp_path)[0]
    instances = [_in_syntax(source, syntax, number) for number, syntax in enumerate(TRANSFER_SYNTAXES, start=1)]
    with node.peer(*instances) as peer:
        assert list(peer.accepted.values()) == list(TRANSFER_SYNTAXES)
        for number, instance in enumerate(instances):
            assert store(peer, instance, context_id=2 * number + 1) == 0x0000
    for instance in instances:
        row = node.row(instance.sop_instance_uid)
        assert row is not None
        assert row.transfer_syntax_uid == instance.transfer_syntax_uid
        assert node.data_set(row) == instance.data_set
        kept = dcmread(node.spool.path(row.study_uid, row.sop_instance_uid))
        assert kept.file_meta.TransferSyntaxUID == instance.transfer_syntax_uid


def test_every_storage_class_is_accepted(node: ReceivingNode) -> None:
    """A sender that proposes all classes gets a context for each."""
    with RawPeer(node.port, contexts=[(uid, (ImplicitVRLittleEndian,)) for uid in STORAGE_CLASSES]) as peer:
        assert len(peer.accepted) == len(STORAGE_CLASSES)
        peer.release()


def test_the_first_proposed_transfer_syntax_is_taken(node: ReceivingNode) -> None:
    """Where one context offers several, the sender's first is chosen, compressed or not."""
    nm = "1.2.840.10008.5.1.4.1.1.20"
    offers = [
        (nm, (JPEGLosslessSV1, ExplicitVRLittleEndian)),
        (nm, (ImplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGLosslessSV1)),
        (nm, ("1.2.840.10008.1.2.4.102", ExplicitVRLittleEndian)),
    ]
    with RawPeer(node.port, contexts=offers) as peer:
        assert list(peer.accepted.values()) == [JPEGLosslessSV1, ImplicitVRLittleEndian, ExplicitVRLittleEndian]


def test_images_put_off_their_study(node: ReceivingNode, tmp_path: Path) -> None:
    """Each new image counts and moves the study's judgement; the same image again does neither."""
    first, second = encoded_ct(tmp_path, count=2)
    with node.peer(first) as peer:
        assert store(peer, first) == 0x0000
        node.clock.advance(10)
        assert store(peer, second) == 0x0000
        due = node.clock.now() + QUIET
        node.clock.advance(10)
        assert store(peer, first) == 0x0000
    study = node.study(first.study_uid)
    assert study is not None
    assert (study.state, study.instance_count, study.version, study.due_at) == (StudyState.RECEIVING, 2, 2, due)
    assert len(node.audit("instance_stored")) == 2


def test_a_sender_with_nagles_algorithm_does_not_wait(node: ReceivingNode, tmp_path: Path) -> None:
    """Nagle's algorithm there and delayed acknowledgement here would cost every instance 40 ms at least."""
    instances = encoded_ct(tmp_path, count=60)
    context = (instances[0].sop_class_uid, (instances[0].transfer_syntax_uid,))
    clock = SystemClock()
    taken_s = []
    with RawPeer(node.port, contexts=[context], nagle=True) as peer:
        for instance in instances:
            started = clock.monotonic_s()
            assert store(peer, instance) == 0x0000
            taken_s.append(clock.monotonic_s() - started)
    # A new connection is acknowledged fast for a while in any case; the least of many is free of the machine's load.
    assert min(taken_s[-30:]) < 0.040


def test_the_acceptor_stops_and_starts_again(node: ReceivingNode, tmp_path: Path) -> None:
    """A stop lets nobody in, aborts who stays, may be repeated, and the port can be listened on again."""
    instance = encoded_ct(tmp_path)[0]
    peer = node.peer(instance)
    assert store(peer, instance) == 0x0000
    with pytest.raises(RuntimeError, match="runs already"):
        node.acceptor.start()
    node.acceptor.stop(0.0)
    node.acceptor.stop(0.0)
    with pytest.raises(RuntimeError, match="not started"):
        _ = node.acceptor.port
    peer.close()
    node.acceptor.start()
    with node.peer(instance) as again:
        assert store(again, instance) == 0x0000
