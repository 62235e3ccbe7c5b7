"""A fixed sample of the crash matrix; `python -m tests.soak kills` is the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import kills
from tests.soak.storescu import acknowledged

SEED, KILLS = 20260301, 12


@pytest.mark.acceptance
@pytest.mark.timeout(1200)
def test_kills_at_random_moments_lose_nothing_and_repeat_nothing(tmp_path: Path, storescu: Path) -> None:
    """Every acknowledged image is in the spool with its bytes, every study's results at the destination once."""
    figures = kills.run(tmp_path, storescu=storescu, seed=SEED, kills=KILLS)
    assert sum(figures.killed.values()) == KILLS
    assert figures.studies >= KILLS


def test_only_what_was_answered_with_success_counts_as_acknowledged() -> None:
    """storescu's lines: the file named last before a success, and no other."""
    output = (
        "I: Sending file: /a/1.dcm\nI: Received Store Response (Success)\n"
        "I: Sending file: /a/2.dcm\nI: Received Store Response (Refused: OutOfResources)\n"
        "I: Sending file: /a/3.dcm\nE: Store Failed\n"
    )
    assert acknowledged(output) == (Path("/a/1.dcm"),)
