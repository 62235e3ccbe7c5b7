"""Who receives: bmnode, and the programs that it is measured against, each a process with a port and a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ingest_node import AE_TITLE
from bmnode.testing.orthanc import find_orthanc
from bmnode.testing.ports import LOOPBACK, free_ports, listens

STORESCP = Path("/usr/bin/storescp")
_START_S, _STOP_S, _POLL_S = 60.0, 20.0, 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiverKind:
    """A program, how it is started, and what its promise is worth."""

    name: str
    durable: bool
    as_shipped: bool = False
    """Whether Nagle's algorithm stays as its distributor left it."""


BMNODE = ReceiverKind(name="bmnode", durable=True)
DCMTK = ReceiverKind(name="DCMTK --fork", durable=False)
ORTHANC = ReceiverKind(name="Orthanc", durable=True)
PYNETDICOM = ReceiverKind(name="pynetdicom", durable=False)
DCMTK_SHIPPED = ReceiverKind(name="DCMTK as shipped", durable=False, as_shipped=True)
ORTHANC_SHIPPED = ReceiverKind(name="Orthanc as shipped", durable=True, as_shipped=True)


class Receiver:
    """A running receiver; a context manager by `start` and `stop` of the caller.

    Args:
        kind: which.
        directory: where it keeps what it takes; on the same file system for all.
    """

    def __init__(self, kind: ReceiverKind, directory: Path) -> None:
        self.kind = kind
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None
        self._rest_port = 0
        self.port = 0
        self.ae_title = AE_TITLE

    def start(self) -> None:
        """Start and wait until it listens. Raises ConnectionError where it does not."""
        self._directory.mkdir(parents=True)
        self.port, self._rest_port = free_ports(2)
        environment = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
        if not self.kind.as_shipped:
            environment["TCP_NODELAY"] = "1"
        self._process = subprocess.Popen(  # noqa: S603 - programs named by their path, the arguments are ours
            self._command(),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if self.kind == BMNODE else subprocess.DEVNULL,
            stderr=None if self.kind == BMNODE else subprocess.DEVNULL,
            text=True,
        )
        if self.kind == BMNODE:
            self.port = int(self._ask(None))
        deadline = time.monotonic() + _START_S
        while not all(listens(port) for port in self._ports()):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise ConnectionError(f"{self.kind.name} does not listen")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=_STOP_S)

    def stored(self) -> int:
        """How many instances it has by now, in its index where it has one."""
        if self.kind == BMNODE:
            return int(self._ask("count\n"))
        if self.kind in (ORTHANC, ORTHANC_SHIPPED):
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._rest_port}/statistics", timeout=_STOP_S) as answer:
                return int(json.load(answer)["CountInstances"])
        return sum(path.is_file() for path in self._directory.rglob("*"))

    def clear(self) -> None:
        """Forget what came, where that is files alone: an index would miss them."""
        if self.kind in (DCMTK, DCMTK_SHIPPED, PYNETDICOM):
            for path in self._directory.iterdir():
                path.unlink()

    def cpu_s(self) -> float:
        """Processor time of the process and its children, those that have ended included."""
        if self._process is None:
            return 0.0
        ticks = sum(_ticks(pid) for pid in _tree(self._process.pid))
        return ticks / os.sysconf("SC_CLK_TCK")

    def peak_memory_mb(self) -> float:
        """Largest resident memory of the process so far; children of --fork are not counted."""
        pid = 0 if self._process is None else self._process.pid
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def _ask(self, question: str | None) -> str:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise ConnectionError("bmnode is not running")
        if question is not None:
            process.stdin.write(question)
            process.stdin.flush()
        return process.stdout.readline()

    def _ports(self) -> Sequence[int]:
        return (self.port, self._rest_port) if self.kind in (ORTHANC, ORTHANC_SHIPPED) else (self.port,)

    def _command(self) -> Sequence[str]:
        folder, port = str(self._directory), str(self.port)
        if self.kind == BMNODE:
            return [sys.executable, "-m", "benchmarks.ingest_node", folder]
        if self.kind in (DCMTK, DCMTK_SHIPPED):
            return [str(STORESCP), "--fork", "+xa", "-aet", AE_TITLE, "-od", folder, port]
        if self.kind == PYNETDICOM:
            return [sys.executable, "-m", "pynetdicom", "storescp", "-q", "-aet", AE_TITLE, "-od", folder, port]
        configuration = self._directory.with_suffix(".json")
        configuration.write_text(json.dumps(self._orthanc_settings()), encoding="utf-8")
        return [str(find_orthanc()), str(configuration)]

    def _orthanc_settings(self) -> Mapping[str, object]:
        return {
            "Name": "benchmark",
            "StorageDirectory": str(self._directory),
            "IndexDirectory": str(self._directory),
            "DicomAet": AE_TITLE,
            "DicomPort": self.port,
            "HttpPort": self._rest_port,
            "AuthenticationEnabled": False,
            "RemoteAccessAllowed": False,
            "DicomAlwaysAllowStore": True,
            "SyncStorageArea": True,  # its default, said aloud
        }


def _tree(pid: int) -> Iterator[int]:
    """A process and its children, as Linux tells of them."""
    yield pid
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        for child in (thread / "children").read_text(encoding="ascii").split():
            yield from _tree(int(child))


def _ticks(pid: int) -> int:
    """Clock ticks of a process, and of its children that it has waited for; 0 once it is gone (proc(5), stat)."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return 0
    fields = told.rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))
