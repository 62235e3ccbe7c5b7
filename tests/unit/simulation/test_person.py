"""Who can be simulated, and who cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.simulation.anatomy.person import BODY_MASS_INDEX, Arms, PersonSpec, Posture, Sex

_PERSON = PersonSpec(seed=1, sex=Sex.MALE, height_cm=175.0, weight_kg=75.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height_cm": 144.9}, "height_cm is 144.9, allowed is 145 to 200"),
        ({"height_cm": 200.1}, "height_cm is 200.1, allowed is 145 to 200"),
        ({"weight_kg": 39.0}, "weight_kg is 39.0, allowed is 40 to 140"),
        ({"weight_kg": float("nan")}, "weight_kg is nan, allowed is 40 to 140"),
        ({"size_variation": 0.06}, "size_variation is 0.06, allowed is 0 to 0.05"),
        ({"seed": -1}, "seed is -1"),
        ({"height_cm": 145.0, "weight_kg": 140.0}, "body mass index of 66.6, allowed is 14 to 60"),
    ],
)
def test_an_impossible_person_is_refused(change: dict[str, Any], message: str) -> None:
    """A value outside its range is refused with its name and the range."""
    with pytest.raises(ValueError, match=message):
        replace(_PERSON, **change)


@pytest.mark.parametrize("name", ["head_turn_deg", "lordosis_deg", "kyphosis_deg", "scoliosis_deg"])
def test_an_impossible_posture_is_refused(name: str) -> None:
    """An angle outside its range is refused with its name."""
    angles: dict[str, Any] = {name: 61.0}
    with pytest.raises(ValueError, match=f"{name} is 61.0, allowed is"):
        Posture(**angles)


@given(seed=st.integers(0, 2**31))
def test_a_drawn_person_is_possible_and_reproducible(seed: int) -> None:
    """Any seed gives a person within the ranges, and the same one again."""
    person = PersonSpec.drawn(seed)
    low, high = BODY_MASS_INDEX
    assert low <= person.body_mass_index <= high
    assert PersonSpec.drawn(seed) == person
    assert PersonSpec.drawn(seed).digest == person.digest


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"weight_kg": 76.0}, {"sixth_lumbar": True}, {"posture": Posture(arms=Arms.ABOVE_HEAD)}],
)
def test_another_person_has_another_digest(change: dict[str, Any]) -> None:
    """Whatever changes the anatomy changes the key under which it is kept."""
    assert replace(_PERSON, **change).digest != _PERSON.digest
