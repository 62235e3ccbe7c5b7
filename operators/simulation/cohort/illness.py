"""What patient i has, from the first time point on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from operators.simulation.cohort import people
from operators.simulation.cohort.chance import drawn_or, random_of, seed_of
from operators.simulation.cohort.keys import FLEETING
from operators.simulation.cohort.specification import CohortSpec
from operators.simulation.cohort.values import Among, Between
from operators.simulation.compose import SceneBuilder
from operators.simulation.disease.decoy_table import CHANCE
from operators.simulation.disease.decoys import draw_decoys
from operators.simulation.disease.draw import draw_disease
from operators.simulation.disease.follow_up import LesionFate, follow_up
from operators.simulation.disease.fracture import with_collapses
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.response import Response
from operators.simulation.disease.tables import Burden
from operators.simulation.patient import Decoy, DecoyKind, Patient

_USUAL_DAYS = Between(low=60, high=180, whole=True)
_ANY_RESPONSE = Among(values=tuple(Response))


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A patient at one time point: days after the first, and what became of each lesion since the one before."""

    patient: Patient
    day: int = 0
    fates: Mapping[str, LesionFate] = field(default_factory=dict)


def follow_ups(spec: CohortSpec, seed: int, number: int) -> int:
    """How many time points a patient has after the first."""
    if spec.follow_up is None:
        return 0
    return int(str(drawn_or(spec.follow_up, "number", 1, seed, "patient", number)))


def course(spec: CohortSpec, seed: int, number: int, *, until: int, builder: SceneBuilder) -> tuple[Moment, ...]:
    """The time points 0 to `until` of a patient."""
    parts = (seed, "patient", number)
    primary, sex = people.primary_and_sex(spec, seed, number)
    person = people.person(spec, seed, number, sex=sex)
    ground = Ground.of(builder.anatomy.skeleton(person), builder.anatomy.templates_of(person))
    burden = Burden(str(drawn_or(spec.disease, "burden", Burden.MULTIPLE.value, *parts)))
    lesions = draw_disease(ground, primary=primary, burden=burden, seed=seed_of(*parts, "disease"))
    person = with_collapses(person, lesions, ground=ground, seed=seed_of(*parts, "collapses"))
    ground = Ground.of(builder.anatomy.skeleton(person), builder.anatomy.templates_of(person))
    decoys = draw_decoys(
        ground,
        body=builder.anatomy.body(person),
        seed=seed_of(*parts, "decoys"),
        chances=_chances(spec, fleeting=False),
    )
    person = with_collapses(person, lesions, ground=ground, seed=seed_of(*parts, "collapses"))
    moments = [Moment(patient=Patient(person=person, primary=primary, lesions=lesions, decoys=decoys))]
    for time in range(1, until + 1):
        moments.append(_next(spec, moments[-1], ground=ground, parts=(*parts, "follow-up", time)))
    return tuple(moments)


def _next(spec: CohortSpec, before: Moment, *, ground: Ground, parts: tuple[str | int, ...]) -> Moment:
    assert spec.follow_up is not None
    later = follow_up(
        before.patient,
        ground=ground,
        response=Response(str(spec.follow_up.get("response", _ANY_RESPONSE).draw(random_of(*parts, "response")))),
        days=int(str(spec.follow_up.get("days", _USUAL_DAYS).draw(random_of(*parts, "days")))),
        seed=seed_of(*parts, "course"),
    )
    person = with_collapses(
        later.patient.person, later.patient.lesions, ground=ground, seed=seed_of(*parts, "collapses")
    )
    of_now = {fate.name: fate for fate in later.of_current}
    of_before = {fate.name: fate for fate in later.of_prior if fate.name not in of_now}
    patient = dataclasses.replace(later.patient, person=person)
    return Moment(patient=patient, day=before.day + later.days, fates=of_now | of_before)


def of_one_injection(
    spec: CohortSpec, patient: Patient, *, builder: SceneBuilder, parts: tuple[str | int, ...]
) -> tuple[Decoy, ...]:
    """What went beside the vein or onto the skin in one study, placed by the body as it lies there."""
    return draw_decoys(
        Ground.of(builder.anatomy.skeleton(patient.person), builder.anatomy.templates_of(patient.person)),
        body=builder.anatomy.body(patient.person),
        seed=seed_of(*parts, "injection"),
        chances=_chances(spec, fleeting=True),
    )


def _chances(spec: CohortSpec, *, fleeting: bool) -> dict[DecoyKind, float]:
    """By the file, else by the table of each kind."""
    given = {DecoyKind(name): float(str(draw.possible()[0])) for name, draw in spec.decoys.items()}
    return {kind: chance for kind, chance in {**CHANCE, **given}.items() if (kind in FLEETING) == fleeting}
