"""A fixed sample of the fuzzing; `python -m tests.soak pdus data-sets` is the whole of it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.soak import fuzz
from tests.soak.mutated_data_sets import DataSetMutator, seeds
from tests.soak.mutated_pdus import PduMutator
from tests.support.encoded import encoded_ct

SEED = 20260301
CONVERSATIONS, DATA_SETS = 300, 80


@pytest.mark.acceptance
def test_broken_conversations_leave_nothing_behind(tmp_path: Path) -> None:
    """A good peer is served all the time, memory and threads are bounded, no traceback, no file."""
    figures = fuzz.run_pdus(tmp_path, seed=SEED, count=CONVERSATIONS)
    assert sum(figures.answers.values()) == CONVERSATIONS
    assert figures.good_peer_s


@pytest.mark.acceptance
@pytest.mark.timeout(900)
def test_broken_data_sets_pass_the_whole_node(tmp_path: Path) -> None:
    """What is acknowledged is kept as it came, every study ends with a decision, nothing raises."""
    figures = fuzz.run_data_sets(tmp_path, seed=SEED, count=DATA_SETS)
    assert sum(figures.answers.values()) == DATA_SETS
    assert figures.answers["0000"] > 0
    assert figures.answers["c000"] > 0


def test_the_same_seed_breaks_the_same_things(tmp_path: Path) -> None:
    """What a run found can be found again: conversations and data sets follow from the seed alone."""
    images = encoded_ct(tmp_path / "ct", count=2)
    talks = [PduMutator(instances=images, random=random.Random(SEED)) for _ in range(2)]
    assert [talks[0].next() for _ in range(50)] == [talks[1].next() for _ in range(50)]
    found = seeds(tmp_path / "seeds")
    broken = [DataSetMutator(seeds=found, random=random.Random(SEED), study_every=10, name="x") for _ in range(2)]
    assert [broken[0].next() for _ in range(50)] == [broken[1].next() for _ in range(50)]
