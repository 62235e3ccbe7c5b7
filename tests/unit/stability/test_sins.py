"""SINS from images: an interval, because pain is not in them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.codes import Finding, LesionType
from operators.kernels.stability.scoring import Matrix, exactly
from operators.kernels.stability.sins import (
    Alignment,
    Body,
    BodyReading,
    Level,
    Location,
    Pain,
    Posterolateral,
    SinsFindings,
    SinsFlag,
    StabilityClass,
    class_of,
    location_of,
    read_body,
    sins,
    sins_total,
)

WORST = SinsFindings(
    level=Level.T12,
    lesion=Matrix.LYTIC,
    alignment=Alignment.TRANSLATION,
    body=BodyReading(candidates=(Body.COLLAPSED_OVER_HALF,)),
    posterolateral=Posterolateral.BILATERAL,
)
JUNCTIONAL = SinsFindings(
    level=Level.L1,
    lesion=Matrix.LYTIC,
    alignment=Alignment.NORMAL,
    body=read_body(0.3, involved_fraction=0.8, noise_fraction=0.1),
    posterolateral=Posterolateral.UNILATERAL,
)
FINDINGS = st.builds(
    SinsFindings,
    level=st.none() | st.sampled_from(Level),
    lesion=st.none() | st.sampled_from(Matrix),
    alignment=st.none() | st.sampled_from(Alignment),
    body=st.none() | st.sampled_from(Body).map(lambda item: BodyReading(candidates=(item,))),
    posterolateral=st.none() | st.sampled_from(Posterolateral),
)


def test_junctional_lytic_with_collapse() -> None:
    """Junctional, lytic, aligned, under half collapsed, unilateral: 8, 8 to 11, 11 with mechanical pain."""
    score = sins(JUNCTIONAL)
    assert score.imaging == exactly(8)
    assert (score.total.low, score.total.high) == (8, 11)
    assert score.class_low is score.class_high is StabilityClass.POTENTIALLY_UNSTABLE
    assert sins_total(score, pain=Pain.MECHANICAL) == exactly(11)
    assert score.flags == ()


def test_semirigid_blastic() -> None:
    """T5, blastic, all else normal: 1."""
    intact = read_body(0.0, involved_fraction=0.2, noise_fraction=0.1)
    findings = SinsFindings(
        level=Level.T5,
        lesion=Matrix.BLASTIC,
        alignment=Alignment.NORMAL,
        body=intact,
        posterolateral=Posterolateral.NONE,
    )
    score = sins(findings)
    assert score.imaging == exactly(1)
    assert score.notice is None


def test_mobile_mixed_with_kyphosis() -> None:
    """L3, mixed, kyphosis, over half collapsed, bilateral: 12 with occasional pain."""
    findings = SinsFindings(
        level=Level.L3,
        lesion=Matrix.MIXED,
        alignment=Alignment.DEFORMITY,
        body=read_body(0.6, involved_fraction=None, noise_fraction=0.1),
        posterolateral=Posterolateral.BILATERAL,
    )
    score = sins(findings)
    assert sins_total(score, pain=Pain.OCCASIONAL_NON_MECHANICAL) == exactly(12)
    assert (score.class_low, score.class_high) == (StabilityClass.POTENTIALLY_UNSTABLE, StabilityClass.UNSTABLE)
    assert SinsFlag.CLASS_UNDECIDED in score.flags


def test_the_maximum_is_eighteen() -> None:
    """Imaging 15, total 18."""
    assert sins(WORST).imaging == exactly(15)
    assert sins_total(sins(WORST), pain=Pain.MECHANICAL) == exactly(18)


def test_locations_are_the_published_ones() -> None:
    """Every level from the occiput to S5 has its published location."""
    names = {location: [level.name for level in Level if location_of(level) is location] for location in Location}
    assert names[Location.JUNCTIONAL] == ["OCCIPUT", "C1", "C2", "C7", "T1", "T2", "T11", "T12", "L1", "L5", "S1"]
    assert names[Location.MOBILE] == ["C3", "C4", "C5", "C6", "L2", "L3", "L4"]
    assert names[Location.SEMIRIGID] == [f"T{number}" for number in range(3, 11)]
    assert names[Location.RIGID] == ["S2", "S3", "S4", "S5"]


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (0, StabilityClass.STABLE),
        (6, StabilityClass.STABLE),
        (7, StabilityClass.POTENTIALLY_UNSTABLE),
        (12, StabilityClass.POTENTIALLY_UNSTABLE),
        (13, StabilityClass.UNSTABLE),
        (18, StabilityClass.UNSTABLE),
    ],
)
def test_class_limits(score: int, expected: StabilityClass) -> None:
    """0-6, 7-12, 13-18."""
    assert class_of(score) is expected


@pytest.mark.parametrize(
    ("collapse", "involved", "candidates", "flags"),
    [
        (0.51, 0.9, (Body.COLLAPSED_OVER_HALF,), ()),
        (0.5, 0.9, (Body.COLLAPSED_UP_TO_HALF,), (SinsFlag.COLLAPSE_EXACTLY_HALF,)),
        (1 - 12.5 / 25, 0.9, (Body.COLLAPSED_UP_TO_HALF,), (SinsFlag.COLLAPSE_EXACTLY_HALF,)),
        (0.11, 0.9, (Body.COLLAPSED_UP_TO_HALF,), ()),
        (0.1, 0.9, (Body.INVOLVED_OVER_HALF, Body.COLLAPSED_UP_TO_HALF), (SinsFlag.COLLAPSE_WITHIN_NOISE,)),
        (0.0, 0.51, (Body.INVOLVED_OVER_HALF,), ()),
        (-0.2, 0.5, (Body.INTACT,), ()),
        (0.0, None, (Body.INTACT, Body.INVOLVED_OVER_HALF), ()),
    ],
)
def test_readings_of_the_body(
    collapse: float, involved: float | None, candidates: tuple[Body, ...], flags: tuple[SinsFlag, ...]
) -> None:
    """Half is flagged, noise keeps both readings, an involvement that is not known keeps both too."""
    found = read_body(collapse, involved_fraction=involved, noise_fraction=0.1)
    assert (found.candidates, found.flags) == (candidates, flags)


@pytest.mark.parametrize("bad", [(1.2, 0.5, 0.1), (float("nan"), 0.5, 0.1), (0.2, 1.5, 0.1), (0.2, 0.5, 0.7)])
def test_impossible_measures_are_refused(bad: tuple[float, float, float]) -> None:
    """A collapse over 1, a share over 1 or a noise over one half is a defect upstream."""
    with pytest.raises(ValueError, match=r"collapse|share|noise"):
        read_body(bad[0], involved_fraction=bad[1], noise_fraction=bad[2])


@given(findings=FINDINGS)
def test_the_interval_holds_every_completion(findings: SinsFindings) -> None:
    """Whatever the missing components and the pain turn out to be, the total lies in the interval."""
    score = sins(findings)
    assert score.total.high - score.imaging.high == 3
    assert score.total.low == score.imaging.low
    best = SinsFindings(
        level=findings.level or Level.S3,
        lesion=findings.lesion or Matrix.BLASTIC,
        alignment=Alignment.NORMAL if findings.alignment is None else findings.alignment,
        body=findings.body or BodyReading(candidates=(Body.INTACT,)),
        posterolateral=Posterolateral.NONE if findings.posterolateral is None else findings.posterolateral,
    )
    worst = SinsFindings(
        level=findings.level or WORST.level,
        lesion=findings.lesion or WORST.lesion,
        alignment=WORST.alignment if findings.alignment is None else findings.alignment,
        body=findings.body or WORST.body,
        posterolateral=WORST.posterolateral if findings.posterolateral is None else findings.posterolateral,
    )
    assert sins(best).imaging == exactly(score.imaging.low)
    assert sins(worst).imaging == exactly(score.imaging.high)
    assert score.class_low is class_of(score.total.low)
    assert score.class_high is class_of(score.total.high)


def test_what_was_not_evaluable_is_named() -> None:
    """A missing component takes its whole range and is told, as is pain, which no image shows."""
    score = sins(replace(JUNCTIONAL, alignment=None))
    assert score.not_evaluable == ("alignment",)
    assert (score.imaging.low, score.imaging.high) == (8, 12)
    assert score.not_from_images == ("pain",)
    assert "Fisher 2010" in score.version


@pytest.mark.parametrize(("alignment", "wording"), [(Alignment.NORMAL, "7 or more in total"), (None, "not certain")])
def test_the_notice_asks_for_a_review(alignment: Alignment | None, wording: str) -> None:
    """From 7 on, and where 7 is possible, the reader is asked to look; nothing advises a treatment."""
    lesser = replace(JUNCTIONAL, lesion=Matrix.MIXED, alignment=alignment)
    if alignment is None:
        lesser = replace(lesser, posterolateral=Posterolateral.NONE)
    notice = sins(lesser).notice
    assert notice is not None
    assert notice.startswith("Review:")
    assert wording in notice


@pytest.mark.parametrize(("collapse", "notified"), [(0.05, True), (-0.05, False)])
def test_a_possible_seven_is_told(collapse: float, notified: bool) -> None:
    """6 or 7 by the noise of a height asks for a review, a certain 6 does not."""
    body = read_body(collapse, involved_fraction=0.8, noise_fraction=0.1)
    score = sins(replace(JUNCTIONAL, lesion=Matrix.MIXED, body=body))
    assert (score.imaging.low, score.imaging.high) == (6, 7 if notified else 6)
    assert (score.notice is not None) is notified


def test_lesion_types_of_ct_become_the_scores_words() -> None:
    """Sclerotic is blastic, indeterminate is not evaluable, anything else is a mistake."""
    assert Matrix.from_lesion_type(LesionType.SCLEROTIC) is Matrix.BLASTIC
    assert Matrix.from_lesion_type(LesionType.LYTIC) is Matrix.LYTIC
    assert Matrix.from_lesion_type(LesionType.MIXED) is Matrix.MIXED
    assert Matrix.from_lesion_type(LesionType.INDETERMINATE) is None
    with pytest.raises(ValueError, match="not a type"):
        Matrix.from_lesion_type(Finding.LESION)
