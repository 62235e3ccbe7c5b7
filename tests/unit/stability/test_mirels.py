"""Mirels' score from images: an interval, because pain is not in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.stability.mirels import (
    FractureClass,
    MirelsFindings,
    MirelsFlag,
    Pain,
    Site,
    Size,
    class_of,
    mirels,
    mirels_total,
    size_of,
)
from operators.kernels.stability.scoring import Matrix, exactly

FINDINGS = st.builds(
    MirelsFindings,
    site=st.none() | st.sampled_from(Site),
    lesion=st.none() | st.sampled_from(Matrix),
    shaft_fraction=st.none() | st.floats(0.0, 1.0),
)


def test_peritrochanteric_lytic() -> None:
    """Peritrochanteric, lytic, half the shaft: 8, 9 to 11, 11 with functional pain."""
    score = mirels(MirelsFindings(site=Site.PERITROCHANTERIC, lesion=Matrix.LYTIC, shaft_fraction=0.5))
    assert score.imaging == exactly(8)
    assert (score.total.low, score.total.high) == (9, 11)
    assert mirels_total(score, pain=Pain.FUNCTIONAL) == exactly(11)
    assert score.class_low is score.class_high is FractureClass.HIGH
    assert score.notice is not None
    assert score.notice.startswith("Review:")


def test_upper_limb_blastic() -> None:
    """Upper limb, blastic, a fifth of the shaft, mild pain: 4."""
    score = mirels(MirelsFindings(site=Site.UPPER_LIMB, lesion=Matrix.BLASTIC, shaft_fraction=0.2))
    assert mirels_total(score, pain=Pain.MILD) == exactly(4)
    assert score.notice is None
    assert score.not_from_images == ("pain",)


@pytest.mark.parametrize(
    ("fraction", "size"),
    [
        (0.0, Size.UNDER_ONE_THIRD),
        (0.333, Size.UNDER_ONE_THIRD),
        (10 / 30, Size.ONE_TO_TWO_THIRDS),
        (20 / 30, Size.ONE_TO_TWO_THIRDS),
        (0.667, Size.OVER_TWO_THIRDS),
        (1.4, Size.OVER_TWO_THIRDS),
    ],
)
def test_size_limits(fraction: float, size: Size) -> None:
    """Both thirds belong to the middle class."""
    assert size_of(fraction) is size


@pytest.mark.parametrize(
    ("score", "expected"), [(7, FractureClass.LOW), (8, FractureClass.BORDERLINE), (9, FractureClass.HIGH)]
)
def test_class_limits(score: int, expected: FractureClass) -> None:
    """7 or less, 8, 9 or more."""
    assert class_of(score) is expected


@given(findings=FINDINGS)
def test_the_interval_stays_within_the_score(findings: MirelsFindings) -> None:
    """Imaging 3 to 9, total 4 to 12, and a component is known or named as not evaluable."""
    score = mirels(findings)
    assert 3 <= score.imaging.low <= score.imaging.high <= 9
    assert (score.total.low, score.total.high) == (score.imaging.low + 1, score.imaging.high + 3)
    open_components = {name for name, points in score.components if not points.known}
    assert open_components == set(score.not_evaluable)
    assert (score.notice is not None) is (score.imaging.high >= 6)
    assert (MirelsFlag.CLASS_UNDECIDED in score.flags) is (score.class_low is not score.class_high)


@pytest.mark.parametrize(("length_mm", "flagged"), [(30.0, False), (30.1, True), (None, False)])
def test_long_cortical_involvement_is_told(length_mm: float | None, flagged: bool) -> None:
    """Beyond 30 mm along the bone, as a complement that leaves the score alone."""
    score = mirels(
        MirelsFindings(site=Site.LOWER_LIMB, lesion=Matrix.LYTIC, shaft_fraction=0.2, axial_cortical_mm=length_mm)
    )
    assert (MirelsFlag.LONG_CORTICAL_INVOLVEMENT in score.flags) is flagged
    assert score.imaging == exactly(6)


def test_negative_sizes_are_refused() -> None:
    """A negative or infinite size is a defect upstream."""
    for bad in (-0.1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="size"):
            MirelsFindings(site=None, lesion=None, shaft_fraction=bad)
