"""What the report says of a vertebral body's collapse: measured with its grade and SINS, or why it is not known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bmnode.domain.bones import Bone
from bmnode.domain.codes import Code, Concept, Genant, LesionType, SiteCertainty, Unit
from operators.kernels.skeleton_sites.sites import NamedSite, SkeletonMap
from operators.kernels.stability.body_collapse import BodyCollapse, Unmeasured
from operators.kernels.stability.collapse import Collapse
from operators.kernels.stability.levels import levels_of
from pipelines.ct.stability import (
    Stability,
    find_stability,
    stability_evaluations,
    stability_measurements,
    stability_sentences,
)
from tests.unit.skeleton_sites.test_atlas_namer import work_of
from tests.unit.stability.test_body_heights import HEIGHT_MM, spine


def body(fraction: float, *, involved: float = 0.3) -> BodyCollapse:
    """A measured body between two neighbours, in slices of 4 % of its height."""
    return BodyCollapse(
        found=Collapse(fraction=fraction, losses=(fraction, fraction, fraction), flags=()),
        noise_fraction=0.04,
        involved_fraction=involved,
    )


@pytest.mark.parametrize(
    ("lost", "involved", "grade", "low", "high"),
    [
        (0.6, 0.3, Genant.SEVERE, 4, 11),
        (0.3, 0.3, Genant.MODERATE, 3, 10),
        (0.02, 0.3, Genant.NONE, 1, 10),
        (-0.05, 0.3, Genant.NONE, 1, 8),
        (-0.05, 0.7, Genant.NONE, 2, 9),
    ],
)
def test_a_measured_body_narrows_sins(lost: float, involved: float, grade: Code, low: int, high: int) -> None:
    """T7, dense, beside the canal on no side: 1 point, those of the body (3, 2, 0 or 2, 0, 1), 0 to 7 unknown."""
    found = Stability(levels=levels_of(Bone.T7.code), body=body(lost, involved=involved))
    items = stability_measurements(found, LesionType.SCLEROTIC, long_mm=15.0)
    values = {item.concept: item.value for item in items}
    assert values == {
        Concept.COLLAPSE: pytest.approx(100.0 * lost),
        Concept.SINS_LOWEST: low,
        Concept.SINS_HIGHEST: high,
    }
    assert [(item.unit, item.method) for item in items if item.concept == Concept.COLLAPSE] == [
        (Unit.PERCENT, "COLLAPSE_NEIGHBOURS_V1")
    ]
    assert [(item.concept, item.value) for item in stability_evaluations(found)] == [(Concept.GENANT_GRADE, grade)]


@pytest.mark.parametrize("reason", list(Unmeasured))
def test_a_body_that_was_not_measured_says_why(reason: Unmeasured) -> None:
    """Every reason has a code of its own, and SINS takes the body's whole range."""
    found = Stability(levels=levels_of(Bone.T7.code), body=reason)
    answers = stability_evaluations(found)
    assert [item.concept for item in answers] == [Concept.COLLAPSE]
    assert answers[0].value.meaning.startswith("Not evaluable")
    values = {item.concept: item.value for item in stability_measurements(found, LesionType.SCLEROTIC, long_mm=15.0)}
    assert values == {Concept.SINS_LOWEST: 1.0, Concept.SINS_HIGHEST: 11.0}


def test_a_lesion_in_an_outlined_vertebra_gets_its_collapse() -> None:
    """From candidate, name and map to the measurement: L3 has lost a half in front; with an atlas' map it has not."""
    built = spine(front=13.0, rear=HEIGHT_MM)
    lesion = (built.bones == Bone.L3) & (np.arange(len(built.bones))[:, None, None] == 55)
    skeleton = SkeletonMap(
        bones=built.bones,
        sides=np.zeros(built.bones.shape, dtype=np.int8),
        matrix=np.eye(4),
        certain=frozenset(Bone),
        method="OUTLINES",
        outlined=built.outlined,
    )
    work = replace(work_of(built.bones > 0)[0], canal=built.canal, spacing_mm=built.spacing_mm)
    site = NamedSite(site=Bone.L3.code, laterality=None, certainty=SiteCertainty.BONE)
    (found,) = find_stability([lesion], [site], work, skeleton=skeleton)
    assert isinstance(found.body, BodyCollapse)
    assert found.body.found.fraction == pytest.approx(0.42, abs=0.05)
    (named,) = find_stability([lesion], [site], work, skeleton=replace(skeleton, outlined=frozenset()))
    assert named.body is Unmeasured.NOT_OUTLINED


def test_the_sentence_names_the_lesions_whose_body_is_not_known() -> None:
    """Where all bodies are known nothing is said of heights; where some are not, which."""
    known, unknown = (
        Stability(levels=levels_of(Bone.T7.code), body=item) for item in (body(0.3), Unmeasured.THICK_SLICES)
    )
    assert "height" not in stability_sentences([known])[0]
    assert "height of the vertebral body (lesions 2)" in stability_sentences([known, unknown])[0]
    assert "height of the vertebral body and" in stability_sentences([unknown, unknown])[0]
