"""Lesions of two scans: the worked cases of the clinical reference (8.4), and what must not matter."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.geometry import CroppedMask
from operators.kernels.lesion_matching.contract import Lesion, LesionEvent, LesionGroup, MatchRule
from operators.kernels.lesion_matching.gaps import gaps_mm, shares_of_smaller
from operators.kernels.lesion_matching.match import LESION_MATCH, assign, match_lesions

GRID = (24, 24, 24)
SPACING = (2.0, 2.0, 2.0)
REVERSED = {
    LesionEvent.NEW: LesionEvent.DISAPPEARED,
    LesionEvent.DISAPPEARED: LesionEvent.NEW,
    LesionEvent.SPLIT: LesionEvent.MERGED,
    LesionEvent.MERGED: LesionEvent.SPLIT,
}


def at(*places: tuple[float, float, float], bone: str | None = None) -> list[Lesion]:
    return [Lesion(centroid_mm=place, bone=bone) for place in places]


def apart(prior: list[Lesion], current: list[Lesion]) -> tuple[LesionGroup, ...]:
    """The match of lesions that lie far apart, edge to edge."""
    size = (len(prior), len(current))
    return match_lesions(prior, current, gaps_mm=np.full(size, np.inf), shares=np.zeros(size))


def box(first: tuple[int, int, int], size: tuple[int, int, int]) -> CroppedMask:
    return CroppedMask(grid_shape=GRID, origin=first, values=np.ones(size, dtype=np.bool_))


def lesion_of(mask: CroppedMask) -> Lesion:
    """In a grid that starts at the origin."""
    middle = [(start + (size - 1) / 2) for start, size in zip(mask.origin, mask.values.shape, strict=True)]
    z, y, x = (value * 2.0 for value in middle)
    return Lesion(centroid_mm=(x, y, z), volume_ml=0.008 * mask.voxel_count)


def matched(prior: list[CroppedMask], current: list[CroppedMask]) -> tuple[LesionGroup, ...]:
    gaps = gaps_mm(prior, current, spacing_mm=SPACING, reach_mm=LESION_MATCH.link_mm)
    shares = shares_of_smaller(prior, current)
    return match_lesions(
        [lesion_of(mask) for mask in prior], [lesion_of(mask) for mask in current], gaps_mm=gaps, shares=shares
    )


def test_nearest_lesions_are_one_within_the_gate() -> None:
    """Case M-1: three pairs at 8, 6 and 4 mm; what has no partner within 25 mm disappeared or is new."""
    prior = at((0, 0, 0), (20, 0, 0), (100, 50, 10), (-60, 0, 200))
    current = at((8, 0, 0), (26, 0, 0), (104, 50, 10), (0, 0, 300))
    groups = apart(prior, current)
    assert [(group.event, group.prior, group.current) for group in groups] == [
        (LesionEvent.PERSISTENT, (0,), (0,)),
        (LesionEvent.PERSISTENT, (1,), (1,)),
        (LesionEvent.PERSISTENT, (2,), (2,)),
        (LesionEvent.DISAPPEARED, (3,), ()),
        (LesionEvent.NEW, (), (3,)),
    ]


def test_the_sum_of_distances_counts_not_the_nearest_pair() -> None:
    """Case M-2: 5 + 6 = 11, where the greedy choice costs 24."""
    assert assign(np.array([[4.0, 5.0], [6.0, 20.0]]), limit=25.0) == [(0, 1), (1, 0)]


def test_a_split_lesion_is_compared_as_a_whole() -> None:
    """Case M-4: 8 ml that overlap 3 + 2 ml are a split of -37.5 %, not a response beside a new lesion."""
    (group,) = matched([box((4, 4, 4), (6, 6, 6))], [box((4, 4, 4), (2, 2, 2)), box((8, 8, 8), (2, 2, 2))])
    assert group == LesionGroup(event=LesionEvent.SPLIT, prior=(0,), current=(0, 1))
    assert group.change_percent(prior=[8.0], current=[3.0, 2.0]) == pytest.approx(-37.5)


def test_a_remnant_that_reaches_beyond_is_a_part() -> None:
    """Of two remnants at a lesion's ends one lies beyond it for the most part: a split; backwards in time a merger."""
    whole, near, far = box((4, 4, 4), (4, 4, 10)), box((4, 4, 3), (4, 4, 3)), box((4, 4, 13), (4, 4, 3))
    assert shares_of_smaller([whole], [near, far]).tolist() == [[pytest.approx(2 / 3), pytest.approx(1 / 3)]]
    assert matched([whole], [near, far]) == (LesionGroup(event=LesionEvent.SPLIT, prior=(0,), current=(0, 1)),)
    assert matched([near, far], [whole]) == (LesionGroup(event=LesionEvent.MERGED, prior=(0, 1), current=(0,)),)


