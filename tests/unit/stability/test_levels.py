"""From the finding site to the scores: levels of SINS, sites of Mirels, and what a candidate's report then holds."""

from __future__ import annotations

import pytest

from bmnode.domain.bones import VERTEBRAE, Bone
from bmnode.domain.codes import Code, Concept, LesionType, NotEvaluable, Site
from operators.kernels.stability.levels import levels_of, mirels_sites
from operators.kernels.stability.mirels import Site as MirelsSite
from operators.kernels.stability.sins import Level, Location, Posterolateral, location_of
from pipelines.ct.stability import (
    Stability,
    mirels_interval,
    sins_interval,
    stability_evaluations,
    stability_measurements,
    stability_notices,
    stability_sentences,
)


@pytest.mark.parametrize("bone", VERTEBRAE)
def test_every_vertebra_is_one_level(bone: Bone) -> None:
    """A single vertebra by its code is the level of its name."""
    assert levels_of(bone.code) == (Level(bone.name),)


@pytest.mark.parametrize(
    ("site", "locations"),
    [
        (Site.CERVICAL_SPINE, {Location.JUNCTIONAL, Location.MOBILE}),
        (Site.THORACIC_SPINE, {Location.JUNCTIONAL, Location.SEMIRIGID}),
        (Site.LUMBAR_SPINE, {Location.JUNCTIONAL, Location.MOBILE}),
        (Site.SACRUM, {Location.JUNCTIONAL, Location.RIGID}),
        (Site.SPINE, set(Location)),
        (Site.RIB, set()),
        (Site.PELVIS, set()),
        (None, set()),
    ],
)
def test_a_part_of_the_spine_has_all_its_locations(site: Code | None, locations: set[Location]) -> None:
    """What is named without a number may be junctional or not; what is no spine has no level."""
    assert {location_of(level) for level in levels_of(site)} == locations


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        (Bone.HUMERUS.code, {MirelsSite.UPPER_LIMB}),
        (Bone.TIBIA.code, {MirelsSite.LOWER_LIMB}),
        (Bone.FEMUR.code, {MirelsSite.LOWER_LIMB, MirelsSite.PERITROCHANTERIC}),
        (Site.UPPER_LIMB, set()),
        (Site.PELVIS, set()),
        (None, set()),
    ],
)
def test_only_long_bones_have_a_site_of_mirels(site: Code | None, expected: set[MirelsSite]) -> None:
    """A limb whose bone is not known may be a hand: it has none."""
    assert set(mirels_sites(site)) == expected


@pytest.mark.parametrize(
    ("site", "low", "high"),
    [
        (Site.THORACIC_SPINE, 3, 15),
        (Site.LUMBAR_SPINE, 4, 15),
        (Site.SACRUM, 2, 15),
        (Bone.L3.code, 4, 14),
        (Bone.T5.code, 3, 13),
        (None, 2, 15),
    ],
)
def test_the_site_narrows_sins(site: Code | None, low: int, high: int) -> None:
    """A lytic lesion before the canal: 2 points of the type, those of its levels, 10 that are not known."""
    points = sins_interval(LesionType.LYTIC, posterolateral=Posterolateral.NONE, levels=levels_of(site))
    assert (points.low, points.high) == (low, high)


@pytest.mark.parametrize(
    ("kind", "site", "fraction", "low", "high"),
    [
        (LesionType.LYTIC, Bone.FEMUR.code, 0.5, 7, 8),
        (LesionType.SCLEROTIC, Bone.HUMERUS.code, 0.2, 3, 3),
        (LesionType.MIXED, Bone.HUMERUS.code, None, 4, 6),
        (LesionType.INDETERMINATE, Bone.FEMUR.code, 0.7, 6, 9),
    ],
)
def test_mirels_takes_all_that_is_possible(kind: Code, site: Code, fraction: float | None, low: int, high: int) -> None:
    """Peritrochanteric, lytic, half the shaft is 8 (clinical reference 5.5); the shaft of the same femur would be 7."""
    points = mirels_interval(kind, sites=mirels_sites(site), shaft_fraction=fraction)
    assert (points.low, points.high) == (low, high)


def test_a_femur_with_a_shaft_gets_all_numbers() -> None:
    """Diameter, share and both ends of the score, each with its method; nothing of it is left open."""
    found = Stability(limb=mirels_sites(Bone.FEMUR.code), shaft_mm=30.0)
    values = {item.concept: item.value for item in stability_measurements(found, LesionType.LYTIC, long_mm=15.0)}
    assert values == {
        Concept.SHAFT_DIAMETER: 30.0,
        Concept.SHAFT_SHARE: 0.5,
        Concept.MIRELS_LOWEST: 7.0,
        Concept.MIRELS_HIGHEST: 8.0,
    }
    assert stability_evaluations(found) == ()


def test_a_femur_without_a_shaft_says_so() -> None:
    """The size takes its whole range, and the report says why."""
    found = Stability(limb=mirels_sites(Bone.FEMUR.code))
    values = {item.concept: item.value for item in stability_measurements(found, LesionType.LYTIC, long_mm=15.0)}
    assert values == {Concept.MIRELS_LOWEST: 6.0, Concept.MIRELS_HIGHEST: 9.0}
    assert [(item.concept, item.value) for item in stability_evaluations(found)] == [
        (Concept.SHAFT_SHARE, NotEvaluable.SHAFT)
    ]


def test_a_lesion_of_a_vertebra_by_name_alone_gets_sins() -> None:
    """Where no canal is seen beside it, the name suffices, and its collapse is not evaluable rather than none."""
    found = Stability(levels=levels_of(Bone.T7.code))
    values = {item.concept: item.value for item in stability_measurements(found, LesionType.SCLEROTIC, long_mm=15.0)}
    assert values == {Concept.SINS_LOWEST: 1.0, Concept.SINS_HIGHEST: 11.0}
    assert [(item.concept, item.value) for item in stability_evaluations(found)] == [
        (Concept.COLLAPSE, NotEvaluable.NO_BODY)
    ]


def test_every_lesion_is_spoken_of() -> None:
    """The sentences name each lesion's number once: spine, long bone or neither; and levels that are open."""
    spoken = stability_sentences(
        [
            Stability(levels=levels_of(Bone.T7.code)),
            Stability(levels=levels_of(Site.SACRUM)),
            Stability(limb=mirels_sites(Bone.FEMUR.code)),
            Stability(),
        ]
    )
    named = ["lesions 1, 2 is", "lesions 2 is", "lesions 3 is", "lesions 4:"]
    assert [part in sentence for part, sentence in zip(named, spoken, strict=True)] == [True] * 4


def test_a_review_is_asked_for_where_a_score_may_reach_its_limit() -> None:
    """A vertebra may reach 7; a small dense focus of a humerus stays below 9 with any pain, a lytic one does not."""
    spine = Stability(levels=levels_of(Bone.T7.code))
    arm = Stability(limb=mirels_sites(Bone.HUMERUS.code), shaft_mm=24.0)
    measured = [
        stability_measurements(spine, LesionType.SCLEROTIC, long_mm=15.0),
        stability_measurements(arm, LesionType.SCLEROTIC, long_mm=5.0),
        stability_measurements(arm, LesionType.LYTIC, long_mm=12.0),
    ]
    spinal, long_bone = stability_notices(measured)
    assert spinal.endswith("for lesions 1.")
    assert long_bone.endswith("for lesions 3.")
    assert stability_notices(measured[1:2]) == ()
