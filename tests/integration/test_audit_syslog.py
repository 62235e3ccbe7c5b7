"""The audit trail to a syslog server over TLS: every entry arrives, whatever the server does."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bmnode.observe.audit_messages import AuditSource
from bmnode.storage import AuditTrail, Database
from bmnode.testing.clock import FakeClock
from bmnode.testing.ports import LOOPBACK
from bmnode.tls import TlsFiles, server_context
from bmnode.trail.exporter import AuditExporter
from bmnode.trail.syslog import SyslogServer
from tests.support.certificates import Authority
from tests.support.polling import eventually


@dataclass(kw_only=True)
class Collector:
    """A syslog server that can be told to break off instead of answering the end of a stream."""

    files: TlsFiles
    streams: list[bytes] = field(default_factory=list)
    breaks: int = 0
    _listener: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._collect(server_context(self.files).wrap_socket(connection, server_side=True))
                except OSError:
                    continue

    def _collect(self, secured: ssl.SSLSocket) -> None:
        if self.breaks:
            self.breaks -= 1
            secured.close()
            return
        stream = b""
        while piece := secured.recv(4096):
            stream += piece
        self.streams.append(stream)
        secured.unwrap()


def _messages(stream: bytes) -> Iterator[bytes]:
    """By octet counting (RFC 5425 4.3)."""
    while stream:
        length, _, rest = stream.partition(b" ")
        yield rest[: int(length)]
        stream = rest[int(length) :]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A short trail."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    with database.write() as connection:
        for number in range(5):
            AuditTrail(connection).record(
                "association_rejected",
                at=FakeClock().now(),
                actor="ÜBER",
                subject=f"ÜBER@192.0.2.{number}",
                outcome="failure",
                detail={"reason": "calling_ae_unknown"},
            )
    yield database
    database.dispose()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Vouches for both."""
    return Authority(folder=tmp_path / "pki")


@pytest.fixture
def collector(authority: Authority) -> Iterator[Collector]:
    """A running server."""
    running = Collector(files=authority.issue("syslog"))
    yield running
    running.close()


def _exporter(database: Database, place: SyslogServer, folder: Path) -> AuditExporter:
    return AuditExporter(database=database, place=place, position_file=folder / "syslog.position", every_s=0.05)


def _server(collector: Collector, files: TlsFiles) -> SyslogServer:
    source = AuditSource(node="node-1", ae_title="BMNODE")
    return SyslogServer(host=LOOPBACK, port=collector.port, files=files, source=source)


def test_every_entry_arrives_as_a_message(
    database: Database, collector: Collector, authority: Authority, tmp_path: Path
) -> None:
    """RFC 5424 head, octet counts that fit, the message of PS3.15 A.5 as its body; once only."""
    exporter = _exporter(database, _server(collector, authority.issue("bmnode")), tmp_path)
    assert exporter.export_batch() == 5
    assert exporter.export_batch() == 0
    messages = list(_messages(collector.streams[0]))
    assert len(messages) == 5
    for number, message in enumerate(messages):
        head, _, body = message.partition(b"\xef\xbb\xbf")
        parts = head.decode("ascii").split(" ")
        assert (parts[0], parts[3], parts[5], parts[6]) == ("<84>1", "bmnode", "DICOM+RFC3881", "-")
        told = ET.fromstring(body.decode())  # noqa: S314 - our own
        points = [item.get("NetworkAccessPointID") for item in told.iter("ActiveParticipant")]
        assert points[1] == f"192.0.2.{number}"


def test_what_a_server_did_not_confirm_is_sent_again(
    database: Database, collector: Collector, authority: Authority, tmp_path: Path
) -> None:
    """A server that breaks off three times has everything in the end, without a hand."""
    collector.breaks = 3
    exporter = _exporter(database, _server(collector, authority.issue("bmnode")), tmp_path)
    exporter.start()
    eventually(lambda: len(collector.streams) == 1, timeout_s=30)
    exporter.stop()
    assert len(list(_messages(collector.streams[0]))) == 5


def test_a_server_that_nobody_vouches_for_gets_nothing(
    database: Database, collector: Collector, authority: Authority, tmp_path: Path
) -> None:
    """The trail is for one server: another that took its place gets none of it."""
    other = Authority(folder=tmp_path / "other", name="other")
    ours = authority.issue("bmnode")
    trusting_other = TlsFiles(certificate=ours.certificate, key=ours.key, authorities=other.file)
    with pytest.raises(ssl.SSLCertVerificationError):
        _exporter(database, _server(collector, trusting_other), tmp_path).export_batch()
    assert collector.streams == []