def test_a_new_lesion_that_touches_one_that_goes_on_is_new() -> None:
    """There is no room for it in what was there, or the old one goes on about its own middle."""
    whole, far = box((4, 4, 4), (4, 4, 10)), box((4, 4, 13), (4, 4, 3))
    for goes_on in (box((4, 4, 4), (4, 4, 9)), box((5, 5, 8), (2, 2, 2))):
        events = [(group.event, group.current) for group in matched([whole], [goes_on, far])]
        assert events == [(LesionEvent.PERSISTENT, (0,)), (LesionEvent.NEW, (1,))]


def test_a_part_in_two_lesions_belongs_to_the_one_that_has_no_other() -> None:
    """A remnant that shares the same with two is that of the one that has none but it: two pairs, no tangle."""
    prior = [box((4, 4, 2), (4, 4, 6)), box((4, 4, 8), (4, 4, 6))]
    current = [box((5, 5, 7), (2, 2, 2)), box((4, 4, 9), (4, 4, 5))]
    assert shares_of_smaller(prior, current)[:, 0].tolist() == [0.5, 0.5]
    assert [(group.prior, group.current) for group in matched(prior, current)] == [((0,), (0,)), ((1,), (1,))]


def test_two_that_grew_into_one_are_merged() -> None:
    """Both old lesions lie in the new one for the most part: one group, whose volumes add up."""
    prior = [box((2, 2, 2), (4, 4, 4)), box((2, 2, 8), (4, 4, 3))]
    (group,) = matched(prior, [box((2, 2, 2), (4, 4, 10))])
    assert group == LesionGroup(event=LesionEvent.MERGED, prior=(0, 1), current=(0,))


def test_several_that_are_several_are_complex() -> None:
    """Of two that merge, one leaves a remnant beside the new lesion: one group, whose parts cannot be told apart."""
    prior = [box((2, 2, 2), (4, 4, 3)), box((2, 2, 8), (4, 4, 5))]
    current = [box((2, 2, 2), (4, 4, 10)), box((2, 2, 12), (4, 4, 2))]
    assert [group.event for group in matched(prior, current)] == [LesionEvent.COMPLEX]


def test_neighbours_that_touch_stay_two_lesions() -> None:
    """A voxel's error of registration makes each of two neighbours touch the other's place: each goes on by itself."""
    prior = [box((4, 4, 2), (4, 4, 4)), box((4, 4, 6), (4, 4, 4))]
    current = [box((4, 4, 3), (4, 4, 4)), box((4, 4, 7), (4, 4, 4))]
    assert [(group.prior, group.current) for group in matched(prior, current)] == [((0,), (0,)), ((1,), (1,))]


def test_lesions_that_have_better_partners_are_not_one() -> None:
    """A small lesion that an error of registration lays into its large neighbour still goes on as itself."""
    small, large = box((4, 4, 2), (2, 2, 4)), box((2, 2, 6), (6, 6, 6))
    moved = [box((4, 4, 3), (2, 2, 4)), box((2, 2, 5), (6, 6, 6))]
    assert [(group.prior, group.current) for group in matched([small, large], moved)] == [((0,), (0,)), ((1,), (1,))]


def test_a_lesion_that_shares_little_goes_on_where_nothing_shares_more() -> None:
    """Less than half in common is a pair, not a group: the one that shares most is it, another beside it is new."""
    prior = [box((4, 4, 4), (4, 4, 4))]
    current = [box((4, 4, 7), (4, 4, 6)), box((4, 7, 1), (4, 6, 4))]
    assert [(group.event, group.current) for group in matched(prior, current)] == [
        (LesionEvent.PERSISTENT, (0,)),
        (LesionEvent.NEW, (1,)),
    ]


