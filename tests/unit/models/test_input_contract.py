"""Outside what it saw in training a model is not asked, and every reason is told."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.models import FeatureSpread, InputContract, Range
from bmnode.domain.study import Branch
from operators.kernels.input_contract import ObservedInput, compare, distance

CONTRACT = InputContract(
    branch=Branch.BONE_SCAN,
    tracers=("MDP", "HDP"),
    channels=("counts",),
    spacing_mm=Range(low=1.5, high=3.0),
    intensity_of="counts of a view",
    intensity_unit="10^6",
    intensity=Range(low=0.5, high=5.0),
    coverage=("whole_body",),
    age_years=Range(low=18.0, high=95.0),
    features=(FeatureSpread(name="level", mean=20.0, sd=5.0), FeatureSpread(name="skeleton", mean=0.3, sd=0.1)),
    score_limit=3.0,
)
USUAL = ObservedInput(
    branch=Branch.BONE_SCAN,
    tracer="HDP",
    spacing_mm=(2.4, 2.4),
    intensity=1.2,
    coverage=frozenset({"whole_body"}),
    age_years=67.0,
    features={"level": 20.0, "skeleton": 0.3},
)


def test_an_image_of_the_kind_that_was_seen_is_given_to_the_model() -> None:
    """At the mean of the training images the score is 0 and nothing stands against it."""
    verdict = compare(CONTRACT, USUAL)
    assert (verdict.fits, verdict.departures, verdict.unknown, verdict.score) == (True, (), (), 0.0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"branch": Branch.SPECT}, "branch spect"),
        ({"tracer": "NaF"}, "tracer NaF"),
        ({"tracer": None}, "tracer not known"),
        ({"spacing_mm": (2.4, 4.0)}, "spacing 2.4 x 4 mm"),
        ({"spacing_mm": ()}, "spacing not known"),
        ({"intensity": 0.2}, "counts of a view 0.2 10^6"),
        ({"intensity": None}, "counts of a view not known"),
        ({"intensity": math.nan}, "counts of a view not known"),
        ({"coverage": frozenset({"chest"})}, "without whole_body"),
        ({"age_years": 17.0}, "age 17 years"),
        ({"features": {"level": 50.0, "skeleton": 0.3}}, "score 4.24"),
        ({"features": {"level": 20.0}}, "not evaluable as to its kind: skeleton"),
        ({"features": {"level": math.inf, "skeleton": 0.3}}, "not evaluable as to its kind: level"),
    ],
)
def test_each_departure_is_told_alone(changes: dict[str, Any], told: str) -> None:
    """The reader learns what the image is and what the model saw; one departure suffices."""
    verdict = compare(CONTRACT, dataclasses.replace(USUAL, **changes))
    assert not verdict.fits
    assert len(verdict.departures) == 1
    assert told in verdict.departures[0]


def test_all_departures_are_told_at_once() -> None:
    """Whoever mends one need not find the next by trying again."""
    other = dataclasses.replace(USUAL, tracer="NaF", intensity=9.0, age_years=3.0, coverage=frozenset(), features={})
    assert len(compare(CONTRACT, other).departures) == 5


@pytest.mark.parametrize("age", [None, math.nan])
def test_an_age_that_is_not_stated_is_said_and_does_not_refuse(age: float | None) -> None:
    """Many studies state none; what is not known is told as that."""
    verdict = compare(CONTRACT, dataclasses.replace(USUAL, age_years=age))
    assert verdict.fits
    assert verdict.unknown == ("the patient's age is not stated",)


def test_a_score_that_cannot_be_had_is_none() -> None:
    """Never 0, which would say that the image is the most usual one."""
    assert distance(CONTRACT, {"level": 20.0}) is None
    assert distance(dataclasses.replace(CONTRACT, features=()), {"level": 20.0}) is None
    assert not compare(dataclasses.replace(CONTRACT, features=()), USUAL).fits


_FEATURE = st.floats(-1e3, 1e3)


@given(level=_FEATURE, skeleton=_FEATURE, factor=st.floats(0.01, 100.0), shift=_FEATURE)
def test_the_score_does_not_depend_on_units(level: float, skeleton: float, factor: float, shift: float) -> None:
    """A feature in other units, with its training mean and spread in them, gives the same score."""
    first, second = CONTRACT.features
    changed = FeatureSpread(name=first.name, mean=first.mean * factor + shift, sd=first.sd * factor)
    other = dataclasses.replace(CONTRACT, features=(changed, second))
    one = distance(CONTRACT, {"level": level, "skeleton": skeleton})
    two = distance(other, {"level": level * factor + shift, "skeleton": skeleton})
    assert one is not None
    assert two == pytest.approx(one, rel=1e-6, abs=1e-6)


@given(level=_FEATURE, further=st.floats(0.1, 100.0))
def test_what_lies_further_out_scores_higher(level: float, further: float) -> None:
    """On either side of the mean."""
    mean = CONTRACT.features[0].mean
    away = level + math.copysign(further, level - mean)
    near, far = (distance(CONTRACT, {"level": value, "skeleton": 0.3}) for value in (level, away))
    assert near is not None
    assert far is not None
    assert far > near
