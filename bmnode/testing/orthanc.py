"""A real Orthanc as a peer on loopback, run with the configuration that a site would use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from orthanc_api_client import OrthancApiClient

from bmnode.clock import Clock, SystemClock
from bmnode.domain.peers import Peer
from bmnode.errors import NotFoundError, PeerUnreachableError
from bmnode.testing.ports import LOOPBACK, free_ports, listens

CONFIGURATION_FILE = "orthanc.json"
ROUTING_SCRIPT = "bmnode-routing.lua"
_START_DEADLINE_S = 30.0
_STOP_DEADLINE_S = 15.0
_POLL_S = 0.05
_PORT_ATTEMPTS = 3


def find_orthanc() -> Path | None:
    """The Orthanc program: on the path, or where Debian puts it; None where it is not installed."""
    found = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


class OrthancPeer:
    """Debian's Orthanc as a child process; a context manager.

    Its configuration is `orthanc.json` of the given folder with ports, folders, modalities and
    `overrides` put over it, and the same routing script. REST needs no password here unless
    `overrides` says so.

    Args:
        directory: where its storage, configuration and log go.
        configuration: the folder with `orthanc.json` and the routing script.
        known_peers: become `DicomModalities` under their names.
        overrides: keys of Orthanc's configuration that win over everything else.
        clock: paces the polling while it starts.
    """

    def __init__(
        self,
        directory: Path,
        *,
        configuration: Path,
        known_peers: Iterable[Peer] = (),
        overrides: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._directory = directory
        self._base: dict[str, Any] = json.loads((configuration / CONFIGURATION_FILE).read_text(encoding="utf-8"))
        self._script = (configuration / ROUTING_SCRIPT).resolve()
        self._known_peers = tuple(known_peers)
        self._overrides = dict(overrides or {})
        self._clock = clock or SystemClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = (0, 0)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start and wait until REST answers.

        Raises NotFoundError where Orthanc is not installed, PeerUnreachableError where it ends or
        does not answer in time; the message names its log.
        """
        program = find_orthanc()
        if program is None:
            raise NotFoundError("Orthanc is not installed: `apt-get install orthanc` (Debian, Ubuntu)")
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            # Orthanc cannot bind port 0 and say which it got; another process may take a free one meanwhile.
            dicom_port, rest_port = free_ports(2)
            self._ports = dicom_port, rest_port
            self._launch(program)
            if self._wait_until_alive():
                return
            self.stop()
            if attempt == _PORT_ATTEMPTS:
                raise PeerUnreachableError(f"Orthanc did not start; its log is {self.log}")

    def stop(self) -> None:
        """End the process and wait for it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def log(self) -> Path:
        """What Orthanc prints."""
        return self._directory / "orthanc.log"

    @property
    def ae_title(self) -> str:
        """Its AE title."""
        return str(self._settings()["DicomAet"])

    @property
    def dicom_port(self) -> int:
        """The DICOM port. Raises RuntimeError before `start`."""
        return self._port(0)

    @property
    def rest_url(self) -> str:
        """Base address of REST. Raises RuntimeError before `start`."""
        return f"http://{LOOPBACK}:{self._port(1)}"

    @property
    def rest(self) -> OrthancApiClient:
        """A client of its REST interface, without a password."""
        return OrthancApiClient(self.rest_url)

    def rest_as(self, user: str, password: str) -> OrthancApiClient:
        """A client of its REST interface, where `overrides` turned authentication on."""
        return OrthancApiClient(self.rest_url, user=user, pwd=password)

    def as_peer(self, name: str = "orthanc") -> Peer:
        """How a node declares this Orthanc."""
        return Peer(name=name, ae_title=self.ae_title, host=LOOPBACK, port=self.dicom_port, rest_url=self.rest_url)

    def add_peer(self, peer: Peer) -> None:
        """Make an application entity known while running, e.g. one that got its port only now."""
        settings = {**self._modality(peer.name), **_modality(peer)}
        self.rest.put(f"modalities/{peer.name}", json=settings)

    def _port(self, which: int) -> int:
        if self._process is None:
            raise RuntimeError("Orthanc is not started")
        return self._ports[which]

    def _launch(self, program: Path) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / CONFIGURATION_FILE
        path.write_text(json.dumps(self._settings(), indent=2), encoding="utf-8")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # the program was looked up, the arguments are ours
                [str(program), str(path)],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self._directory,
                env={**os.environ, "TCP_NODELAY": "1"},
            )

    def _settings(self) -> dict[str, Any]:
        storage = str((self._directory / "storage").resolve())
        modalities = {peer.name: {**self._modality(peer.name), **_modality(peer)} for peer in self._known_peers}
        return {
            **self._base,
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "DicomPort": self._ports[0],
            "HttpPort": self._ports[1],
            "DicomModalities": modalities,
            "LuaScripts": [str(self._script)],
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StableAge": 1,
            **self._overrides,
        }

    def _modality(self, name: str) -> dict[str, Any]:
        """What the site's configuration says of a modality of this name."""
        return dict(self._base.get("DicomModalities", {}).get(name, {}))

    def _wait_until_alive(self) -> bool:
        deadline = self._clock.monotonic_s() + _START_DEADLINE_S
        while self._process is not None and self._process.poll() is None:
            if listens(self._ports[1]) and listens(self._ports[0]):
                return True
            if self._clock.monotonic_s() > deadline:
                return False
            self._clock.sleep_s(_POLL_S)
        return False


def _modality(peer: Peer) -> dict[str, Any]:
    return {"AET": peer.ae_title, "Host": peer.host, "Port": peer.port}