def test_a_new_lesion_beside_an_old_one_is_new() -> None:
    """Nearness makes no split: a second lesion 4 mm from one that persists is another lesion."""
    prior = [box((4, 4, 4), (4, 4, 4))]
    current = [box((4, 4, 4), (4, 4, 4)), box((4, 4, 10), (3, 3, 3))]
    assert [group.event for group in matched(prior, current)] == [LesionEvent.PERSISTENT, LesionEvent.NEW]


def test_lesions_of_two_bones_are_never_paired_by_nearness() -> None:
    """8 mm apart in neighbouring vertebrae: one went, one came; of an unknown bone they may be one."""
    prior, current = at((0, 0, 0), bone="L3"), at((0, 0, 8), bone="L4")
    events = [group.event for group in apart(prior, current)]
    assert events == [LesionEvent.DISAPPEARED, LesionEvent.NEW]
    unnamed = at((0, 0, 8))
    (group,) = apart(prior, unnamed)
    assert group.event is LesionEvent.PERSISTENT


def test_overlap_outranks_the_bones_names() -> None:
    """A lesion at the border of two bones is one, whichever name each scan gave it."""
    prior, current = at((0, 0, 0), bone="sacrum"), at((0, 0, 2), bone="right hip")
    (group,) = match_lesions(prior, current, gaps_mm=np.zeros((1, 1)), shares=np.ones((1, 1)))
    assert group.event is LesionEvent.PERSISTENT


def test_what_the_other_scan_does_not_show_neither_came_nor_went() -> None:
    """Outside the common field a lesion is not assessable, in both directions."""
    alone = Lesion(centroid_mm=(0, 0, 0), shown_by_both=False)
    assert [group.event for group in match_lesions([alone], [], gaps_mm=np.zeros((1, 0)), shares=np.zeros((1, 0)))] == [
        LesionEvent.NOT_ASSESSABLE
    ]
    assert [group.event for group in match_lesions([], [alone], gaps_mm=np.zeros((0, 1)), shares=np.zeros((0, 1)))] == [
        LesionEvent.NOT_ASSESSABLE
    ]


def test_no_change_is_known_without_both_times() -> None:
    """A new lesion has no change in percent, and a sum of zero none either."""
    new = LesionGroup(event=LesionEvent.NEW, current=(0,))
    assert new.change_percent(prior=[], current=[3.0]) is None
    kept = LesionGroup(event=LesionEvent.PERSISTENT, prior=(0,), current=(0,))
    assert kept.change_percent(prior=[0.0], current=[3.0]) is None


@pytest.mark.parametrize("gaps", [np.zeros((2, 1)), np.full((1, 1), -1.0), np.full((1, 1), np.nan)])
def test_a_table_of_another_shape_or_without_sense_is_refused(gaps: npt.NDArray[np.float64]) -> None:
    """Distances are one for each pair, and not negative."""
    with pytest.raises(ValueError, match="table of distances"):
        match_lesions(at((0, 0, 0)), at((0, 0, 0)), gaps_mm=gaps, shares=np.zeros((1, 1)))


@pytest.mark.parametrize("shares", [np.zeros((2, 1)), np.full((1, 1), 1.1), np.full((1, 1), np.nan)])
def test_shares_are_between_none_and_all(shares: npt.NDArray[np.float64]) -> None:
    """A share above one, or of other lesions, is a mistake of the caller."""
    with pytest.raises(ValueError, match="table of shares"):
        match_lesions(at((0, 0, 0)), at((0, 0, 0)), gaps_mm=np.zeros((1, 1)), shares=shares)


def test_a_group_is_what_its_event_says() -> None:
    """A split of one lesion, or a group of none, cannot be made."""
    with pytest.raises(ValueError, match="1 prior and 1 current"):
        LesionGroup(event=LesionEvent.SPLIT, prior=(0,), current=(0,))
    with pytest.raises(ValueError, match="no group"):
        LesionGroup(event=LesionEvent.NEW)


boxes = st.lists(
    st.tuples(st.tuples(*[st.integers(0, 18)] * 3), st.tuples(*[st.integers(1, 5)] * 3)).map(lambda item: box(*item)),
    max_size=5,
)


