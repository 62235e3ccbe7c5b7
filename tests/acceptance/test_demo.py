"""`bmnode demo`, as a newcomer runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydicom import dcmread

from bmnode.testing.patients import DEMO_PATIENTS

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]], str]:
    """The demo's folder, its studies by name, and what it said while it worked."""
    folder = tmp_path_factory.mktemp("demo")
    said = subprocess.run(
        [sys.executable, "-m", "bmnode", "demo", "--out", str(folder / "out"), "--json"],
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    studies = json.loads(said.stdout)["studies"]
    return folder / "out", {study["name"]: study for study in studies}, said.stderr


Played = tuple[Path, dict[str, dict[str, Any]], str]


def test_every_patient_comes_back(played: Played) -> None:
    """The real scan and every synthetic patient have an outcome, and the one to refuse is refused for its reason."""
    _, studies, _ = played
    assert set(studies) == {"bone-scan-real", *(patient.folder for patient in DEMO_PATIENTS)}
    assert all(study["as_expected"] for study in studies.values())
    assert studies["mibg"]["reason"] == "unsupported_tracer"
    assert [name for name, study in studies.items() if not study["synthetic"]] == ["bone-scan-real"]


def test_objects_and_pictures_lie_in_the_folder(played: Played) -> None:
    """Each study's SR, the SEG of each volume and view, and a picture of every assessed study can be opened."""
    folder, studies, _ = played
    for name, study in studies.items():
        objects = {path.name: dcmread(path) for path in map(Path, study["objects"])}
        assert "sr.dcm" in objects
        assert ("seg-1.dcm" in objects) == (study["outcome"] == "assessed")
        assert all(item.get("SyntheticData") == ("YES" if study["synthetic"] else None) for item in objects.values())
        if study["outcome"] == "assessed":
            assert study["pictures"]
        for picture in map(Path, study["pictures"]):
            assert picture.is_relative_to(folder / name)
            with Image.open(picture) as image:
                assert len(image.getcolors(maxcolors=1 << 24) or ()) > 50


def test_lesions_are_found_on_every_modality(played: Played) -> None:
    """On every synthetic patient with lesions some are found: no branch is blind. How well is not judged here."""
    _, studies, _ = played
    for name, study in studies.items():
        if study["lesions"]:
            assert study["lesions_found"] > 0, name


def test_progress_is_shown_throughout(played: Played) -> None:
    """Each stage says how far it is."""
    _, _, said = played
    for stage in ("Making and sending", "Assessing", "Comparing and drawing"):
        assert stage in said
