"""The fraction of a region from two views."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.bone_scan_index.involvement import (
    NotEvaluable,
    PixelCounts,
    RegionFlag,
    RegionInvolvement,
    ViewCounts,
    ViewMode,
    involvement,
    view_fraction,
)
from operators.kernels.bone_scan_index.regions import BS80K_SIDED, BoneLabel, BoneRegion

FRONT, BACK = PixelCounts(hot=120, region=1000), PixelCounts(hot=30, region=900)


@st.composite
def counts(draw: st.DrawFn) -> PixelCounts:
    """A region of some pixels, some of them hot."""
    region = draw(st.integers(1, 5000))
    return PixelCounts(hot=draw(st.integers(0, region)), region=region)


def involved(
    region: BoneRegion, anterior: ViewCounts, posterior: ViewCounts, *, mode: ViewMode = ViewMode.MAX
) -> RegionInvolvement:
    """One region's involvement."""
    found = involvement(anterior, posterior, labels=BS80K_SIDED, mode=mode)
    return next(item for item in found if item.region is region)


@pytest.mark.parametrize(
    ("mode", "expected"), [(ViewMode.POOLED, 150 / 1900), (ViewMode.MAX, 0.12), (ViewMode.MEAN, (0.12 + 1 / 30) / 2)]
)
def test_modes_are_the_three_of_the_reference(mode: ViewMode, expected: float) -> None:
    """Both views' counts become one fraction in the way that the mode names."""
    assert view_fraction(FRONT, BACK, mode=mode) == pytest.approx(expected, rel=1e-12)


@given(front=counts(), back=counts())
def test_modes_are_ordered(front: PixelCounts, back: PixelCounts) -> None:
    """No mode exceeds the maximum; mean and pooled lie between the views; the order of views is free."""
    values = {mode: view_fraction(front, back, mode=mode) or 0.0 for mode in ViewMode}
    lowest = min(front.hot / front.region, back.hot / back.region)
    for mode, value in values.items():
        assert lowest - 1e-12 <= value <= values[ViewMode.MAX] + 1e-12
        assert view_fraction(back, front, mode=mode) == pytest.approx(value)


@given(front=counts(), back=counts(), factor=st.integers(2, 9), mode=st.sampled_from(ViewMode))
def test_fractions_do_not_depend_on_pixel_size(
    front: PixelCounts, back: PixelCounts, factor: int, mode: ViewMode
) -> None:
    """Every pixel split into `factor` gives the same fraction."""
    finer = [PixelCounts(hot=view.hot * factor, region=view.region * factor) for view in (front, back)]
    assert view_fraction(*finer, mode=mode) == pytest.approx(view_fraction(front, back, mode=mode))


@pytest.mark.parametrize("mode", ViewMode)
def test_a_view_without_the_region_takes_no_part(mode: ViewMode) -> None:
    """What a view does not show is unknown, not 0; without both there is no fraction, and its reason stands."""
    alone = involved(BoneRegion.FEMUR_LEFT, {BoneLabel.FEMUR_LEFT: FRONT}, {}, mode=mode)
    assert alone.fraction == pytest.approx(0.12)
    assert alone.flags == (RegionFlag.ONE_VIEW,)
    assert view_fraction(PixelCounts(hot=0, region=0), FRONT, mode=mode) == pytest.approx(0.12)
    assert view_fraction(FRONT, PixelCounts(hot=0, region=0), mode=mode) == pytest.approx(0.12)
    absent = involved(BoneRegion.FEMUR_LEFT, {}, {}, mode=mode)
    assert (absent.fraction, absent.reason) == (None, NotEvaluable.OUTSIDE_FIELD)
    assert involved(BoneRegion.TIBIA_LEFT, {}, {}, mode=mode).reason is NotEvaluable.NOT_IN_LABEL_SET


@pytest.mark.parametrize("label", [BoneLabel.STERNUM, BoneLabel.CLAVICLE_LEFT, BoneLabel.CLAVICLE_RIGHT])
@pytest.mark.parametrize("mode", ViewMode)
def test_sternum_and_clavicles_are_read_from_the_front(label: BoneLabel, mode: ViewMode) -> None:
    """Uptake of the spine shines through to the back view of these bones: it does not count."""
    region = BoneRegion(label.value)
    assert involved(region, {label: FRONT}, {label: PixelCounts(hot=9, region=9)}, mode=mode).fraction == 0.12
    assert involved(region, {}, {label: BACK}, mode=mode).reason is NotEvaluable.OUTSIDE_FIELD


