"""The page of results: it says what is simulated, what is judged, and is as fresh as the targets in the code."""

from __future__ import annotations

from pathlib import Path

from bmnode.domain.evaluations import Masks, MeasurementReport
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.page import PAGE, page, target_lines
from pipelines.evaluation.quantities import DEFINITIONS, OF_MODALITY, ON_TRUE_MASKS
from pipelines.evaluation.table import accuracy_rows, detection_rows
from tests.unit.evaluation.test_table import lesion, study

ON_DISK = (Path(__file__).parents[3] / PAGE).read_text(encoding="utf-8")


def small() -> MeasurementReport:
    """One patient whose PET alone was evaluated."""
    records = [study(lesion(found={}), lesion("cut", why_not="cut by the field"))]
    return MeasurementReport(
        cohort="c",
        seed=4,
        patients=1,
        pipeline="1",
        rows=accuracy_rows(records),
        detection=detection_rows(records),
    )


def test_every_table_says_that_it_is_simulated() -> None:
    """Nobody who opens the page at one of its tables takes the figures for those of patients."""
    for text in (page(small()), ON_DISK):
        headings = [line for line in text.splitlines() if line.startswith("## ")]
        tables = [line for line in headings if "truth is" not in line and "Targets" not in line]
        assert len(tables) == 3
        assert all("SIMULATED" in line for line in tables)


def test_what_was_left_out_is_in_the_page() -> None:
    """Counts of what could not be compared stand in its row."""
    assert "| pet | Volume, ml | all | 1 | 0 (" not in page(small())
    assert "| pet | Volume, ml | all | 1 | 0 |  | 0 | 0.0 |  | 1 cut by the field | reported |" in page(small())


def test_the_page_in_the_docs_has_every_quantity() -> None:
    """Both tables have all rows of every modality, and every truth its definition."""
    for modality in Modality:
        for quantity in OF_MODALITY[modality]:
            item = DEFINITIONS[quantity]
            tables = 1 if quantity in ON_TRUE_MASKS else len(Masks)
            assert ON_DISK.count(f"| {modality} | {item.label}, {item.unit} |") >= tables, (modality, quantity)
    assert all(f"| {item.label} | {item.unit} | {item.truth} |" in ON_DISK for item in DEFINITIONS.values())


def test_the_page_in_the_docs_has_the_targets_in_force() -> None:
    """A target that was changed in the code is not judged by an old page: evaluate again, or the page is stale."""
    assert [line for line in target_lines() if line not in ON_DISK] == []