@given(prior=boxes, current=boxes)
def test_every_lesion_is_in_one_group(prior: list[CroppedMask], current: list[CroppedMask]) -> None:
    """Nothing is lost and nothing counted twice."""
    groups = matched(prior, current)
    assert sorted(n for group in groups for n in group.prior) == list(range(len(prior)))
    assert sorted(n for group in groups for n in group.current) == list(range(len(current)))


@given(prior=boxes, current=boxes, data=st.data())
def test_the_order_of_lesions_does_not_matter(
    prior: list[CroppedMask], current: list[CroppedMask], data: st.DataObject
) -> None:
    """The same events, however the lesions are numbered: the least sum of distances may be reached in two ways, its
    events are as many."""
    shuffled = data.draw(st.permutations(current))
    events = sorted(group.event for group in matched(prior, current))
    assert sorted(group.event for group in matched(prior, shuffled)) == events


@given(prior=boxes, current=boxes)
def test_backwards_in_time_every_event_is_its_opposite(prior: list[CroppedMask], current: list[CroppedMask]) -> None:
    """New is disappeared and split is merged, when the scans change places."""
    forwards = sorted(REVERSED.get(group.event, group.event) for group in matched(prior, current))
    assert sorted(group.event for group in matched(current, prior)) == forwards


@given(prior=boxes, current=boxes)
def test_a_flipped_image_has_the_same_gaps(prior: list[CroppedMask], current: list[CroppedMask]) -> None:
    """Distances do not know left from right."""

    def flipped(masks: list[CroppedMask]) -> list[CroppedMask]:
        return [CroppedMask.from_array(mask.to_array()[:, :, ::-1].copy()) for mask in masks]

    there = gaps_mm(prior, current, spacing_mm=SPACING, reach_mm=10.0)
    back = gaps_mm(flipped(prior), flipped(current), spacing_mm=SPACING, reach_mm=10.0)
    assert np.array_equal(there, back)


def test_a_gap_is_the_distance_of_the_nearest_voxels() -> None:
    """By the voxel's own size on each axis; nothing beyond the reach, and nothing of a lesion off the grid."""
    prior = [box((2, 2, 2), (2, 2, 2)), None]
    current = [box((2, 2, 7), (1, 1, 1)), box((3, 3, 3), (2, 2, 2)), box((20, 20, 20), (1, 1, 1))]
    gaps = gaps_mm(prior, current, spacing_mm=(5.0, 2.0, 1.5), reach_mm=10.0)
    assert gaps[0].tolist() == [pytest.approx(6.0), 0.0, np.inf]
    assert np.isinf(gaps[1]).all()


def test_masks_of_two_grids_are_refused() -> None:
    """Lesions are compared where both lie on the current grid."""
    other = CroppedMask(grid_shape=(30, 30, 30), origin=(0, 0, 0), values=np.ones((1, 1, 1), dtype=np.bool_))
    with pytest.raises(ValueError, match="one grid"):
        gaps_mm([box((0, 0, 0), (1, 1, 1))], [other], spacing_mm=SPACING, reach_mm=5.0)


@given(prior=boxes, current=boxes)
def test_shares_are_those_of_the_whole_arrays(prior: list[CroppedMask], current: list[CroppedMask]) -> None:
    """Boxes that lie apart, inside or across each other have the overlap of the masks that they are cropped from."""
    shares = shares_of_smaller(prior, current)
    for i, before in enumerate(prior):
        for j, now in enumerate(current):
            both = np.count_nonzero(before.to_array() & now.to_array())
            assert shares[i, j] == both / min(before.voxel_count, now.voxel_count)


def test_a_lesion_off_the_grid_shares_nothing() -> None:
    """One that was mapped out of the field has no voxel in common with any."""
    assert shares_of_smaller([None], [box((0, 0, 0), (1, 1, 1))]).tolist() == [[0.0]]
    with pytest.raises(ValueError, match="one grid"):
        shares_of_smaller(
            [box((0, 0, 0), (1, 1, 1))],
            [CroppedMask(grid_shape=(30, 30, 30), origin=(0, 0, 0), values=np.ones((1, 1, 1), dtype=np.bool_))],
        )


def test_a_rule_has_a_share() -> None:
    """A share of nothing would make all lesions one, and one above all none."""
    for share in (0.0, 1.5):
        with pytest.raises(ValueError, match="share"):
            MatchRule(method="R", least_share=share, link_mm=1.0, gate_mm=1.0)
