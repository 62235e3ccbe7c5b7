"""One synthetic scan for the whole run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmnode.testing.patients.spec import SyntheticStudy
from tests.unit.scintigraphy.scans import write_scan


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> SyntheticStudy:
    """A two-view scan with its truth."""
    return write_scan(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="session")
def scan(study: SyntheticStudy) -> Path:
    """The scan's one file."""
    (path,) = study.files
    return path
