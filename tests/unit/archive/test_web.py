"""DICOMweb as the user agent, towards servers that answer anything."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from pydicom import Dataset, dcmread

from bmnode.archive import ArchiveLimits, Level, QidoFinder, WadoGetter, WebCaller
from bmnode.archive.get import SentInstance
from bmnode.clock import SystemClock
from bmnode.dicomweb import WebSessions
from bmnode.domain.peers import Peer
from bmnode.errors import DeliveryError, NotFoundError, PeerRefusedError, PeerUnreachableError
from bmnode.observe.logging import configure_logging
from bmnode.testing.ports import LOOPBACK, free_ports
from tests.support.objects import StudyMaker

LIMITS = ArchiveLimits(connect_s=2.0, answer_s=0.5, total_s=1.5)
PATIENT = "SECRET-4711"
STUDY = {"StudyInstanceUID": "", "PatientID": PATIENT, "StudyDate": "20240101-20250101"}


@dataclass(kw_only=True)
class Canned:
    """What a server answers to everything, and what it was asked."""

    status: int = 200
    content: bytes = b"[]"
    content_type: str = "application/dicom+json"
    headers: Mapping[str, str] = field(default_factory=dict)
    drips: bool = False
    extra_line: bytes = b""
    """Among the header fields, as it is."""
    asked: list[tuple[str, Mapping[str, list[str]], str]] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    canned: Canned


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        canned = self.server.canned
        url = urlsplit(self.path)
        canned.asked.append((url.path, parse_qs(url.query), self.headers.get("Accept", "")))
        self.send_response(canned.status)
        self.send_header("Content-Type", canned.content_type)
        for name, value in canned.headers.items():
            self.send_header(name, value)
        self.flush_headers()
        self.wfile.write(canned.extra_line)
        self.end_headers()
        if not canned.drips:
            self.wfile.write(canned.content)
            return
        for _ in range(100):
            self.wfile.write(canned.content)
            self.wfile.flush()
            time.sleep(0.1)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def _serving(canned: Canned) -> Iterator[Peer]:
    server = _Server((LOOPBACK, 0), _Handler)
    server.canned = canned
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield _peer(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _peer(port: int) -> Peer:
    return Peer(name="pacs", ae_title="PACS", host=LOOPBACK, port=104, dicomweb_url=f"http://{LOOPBACK}:{port}/web/")


def _caller() -> WebCaller:
    return WebCaller(sessions=WebSessions(), clock=SystemClock(), limits=LIMITS)


def _find(canned: Canned, *, most: int = 10) -> tuple[tuple[Dataset, ...], bool]:
    with _serving(canned) as peer:
        found = QidoFinder(caller=_caller(), most=most).find(peer, Level.STUDY, keys=STUDY, wanted=["StudyTime"])
    return found.matches, found.is_complete


def _get(canned: Canned, *, status: int = 0) -> tuple[int, list[SentInstance]]:
    kept: list[SentInstance] = []

    def keep(sent: SentInstance) -> int:
        kept.append(sent)
        return status

    with _serving(canned) as peer:
        return WadoGetter(caller=_caller(), keep=keep).move(peer, "1.2.3"), kept


def _multipart(files: list[bytes]) -> Canned:
    body = b"".join(b"--xyz\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n" for content in files)
    return Canned(content=body + b"--xyz--", content_type='multipart/related; type="application/dicom"; boundary=xyz')


def _match(**values: str) -> Dataset:
    match = Dataset()
    for keyword, value in values.items():
        setattr(match, keyword, value)
    return match


def test_the_question_is_the_standards() -> None:
    """Unique keys of the levels above stand in the path, matching keys and what is to be told in the query."""
    canned = Canned(content=json.dumps([_match(StudyInstanceUID="1.2", PatientID=PATIENT).to_json_dict()]).encode())
    matches, is_complete = _find(canned)
    assert [(item.StudyInstanceUID, item.PatientID) for item in matches] == [("1.2", PATIENT)]
    assert is_complete
    with _serving(canned) as peer:
        finder = QidoFinder(caller=_caller())
        finder.find(peer, Level.SERIES, keys={"StudyInstanceUID": "1.2", "SeriesInstanceUID": ""}, wanted=["Modality"])
        finder.find(
            peer,
            Level.IMAGE,
            keys={"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "SOPInstanceUID": ""},
        )
    (path, query, accept), series, image = canned.asked
    assert (path, accept) == ("/web/studies", "application/dicom+json")
    assert query == {
        "PatientID": [PATIENT],
        "StudyDate": ["20240101-20250101"],
        "includefield": ["StudyTime", "StudyInstanceUID", "PatientID", "StudyDate"],
        "limit": ["11"],
    }
    assert series[0] == "/web/studies/1.2/series"
    assert series[1]["includefield"] == ["Modality", "SeriesInstanceUID"]
    assert image[0] == "/web/studies/1.2/series/1.3/instances"


def test_an_answer_that_was_cut_is_told() -> None:
    """Warning 299 (PS3.18 8.3.4.4), or more matches than are taken; nothing at all is complete."""
    one = json.dumps([_match(StudyInstanceUID="1.2").to_json_dict()]).encode()
    two = json.dumps([_match(StudyInstanceUID=uid).to_json_dict() for uid in ("1.2", "1.3")]).encode()
    assert not _find(Canned(content=one, headers={"Warning": '299 pacs: "There are 5 additional results"'}))[1]
    matches, is_complete = _find(Canned(content=two), most=1)
    assert ([item.StudyInstanceUID for item in matches], is_complete) == (["1.2"], False)
    assert _find(Canned(content=one), most=1)[1]
    assert _find(Canned(status=204, content=b"")) == ((), True)
    assert _find(Canned(content=b"[]")) == ((), True)


@pytest.mark.parametrize(
    ("canned", "error"),
    [
        (Canned(status=401), PeerRefusedError),
        (Canned(status=302, headers={"Location": "http://127.0.0.1:1/elsewhere"}), PeerRefusedError),
        (Canned(status=500), PeerRefusedError),
        (Canned(content=b"<html>no</html>"), PeerRefusedError),
        (Canned(content=b'{"not": "a list"}'), PeerRefusedError),
        (Canned(content=b'[{"00100020": 5}]'), PeerRefusedError),
        (Canned(content=b"[" * 100_000), PeerRefusedError),
        (Canned(headers={"Content-Length": "1000"}), PeerUnreachableError),
        (Canned(content=b" ", drips=True), PeerUnreachableError),
    ],
)
def test_what_is_no_answer_is_an_error_that_names_no_patient(canned: Canned, error: type[DeliveryError]) -> None:
    """Refused, redirected, broken, not JSON, cut off, or dripping for ever."""
    with pytest.raises(error) as raised:
        _find(canned)
    assert PATIENT not in str(raised.value)
    assert raised.value.__cause__ is None


def test_nobody_at_the_address_is_an_error_that_names_no_patient() -> None:
    """The library's text quotes the address, which has the Patient ID in it."""
    with pytest.raises(PeerUnreachableError) as raised:
        QidoFinder(caller=_caller()).find(_peer(free_ports(1)[0]), Level.STUDY, keys=STUDY)
    assert PATIENT not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_no_log_has_the_patient_in_it() -> None:
    """The libraries tell of addresses when they look closely, and of odd answers always."""
    log = StringIO()
    configure_logging(level="DEBUG", stream=log)
    _find(Canned(extra_line=b"this is no header field\r\n"))
    structlog.get_logger().debug("still_listening")
    assert "still_listening" in log.getvalue()
    assert PATIENT not in log.getvalue()


