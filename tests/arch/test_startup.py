"""The command line answers at once: nothing heavy is loaded before it is needed."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "monai", "SimpleITK", "mujoco", "scipy", "skimage")
DICOM = ("pydicom", "pynetdicom", "highdicom", "numpy", "sqlalchemy", "dbos")
LIMIT_S = 1.0
COMMAND = Path(sys.executable).with_name("bmnode")


def _loaded(code: str, *, names: tuple[str, ...]) -> list[str]:
    """Which of the modules a fresh interpreter has after running the code."""
    report = f"\nimport sys\nprint([name for name in {names!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    found: list[str] = eval(ran.stdout.splitlines()[-1], {"__builtins__": {}})  # noqa: S307 - our own list of names
    return found


def _best_of_three_s(command: list[str]) -> float:
    """The least processor time of three runs: the machine may be busy, the code may not be slow."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def test_import_of_the_package_is_light() -> None:
    """`import bmnode` loads no library at all."""
    assert _loaded("import bmnode", names=HEAVY + DICOM) == []


def test_help_loads_nothing_heavy() -> None:
    """`bmnode --help` needs neither models nor images nor a database."""
    code = "import bmnode.cli\ntry:\n    bmnode.cli.main(['--help'])\nexcept SystemExit:\n    pass"
    assert _loaded(code, names=HEAVY + DICOM) == []


@pytest.mark.parametrize(
    "module",
    ["bmnode.config.check", "bmnode.storage", "bmnode.selection.headers", "bmnode.delivery.sender", "bmnode.app"],
)
def test_node_never_loads_the_heavy_libraries(module: str) -> None:
    """What receives, routes and delivers runs without the image science."""
    assert _loaded(f"import {module}", names=HEAVY) == []


@pytest.mark.parametrize("command", [[sys.executable, "-c", "import bmnode"], [str(COMMAND), "--help"]])
def test_start_takes_less_than_a_second_of_work(command: list[str]) -> None:
    """An administrator who asks for help gets it at once."""
    assert _best_of_three_s(command) < LIMIT_S
