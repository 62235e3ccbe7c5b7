"""A fixed part of the peak hour; `python -m tests.soak peak-hour` is the whole of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.soak import peak_hour

SEED = 20260301


@pytest.mark.acceptance
@pytest.mark.timeout(900)
def test_studies_that_no_route_wants_cost_their_receipt(tmp_path: Path) -> None:
    """A few studies of every kind at once: none refused, none lost, no job, nothing for the child to do."""
    figures = peak_hour.run(tmp_path, seed=SEED, scale=0.02)
    assert set(figures.studies) == {"XR", "US", "CT", "MR"}
    assert len(figures.responses_ms) == figures.images
    assert figures.cpu_s["child"] < 1.0


def test_the_hour_is_the_whole_hour() -> None:
    """281 studies in the numbers that are promised, the same for the same seed."""
    hour = peak_hour.planned(seed=SEED, scale=1.0)
    assert Counter(item.kind.name for item in hour) == {"XR": 150, "US": 62, "CT": 38, "MR": 31}
    assert hour == peak_hour.planned(seed=SEED, scale=1.0)
    assert len({item.run for item in hour}) == 281
