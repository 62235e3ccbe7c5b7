"""Associations over TLS, ours and DCMTK's, both ways; and everybody who must not get one."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender, SenderTimeouts
from bmnode.domain.peers import Peer
from bmnode.errors import PeerUnreachableError
from bmnode.scp import AcceptorOptions
from bmnode.scp.policy import Admission, PeerRule, Policy
from bmnode.scp.security import Security, TlsListening
from bmnode.testing.ports import LOOPBACK
from bmnode.tls import TlsFiles, certificate_names, client_context
from tests.support.acceptor import ReceivingNode, receiving_node, store
from tests.support.certificates import Authority
from tests.support.encoded import encoded_ct
from tests.support.objects import StudyMaker
from tests.support.polling import eventually
from tests.support.raw_peer import PeerClosedError
from tests.support.tools import dcmtk_environment, dcmtk_tls, storescp


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The hospital's own authority."""
    return Authority(folder=tmp_path / "pki")


@pytest.fixture
def ours(authority: Authority) -> TlsFiles:
    """The node's certificate."""
    return authority.issue("bmnode")


@pytest.fixture
def theirs(authority: Authority) -> TlsFiles:
    """A peer's certificate."""
    return authority.issue("scanner", hosts=["scanner.example.org", "127.0.0.1"])


def _node(
    tmp_path: Path,
    files: TlsFiles,
    *,
    listening: TlsListening = TlsListening.REQUIRED,
    policy: Policy | None = None,
) -> AcceptorOptions:
    return AcceptorOptions(
        ae_title="BMNODE",
        bind=LOOPBACK,
        policy=policy or Policy(),
        security=Security(listening=listening, files=files),
    )


@pytest.fixture
def node(tmp_path: Path, ours: TlsFiles) -> Iterator[ReceivingNode]:
    """A node whose port takes TLS alone."""
    with receiving_node(tmp_path / "node", options=_node(tmp_path, ours)) as running:
        yield running


def _sender(files: TlsFiles | None) -> CStoreSender:
    timeouts = SenderTimeouts(connect_s=5, acse_s=5, dimse_s=10, network_s=10)
    return CStoreSender("SCANNER", clock=SystemClock(), timeouts=timeouts, tls=files)


def _peer(port: int, *, tls: bool = True, certificate_name: str | None = None) -> Peer:
    return Peer(name="node", ae_title="BMNODE", host=LOOPBACK, port=port, tls=tls, certificate_name=certificate_name)


def _reasons(node: ReceivingNode, event: str = "connection_refused") -> str:
    return " ".join(entry.detail for entry in node.audit(event))


def test_ours_send_to_ours(node: ReceivingNode, theirs: TlsFiles, tmp_path: Path) -> None:
    """An object goes over an encrypted association and is kept."""
    paths = StudyMaker(directory=tmp_path / "study", seed="tls").ct(3)
    results = _sender(theirs).send(_peer(node.port), paths)
    assert [item.accepted for item in results] == [True] * 3
    assert len(node.files()) == 3


