"""STOW-RS against Orthanc's DICOMweb, and against servers that answer as servers do on bad days."""

from __future__ import annotations

import dataclasses
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from bmnode.delivery.sender import SendOutcome
from bmnode.delivery.stow import MOST_OBJECTS, StowSender
from bmnode.domain.peers import Peer, SendBy
from bmnode.errors import PeerUnreachableError
from bmnode.testing.orthanc import OrthancPeer
from bmnode.tls import TlsFiles
from tests.support.certificates import Authority
from tests.support.objects import StudyMaker
from tests.support.viewer_site import DICOM_WEB, dicom_web_settings

SECRET, VARIABLE = "correct horse battery", "BMNODE_TEST_DICOMWEB_SECRET"


def _peer(url: str, **keys: str) -> Peer:
    ways = (SendBy.STOW_RS,)
    peer = Peer(name="web", ae_title="WEB", host="127.0.0.1", port=104, send_by=ways, dicomweb_url=url)
    return dataclasses.replace(peer, **keys)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, orthanc_configuration: Path) -> Iterator[OrthancPeer]:
    """An Orthanc with DICOMweb that asks for a password."""
    overrides = dicom_web_settings(site_port=1) | {"AuthenticationEnabled": True, "RegisteredUsers": {"node": SECRET}}
    with OrthancPeer(
        tmp_path_factory.mktemp("orthanc"), configuration=orthanc_configuration, overrides=overrides
    ) as running:
        yield running


@pytest.fixture
def study(tmp_path: Path, request: pytest.FixtureRequest) -> StudyMaker:
    """A study to send, another one for each test."""
    return StudyMaker(directory=tmp_path / "study", seed=request.node.name)


def test_orthanc_stores_what_it_is_sent(orthanc: OrthancPeer, study: StudyMaker) -> None:
    """Every object is there with its bytes, over more than one request, and again does no harm."""
    peer = _peer(f"{orthanc.rest_url}{DICOM_WEB}", dicomweb_user="node", dicomweb_password_env=VARIABLE)
    sender = StowSender(environment={VARIABLE: SECRET})
    paths = [study.sr(), *study.ct(MOST_OBJECTS + 1), study.sc()]
    results = sender.send(peer, paths)
    assert [result.path for result in results] == paths
    assert {result.outcome for result in results} == {SendOutcome.ACCEPTED}
    rest = orthanc.rest_as("node", SECRET)
    identifier = rest.instances.lookup(str(results[0].sop_instance_uid))
    assert rest.instances.get_file(identifier) == paths[0].read_bytes()
    assert all(result.accepted for result in sender.send(peer, paths[:2]))


def test_a_wrong_password_is_waited_out_and_never_told(
    orthanc: OrthancPeer, study: StudyMaker, caplog: pytest.LogCaptureFixture
) -> None:
    """The delivery is tried again once the administrator has corrected it; no text names the secret."""
    caplog.set_level(logging.DEBUG)
    peer = _peer(f"{orthanc.rest_url}{DICOM_WEB}", dicomweb_user="node", dicomweb_password_env=VARIABLE)
    with pytest.raises(PeerUnreachableError, match="HTTP 401") as told:
        StowSender(environment={VARIABLE: "wrong secret"}).send(peer, [study.sr()])
    assert "wrong secret" not in str(told.value) + caplog.text
    with pytest.raises(PeerUnreachableError, match=f"{VARIABLE} is not set"):
        StowSender(environment={}).send(peer, [study.sr()])


