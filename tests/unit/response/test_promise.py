"""PROMISE pattern and miPSMA score, clinical reference 4.6."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.response.mipsma import MiPsmaInputs, MiPsmaScore, assess_mipsma
from operators.kernels.response.promise_pattern import BonePattern, PatternInputs, assess_pattern

P = BonePattern
S = MiPsmaScore
REFERENCES = MiPsmaInputs(
    lesion_suv_mean=None, blood_suv_mean=1.5, liver_suv_mean=5.0, parotid_suv_mean=15.0, liver_excreted=False
)


def score(lesion: float | None) -> MiPsmaScore:
    """The score against blood 1.5, liver 5, parotid 15."""
    return assess_mipsma(replace(REFERENCES, lesion_suv_mean=lesion)).category


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, P.NO_BONE_METASTASIS), (1, P.UNIFOCAL), (2, P.OLIGOMETASTATIC), (3, P.OLIGOMETASTATIC), (4, P.DISSEMINATED)],
)
def test_pattern_by_count(count: int, expected: BonePattern) -> None:
    """One lesion is unifocal, up to three are oligometastatic, more are disseminated."""
    bones = tuple(f"T{index + 1}" for index in range(count))
    assert assess_pattern(PatternInputs(lesion_bones=bones, diffuse_marrow=False)).category is expected
    diffuse = assess_pattern(PatternInputs(lesion_bones=bones, diffuse_marrow=True))
    assert diffuse.category is P.DIFFUSE_MARROW_INVOLVEMENT


def test_bones_are_listed_up_to_three_lesions() -> None:
    """Unifocal and oligometastatic patterns name the bones; order does not matter."""
    found = assess_pattern(PatternInputs(lesion_bones=("T5", "L1", "T5"), diffuse_marrow=False))
    other = assess_pattern(PatternInputs(lesion_bones=("L1", "T5", "T5"), diffuse_marrow=False))
    assert found.reasons == other.reasons == ("Involved: L1, T5.",)


def test_what_was_not_assessed() -> None:
    """No assessed skeleton abstains; unknown marrow involvement is said."""
    assert assess_pattern(PatternInputs(lesion_bones=None, diffuse_marrow=False)).category is P.NOT_EVALUABLE
    assert assess_pattern(PatternInputs(lesion_bones=("T5",), diffuse_marrow=None)).unknown
    with pytest.raises(ValueError, match="bone"):
        PatternInputs(lesion_bones=("",), diffuse_marrow=None)


@pytest.mark.parametrize(
    ("lesion", "expected"),
    [(1.2, S.SCORE_0), (5.0, S.SCORE_2), (15.0, S.SCORE_3), (1.5, S.SCORE_1), (4.99, S.SCORE_1), (14.99, S.SCORE_2)],
)
def test_worked_scores(lesion: float, expected: MiPsmaScore) -> None:
    """The worked cases; uptake equal to a reference reaches it."""
    assert score(lesion) is expected


def test_spleen_stands_for_the_liver() -> None:
    """For liver-excreted ligands the spleen is the middle reference, and the liver does not count."""
    case = replace(REFERENCES, lesion_suv_mean=6.0, liver_excreted=True, liver_suv_mean=12.0)
    assert assess_mipsma(replace(case, spleen_suv_mean=7.0)).category is S.SCORE_1
    assert assess_mipsma(case).category is S.NOT_EVALUABLE


def test_scores_abstain() -> None:
    """Missing uptake, an unknown ligand, or references out of order have no score."""
    assert score(None) is S.NOT_EVALUABLE
    known = replace(REFERENCES, lesion_suv_mean=6.0)
    assert assess_mipsma(replace(known, liver_excreted=None)).category is S.NOT_EVALUABLE
    assert assess_mipsma(replace(known, blood_suv_mean=None)).category is S.NOT_EVALUABLE
    assert assess_mipsma(replace(known, blood_suv_mean=6.0)).category is S.NOT_EVALUABLE
    with pytest.raises(ValueError, match="lesion_suv_mean"):
        score(-1.0)


@given(lesion=st.floats(0.0, 50.0), more=st.floats(0.0, 50.0), factor=st.floats(0.01, 100.0))
def test_score_rises_with_uptake_and_ignores_scale(lesion: float, more: float, factor: float) -> None:
    """More uptake never scores lower, and all uptakes scaled alike score the same."""
    assert score(lesion).value <= score(lesion + more).value
    scaled = MiPsmaInputs(
        lesion_suv_mean=lesion * factor,
        blood_suv_mean=1.5 * factor,
        liver_suv_mean=5.0 * factor,
        parotid_suv_mean=15.0 * factor,
        liver_excreted=False,
    )
    assert assess_mipsma(scaled).category is score(lesion)
