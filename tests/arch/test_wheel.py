"""The built wheel is complete: it is what a site installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("bmnode", "operators", "pipelines")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without network by the installed back end from a copy of the sources."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    ignore = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, copy / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), str(copy)]
    built = subprocess.run([*pip, *options], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_wheel_holds_every_file_that_the_node_reads(wheel: Path) -> None:
    """Modules, migrations, thresholds and weights are all inside; nothing else is."""
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    there = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == there
    assert any(name.startswith("bmnode/storage/migrations/versions/v0001") for name in packed)
    for branch in ("bone_scan", "spect", "ct", "mri", "pet_ct"):
        assert f"pipelines/{branch}/pipeline.toml" in packed


def test_wheel_carries_its_licence_and_entry_points(wheel: Path) -> None:
    """The command and the pipeline are found by name after installation."""
    archive = zipfile.ZipFile(wheel)
    (points,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    text = archive.read(points).decode()
    assert "bmnode = bmnode.cli:main" in text
    assert "bone_metastasis = pipelines.app:PIPELINE" in text
    assert any(name.endswith("LICENSE") for name in archive.namelist())


def test_installed_command_starts(wheel: Path, tmp_path: Path) -> None:
    """The console script runs from the wheel's own files, not from this checkout."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    site = tmp_path / "site"
    subprocess.run([*pip, "--no-deps", "--no-index", "--target", str(site), str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    script = [sys.executable, str(site / "bin" / "bmnode")]
    ran = subprocess.run(
        [*script, "--version"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("bmnode ")
    where = [sys.executable, "-c", "import bmnode; print(bmnode.__file__)"]
    found = subprocess.run(where, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(site)
    created = subprocess.run([*script, "config", "init", "--json"], env=environment, cwd=tmp_path, check=False)
    assert created.returncode == 0
