"""From maps to counts to the index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.bone_scan_index.index import BoneScanIndex, IndexFlag, index_from_fractions, planar_index
from operators.kernels.bone_scan_index.involvement import NotEvaluable, RegionFlag, ViewMode
from operators.kernels.bone_scan_index.planar import PlanarView, spread, tally
from operators.kernels.bone_scan_index.regions import BS80K_SIDED, BoneLabel, BoneRegion
from operators.kernels.bone_scan_index.tables import spiers_1968

Map = npt.NDArray[np.integer]
NUMBER = {label: number for number, label in BS80K_SIDED.numbers.items()}
SPIERS = spiers_1968()
WITHOUT_FEMORA = tuple(label for label in BoneLabel if "femur" not in label.value)


def striped(labels: tuple[BoneLabel, ...] = tuple(BoneLabel), *, width: int = 10) -> Map:
    """Each label a block of 10 rows, 4 px apart from the next and from the edge."""
    grid = np.zeros((14 * len(BoneLabel) + 4, width + 8), dtype=np.int16)
    for label in labels:
        top = 14 * (NUMBER[label] - 1) + 4
        grid[top : top + 10, 4 : 4 + width] = NUMBER[label]
    return grid


def view(labels: Map, *, hot: npt.NDArray[np.bool_] | None = None, seed: int | None = None) -> PlanarView:
    """A view with the given hot pixels, or with random ones, or with none."""
    nothing = np.zeros(labels.shape, dtype=np.bool_)
    if seed is not None:
        hot = np.random.default_rng(seed).random(labels.shape) < 0.2
    return PlanarView(labels=labels, hot=nothing if hot is None else hot, excluded=nothing)


def index(front: PlanarView | None, back: PlanarView | None, *, mode: ViewMode = ViewMode.MAX) -> BoneScanIndex:
    """The index under the Spiers table."""
    return planar_index(anterior=front, posterior=back, table=SPIERS, mode=mode)


def test_bsi_1() -> None:
    """Pelvis 0.10, spine 0.20, ribs 0.05: 2.630, renormalised 2.62737."""
    fractions = {BoneRegion.PELVIS: 0.10, BoneRegion.SPINE: 0.20, BoneRegion.RIBS: 0.05}
    printed = index_from_fractions(fractions, table=SPIERS)
    assert printed.index_percent == pytest.approx(2.630, abs=1e-9)
    assert printed.coverage == pytest.approx((7.5 + 8.3 + 4.4) / 100.1)
    assert (printed.table_id, printed.table_sha256) == (SPIERS.id, SPIERS.sha256)
    rescaled = index_from_fractions(fractions, table=SPIERS.normalised())
    assert rescaled.index_percent == pytest.approx(2.62737, abs=5e-6)
    assert rescaled.table_id.endswith("_NORM")


@pytest.mark.parametrize(
    ("mode", "expected"), [(ViewMode.POOLED, 0.702632), (ViewMode.MAX, 1.068), (ViewMode.MEAN, 0.682333)]
)
def test_bsi_2(mode: ViewMode, expected: float) -> None:
    """Left femur with 120 of 1000 and 30 of 900 pixels hot, from maps, in every mode."""
    sizes = ((1000, 120), (900, 30))
    views = []
    for region, hot in sizes:
        labels = np.zeros((region // 10 + 4, 14), dtype=np.int16)
        labels[2:-2, 2:-2] = NUMBER[BoneLabel.FEMUR_LEFT]
        mask = np.zeros(labels.shape, dtype=np.bool_)
        mask[2 : 2 + hot // 10, 2:-2] = True
        views.append(view(labels, hot=mask))
    found = index(*views, mode=mode)
    assert found.index_percent == pytest.approx(expected, abs=5e-7)
    assert found.mode is mode


def test_bsi_3() -> None:
    """Nothing hot and femora outside the field: 0 over 49.45 % of the skeleton, flagged, femora not evaluable."""
    scan = view(striped(WITHOUT_FEMORA))
    found = index(scan, scan)
    assert found.index_percent == 0.0
    assert found.coverage == pytest.approx(0.494505, abs=5e-7)
    assert found.flags == (IndexFlag.INCOMPLETE,)
    reasons = dict(found.not_evaluable)
    assert reasons[BoneRegion.FEMUR_LEFT] is NotEvaluable.OUTSIDE_FIELD
    assert reasons[BoneRegion.TIBIA_LEFT] is NotEvaluable.NOT_IN_LABEL_SET
    femora = [item for item in found.regions if item.involvement.region.value.startswith("femur")]
    assert [item.contribution_percent for item in femora] == [None, None]


def test_whole_field_is_complete_within_the_label_set() -> None:
    """All twelve classes seen and hot throughout: 67.3 %, coverage 0.6723, no flag."""
    labels = striped()
    found = index(view(labels, hot=labels > 0), view(labels, hot=labels > 0))
    assert found.index_percent == pytest.approx(67.3)
    assert found.coverage == pytest.approx(0.672328, abs=5e-7)
    assert found.flags == ()


def test_no_view_at_all_gives_no_index() -> None:
    """Not evaluable is never 0."""
    found = index(None, None)
    assert found.index_percent is None
    assert found.coverage == 0.0
    assert IndexFlag.NOTHING_EVALUABLE in found.flags


def test_hot_pixels_on_the_rim_belong_to_the_nearest_bone() -> None:
    """Up to 2 px from the skeleton they count, 3 px away they are extra-skeletal; the diagonal is measured too."""
    labels = np.zeros((11, 40), dtype=np.int16)
    labels[5, 5], labels[5, 11] = NUMBER[BoneLabel.RIBS], NUMBER[BoneLabel.PELVIS]
    hot = np.zeros(labels.shape, dtype=np.bool_)
    hot[5, [7, 8, 9, 13, 14]] = True
    hot[[7, 6], [7, 6]] = True  # 2 px both ways is 2.83 px, 1 px both ways 1.41 px
    found = tally(view(labels, hot=hot), labels=BS80K_SIDED)
    assert found.counts[BoneLabel.RIBS].hot == 2
    assert found.counts[BoneLabel.PELVIS].hot == 2
    assert found.extra_skeletal == 3


def test_hot_pixels_under_an_exclusion_are_dropped_and_counted() -> None:
    """A full bladder is no metastasis of the pelvis; the pelvis below it is flagged."""
    labels = striped((BoneLabel.PELVIS,))
    excluded = np.zeros(labels.shape, dtype=np.bool_)
    top = 14 * (NUMBER[BoneLabel.PELVIS] - 1) + 4
    excluded[top : top + 3] = True
    scan = PlanarView(labels=labels, hot=excluded.copy(), excluded=excluded)
    found = index(scan, scan)
    assert found.index_percent == 0.0
    assert found.excluded_pixels == 2 * 3 * 18
    assert IndexFlag.UPTAKE_UNDER_EXCLUSION in found.flags
    assert (BoneRegion.PELVIS, RegionFlag.OBSCURED) in found.flagged


def test_a_hot_spot_across_two_regions_is_split() -> None:
    """Each region takes the pixels that lie in it."""
    labels = np.zeros((20, 20), dtype=np.int16)
    labels[4:10, 4:16], labels[10:16, 4:16] = NUMBER[BoneLabel.LUMBAR_SPINE], NUMBER[BoneLabel.SACRUM]
    hot = np.zeros(labels.shape, dtype=np.bool_)
    hot[8:13, 6:8] = True
    counts = tally(view(labels, hot=hot), labels=BS80K_SIDED).counts
    assert (counts[BoneLabel.LUMBAR_SPINE].hot, counts[BoneLabel.SACRUM].hot) == (4, 6)


def test_a_bone_that_leaves_the_image_is_flagged() -> None:
    """A femur that the edge cuts is told."""
    labels = striped()[:, 4:]
    assert (BoneRegion.FEMUR_LEFT, RegionFlag.CUT_BY_EDGE) in index(view(labels), view(labels)).flagged
    assert index(view(striped()), view(striped())).flagged == ()


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    axes=st.sampled_from([(0,), (1,), (0, 1)]),
    mode=st.sampled_from(ViewMode),
)
def test_flips_of_one_view_change_nothing(seed: int, axes: tuple[int, ...], mode: ViewMode) -> None:
    """Labels carry the patient's sides: a posterior view that is mirrored gives the identical result."""
    front, back = view(striped(), seed=seed), view(striped(), seed=seed + 1)
    turned = PlanarView(
        labels=np.flip(back.labels, axes), hot=np.flip(back.hot, axes), excluded=np.flip(back.excluded, axes)
    )
    assert index(front, turned, mode=mode) == index(front, back, mode=mode)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_swapping_left_and_right_swaps_the_regions_only(seed: int) -> None:
    """Coefficients are the same on both sides: the index stays, the sides' fractions change places."""
    scan = view(striped(), seed=seed)
    pairs = {n: NUMBER[BoneLabel(_other_side(label.value))] for n, label in BS80K_SIDED.numbers.items()}
    lookup = np.array([0, *(pairs[n] for n in range(1, 17))])
    mirrored = PlanarView(labels=lookup[scan.labels], hot=scan.hot, excluded=scan.excluded)
    before, after = index(scan, scan), index(mirrored, mirrored)
    assert after.index_percent == pytest.approx(before.index_percent)
    fractions = {item.involvement.region: item.involvement.fraction for item in after.regions}
    for item in before.regions:
        assert fractions[BoneRegion(_other_side(item.involvement.region.value))] == item.involvement.fraction