@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_dcmtk_sends_to_ours(
    node: ReceivingNode, storescu: Path, theirs: TlsFiles, tmp_path: Path, profile: str
) -> None:
    """DCMTK's storescu is served in each of its BCP 195 profiles, the extended one included."""
    paths = StudyMaker(directory=tmp_path / "study", seed="tls").ct(2)
    command: list[str | Path] = [
        storescu,
        *dcmtk_tls(theirs),
        profile,
        "-aec",
        "BMNODE",
        LOOPBACK,
        str(node.port),
        *paths,
    ]
    done = subprocess.run(command, env=dcmtk_environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(node.files()) == 2


def test_ours_send_to_dcmtk(ours: TlsFiles, theirs: TlsFiles, tmp_path: Path) -> None:
    """DCMTK's storescp takes an encrypted association from us; under another name than its own it gets none."""
    paths = StudyMaker(directory=tmp_path / "study", seed="tls").ct(2)
    with storescp(theirs, tmp_path / "kept") as port:
        peer = _peer(port, certificate_name="scanner.example.org")
        assert [item.accepted for item in _sender(ours).send(peer, paths)] == [True] * 2
        with pytest.raises(PeerUnreachableError, match="certificates"):
            _sender(ours).send(replace(peer, certificate_name="other.example.org"), paths)
    assert len(list((tmp_path / "kept").iterdir())) == 2


EXPIRED, EARLY, UNKNOWN = (
    "certificate has expired", "certificate is not yet valid", "unable to get local issuer certificate",
)  # fmt: skip
SELF_SIGNED, UNSUITABLE = "self-signed certificate", "unsuitable certificate purpose"


def _strangers(authority: Authority, tmp_path: Path) -> dict[str, TlsFiles]:
    """Certificates that do not hold, by what OpenSSL says of them."""
    other = Authority(folder=tmp_path / "other", name="other")
    return {
        EXPIRED: authority.issue("late", days=(-10, -1)),
        EARLY: authority.issue("early", days=(1, 10)),
        UNKNOWN: replace(other.issue("unknown"), authorities=authority.file),
        SELF_SIGNED: TlsFiles(certificate=other.file, key=other.write_key(), authorities=authority.file),
        UNSUITABLE: authority.issue("signer", uses=[ExtendedKeyUsageOID.CODE_SIGNING]),
    }


@pytest.mark.parametrize("reason", [EXPIRED, EARLY, UNKNOWN, UNSUITABLE])
def test_ours_do_not_send_to_whom_nobody_vouches_for(
    authority: Authority, ours: TlsFiles, tmp_path: Path, reason: str
) -> None:
    """An archive of DCMTK's with a certificate that does not hold gets no image."""
    stranger = _strangers(authority, tmp_path)[reason]
    paths = StudyMaker(directory=tmp_path / "study", seed="tls").ct(1)
    with storescp(stranger, tmp_path / "kept") as port, pytest.raises(PeerUnreachableError):
        _sender(ours).send(_peer(port), paths)
    assert list((tmp_path / "kept").iterdir()) == []


def test_dcmtk_takes_nothing_from_whom_nobody_vouches_for(
    authority: Authority, theirs: TlsFiles, tmp_path: Path
) -> None:
    """Its storescp checks the certificate that we show: one of another authority does not do."""
    stranger = _strangers(authority, tmp_path)[UNKNOWN]
    paths = StudyMaker(directory=tmp_path / "study", seed="tls").ct(1)
    with storescp(theirs, tmp_path / "kept") as port, pytest.raises(PeerUnreachableError):
        _sender(stranger).send(_peer(port), paths)
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize("reason", [EXPIRED, EARLY, UNKNOWN, SELF_SIGNED, UNSUITABLE])
def test_a_certificate_that_does_not_hold_is_refused(
    node: ReceivingNode, authority: Authority, theirs: TlsFiles, tmp_path: Path, reason: str
) -> None:
    """Expired, early, of no authority, for another purpose: no association, the reason audited, the next served."""
    with pytest.raises(PeerUnreachableError):
        _sender(_strangers(authority, tmp_path)[reason]).echo(_peer(node.port))
    eventually(lambda: reason in _reasons(node), timeout_s=5)
    _sender(theirs).echo(_peer(node.port))


@pytest.mark.parametrize("reason", [EXPIRED, UNKNOWN])
def test_dcmtk_with_a_certificate_that_does_not_hold_is_refused(
    node: ReceivingNode, storescu: Path, authority: Authority, tmp_path: Path, reason: str
) -> None:
    """What our own client does not get, DCMTK does not get either."""
    stranger = _strangers(authority, tmp_path)[reason]
    paths = StudyMaker(directory=tmp_path / "study", seed="tls").ct(1)
    command: list[str | Path] = [storescu, *dcmtk_tls(stranger), "-aec", "BMNODE", LOOPBACK, str(node.port), *paths]
    done = subprocess.run(command, env=dcmtk_environment(), capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
    eventually(lambda: "tls_failed" in _reasons(node), timeout_s=5)
    assert reason in _reasons(node)
    assert node.files() == []


def test_dcmtk_in_clear_text_is_refused(node: ReceivingNode, storescu: Path, tmp_path: Path) -> None:
    """A scanner whose TLS somebody forgot to switch on is told by its own tool, and the trail says why."""
    paths = StudyMaker(directory=tmp_path / "study", seed="tls").ct(1)
    command: list[str | Path] = [storescu, "-aec", "BMNODE", LOOPBACK, str(node.port), *paths]
    done = subprocess.run(command, env=dcmtk_environment(), capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
    eventually(lambda: "clear_text_on_tls_port" in _reasons(node), timeout_s=5)
    assert node.files() == []


def _shake(port: int, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection((LOOPBACK, port), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname=LOOPBACK) as secured,
    ):
        secured.sendall(b"\x01\0\0\0\0\x01\0")
        if not secured.recv(1):
            raise ConnectionResetError


def test_whoever_shows_no_certificate_is_refused(node: ReceivingNode, ours: TlsFiles) -> None:
    """Both sides show one: encryption without it is not enough."""
    anonymous = ssl.create_default_context(cafile=str(ours.authorities))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _shake(node.port, anonymous)
    eventually(lambda: "peer did not return a certificate" in _reasons(node), timeout_s=5)


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_versions_are_refused(node: ReceivingNode, theirs: TlsFiles, version: str) -> None:
    """TLS 1.0 and 1.1 end at the handshake, with the reason audited (RFC 8996)."""
    old = client_context(theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion[version]
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _shake(node.port, old)
    eventually(lambda: "unsupported protocol" in _reasons(node), timeout_s=5)


def test_a_suite_that_the_profile_does_not_name_is_refused(node: ReceivingNode, theirs: TlsFiles) -> None:
    """TLS 1.2 without authenticated encryption, or without forward secrecy, finds no suite in common."""
    weak = client_context(theirs)
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("ECDHE-ECDSA-AES128-SHA256:AES128-GCM-SHA256:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _shake(node.port, weak)
    eventually(lambda: "no shared cipher" in _reasons(node), timeout_s=5)


def test_clear_text_to_a_port_that_takes_tls_is_refused(node: ReceivingNode, tmp_path: Path, theirs: TlsFiles) -> None:
    """Whoever forgot to encrypt is hung up on and audited; nothing of it is read."""
    with pytest.raises(PeerClosedError), node.peer(*encoded_ct(tmp_path / "ct")):
        pass
    eventually(lambda: "clear_text_on_tls_port" in _reasons(node), timeout_s=5)
    with pytest.raises(PeerUnreachableError):
        _sender(None).echo(_peer(node.port, tls=False))
    _sender(theirs).echo(_peer(node.port))


def test_tls_to_a_port_that_takes_clear_text_is_refused(tmp_path: Path, theirs: TlsFiles) -> None:
    """Without a certificate of its own the node cannot encrypt, and says so in its audit trail."""
    with receiving_node(tmp_path / "node") as node:
        with pytest.raises(PeerUnreachableError):
            _sender(theirs).echo(_peer(node.port))
        eventually(lambda: "tls_not_offered" in _reasons(node), timeout_s=5)


def test_one_port_takes_both_and_a_peer_may_be_held_to_one(tmp_path: Path, ours: TlsFiles, theirs: TlsFiles) -> None:
    """Where TLS is optional, a peer with `tls = true` still has to come encrypted, under its own name."""
    rule = PeerRule(ae_title="SCANNER", tls=True, certificate_name="scanner.example.org")
    policy = Policy(admission=Admission.LOCAL, peers=(rule,))
    options = _node(tmp_path, ours, listening=TlsListening.OPTIONAL, policy=policy)
    with receiving_node(tmp_path / "node", options=options) as node:
        _sender(theirs).echo(_peer(node.port))
        with pytest.raises(PeerUnreachableError, match="AE title"):
            _sender(None).echo(_peer(node.port, tls=False))
        with pytest.raises(PeerUnreachableError, match="AE title"):
            _sender(ours).echo(_peer(node.port))
        eventually(lambda: "tls_required" in _reasons(node, "association_rejected"), timeout_s=5)
        eventually(lambda: "certificate_not_of_peer" in _reasons(node, "association_rejected"), timeout_s=5)
        with node.peer(*(instances := encoded_ct(tmp_path / "ct")), calling_ae="OTHER") as clear:
            assert store(clear, instances[0]) == 0x0000


def test_a_renewed_certificate_is_used_without_a_restart(
    node: ReceivingNode, authority: Authority, ours: TlsFiles, theirs: TlsFiles
) -> None:
    """Files that change are read before the next association; a broken file leaves the last good one in use."""

    def shown() -> str:
        with (
            socket.create_connection((LOOPBACK, node.port), timeout=5) as connection,
            client_context(theirs).wrap_socket(connection, server_hostname=LOOPBACK) as secured,
        ):
            return min(name for name in certificate_names(secured.getpeercert() or {}) if name != LOOPBACK)

    assert shown() == "localhost"
    renewed = authority.issue("renewed", hosts=["renewed.example.org", "127.0.0.1"])
    shutil.copy(renewed.key, ours.key)
    shutil.copy(renewed.certificate, ours.certificate)
    assert shown() == "renewed.example.org"
    ours.certificate.write_text("not a certificate", encoding="utf-8")
    assert shown() == "renewed.example.org"


def test_a_silent_client_of_tls_blocks_nobody(tmp_path: Path, ours: TlsFiles, theirs: TlsFiles) -> None:
    """Connections that say nothing, or stop within the handshake, are outlived by everybody else."""
    hello = _client_hello(theirs)
    with receiving_node(tmp_path / "node", options=_node(tmp_path, ours)) as node:
        silent = [socket.create_connection((LOOPBACK, node.port)) for _ in range(30)]
        for number, connection in enumerate(silent):
            connection.sendall((b"", hello[:3], hello[:40], hello)[number % 4])
        _sender(theirs).echo(_peer(node.port))
        for connection in silent:
            connection.close()


def _client_hello(files: TlsFiles) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context(files).wrap_bio(incoming, outgoing, server_hostname=LOOPBACK)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()
