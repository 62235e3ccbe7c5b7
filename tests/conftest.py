"""Fixtures for every kind of test. What is missing on a machine skips with the way to get it."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from bmnode.observe.logging import LIBRARY_LEVELS
from bmnode.testing.orthanc import find_orthanc
from tests.support import real_data
from tests.support.tools import find_dcmtk

settings.register_profile("bmnode", deadline=None)  # a busy machine is no defect: pytest's own limit stands
settings.load_profile("bmnode")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: its children would ignore Ctrl-C too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    """Commands set the log of their process up; the next test gets the logging that this one found."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    for name in LIBRARY_LEVELS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The top folder of the repository."""
    return real_data.ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images; skips where it is absent."""
    directory = real_data.shared_data_directory()
    if not directory.is_dir():
        pytest.skip(f"no real images at {directory}: set {real_data.VARIABLE} to the folder that holds them")
    return directory


@pytest.fixture(scope="session")
def bone_scan() -> Path:
    """A real whole-body bone scan, JPEG Lossless."""
    return real_data.real_bone_scan()


@pytest.fixture(scope="session")
def orthanc_configuration(repository_root: Path) -> Path:
    """The folder with Orthanc's configuration; skips where Orthanc is not installed."""
    if find_orthanc() is None:
        pytest.skip("Orthanc is not installed: `apt-get install orthanc` (Debian, Ubuntu)")
    return repository_root / "orthanc-config"


@pytest.fixture(scope="session")
def storescu() -> Path:
    """DCMTK's storescu; skips where it is not installed."""
    program = find_dcmtk("storescu")
    if program is None:
        pytest.skip("DCMTK is not installed: `apt-get install dcmtk` (Debian, Ubuntu)")
    return program
