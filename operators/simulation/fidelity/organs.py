"""Organs and outline of the reference man and woman against ICRP 89."""

from __future__ import annotations

from collections.abc import Iterator

from operators.simulation.anatomy.outline import body_volume_ml, subcutaneous_volume_ml
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.compose import SceneBuilder
from operators.simulation.fidelity.row import Row
from operators.simulation.matter import Matter
from operators.simulation.organs.breast import make_breasts
from operators.simulation.organs.head import make_head
from operators.simulation.organs.reference import SOFT_DENSITY
from operators.simulation.organs.spine import make_spine
from operators.simulation.organs.trunk import make_trunk
from operators.simulation.patient import Patient, Physiology

_PEOPLE = {
    "man": PersonSpec(seed=0, sex=Sex.MALE, height_cm=176.0, weight_kg=73.0, size_variation=0.0),
    "woman": PersonSpec(seed=0, sex=Sex.FEMALE, height_cm=163.0, weight_kg=60.0, size_variation=0.0),
}
_MASS_G: dict[str, tuple[float, float]] = {
    "brain": (1450.0, 1300.0),
    "parotid": (50.0, 41.0),
    "submandibular": (25.0, 21.0),
    "thyroid": (20.0, 17.0),
    "myocardium": (330.0, 250.0),
    "liver": (1800.0, 1400.0),
    "spleen": (150.0, 130.0),
    "pancreas": (140.0, 120.0),
    "kidney": (310.0, 275.0),
    "stomach": (400.0, 370.0),
    "small_bowel": (1000.0, 880.0),
    "colon": (670.0, 670.0),
    "prostate": (17.0, 0.0),
    "uterus": (0.0, 80.0),
    "breast": (0.0, 200.0),
    "eye": (15.0, 15.0),
}
"""Man, woman; hollow organs with their content, breast: its gland (ICRP Publication 89, 2002, table 2.8)."""
_TOLERANCE = 0.10
_GAPS = {
    "brain": "the source's skull is small: its cavity holds no more brain",
}
_SOURCE = "ICRP 89 (2002), table 2.8, +-10 %"


def rows(builder: SceneBuilder) -> list[Row]:
    """Masses of organs at 1.05 g/mL, volumes of body and fat under the skin."""
    return [row for name in _PEOPLE for row in _person_rows(builder, name)]


def _person_rows(builder: SceneBuilder, name: str) -> Iterator[Row]:
    spec = _PEOPLE[name]
    found = _volumes_ml(builder, Patient(person=spec, physiology=Physiology(spread=0.0)))
    for kind, masses in _MASS_G.items():
        expected = masses[0 if spec.sex is Sex.MALE else 1]
        if expected > 0:
            value = found.get(kind, 0.0) * SOFT_DENSITY
            low, high = expected * (1.0 - _TOLERANCE), expected * (1.0 + _TOLERANCE)
            yield Row(
                quantity=f"mass of {kind.replace('_', ' ')}, reference {name}",
                value=value,
                unit="g",
                low=low,
                high=high,
                source=_SOURCE,
                known_gap=_GAPS.get(kind, "") if not low <= value <= high else "",
            )
    body = builder.anatomy.body(spec)
    for quantity, value, expected in (
        ("body volume", body.volume_ml, body_volume_ml(spec)),
        ("fat under the skin", body.subcutaneous_ml, subcutaneous_volume_ml(spec)),
    ):
        yield Row(
            quantity=f"{quantity}, reference {name}",
            value=value / 1000.0,
            unit="L",
            low=0.99 * expected / 1000.0,
            high=1.01 * expected / 1000.0,
            source="Deurenberg 1991 and Siri 1961, +-1 %",
        )


def _volumes_ml(builder: SceneBuilder, patient: Patient) -> dict[str, float]:
    skeleton, body = builder.anatomy.skeleton(patient.person), builder.anatomy.body(patient.person)
    head = make_head(patient, skeleton=skeleton)
    trunk = make_trunk(patient, skeleton=skeleton, body=body)
    breasts = make_breasts(patient, skeleton=skeleton, body=body)
    total: dict[str, float] = {}
    for organ in (*head.inner, *head.outer, *trunk.organs, *make_spine(skeleton), *breasts):
        if organ.matter not in (Matter.FAT, Matter.MUSCLE):
            total[organ.matter.kind] = total.get(organ.matter.kind, 0.0) + organ.volume_ml
    return total