def _other_side(name: str) -> str:
    if name.endswith("_left"):
        return name.removesuffix("left") + "right"
    return name.removesuffix("right") + "left" if name.endswith("_right") else name


@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.floats(0.0, 1.0), min_size=26, max_size=26), factor=st.floats(0.0, 1.0))
def test_the_index_is_linear_in_the_fractions(values: list[float], factor: float) -> None:
    """Half the involvement is half the index, and no involvement exceeds the table's sum."""
    fractions = dict(zip(BoneRegion, values, strict=True))
    whole = index_from_fractions(fractions, table=SPIERS)
    part = index_from_fractions({region: value * factor for region, value in fractions.items()}, table=SPIERS)
    assert whole.coverage == pytest.approx(1.0)
    assert part.index_percent == pytest.approx((whole.index_percent or 0.0) * factor, abs=1e-12)
    assert 0.0 <= (whole.index_percent or 0.0) <= 100.1 + 1e-9


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), radius=st.integers(0, 3))
def test_growing_labels_follows_the_euclidean_distance(seed: int, radius: int) -> None:
    """Every pixel gets the label of the nearest labelled pixel within the radius, bones stay as they are."""
    labels = np.where(np.random.default_rng(seed).random((12, 15)) < 0.08, 1 + np.arange(15) % 3, 0)
    grown = spread(labels, radius_px=radius)
    places = np.argwhere(labels > 0)
    for row, column in np.ndindex(labels.shape):
        squared = ((places - (row, column)) ** 2).sum(axis=1)
        near = squared.min() if len(squared) else radius**2 + 1
        expected = min((labels[tuple(p)] for p in places[squared == near]), default=0) if near <= radius**2 else 0
        assert grown[row, column] == expected


def test_maps_that_do_not_fit_are_refused() -> None:
    """A foreign number, another shape or another type is an error, not a guess."""
    labels = striped()
    with pytest.raises(ValueError, match="BS80K_12_SIDED does not name"):
        tally(view(np.where(labels == 3, 99, labels)), labels=BS80K_SIDED)
    with pytest.raises(ValueError, match="bool arrays"):
        PlanarView(labels=labels, hot=labels[1:] > 0, excluded=labels > 0)
    with pytest.raises(ValueError, match="integer array"):
        PlanarView(labels=labels.astype(np.float64), hot=labels > 0, excluded=labels > 0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        index_from_fractions({BoneRegion.SKULL: 1.1}, table=SPIERS)
