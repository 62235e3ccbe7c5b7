"""What OHIF needs around it, on loopback: its files, its configuration and Orthanc's DICOMweb under one origin."""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from bmnode.testing.orthanc import OrthancPeer
from bmnode.testing.ports import LOOPBACK

DICOM_WEB = "/dicom-web/"
DICOM_WEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
"""Where Debian's orthanc-dicomweb puts it."""

_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
_FORWARDED = ("Accept", "Content-Type")
_TIMEOUT_S = 60.0

DATA_SOURCE: dict[str, Any] = {
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "sourceName": "dicomweb",
    "configuration": {
        "friendlyName": "Orthanc",
        "name": "orthanc",
        "qidoRoot": DICOM_WEB.rstrip("/"),
        "wadoRoot": DICOM_WEB.rstrip("/"),
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "qidoSupportsIncludeField": False,
        "supportsFuzzyMatching": False,
        "supportsWildcard": True,
        "enableStudyLazyLoad": True,
        "singlepart": "bulkdata",
        "bulkDataURI": {"enabled": True},
        "omitQuotationForMultipartRequest": True,
        "acceptHeader": ["multipart/related; type=application/octet-stream; transfer-syntax=*"],
    },
}
CONFIGURATION: dict[str, Any] = {
    "routerBasename": "/",
    "extensions": [],
    "modes": [],
    "showStudyList": True,
    "investigationalUseDialog": {"option": "never"},
    # "Do you want to open this Segmentation?" would wait for an answer.
    "disableConfirmationPrompts": True,
    "defaultDataSourceName": "dicomweb",
    "dataSources": [DATA_SOURCE],
}


def dicom_web_settings(*, site_port: int) -> dict[str, Any]:
    """Orthanc's configuration for DICOMweb behind the site: it writes its own address into what it answers."""
    return {
        "Plugins": [str(DICOM_WEB_PLUGIN)],
        "DicomWeb": {
            "Enable": True,
            "Root": DICOM_WEB,
            "Host": f"{LOOPBACK}:{site_port}",
            "Ssl": False,
            "StudiesMetadata": "Full",
            "SeriesMetadata": "Full",
        },
    }


class ViewerSite:
    """An HTTP server on loopback, in a thread; a context manager.

    Every address that is no file of OHIF is one of its pages and gets `index.html`; what begins with
    `/dicom-web/` goes to Orthanc, so that the browser sees one origin.

    Args:
        files: OHIF as it is built, the folder with `index.html`.
    """

    def __init__(self, files: Path) -> None:
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.files = files
        self._thread = threading.Thread(target=self._server.serve_forever, name="viewer-site", daemon=True)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"

    def show(self, archive: OrthancPeer) -> None:
        """The archive whose studies are shown."""
        self._server.archive = archive


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    files: Path
    archive: OrthancPeer


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the name that http.server asks for
        if self.path.startswith(DICOM_WEB):
            self._forward()
        elif urlsplit(self.path).path == "/app-config.js":
            self._answer(200, "text/javascript", f"window.config = {json.dumps(CONFIGURATION)};".encode())
        else:
            path = self._file()
            self._answer(200, _TYPES.get(path.suffix, "application/octet-stream"), path.read_bytes())

    def do_POST(self) -> None:  # the name that http.server asks for
        self._forward()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that http.server gives it
        """Say nothing: a viewer asks for hundreds of files."""

    def _file(self) -> Path:
        asked = (self.server.files / unquote(urlsplit(self.path).path).lstrip("/")).resolve()
        inside = asked.is_relative_to(self.server.files.resolve()) and asked.is_file()
        return asked if inside else self.server.files / "index.html"

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: self.headers[name] for name in _FORWARDED if name in self.headers}
        archive = urlsplit(self.server.archive.rest_url)
        connection = http.client.HTTPConnection(str(archive.hostname), archive.port, timeout=_TIMEOUT_S)
        try:
            connection.request(self.command, self.path, body=body or None, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            self._answer(answer.status, answer.getheader("Content-Type", ""), content)
        finally:
            connection.close()

    def _answer(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        # OHIF's workers share memory, which a browser allows to isolated pages only.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        try:
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # a page that was left no longer waits
