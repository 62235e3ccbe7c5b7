"""Programs of other projects that tests drive, by full path."""

from __future__ import annotations

import os
from pathlib import Path

_DCMTK_FOLDERS = (Path("/usr/bin"), Path("/usr/local/bin"))


def find_dcmtk(program: str) -> Path | None:
    """A DCMTK program, or None. Never searched on PATH: pynetdicom installs commands of the same names."""
    return next((folder / program for folder in _DCMTK_FOLDERS if (folder / program).is_file()), None)


def dcmtk_environment() -> dict[str, str]:
    """The environment for DCMTK: with Nagle's algorithm on, every object would wait about 40 ms."""
    return {**os.environ, "TCP_NODELAY": "1"}
