"""Whether an image is of the kind that a model saw in training, and how far it lies from it: `INPUT_CONTRACT_V1` [P].

Outside its contract a model is not asked: whoever calls it measures without one, and gives the reasons that stand here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from bmnode.domain.models import InputContract, Range
from bmnode.domain.study import Branch

METHOD = "INPUT_CONTRACT_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class ObservedInput:
    """What is known of an image before a model is asked. None is: not known.

    Args:
        tracer: normalised name, as in the contract.
        spacing_mm: of every axis.
        intensity: the number that the contract's `intensity_of` names, in its unit.
        coverage: parts of the body that the image shows.
        features: by the names of the contract's features.
    """

    branch: Branch
    tracer: str | None
    spacing_mm: tuple[float, ...]
    intensity: float | None
    coverage: frozenset[str]
    age_years: float | None
    features: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class ContractVerdict:
    """What came of the comparison.

    Args:
        departures: why the model is not asked, in words; empty where the image is of the kind that it saw.
        unknown: what could not be compared and does not by itself keep the model from being asked.
        score: out-of-distribution score (see `distance`); None where it is not evaluable, which is a departure.
    """

    departures: tuple[str, ...]
    unknown: tuple[str, ...]
    score: float | None

    @property
    def fits(self) -> bool:
        """Whether the model may be asked."""
        return not self.departures


def compare(contract: InputContract, observed: ObservedInput) -> ContractVerdict:
    """Every departure at once, in the order of the contract, so that a reader sees all of them."""
    score = distance(contract, observed.features)
    departures = [*_of_headers(contract, observed), *_of_image(contract, observed)]
    if score is None:
        missing = [item.name for item in contract.features if not _is_number(observed.features.get(item.name))]
        departures.append(f"not evaluable as to its kind: {', '.join(missing) or 'the contract names no features'}")
    elif score > contract.score_limit:
        departures.append(f"unlike the images of the training: score {score:.2f}, at most {contract.score_limit:g}")
    unknown = () if _is_number(observed.age_years) else ("the patient's age is not stated",)
    return ContractVerdict(departures=tuple(departures), unknown=unknown, score=score)


def distance(contract: InputContract, features: Mapping[str, float]) -> float | None:
    """Root mean square of the features' distances from their training means, in training standard deviations.

    0 is the mean of the training images; of those, if features were normal and independent, the mean square is 1. It
    is a Mahalanobis distance with a diagonal covariance, by the root of the number of features. None where a feature
    is missing or no number, or the contract names none.
    """
    squares = []
    for spread in contract.features:
        value = features.get(spread.name)
        if value is None or not math.isfinite(value):
            return None
        squares.append(((value - spread.mean) / spread.sd) ** 2)
    return math.sqrt(sum(squares) / len(squares)) if squares else None


def _of_headers(contract: InputContract, observed: ObservedInput) -> Iterator[str]:
    if observed.branch is not contract.branch:
        yield f"branch {observed.branch}; the model is for {contract.branch}"
    if contract.tracers and observed.tracer not in contract.tracers:
        yield f"tracer {observed.tracer or 'not known'}; the model saw {', '.join(contract.tracers)}"
    if _is_number(observed.age_years) and observed.age_years not in contract.age_years:
        yield f"age {observed.age_years:g} years; the model saw {_words(contract.age_years)}"


def _of_image(contract: InputContract, observed: ObservedInput) -> Iterator[str]:
    if not observed.spacing_mm or any(step not in contract.spacing_mm for step in observed.spacing_mm):
        given = " x ".join(f"{step:g}" for step in observed.spacing_mm) or "not known"
        yield f"spacing {given} mm; the model saw {_words(contract.spacing_mm)} mm"
    if not _is_number(observed.intensity):
        yield f"{contract.intensity_of} not known"
    elif observed.intensity not in contract.intensity:
        unit, seen = contract.intensity_unit, _words(contract.intensity)
        yield f"{contract.intensity_of} {observed.intensity:g} {unit}; the model saw {seen} {unit}"
    missing = [part for part in contract.coverage if part not in observed.coverage]
    if missing:
        yield f"without {', '.join(missing)}, which the model needs"


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _words(limits: Range) -> str:
    return f"{limits.low:g} to {limits.high:g}"
