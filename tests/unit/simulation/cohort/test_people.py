"""Who is drawn from a cohort."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import BODY_MASS_INDEX, Sex
from operators.simulation.cohort import people
from operators.simulation.cohort.chance import seed_of
from operators.simulation.cohort.plan import places, plan, protocol_of
from operators.simulation.cohort.specification import CohortSpec, parse
from operators.simulation.compose import SceneBuilder
from operators.simulation.disease.tables import COUNTS, Burden
from operators.simulation.patient import Primary
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.spect import SpectProtocol

COHORT = """
[cohort]
name = "x"
patients = {patients}
{more}
[[study]]
modality = "pet"
tracer = ["fdg", "naf"]
dose_mbq = {{ low = 200, high = 300 }}
[study.ct]
kvp = 100
[[study]]
modality = "spect"
chance = 0.5
centre = "t8"
[study.ct]
[[study]]
modality = "planar"
at = "follow_up"
"""


def cohort(*, patients: int = 30, more: str = "") -> CohortSpec:
    """A small cohort."""
    return parse(COHORT.format(patients=patients, more=more), origin="test")


@pytest.fixture(scope="module")
def scenes(builder: AnatomyBuilder) -> SceneBuilder:
    """Makes patients whole."""
    return SceneBuilder(builder.cache_dir, keep=False)


def test_patient_depends_on_seed_and_number_alone() -> None:
    """A larger cohort contains the smaller one, and another seed has other people."""
    few, many = cohort(patients=5), cohort(patients=50)
    first = [(place, protocol_of(few, 7, place)) for place in places(few, 7)]
    assert [(place, protocol_of(many, 7, place)) for place in places(many, 7)][: len(first)] == first
    assert [protocol_of(few, 8, place) for place in places(few, 8)] != [protocol for _, protocol in first]


def test_key_that_is_added_leaves_the_others() -> None:
    """Each key has random numbers of its own."""
    plain, more = cohort(), cohort(more="[person]\nheight_cm = { low = 150, high = 190 }\n")
    for number in range(1, 8):
        one = people.person(plain, 3, number, sex=Sex.FEMALE)
        other = people.person(more, 3, number, sex=Sex.FEMALE)
        kept = dataclasses.replace(other, height_cm=one.height_cm, weight_kg=one.weight_kg)
        assert kept == one


def test_sex_follows_from_the_primary() -> None:
    """No woman has prostate cancer; a cohort of breast cancer is of women but for a few."""
    prostate = cohort(more='[disease]\nprimary = "prostate"\n')
    assert {people.primary_and_sex(prostate, 1, n) for n in range(1, 40)} == {(Primary.PROSTATE, Sex.MALE)}
    breast = cohort(more='[disease]\nprimary = "breast"\n')
    assert Counter(people.primary_and_sex(breast, 1, n)[1] for n in range(1, 200))[Sex.FEMALE] > 185
    women = cohort(more='[person]\nsex = "F"\n')
    found = Counter(people.primary_and_sex(women, 1, n) for n in range(1, 200))
    assert {sex for _, sex in found} == {Sex.FEMALE}
    assert {primary for primary, _ in found} == set(Primary) - {Primary.PROSTATE}


def test_everybody_can_exist() -> None:
    """Whatever height and weight are drawn, the body mass index stays in its range."""
    spec = cohort(more="[person]\nheight_cm = { low = 145, high = 200 }\nweight_kg = { low = 40, high = 140 }\n")
    for number in range(1, 200):
        found = people.person(spec, 5, number, sex=Sex.MALE)
        assert BODY_MASS_INDEX[0] <= found.body_mass_index <= BODY_MASS_INDEX[1]


def test_studies_come_as_often_as_asked() -> None:
    """A chance of one half is half the patients, and a study of follow-ups has no baseline."""
    spec = cohort(patients=200, more="[follow_up]\nnumber = 1\n")
    found = Counter((place.name, place.time) for place in places(spec, 2))
    assert found["pet", 0] == found["pet", 1] == found["planar", 1] == 200
    assert ("planar", 0) not in found
    assert 75 < found["spect", 0] < 125
    assert found["spect", 0] == found["spect", 1]


def test_protocols_are_as_asked() -> None:
    """Values come from the file, the rest from the protocol's defaults; a table `[study.ct]` makes a SPECT/CT."""
    spec = cohort()
    drawn = {place.name: protocol_of(spec, 4, place) for place in places(spec, 4)}
    pet, spect = drawn["pet"], drawn["spect"]
    assert isinstance(pet, PetProtocol)
    assert isinstance(spect, SpectProtocol)
    assert pet.tracer.value in ("fdg", "naf")
    assert 200 <= pet.dose_mbq <= 300
    assert pet.ct == dataclasses.replace(PetProtocol().ct, kvp=100.0)
    assert spect.centre.name == "T8"
    assert isinstance(spect.ct, CtProtocol)


def test_course_keeps_the_person_and_tells_fates(scenes: SceneBuilder) -> None:
    """A follow-up is the same person in another posture, and every lesion of both times has its fate."""
    spec = cohort(more='[follow_up]\nnumber = 1\nresponse = "mixed"\n[disease]\nburden = "multiple"\n')
    before, after = (
        plan(spec, 9, place, builder=scenes) for place in places(spec, 9) if place.patient == 1 and place.name == "pet"
    )
    person = dataclasses.replace(
        after.patient.person,
        posture=before.patient.person.posture,
        weight_kg=before.patient.person.weight_kg,
        collapses=before.patient.person.collapses,
    )
    assert person == before.patient.person
    assert after.patient.person.posture != before.patient.person.posture
    assert after.header.patient_id == before.header.patient_id
    assert after.header.study_uid != before.header.study_uid
    assert after.header.start > before.header.start
    low, high = COUNTS[Burden.MULTIPLE]
    assert low <= len(before.patient.lesions) <= high
    assert before.fates == {}
    names = {lesion.name for plan_ in (before, after) for lesion in plan_.patient.lesions}
    assert set(after.fates) == names == set(after.partners)


def test_studies_of_one_time_differ_in_posture_alone(scenes: SceneBuilder) -> None:
    """On another day the same patient lies differently; disease and body are the same."""
    spec = cohort(more="[decoys]\nextravasation = 0\ncontamination = 0\n[physiology]\nbladder_ml = 100\n")
    found = next(place.patient for place in places(spec, 9) if place.name == "spect")
    pet, spect = (plan(spec, 9, place, builder=scenes) for place in places(spec, 9) if place.patient == found)
    assert pet.patient.lesions == spect.patient.lesions
    assert pet.patient.decoys == spect.patient.decoys
    assert dataclasses.replace(pet.patient.person, posture=spect.patient.person.posture) == spect.patient.person
    assert pet.patient.person.posture.seed != spect.patient.person.posture.seed
    assert pet.seed != spect.seed


def test_seed_of_depends_on_every_part() -> None:
    """No two lists of parts share a seed by being joined."""
    assert len({seed_of("a", 1), seed_of("a1"), seed_of(1, "a"), seed_of("a", 1, 0)}) == 4
