"""How large a person's organs are: the adult reference values of ICRP 89, scaled to the person, with their spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from operators.simulation.anatomy.outline import lung_air_ml
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.patient import Patient


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """Volumes of an organ in the adult reference man and woman, as the matter map counts it.

    Args:
        male_ml, female_ml: volume in millilitres; both sides of a paired organ together.
        with_size: exponent of the person's fat-free size against the reference person's.
        spread: standard deviation of the logarithm of the volume between people.
    """

    male_ml: float
    female_ml: float
    with_size: float
    spread: float


SOFT_DENSITY = 1.05
"""g/mL: turns the tables' masses of soft organs into volumes."""


def _of_mass(male_g: float, female_g: float, *, with_size: float = 0.7, spread: float = 0.15) -> Reference:
    return Reference(
        male_ml=male_g / SOFT_DENSITY, female_ml=female_g / SOFT_DENSITY, with_size=with_size, spread=spread
    )


REFERENCE: dict[str, Reference] = {
    "brain": _of_mass(1450.0, 1300.0, with_size=0.2, spread=0.06),
    "eye": _of_mass(15.0, 15.0, with_size=0.0, spread=0.05),
    "lacrimal": _of_mass(1.4, 1.4, with_size=0.0, spread=0.25),
    "parotid": _of_mass(50.0, 41.0, spread=0.2),
    "submandibular": _of_mass(25.0, 21.0, spread=0.2),
    "thyroid": _of_mass(20.0, 17.0, spread=0.3),
    "lung": _of_mass(1200.0, 950.0, with_size=0.3, spread=0.12),
    "heart": Reference(male_ml=820.0, female_ml=600.0, with_size=0.9, spread=0.12),
    "myocardium": _of_mass(330.0, 250.0, with_size=0.9, spread=0.12),
    "liver": _of_mass(1800.0, 1400.0, with_size=0.9, spread=0.16),
    "gallbladder": Reference(male_ml=66.0, female_ml=55.0, with_size=0.5, spread=0.4),
    "spleen": _of_mass(150.0, 130.0, with_size=0.8, spread=0.3),
    "stomach": Reference(male_ml=385.0, female_ml=355.0, with_size=0.6, spread=0.35),
    "pancreas": _of_mass(140.0, 120.0, spread=0.2),
    "kidney": _of_mass(310.0, 275.0, with_size=0.9, spread=0.15),
    "renal_pelvis": Reference(male_ml=10.0, female_ml=9.0, with_size=0.5, spread=0.4),
    "small_bowel": Reference(male_ml=955.0, female_ml=840.0, with_size=0.7, spread=0.2),
    "colon": Reference(male_ml=640.0, female_ml=640.0, with_size=0.5, spread=0.2),
    "prostate": _of_mass(17.0, 0.0, with_size=0.3, spread=0.45),
    "uterus": _of_mass(0.0, 80.0, with_size=0.3, spread=0.35),
    "breast": _of_mass(0.0, 200.0, with_size=0.5, spread=0.35),
}
"""ICRP Publication 89 (2002), table 2.8, reference adults; organ masses over 1.05 g/mL.

With their content as there: stomach 150 g wall and 250 g content (man), small bowel 650 and 350 g, colon 370 and
300 g, heart 330 g tissue and 510 g blood, gallbladder 10 and 58 g. Lung: the organ with its blood; its air
(`outline.lung_air_ml`) comes on top. The lacrimal glands and the renal pelvis are not in the table (chosen). The
exponents are chosen so that organs grow with lean mass but less than it; the spreads are chosen near those that
imaging series report.
"""
_REFERENCE_LEAN_KG = {Sex.MALE: 57.5, Sex.FEMALE: 38.9}
"""By the formula below, of the reference man (176 cm, 73 kg) and woman (163 cm, 60 kg)."""

_OF_PERSON, _OF_SCAN = 0.96, 0.28
"""Shares of the spread's deviate; their squares sum to one (chosen)."""


def _lean_kg(spec: PersonSpec) -> float:
    """Lean body mass (Janmahasatian 2005, Clin Pharmacokinet 44:1051)."""
    index = spec.body_mass_index
    slope = (6680.0, 216.0) if spec.sex is Sex.MALE else (8780.0, 244.0)
    return 9270.0 * spec.weight_kg / (slope[0] + slope[1] * index)


def target_ml(patient: Patient, kind: str) -> float:
    """Volume of a kind of organ in this patient, both sides together, in millilitres; 0 where the sex has none.

    Most of the difference between people is their own and stays; a little of it changes from scan to scan.
    """
    spec, state, reference = patient.person, patient.physiology, REFERENCE[kind]
    base = reference.male_ml if spec.sex is Sex.MALE else reference.female_ml
    relative = _lean_kg(spec) / _REFERENCE_LEAN_KG[spec.sex]
    number = tuple(REFERENCE).index(kind)
    own = np.random.default_rng([spec.seed, 11, number]).normal()
    scan = np.random.default_rng([spec.seed, state.seed, 11, number]).normal()
    deviate = float(np.clip(_OF_PERSON * own + _OF_SCAN * scan, -2.0, 2.0))
    chance = deviate * reference.spread * state.spread
    volume = base * relative**reference.with_size
    if kind == "lung":
        volume += lung_air_ml(spec)
    return float(volume * np.exp(chance))
