"""A second posture of the same person."""

from __future__ import annotations

import dataclasses

import pytest

from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import Arms, PersonSpec, Posture
from operators.simulation.anatomy.pose import PosedSkeleton


@pytest.fixture
def moved_skeleton(builder: AnatomyBuilder, man: PersonSpec) -> PosedSkeleton:
    """The reference man with his arms above the head and his head turned."""
    posture = Posture(arms=Arms.ABOVE_HEAD, head_turn_deg=20.0, lordosis_deg=3.0, seed=9)
    return builder.skeleton(dataclasses.replace(man, posture=posture))
