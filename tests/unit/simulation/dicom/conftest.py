"""Every examination with every habit is written once a session."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from operators.simulation.dicom.series import WrittenSeries
from tests.unit.simulation.dicom import small
from tests.unit.simulation.dicom.small import HABITS, Kind

Written = Callable[[Kind, str], tuple[WrittenSeries, ...]]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Gives an examination by kind and name of the habit; tests read its files and change nothing."""
    folder = tmp_path_factory.mktemp("dicom")
    made: dict[tuple[Kind, str], tuple[WrittenSeries, ...]] = {}

    def get(kind: Kind, habit: str) -> tuple[WrittenSeries, ...]:
        if (kind, habit) not in made:
            made[kind, habit] = small.write(folder / kind / habit, kind, habits=HABITS[habit])
        return made[kind, habit]

    return get
