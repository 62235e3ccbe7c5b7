"""What the records of an evaluation depend on: enough, so that no figure is of old code, and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.evaluation import provenance
from pipelines.evaluation.provenance import code_digest, reached

STUDY = "pipelines.evaluation.study"
EVALUATIONS = (STUDY, "pipelines.evaluation.registration.evaluate", "pipelines.evaluation.lesion_matching.evaluate")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution of a few modules: `bmnode.start` needs `operators.used.kernel` when it is called."""
    sources = {
        "bmnode/__init__.py": "",
        "bmnode/start.py": "def begin():\n    from operators.used import kernel\n    return kernel\n",
        "bmnode/other.py": "import operators.unused.kernel\n",
        "operators/__init__.py": "",
        "operators/used/__init__.py": "",
        "operators/used/kernel.py": "import numpy\n",
        "operators/used/limits.toml": "limit = 1\n",
        "operators/used/README.md": "Words.\n",
        "operators/unused/__init__.py": "",
        "operators/unused/kernel.py": "",
        "operators/unused/limits.toml": "limit = 1\n",
    }
    for name, text in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(provenance, "files", tmp_path.joinpath)
    return tmp_path


@pytest.mark.parametrize("name", ["bmnode/start.py", "operators/used/__init__.py", "operators/used/kernel.py"])
def test_a_change_of_what_is_reached_makes_another_digest(installation: Path, name: str) -> None:
    """A module that is imported only when it is called, and the package that it lies in, count like any other."""
    before = code_digest("bmnode.start")
    (installation / name).write_text("CHANGED = True\n", encoding="utf-8")
    assert code_digest("bmnode.start") != before


@pytest.mark.parametrize("change", ["limit = 2\n", None])
def test_a_table_beside_a_reached_module_counts(installation: Path, change: str | None) -> None:
    """Another threshold, or none any more, makes every record old."""
    before = code_digest("bmnode.start")
    table = installation / "operators" / "used" / "limits.toml"
    if change is None:
        table.unlink()
    else:
        table.write_text(change, encoding="utf-8")
    assert code_digest("bmnode.start") != before


@pytest.mark.parametrize("name", ["bmnode/other.py", "operators/unused/limits.toml", "operators/used/README.md"])
def test_a_change_of_what_is_not_reached_leaves_records_valid(installation: Path, name: str) -> None:
    """The rest of the node and every page may change without an evaluation of hours."""
    before = code_digest("bmnode.start")
    (installation / name).write_text("# changed\n", encoding="utf-8")
    assert code_digest("bmnode.start") == before


def test_a_relative_import_is_refused(installation: Path) -> None:
    """What cannot be followed is told: a record would pass for code that was changed since."""
    (installation / "bmnode" / "start.py").write_text("from . import other\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"start\.py line 1"):
        code_digest("bmnode.start")


def test_another_distribution_has_no_digest() -> None:
    """A name that is not ours is a mistake, not an empty digest that all records would share."""
    with pytest.raises(ValueError, match="numpy"):
        code_digest("numpy")


@pytest.mark.parametrize("module", EVALUATIONS)
def test_all_that_python_loads_is_reached(module: str) -> None:
    """What importing an evaluation really loads is among what its digest covers."""
    said = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    loaded = {name for name in said.stdout.split() if name.partition(".")[0] in {"bmnode", "operators", "pipelines"}}
    assert len(loaded) > 30
    assert loaded <= set(reached(module))


def test_a_study_reaches_every_branch_and_not_the_node() -> None:
    """The branches are imported when a study is run; receiving and sending measure nothing."""
    modules = reached(STUDY)
    assert {f"pipelines.{name}.branch" for name in ("bone_scan", "ct", "mri", "pet_ct", "spect")} <= set(modules)
    assert not [name for name in modules if name.startswith(("bmnode.scp", "bmnode.spool", "bmnode.cli"))]
