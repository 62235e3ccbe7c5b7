"""The same patient later."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.disease.decoys import draw_decoys
from operators.simulation.disease.draw import draw_disease
from operators.simulation.disease.facts import facts_of
from operators.simulation.disease.fates import Fate
from operators.simulation.disease.follow_up import FollowUp, follow_up
from operators.simulation.disease.follow_up_table import STABLE_WITHIN
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.response import Response
from operators.simulation.disease.tables import Burden
from operators.simulation.patient import DecoyKind, LesionType, Patient, Primary
from operators.simulation.tracer import Tracer

ONE_TO_ONE = (Fate.GROWN, Fate.SHRUNK, Fate.STABLE)


@pytest.fixture(scope="session")
def prior(builder: AnatomyBuilder, ground: Ground, man: PersonSpec) -> Patient:
    """A man with some forty lesions and broken ribs."""
    lesions = draw_disease(ground, primary=Primary.LUNG, burden=Burden.DISSEMINATED, seed=6)[:40]
    kinds = (DecoyKind.RIB_FRACTURE, DecoyKind.ENOSTOSIS, DecoyKind.CONTAMINATION)
    decoys = draw_decoys(ground, body=builder.body(man), seed=6, kinds=kinds)
    return Patient(person=man, primary=Primary.LUNG, lesions=lesions, decoys=decoys)


@pytest.fixture(scope="session", params=list(Response))
def later(request: pytest.FixtureRequest, prior: Patient, ground: Ground) -> FollowUp:
    """The man after a quarter of a year, for every response."""
    return follow_up(prior, ground=ground, response=request.param, days=90, seed=8)


def test_both_sides_tell_the_same_story(prior: Patient, later: FollowUp) -> None:
    """Every lesion of either time has one fate, partners name each other, and only the right fates have none."""
    assert [fate.name for fate in later.of_prior] == [lesion.name for lesion in prior.lesions]
    assert [fate.name for fate in later.of_current] == [lesion.name for lesion in later.patient.lesions]
    now = {fate.name: fate for fate in later.of_current}
    for fate in later.of_prior:
        assert (fate.fate is Fate.GONE) == (not fate.partners)
        for partner in fate.partners:
            assert fate.name in now[partner].partners
            assert now[partner].fate is fate.fate
        assert len(fate.partners) == {Fate.GONE: 0, Fate.SPLIT: 2}.get(fate.fate, 1)
    for fate in later.of_current:
        if fate.fate is Fate.MERGED:
            assert len(fate.partners) >= 2
        elif fate.fate is Fate.NEW:
            assert not fate.partners
        elif fate.fate in ONE_TO_ONE:
            assert fate.partners == (fate.name,)


def test_volumes_are_what_the_fates_say(prior: Patient, later: FollowUp, ground: Ground) -> None:
    """Grown lesions are larger, shrunk ones smaller, stable ones neither, by the facts; fragments are less."""
    before = {fact.name: fact.volume_ml for fact in facts_of(prior.lesions, ground)}
    after = {fact.name: fact.volume_ml for fact in facts_of(later.patient.lesions, ground)}
    for fate in later.of_prior:
        ratio = sum(after[name] for name in fate.partners) / before[fate.name]
        if fate.fate is Fate.GROWN:
            assert ratio > STABLE_WITHIN
        elif fate.fate is Fate.SHRUNK:
            assert ratio < 1 / STABLE_WITHIN
        elif fate.fate is Fate.STABLE:
            assert 1 / STABLE_WITHIN <= ratio <= STABLE_WITHIN
        elif fate.fate is Fate.SPLIT:
            assert 0.0 < ratio < 0.9


def test_the_response_is_what_happens(prior: Patient, later: FollowUp) -> None:
    """Each response has its own mixture of fates, and new lesions only where they belong."""
    fates = [fate.fate for fate in later.of_prior]
    new = [fate for fate in later.of_current if fate.fate is Fate.NEW]
    counts = {fate: fates.count(fate) / len(fates) for fate in Fate}
    if later.response is Response.PROGRESSING:
        assert counts[Fate.GROWN] + counts[Fate.MERGED] > 0.4
        assert new
    elif later.response is Response.RESPONDING:
        assert counts[Fate.SHRUNK] + counts[Fate.GONE] + counts[Fate.HEALED_SCLEROTIC] > 0.5
        assert not new
    elif later.response is Response.STABLE:
        assert counts[Fate.STABLE] > 0.7
        assert not new
    elif later.response is Response.FLARE:
        assert counts[Fate.HEALED_SCLEROTIC] > 0.5
        assert not new


def test_a_flare_is_hotter_for_bone_and_cooler_for_tumour(prior: Patient, ground: Ground) -> None:
    """In a flare lesions heal: more MDP, less FDG, more bone, more diffusion."""
    found = follow_up(prior, ground=ground, response=Response.FLARE, days=60, seed=9)
    old = {lesion.name: lesion for lesion in prior.lesions}
    healed = [
        (old[fate.partners[0]], lesion)
        for fate, lesion in zip(found.of_current, found.patient.lesions, strict=True)
        if fate.fate is Fate.HEALED_SCLEROTIC and fate.partners
    ]
    assert healed
    for before, after in healed:
        assert after.appearance.suv[Tracer.MDP] > 1.2 * before.appearance.suv[Tracer.MDP]
        assert after.appearance.lytic_suv[Tracer.FDG] < 0.6 * before.appearance.lytic_suv[Tracer.FDG]
        assert after.appearance.adc_um2_s > 1400.0
        assert after.sclerotic_share >= before.sclerotic_share or before.lesion_type is LesionType.MIXED
        assert after.lesion_type is not LesionType.LYTIC


def test_the_person_is_the_same_and_lies_otherwise(prior: Patient, later: FollowUp) -> None:
    """Sex, height, bones and arms stay; joints and weight change a little; lesions stay in their bones."""
    old, new = prior.person, later.patient.person
    assert dataclasses.replace(new, posture=old.posture, weight_kg=old.weight_kg) == old
    assert new.posture.arms is old.posture.arms
    assert new.posture.seed != old.posture.seed
    assert 0 < abs(new.weight_kg - old.weight_kg) < 0.15 * old.weight_kg
    bones = {lesion.name: lesion.bone for lesion in prior.lesions}
    for fate, lesion in zip(later.of_current, later.patient.lesions, strict=True):
        assert all(bones[partner] is lesion.bone for partner in fate.partners)


def test_decoys_stay_and_fractures_fade(prior: Patient, later: FollowUp) -> None:
    """An island of bone is the same, a fracture cooler, a drop of urine gone."""
    old = {decoy.name: decoy for decoy in prior.decoys}
    kinds = {decoy.kind for decoy in later.patient.decoys}
    assert kinds == {DecoyKind.RIB_FRACTURE, DecoyKind.ENOSTOSIS}
    for decoy in later.patient.decoys:
        if decoy.kind is DecoyKind.ENOSTOSIS:
            assert decoy == old[decoy.name]
        else:
            assert decoy.appearance.suv[Tracer.MDP] < old[decoy.name].appearance.suv[Tracer.MDP]


def test_names_are_never_given_twice(prior: Patient, ground: Ground) -> None:
    """Over three follow-ups a name that has gone does not come back for another lesion."""
    seen = {lesion.name for lesion in prior.lesions}
    patient = dataclasses.replace(prior, lesions=prior.lesions[:8])
    for seed in (1, 2, 3):
        found = follow_up(patient, ground=ground, response=Response.PROGRESSING, days=120, seed=seed)
        fresh = {fate.name for fate in found.of_current if fate.fate is Fate.NEW}
        assert not fresh & seen
        seen |= {lesion.name for lesion in found.patient.lesions}
        patient = found.patient


def test_the_same_seed_is_the_same_follow_up(prior: Patient, ground: Ground) -> None:
    """Equal arguments give equal follow-ups."""
    one, two = (follow_up(prior, ground=ground, response=Response.MIXED, days=200, seed=3) for _ in range(2))
    assert one == two


def test_impossible_times_are_refused(prior: Patient, ground: Ground) -> None:
    """A follow-up after a day is an error that names the allowed range."""
    with pytest.raises(ValueError, match="allowed is 14 to 1500"):
        follow_up(prior, ground=ground, response=Response.STABLE, days=1, seed=1)


def test_who_has_no_disease_has_none_later(man: PersonSpec, ground: Ground) -> None:
    """Without a primary nothing new appears."""
    found = follow_up(Patient(person=man), ground=ground, response=Response.PROGRESSING, days=90, seed=1)
    assert found.patient.lesions == ()
    assert np.all([fate is None for fate in found.of_current])
