"""What comes along is held to what is asked of a site's own bundle, and says what it was measured on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmnode.models.bundle import Bundle
from bmnode.models.layout import CARD
from bmnode.models.store import check_together, shipped_folders
from pipelines.bone_scan.model import SAME_SIDE_MIN
from pipelines.evaluation.models.page import PAGE, page
from pipelines.evaluation.sides.command import check_sides

SHIPPED = shipped_folders()


def test_something_comes_along() -> None:
    """The checks below are of something, and all of it is small enough together."""
    assert SHIPPED
    check_together([Bundle.from_folder(folder) for folder in SHIPPED])


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_bundle_says_what_it_was_measured_on(folder: Path) -> None:
    """On simulated patients, beside the thresholds, in its report and in its card."""
    bundle = Bundle.from_folder(folder)
    report = bundle.evaluation
    assert report.simulated
    assert report.patients >= 20
    assert any(figure.thresholds is not None for figure in report.figures)
    assert "SIMULATED" in (folder / CARD).read_text(encoding="utf-8")


def test_the_page_of_model_cards_is_of_what_comes_along(repository_root: Path) -> None:
    """It is written anew whenever a bundle changes."""
    assert (repository_root / PAGE).read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_bundle_knows_left_from_right(folder: Path, tmp_path: Path) -> None:
    """On the simulated patient that every model is verified on."""
    report = check_sides(folder, cache_dir=tmp_path)
    assert report.problems == ()
    assert report.right_side_share is not None
    assert report.right_side_share >= SAME_SIDE_MIN
