"""`bmnode simulate` as a user runs it: every modality, going on after a stop, the same bytes whoever makes them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from pydicom import dcmread

from operators.simulation.truth.read import load_truth
from tests.support.polling import eventually

pytestmark = pytest.mark.timeout(600)
MODALITIES = {"bone-scan": {"NM"}, "spect-ct": {"NM", "CT"}, "ct": {"CT"}, "mri": {"MR"}, "pet-ct": {"PT", "CT"}}
ONE_STUDY = """
[cohort]
name = "one"
patients = 1

[[study]]
modality = "spect"
length_mm = 200
voxel_mm = 9
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Depth fields, shared with the other tests of this session."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if base.name.startswith("popen-") else base) / "anatomy"


def simulate(*arguments: str | Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [sys.executable, "-m", "bmnode", "simulate", *map(str, arguments), "--cache", str(cache)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, dict[str, Any]]:
    """The cohort `tests`, made by two workers, with what the command said of it."""
    out = tmp_path_factory.mktemp("simulate") / "out"
    said = simulate("tests", "--out", out, "--seed", "5", "--workers", "2", "--preview", "--json", cache=cache)
    assert said.returncode == 0, said.stderr
    assert "100% 5 of 5 studies" in said.stderr
    return out, json.loads(said.stdout)


def test_every_modality_is_a_study_with_its_truth(made: tuple[Path, dict[str, Any]]) -> None:
    """Each study's instances say that they are simulated, belong together, and have their truth beside them."""
    _, said = made
    assert {study["name"] for study in said["studies"]} == set(MODALITIES)
    for study in said["studies"]:
        headers = [dcmread(path, stop_before_pixels=True) for path in Path(study["dicom"]).iterdir()]
        assert len(headers) == study["instances"]
        assert {header.Modality for header in headers} == MODALITIES[study["name"]]
        assert {header.StudyInstanceUID for header in headers} == {study["study_uid"]}
        assert {str(header.PatientName)[:4] for header in headers} == {"SIM^"}
        truth = load_truth(Path(study["truth"])).study
        assert truth.study_uid == study["study_uid"]
        assert len(truth.lesions) == study["lesions"] > 0
        assert {series.series_uid for series in truth.series} == {header.SeriesInstanceUID for header in headers}


def test_index_lists_what_is_there(made: tuple[Path, dict[str, Any]]) -> None:
    """`cohort.json` alone is enough to find every study."""
    out, said = made
    index = json.loads((out / "cohort.json").read_text(encoding="utf-8"))
    assert index["complete"]
    assert index["seed"] == said["seed"] == 5
    assert [str(out / entry["dicom"]) for entry in index["studies"]] == [study["dicom"] for study in said["studies"]]
    assert all((out / entry["truth"] / "truth.json").is_file() for entry in index["studies"])


def test_page_shows_every_study(made: tuple[Path, dict[str, Any]]) -> None:
    """Each study has a picture that is no blank, and the page shows it."""
    _, said = made
    page = Path(said["preview"])
    text = page.read_text(encoding="utf-8")
    pictures = sorted(page.parent.glob("*.png"))
    assert len(pictures) == len(said["studies"])
    for picture in pictures:
        assert picture.name in text
        with Image.open(picture) as image:
            assert len(image.getcolors(maxcolors=1 << 24) or ()) > 50


def test_damage_is_made_good_with_the_same_bytes(made: tuple[Path, dict[str, Any]], cache: Path) -> None:
    """A rerun leaves whole studies alone and makes the others again: by one worker what two had made."""
    out, said = made
    folders = {study["name"]: Path(study["dicom"]).parent for study in said["studies"]}
    before = {name: _manifest(folder) for name, folder in folders.items()}
    touched = next((folders["bone-scan"] / "dicom").iterdir())
    touched.write_bytes(touched.read_bytes()[:-2] + b"xx")
    (folders["spect-ct"] / "manifest.json").unlink()
    again = simulate("tests", "--out", out, "--seed", "5", "--workers", "1", "--json", cache=cache)
    assert again.returncode == 0, again.stderr
    new = {study["name"] for study in json.loads(again.stdout)["studies"] if study["made_now"]}
    assert new == {"bone-scan", "spect-ct"}
    assert {name: _manifest(folder) for name, folder in folders.items()} == before


def test_other_seed_in_the_same_folder_is_refused(made: tuple[Path, dict[str, Any]], cache: Path) -> None:
    """Two cohorts never mix."""
    out, _ = made
    said = simulate("tests", "--out", out, "--seed", "6", cache=cache)
    assert said.returncode == 2
    assert "holds the cohort tests of seed 5" in said.stderr


def test_bad_file_is_refused_before_anything_is_made(tmp_path: Path, cache: Path) -> None:
    """Exit 2, one line a problem, no folder."""
    file = tmp_path / "bad.toml"
    file.write_text(ONE_STUDY + "length_m = 1\nviews = 4000\n", encoding="utf-8")
    said = simulate(file, "--out", tmp_path / "out", cache=cache)
    assert said.returncode == 2
    assert f"{file}: study[1].views is 4000, allowed is whole numbers 16 to 360" in said.stderr
    assert "did you mean 'length_mm'?" in said.stderr
    assert not (tmp_path / "out").exists()


def test_stop_leaves_nothing_behind_that_looks_finished(tmp_path: Path, cache: Path) -> None:
    """Ctrl-C ends command and workers at once with 130; the same command goes on."""
    file = tmp_path / "one.toml"
    file.write_text(ONE_STUDY, encoding="utf-8")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "bmnode", "simulate", str(file), "--out", str(out), "--cache", str(cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        children = _children_of(process.pid)
        eventually(lambda: (out / "cohort.json").exists() and bool(children()), timeout_s=60)
        workers = children()
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    psutil.wait_procs(workers, timeout=20)
    assert [worker for worker in workers if worker.is_running()] == []
    assert not list(out.rglob("manifest.json"))
    assert not json.loads((out / "cohort.json").read_text(encoding="utf-8"))["complete"]
    assert simulate(file, "--out", out, cache=cache).returncode == 0
    assert len(list(out.rglob("manifest.json"))) == 1


def _children_of(pid: int) -> Callable[[], list[psutil.Process]]:
    parent = psutil.Process(pid)
    return lambda: parent.children(recursive=True)


def _manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found