def test_a_deflated_object_is_inflated_on_the_way(orthanc: OrthancPeer, study: StudyMaker) -> None:
    """It arrives plain, as by C-STORE."""
    path = study.sr()
    source = dcmread(path)
    source.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    source.save_as(path, enforce_file_format=True)
    peer = _peer(f"{orthanc.rest_url}{DICOM_WEB}", dicomweb_user="node", dicomweb_password_env=VARIABLE)
    (result,) = StowSender(environment={VARIABLE: SECRET}).send(peer, [path])
    assert (result.outcome, result.transfer_syntax_uid) == (SendOutcome.ACCEPTED, ExplicitVRLittleEndian)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One request as the server saw it."""

    path: str
    authorization: str | None
    parts: int


Answer = Callable[[Asked], tuple[int, str, bytes]]


@contextmanager
def _server(answer: Answer, *, tls: TlsFiles | None = None) -> Iterator[tuple[str, list[Asked]]]:
    """A web server that answers as it is told; (its address, what it was asked)."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = Asked(
                path=self.path,
                authorization=self.headers.get("Authorization"),
                parts=body.count(b"Content-Type: application/dicom\r\n"),
            )
            asked.append(request)
            status, content_type, content = answer(request)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that http.server gives it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}/dicom-web", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_token_is_shown_to_the_server(study: StudyMaker) -> None:
    """A bearer token goes in its header, and the request to `/studies`."""
    with _server(lambda _: (503, "text/plain", b"")) as (url, asked), pytest.raises(PeerUnreachableError, match="503"):
        StowSender(environment={VARIABLE: SECRET}).send(_peer(url, dicomweb_token_env=VARIABLE), [study.sr()])
    assert (asked[0].path, asked[0].authorization) == ("/dicom-web/studies", f"Bearer {SECRET}")


@pytest.mark.parametrize("content", [b"", b"<html>Log in</html>"])
def test_a_page_is_not_taken_for_a_delivery(study: StudyMaker, content: bytes) -> None:
    """HTTP 200 from something that is no DICOMweb server leaves the object owed."""
    with _server(lambda _: (200, "text/html", content)) as (url, _):
        (result,) = StowSender().send(_peer(url), [study.sr()])
    assert (result.outcome, result.retryable) == (SendOutcome.NOT_ANSWERED, True)


def test_an_object_that_the_answer_leaves_out_is_owed(study: StudyMaker) -> None:
    """Success is what the answer names, not what it does not deny."""
    with _server(lambda _: (200, "application/dicom+json", b"{}")) as (url, _):
        (result,) = StowSender().send(_peer(url), [study.sr()])
    assert result.outcome is SendOutcome.NOT_ANSWERED


def test_a_request_that_is_too_large_is_parted(study: StudyMaker) -> None:
    """After HTTP 413 each object goes by itself; one that is too large alone is refused for good."""
    with _server(lambda _: (413, "text/plain", b"")) as (url, asked):
        results = StowSender().send(_peer(url), study.ct(2))
    assert [request.parts for request in asked] == [2, 1, 1]
    assert {(result.outcome, result.retryable) for result in results} == {(SendOutcome.REFUSED_REQUEST, False)}


def test_no_redirect_is_followed(study: StudyMaker) -> None:
    """Neither results nor secrets go to an address that the configuration does not name."""
    with _server(lambda _: (307, "text/plain", b"")) as (url, asked):
        (result,) = StowSender().send(_peer(url), [study.sr()])
    assert (result.detail, len(asked)) == ("refused with HTTP 307", 1)


def test_a_server_that_is_not_there_is_unreachable(study: StudyMaker) -> None:
    """Nothing listens: the delivery waits."""
    with pytest.raises(PeerUnreachableError, match="does not answer"):
        StowSender().send(_peer("http://127.0.0.1:1"), [study.sr()])


def test_https_asks_for_a_certificate_of_our_authorities(study: StudyMaker, tmp_path: Path) -> None:
    """One of ours is talked to; a stranger's gets nothing."""
    ours, theirs = Authority(folder=tmp_path / "ours"), Authority(folder=tmp_path / "theirs", name="theirs")
    own = ours.issue("node")
    with _server(lambda _: (409, "application/dicom+json", b"{}"), tls=ours.issue("pacs")) as (url, asked):
        StowSender(tls=own).send(_peer(url), [study.sr()])
        assert len(asked) == 1
        with pytest.raises(PeerUnreachableError):
            StowSender(tls=replace(own, authorities=theirs.file)).send(_peer(url), [study.sr()])
        assert len(asked) == 1
