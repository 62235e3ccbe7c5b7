"""Programs of other projects that tests drive, by full path."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bmnode.testing.ports import free_ports, listens
from bmnode.tls import TlsFiles
from tests.support.polling import eventually

_DCMTK_FOLDERS = (Path("/usr/bin"), Path("/usr/local/bin"))


def find_dcmtk(program: str) -> Path | None:
    """A DCMTK program, or None. Never searched on PATH: pynetdicom installs commands of the same names."""
    return next((folder / program for folder in _DCMTK_FOLDERS if (folder / program).is_file()), None)


def dcmtk_environment() -> dict[str, str]:
    """The environment for DCMTK: with Nagle's algorithm on, every object would wait about 40 ms."""
    return {**os.environ, "TCP_NODELAY": "1"}


def dcmtk_tls(files: TlsFiles) -> list[str]:
    """Options of DCMTK's network tools: TLS, what to show and whom to believe."""
    return ["+tls", str(files.key), str(files.certificate), "+cf", str(files.authorities)]


@contextmanager
def storescp(files: TlsFiles, folder: Path, *, port: int | None = None) -> Iterator[int]:
    """DCMTK's storescp over TLS, which keeps what it takes in a folder; its port. Skips where it is not installed."""
    program = find_dcmtk("storescp")
    if program is None:
        pytest.skip("DCMTK is not installed: `apt-get install dcmtk` (Debian, Ubuntu)")
    folder.mkdir()
    used = port or free_ports(1)[0]
    command = [str(program), *dcmtk_tls(files), "-od", str(folder), str(used)]
    process = subprocess.Popen(command, env=dcmtk_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: listens(used), timeout_s=10)
        yield used
    finally:
        process.kill()
        process.wait()
