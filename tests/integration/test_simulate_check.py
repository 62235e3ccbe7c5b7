"""`bmnode simulate --check`: the fidelity table as a user prints it, against the page in the docs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from operators.simulation.fidelity.page import PAGE, line
from operators.simulation.fidelity.row import Row

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parents[2]
_COLUMNS = 5
_NEAR = 0.03
"""Of a value on another machine to that of the page."""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any]]:
    """Exit status and JSON."""
    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if base.name.startswith("popen-") else base) / "anatomy"
    command = [sys.executable, "-m", "bmnode", "simulate", "--check", "--json", "--cache", str(cache)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return said.returncode, json.loads(said.stdout)


def _rows(said: dict[str, Any]) -> list[Row]:
    """As measured; `Row` judges them anew."""
    names = ("quantity", "value", "unit", "low", "high", "source", "known_gap")
    return [Row(**{name: row[name] for name in names}) for row in said["rows"]]


def test_exit_status_tells_whether_a_value_leaves_its_range(checked: tuple[int, dict[str, Any]]) -> None:
    """1 where one does, 0 where none does; the verdicts are those of the values and their ranges."""
    status, said = checked
    rows = _rows(said)
    assert [row["verdict"] for row in said["rows"]] == [str(row.verdict) for row in rows]
    assert status == any(row.verdict == "out of range" for row in rows)


def test_only_known_gaps_leave_their_range(checked: tuple[int, dict[str, Any]]) -> None:
    """A value out of range has its reason in the table; nothing is excused that is within it."""
    for row in _rows(checked[1]):
        assert bool(row.known_gap) is (row.verdict == "out of range"), row.quantity


def test_page_in_the_docs_is_this_table(checked: tuple[int, dict[str, Any]]) -> None:
    """Same rows, ranges, verdicts and sources; values as on the machine that wrote it, to 3 %."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    table = text[text.index("## Everything") :].splitlines()[4:]
    rows = _rows(checked[1])
    assert len(table) == len(rows)
    for row, written in zip(rows, table, strict=True):
        value = written.split(" | ")[1]
        assert len(written.split(" | ")) == _COLUMNS
        assert line(row, value=value) == written, f"write {PAGE} again"
        assert row.value == pytest.approx(float(value.split()[0]), rel=_NEAR, abs=0.02), row.quantity


def test_check_takes_no_cohort() -> None:
    """The command's own patients are measured: a cohort beside --check is an error, not ignored."""
    command = [sys.executable, "-m", "bmnode", "simulate", "demo", "--check"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert "leave the cohort out" in said.stderr