def test_instances_come_byte_for_byte(tmp_path: Path) -> None:
    """As the archive has them, in whatever transfer syntax; all of them are asked for so."""
    paths = [StudyMaker(directory=tmp_path, seed=seed).sc() for seed in ("one", "two")]
    canned = _multipart([path.read_bytes() for path in paths])
    count, kept = _get(canned)
    assert count == 2
    assert canned.asked[0][0] == "/web/studies/1.2.3"
    assert canned.asked[0][2] == 'multipart/related; type="application/dicom"; transfer-syntax=*'
    for sent, path in zip(kept, paths, strict=True):
        written = dcmread(path)
        assert path.read_bytes().endswith(sent.data_set)
        assert sent.data_set[:4] == b"\x08\x00\x05\x00"
        assert (sent.sop_instance_uid, sent.sop_class_uid) == (written.SOPInstanceUID, written.SOPClassUID)
        assert (sent.transfer_syntax_uid, sent.source_ae) == (written.file_meta.TransferSyntaxUID, "PACS")


def test_a_study_that_does_not_come_whole_is_an_error(tmp_path: Path) -> None:
    """What came is kept; the study is not taken for whole."""
    content = StudyMaker(directory=tmp_path, seed="whole").sc().read_bytes()
    whole = _multipart([content, content])
    cut = Canned(content=whole.content[:-4000], content_type=whole.content_type)
    with pytest.raises(PeerUnreachableError, match="breaks off"):
        _get(cut)
    with pytest.raises(PeerRefusedError, match="2 of 2"):
        _get(whole, status=0xA700)
    with pytest.raises(PeerRefusedError, match="no DICOM file"):
        _get(_multipart([b"GIF89a"]))
    with pytest.raises(PeerRefusedError, match="no DICOM file"):
        _get(_multipart([content[:200]]))
    with pytest.raises(PeerUnreachableError, match="not in parts"):
        _get(Canned(content=b"{}"))
    with pytest.raises(NotFoundError):
        _get(Canned(status=404))
    with pytest.raises(NotFoundError):
        _get(_multipart([]))
    with pytest.raises(PeerRefusedError, match="HTTP 406"):
        _get(Canned(status=406))
