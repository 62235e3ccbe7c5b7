"""Every worked case of the clinical reference is a test: the docs' table says which, and is held to the tests."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "worked-cases.md"
SECTIONS = {"1", "2", "3", "4", "5", "6", "7", "8", "11"}


def rows() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Section, case, figures and test of every line of the table."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0][0].isdigit():
            section, case, figures, test = cells
            found.append((section, case, tuple(figures.split()), test.strip("`")))
    return found


@cache
def text_of(module: str) -> str:
    """A module of tests; those of the units are named from their folder."""
    return (ROOT / (module if module.startswith("tests/") else f"tests/unit/{module}")).read_text(encoding="utf-8")


@pytest.mark.parametrize(("section", "case", "figures", "test"), rows())
def test_every_worked_case_has_its_test(section: str, case: str, figures: tuple[str, ...], test: str) -> None:
    """The test that the table names exists, and its module holds the figures of the case."""
    module, _, name = test.partition("::")
    text = text_of(module)
    assert name in {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    absent = [figure for figure in figures if not re.search(rf"(?<![\d.\w]){re.escape(figure)}(?![\d\w])", text)]
    assert absent == [], (section, case)


def test_the_table_covers_the_reference() -> None:
    """No section is without a case, and no case stands twice."""
    found = rows()
    assert {section.partition(".")[0] for section, *_ in found} == SECTIONS
    assert len({(section, case) for section, case, *_ in found}) == len(found) > 80