@pytest.mark.parametrize("mode", ViewMode)
def test_scapulae_are_read_from_the_back_where_it_shows_them(mode: ViewMode) -> None:
    """The front view stands in only where the back view lacks the bone."""
    label, region = BoneLabel.SCAPULA_LEFT, BoneRegion.SCAPULA_LEFT
    assert involved(region, {label: FRONT}, {label: BACK}, mode=mode).fraction == pytest.approx(30 / 900)
    assert involved(region, {label: FRONT}, {}, mode=mode).fraction == pytest.approx(0.12)
    assert involved(region, {label: FRONT}, {label: BACK}, mode=mode).flags == ()


def test_the_spine_is_one_region_of_summed_pixels() -> None:
    """Hot pixels over region pixels of all four parts; the sacrum from the back stands in both sums."""
    front = {
        BoneLabel.CERVICAL_SPINE: PixelCounts(hot=0, region=100),
        BoneLabel.THORACIC_SPINE: PixelCounts(hot=40, region=300),
        BoneLabel.LUMBAR_SPINE: PixelCounts(hot=0, region=200),
        BoneLabel.SACRUM: PixelCounts(hot=150, region=150),
    }
    back = {**front, BoneLabel.SACRUM: PixelCounts(hot=10, region=200)}
    spine = involved(BoneRegion.SPINE, front, back)
    assert spine.fraction == pytest.approx(50 / 800)
    assert spine.flags == ()
    short = involved(BoneRegion.SPINE, front, {k: v for k, v in front.items() if k is BoneLabel.THORACIC_SPINE})
    assert short.missing == ()
    lacking = {BoneLabel.LUMBAR_SPINE: PixelCounts(hot=20, region=200)}
    part = involved(BoneRegion.SPINE, lacking, lacking)
    assert part.fraction == pytest.approx(0.1)
    assert part.missing == (BoneLabel.CERVICAL_SPINE, BoneLabel.THORACIC_SPINE, BoneLabel.SACRUM)
    assert RegionFlag.PART_MISSING in part.flags


def test_the_skull_stands_for_the_mandible() -> None:
    """The twelve classes have no mandible of its own: both rows get the skull's fraction."""
    view = {BoneLabel.SKULL: PixelCounts(hot=25, region=100)}
    assert involved(BoneRegion.SKULL, view, {}).fraction == involved(BoneRegion.MANDIBLE, view, {}).fraction == 0.25


@pytest.mark.parametrize(("obscured", "flagged"), [(299, False), (300, True), (999, True)])
def test_a_region_under_the_bladder_is_flagged_from_three_tenths(obscured: int, flagged: bool) -> None:
    """The limit itself is flagged, in either view."""
    covered = {BoneLabel.PELVIS: PixelCounts(hot=0, region=1000, obscured=obscured)}
    clear = {BoneLabel.PELVIS: PixelCounts(hot=0, region=1000)}
    for front, back in ((covered, clear), (clear, covered)):
        assert (RegionFlag.OBSCURED in involved(BoneRegion.PELVIS, front, back).flags) is flagged


def test_a_region_that_is_covered_entirely_is_not_evaluable() -> None:
    """What cannot be seen is not free of disease; where one view shows it, that view counts."""
    covered = {BoneLabel.PELVIS: PixelCounts(hot=0, region=1000, obscured=1000)}
    hidden = involved(BoneRegion.PELVIS, covered, covered)
    assert (hidden.fraction, hidden.reason) == (None, NotEvaluable.OBSCURED)
    assert involved(BoneRegion.PELVIS, covered, {BoneLabel.PELVIS: BACK}).fraction == pytest.approx(30 / 900)


def test_a_fraction_is_clipped_and_says_so() -> None:
    """Hot pixels on the rim can outnumber the region: the fraction is 1, flagged, and the raw one is kept."""
    view = {BoneLabel.STERNUM: PixelCounts(hot=12, region=10)}
    found = involved(BoneRegion.STERNUM, view, {})
    assert (found.fraction, found.unclipped) == (1.0, 1.2)
    assert found.flags == (RegionFlag.CLIPPED,)


def test_a_region_at_the_edge_is_flagged() -> None:
    """The fraction of the visible part is not that of the bone."""
    view = {BoneLabel.FEMUR_LEFT: PixelCounts(hot=0, region=10, cut=True)}
    assert RegionFlag.CUT_BY_EDGE in involved(BoneRegion.FEMUR_LEFT, view, view).flags


@pytest.mark.parametrize("bad", [(-1, 5, 0), (0, -5, 0), (0, 5, 6)])
def test_impossible_counts_are_refused(bad: tuple[int, int, int]) -> None:
    """Negative counts and more obscured than there is cannot be built."""
    with pytest.raises(ValueError, match="pixel counts"):
        PixelCounts(hot=bad[0], region=bad[1], obscured=bad[2])
    with pytest.raises(ValueError, match="fraction or a reason"):
        RegionInvolvement(region=BoneRegion.SKULL, fraction=None)
