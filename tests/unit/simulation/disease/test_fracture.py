"""Vertebrae that give way under their lesions."""

from __future__ import annotations

import dataclasses

import numpy as np

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.disease.facts import facts_of
from operators.simulation.disease.fracture import with_collapses
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.one_per_bone import one_per_bone
from operators.simulation.patient import Lesion, LesionType


def _filling(ground: Ground, bone: Bone, lesion_type: LesionType) -> Lesion:
    made = next(lesion for lesion in one_per_bone(ground, radius_mm=24.0) if lesion.bone is bone)
    return dataclasses.replace(made, lesion_type=lesion_type, sclerotic_share=0.0)


def test_lytic_lesions_break_vertebrae(ground: Ground, man: PersonSpec) -> None:
    """A vertebra full of lytic tumour collapses in about half of the draws, a sclerotic one seldom, a sound never."""
    counts = {}
    for lesion_type in (LesionType.LYTIC, LesionType.SCLEROTIC):
        lesions = (_filling(ground, Bone.L2, lesion_type),)
        drawn = [with_collapses(man, lesions, ground=ground, seed=seed) for seed in range(100)]
        broken = [collapse.bone for person in drawn for collapse in person.collapses]
        assert set(broken) <= {Bone.L2}
        counts[lesion_type] = len(broken)
    assert 25 <= counts[LesionType.LYTIC] <= 75
    assert counts[LesionType.SCLEROTIC] < 20


def test_what_has_collapsed_stays_so(ground: Ground, man: PersonSpec) -> None:
    """Another draw adds to the collapses of a person and changes none."""
    lesions = tuple(_filling(ground, bone, LesionType.LYTIC) for bone in (Bone.L2, Bone.T9, Bone.T11))
    person = man
    for seed in range(6):
        later = with_collapses(person, lesions, ground=ground, seed=seed)
        assert later.collapses[: len(person.collapses)] == person.collapses
        person = later
    assert 1 <= len(person.collapses) <= 3


def test_a_lesion_sinks_with_its_vertebra(builder: AnatomyBuilder, ground: Ground, man: PersonSpec) -> None:
    """The lesion of a collapsed vertebra lies in it still, lower than before, and what is below has not moved."""
    lesions = (_filling(ground, Bone.L2, LesionType.LYTIC), *one_per_bone(ground)[-2:])
    person = next(
        found for seed in range(50) if (found := with_collapses(man, lesions[:1], ground=ground, seed=seed)).collapses
    )
    sunk = Ground.of(builder.skeleton(person), builder.templates_of(person))
    before, after = facts_of(lesions, ground), facts_of(lesions, sunk)
    assert after[0].centre_lps[2] < before[0].centre_lps[2] - 0.5
    assert after[0].volume_ml > 0.3 * before[0].volume_ml
    assert np.allclose(after[-1].centre_lps, before[-1].centre_lps, atol=1e-6)
