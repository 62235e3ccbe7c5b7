"""`bmnode evaluate measurements --quick` as a user runs it: figures, exit status, JSON, going on where it stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from bmnode.cli.documents import KINDS
from operators.simulation.cohort.protocol_keys import Modality
from operators.simulation.truth.model import StudyTruth
from pipelines.evaluation.quantities import DEFINITIONS, OF_MODALITY
from pipelines.evaluation.records import StudyRecord
from pipelines.evaluation.study import evaluate_study
from pipelines.evaluation.table import accuracy_rows
from pipelines.evaluation.targets import WITHOUT_TARGET
from pipelines.evaluation.truths import NO_VOLUME
from tests.unit.evaluation.test_values import LESION, study

pytestmark = pytest.mark.timeout(600)
STUDIES = {"bone-scan", "spect-ct", "ct", "mri", "pet-ct"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Depth fields, shared with the other tests of this session."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if base.name.startswith("popen-") else base) / "anatomy"


def evaluate(*arguments: str | Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [sys.executable, "-m", "bmnode", "evaluate", "measurements", *map(str, arguments), "--cache", str(cache)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The quick cohort, evaluated, with what the command said."""
    out = tmp_path_factory.mktemp("evaluate") / "out"
    return out, evaluate("--quick", "--out", out, "--workers", "2", cache=cache)


def test_quick_meets_its_targets(quick: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """It exits 0, says that all is simulated, and ends with one line of figures."""
    _, said = quick
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.startswith("SIMULATED patients")
    last = said.stdout.rstrip().splitlines()[-1]
    assert last.startswith("SIMULATED, patients 1; targets 17: met 17, missed 0, not evaluable 0; ")
    assert "100% 5 of 5 studies measured" in said.stderr


def test_json_has_every_quantity(quick: tuple[Path, subprocess.CompletedProcess[str]], cache: Path) -> None:
    """A second run makes nothing anew and gives the same figures as one document with the documented keys."""
    out, _ = quick
    records = sorted((out / "records").rglob("*.json"))
    before = {path: path.stat().st_mtime_ns for path in records}
    assert {path.stem for path in records} == STUDIES
    again = evaluate("--quick", "--out", out, "--workers", "1", "--json", cache=cache)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in records} == before
    said: dict[str, Any] = json.loads(again.stdout)
    assert said["simulated"] is True
    for kind, rows in (("accuracy_row", said["rows"]), ("detection_row", said["detection"])):
        assert rows
        assert all(set(row) == set(KINDS[kind]) for row in rows)
    judged = {(row["modality"], row["quantity"]) for row in said["rows"] if row["verdict"] == "met"}
    assert judged == {
        (modality.value, DEFINITIONS[quantity].label)
        for modality, all_of in OF_MODALITY.items()
        for quantity in all_of
        if quantity not in WITHOUT_TARGET
    }


def test_a_measurement_that_is_wrong_fails_the_run(
    quick: tuple[Path, subprocess.CompletedProcess[str]], cache: Path
) -> None:
    """Where the CT's measured volumes were a fifth too large, the command exits 1 and marks the row."""
    out, _ = quick
    (path,) = (out / "records").rglob("ct.json")
    kept = path.read_bytes()
    content = json.loads(kept)
    assert StudyRecord.load(path, key=content["key"]) is not None
    for lesion in content["lesions"]:
        lesion["given"]["volume"] *= 1.2
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        said = evaluate("--quick", "--out", out, "--workers", "1", "--json", cache=cache)
        shown = evaluate("--quick", "--out", out, "--workers", "1", cache=cache)
    finally:
        path.write_bytes(kept)
    assert (said.returncode, shown.returncode) == (1, 1), said.stderr
    assert "missed: ct Volume on true masks, 3 resolutions and more: the target is bias" in shown.stdout
    found = json.loads(said.stdout)
    missed = {(row["modality"], row["quantity"]) for row in found["rows"] if row["verdict"] == "missed"}
    assert missed == {("ct", "Volume")}
    assert "met 16, missed 1," in found["summary"]


def test_a_study_that_cannot_be_read_loses_no_lesion(tmp_path: Path) -> None:
    """Where there is no volume, the lesions stay in the record and say why they have no values."""
    (tmp_path / "dicom").mkdir()
    (tmp_path / "truth").mkdir()
    truth = study(Modality.PET, LESION, tracer="fdg", resolution_mm=5.5)
    (tmp_path / "truth" / "truth.json").write_bytes(TypeAdapter(StudyTruth).dump_json(truth))
    record = evaluate_study(tmp_path, patient=1, key="k")
    assert record.refusal == "no_images"
    assert [(item.name, item.why_not, item.is_shown) for item in record.lesions] == [("one", NO_VOLUME, False)]
    row = next(item for item in accuracy_rows([record]) if item.quantity == "Volume")
    assert (row.n, row.not_evaluable) == (0, {NO_VOLUME: 1})


def test_quick_has_a_cohort_of_its_own(cache: Path) -> None:
    """`--quick` with `--cohort` is a mistake that is told, not a choice that is made for the user."""
    said = evaluate("--quick", "--cohort", "demo", cache=cache)
    assert said.returncode == 2
    assert "--quick has a cohort of its own" in said.stderr
