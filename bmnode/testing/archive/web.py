"""STOW-RS (PS3.18 10.5) as the origin server, over HTTP on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydicom import Dataset

from bmnode.testing.archive.index import IndexedInstance
from bmnode.testing.archive.keep import Shelf
from bmnode.testing.ports import LOOPBACK

ROOT = "/dicom-web"
_STUDIES = f"{ROOT}/studies"
_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0xA700, 0xC000  # PS3.18 Table I.2-2
_POLL_S = 0.05


class WebService:
    """An HTTP server in a thread that stores what is posted to `url`/studies.

    Args:
        shelf: where the instances go.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.shelf = shelf
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="archive-web")
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}{ROOT}"

    def close(self) -> None:
        """Answer what was asked and stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    shelf: Shelf


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # the name that http.server asks for
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        boundary = _boundary(self.headers.get("Content-Type", ""))
        if self.path.rstrip("/") != _STUDIES or not boundary:
            self.send_error(HTTPStatus.NOT_FOUND if boundary else HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
            return
        status, answer = _store(self.server.shelf, list(parts(body, boundary)))
        content = json.dumps(answer.to_json_dict()).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that http.server gives it
        """Say nothing: what is stored can be asked for."""


def parts(body: bytes, boundary: str) -> Iterator[bytes]:
    """The contents of a multipart body (RFC 2046 5.1), byte for byte."""
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("ascii"))[1:]:
        if piece.startswith(b"--"):
            return
        yield piece.partition(b"\r\n\r\n")[2]


def _boundary(content_type: str) -> str:
    """The boundary of a request in parts of DICOM, empty of any other."""
    message = Message()
    message["Content-Type"] = content_type
    is_dicom = message.get_param("type") == "application/dicom"
    return str(message.get_param("boundary", "")) if is_dicom else ""


def _store(shelf: Shelf, contents: list[bytes]) -> tuple[HTTPStatus, Dataset]:
    """Status and Store Instances Response Module (PS3.18 Tables 10.5.3-1 and I.2-1)."""
    stored, failed = [], []
    for content in contents:
        try:
            stored.append(_reference(shelf.keep(content)))
        except (OSError, ValueError) as error:
            item = Dataset()
            item.FailureReason = _OUT_OF_RESOURCES if isinstance(error, OSError) else _CANNOT_UNDERSTAND
            failed.append(item)
    answer = Dataset()
    if stored:
        answer.ReferencedSOPSequence = stored
    if failed:
        answer.FailedSOPSequence = failed
    if not stored:
        return HTTPStatus.CONFLICT, answer
    return HTTPStatus.ACCEPTED if failed else HTTPStatus.OK, answer


def _reference(instance: IndexedInstance) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = instance.sop_class_uid
    item.ReferencedSOPInstanceUID = instance.sop_instance_uid
    return item
