"""A patient with a lesion in every bone, and the same one without."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.compose import SceneBuilder
from operators.simulation.dicom.header import StudyHeader
from operators.simulation.disease.facts import LesionFacts, lesion_facts
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.one_per_bone import one_per_bone
from operators.simulation.patient import Patient, Physiology


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """A patient with a lesion in every bone, the same one without, and where the lesions are."""

    marked: Patient
    plain: Patient
    facts: tuple[LesionFacts, ...]
    header: StudyHeader


@pytest.fixture(scope="module")
def pair(scenes: SceneBuilder) -> Pair:
    """A turned head, a bent spine: nobody is symmetric."""
    person = PersonSpec(seed=3, sex=Sex.MALE, height_cm=172.0, weight_kg=70.0)
    person = dataclasses.replace(
        person, posture=dataclasses.replace(person.posture, head_turn_deg=15.0, scoliosis_deg=3.0, seed=2)
    )
    skeleton = scenes.anatomy.skeleton(person)
    ground = Ground.of(skeleton, scenes.anatomy.templates)
    plain = Patient(person=person, physiology=Physiology(spread=0.0))
    marked = dataclasses.replace(plain, lesions=one_per_bone(ground))
    return Pair(
        marked=marked,
        plain=plain,
        facts=lesion_facts(marked, skeleton=skeleton, templates=scenes.anatomy.templates),
        header=StudyHeader.drawn(
            person, key="sides", study="1", start=datetime(2025, 3, 10, 9, tzinfo=UTC), description="Simulated"
        ),
    )
