"""Who patient i is, and how they lie in each study."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from operators.simulation.anatomy.person import Arms, PersonSpec, Posture, Sex
from operators.simulation.cohort.chance import drawn, drawn_or, random_of, seed_of
from operators.simulation.cohort.protocol_keys import Modality
from operators.simulation.cohort.sense import primaries, sexes, share_of, weight_limits_kg
from operators.simulation.cohort.specification import CohortSpec
from operators.simulation.cohort.values import Value
from operators.simulation.patient import Physiology, Primary

_OWN = ("lordosis_deg", "kyphosis_deg", "scoliosis_deg")
"""Angles that are the person's, and near that in every study."""
_RESTING_DEG, _LIMIT_DEG = 0.8, 8.0
"""Standard deviation of such an angle from one study to the next [P], and its limit."""
_ARMS_UP = {Modality.PLANAR: 0.0, Modality.SPECT: 0.2, Modality.CT: 0.9, Modality.PET: 0.8, Modality.MRI: 0.0}
"""Chance that the arms are above the head [P]."""
_BLADDER_ML, _BLADDER_LOG_SD, _BLADDER_LIMITS = 120.0, 0.6, (20.0, 700.0)
_CONTRAST_CHANCE = 0.15


def primary_and_sex(spec: CohortSpec, seed: int, number: int) -> tuple[Primary, Sex]:
    """The primary by the file's weights, then a sex that gets it, as often as it does."""
    asked = (seed, "patient", number)
    allowed = sexes(spec.disease)
    if "sex" in spec.person:
        sex = Sex(str(spec.person["sex"].draw(random_of(*asked, "sex"))))
        return _primary(spec, random_of(*asked, "primary"), sex=sex), sex
    primary = _primary(spec, random_of(*asked, "primary"), sex=None)
    weights = np.array([share_of(sex, primary) for sex in allowed])
    return primary, allowed[int(random_of(*asked, "sex").choice(len(allowed), p=weights / weights.sum()))]


def person(spec: CohortSpec, seed: int, number: int, *, sex: Sex) -> PersonSpec:
    """The person at the first time point; the posture is that of nobody's study."""
    parts = (seed, "patient", number)
    base = _of_sex(sex, seed_of(*parts, "person"))
    values = drawn(spec.person, *parts)
    height = float(str(values.get("height_cm", base.height_cm)))
    weight = float(str(values.get("weight_kg", base.body_mass_index * (height / 100.0) ** 2)))
    low, high = weight_limits_kg(height)
    plain = {name: value for name, value in values.items() if name not in ("sex", *_OWN)}
    fields: dict[str, Any] = plain | {
        "height_cm": round(height, 1),
        "weight_kg": round(float(np.clip(weight, low + 0.1, high - 0.1)), 1),
        "posture": dataclasses.replace(base.posture, **_floats(values, _OWN)),
    }
    return dataclasses.replace(base, **fields)


def posture(spec: CohortSpec, own: Posture, *, arms: Arms, parts: tuple[str | int, ...]) -> Posture:
    """How the person lies in one study: every joint anew, the spine's curves near the person's own.

    Args:
        spec: of the cohort.
        own: the person's own.
        arms: where they are.
        parts: name the study.
    """
    random = random_of(*parts, "posture")
    anew = PersonSpec.drawn(seed_of(*parts, "lying")).posture
    curves: dict[str, Any] = {}
    for name in _OWN:
        moved = getattr(own, name) + float(random.normal(0.0, _RESTING_DEG))
        kept = name in spec.person
        curves[name] = getattr(own, name) if kept else round(float(np.clip(moved, -_LIMIT_DEG, _LIMIT_DEG)), 1)
    given = drawn(spec.posture, *parts)
    return dataclasses.replace(
        anew, arms=arms, seed=seed_of(*parts, "joints"), **curves, **_floats(given, tuple(given))
    )


def arms(modality: Modality, *, given: object, parts: tuple[str | int, ...]) -> Arms:
    """Where the arms are: as the file says, else as is usual for the modality."""
    if given is not None:
        return Arms(str(given))
    return Arms.ABOVE_HEAD if random_of(*parts, "arms").random() < _ARMS_UP[modality] else Arms.BESIDE_BODY


def physiology(spec: CohortSpec, modality: Modality, *, parts: tuple[str | int, ...]) -> Physiology:
    """The state of the organs in one study."""
    bladder = _BLADDER_ML * float(np.exp(random_of(*parts, "bladder").normal(0.0, _BLADDER_LOG_SD)))
    contrast = modality is Modality.CT and bool(random_of(*parts, "contrast").random() < _CONTRAST_CHANCE)
    return Physiology(
        seed=seed_of(*parts, "organs"),
        bladder_ml=float(
            str(drawn_or(spec.physiology, "bladder_ml", round(float(np.clip(bladder, *_BLADDER_LIMITS)), 1), *parts))
        ),
        spread=float(str(drawn_or(spec.physiology, "spread", 1.0, *parts))),
        bowel_contrast=bool(drawn_or(spec.physiology, "bowel_contrast", contrast, *parts)),
    )


def _primary(spec: CohortSpec, random: np.random.Generator, *, sex: Sex | None) -> Primary:
    """By the file's weights (else each as likely), times the share of the sex where that is known."""
    asked = spec.disease.get("primary")
    for _ in range(1000):
        found = Primary(str(asked.draw(random))) if asked else primaries({})[int(random.integers(len(Primary)))]
        if sex is None or random.random() < share_of(sex, found):
            return found
    possible = [item for item in primaries(spec.disease) if sex is None or share_of(sex, item) > 0]
    return possible[0]


def _floats(values: Mapping[str, Value], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: float(str(values[name])) for name in names if name in values}


def _of_sex(sex: Sex, seed: int) -> PersonSpec:
    """A drawn person of a sex: the first of the seed's sequence that has it."""
    for step in range(64):
        found = PersonSpec.drawn(seed_of(seed, step))
        if found.sex is sex:
            return dataclasses.replace(found, seed=seed)
    return dataclasses.replace(found, sex=sex, seed=seed)
